-- A bar's revisions are all kept: a reader with known_at sees the one that was known then. The
-- sorting key cannot be changed in place, so the table is copied; what a loader adds meanwhile is
-- copied behind it. Where it was made with the new key already, an equal one takes its place.
CREATE TABLE IF NOT EXISTS gold.bar_revision AS gold.bar
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, interval_seconds, price_type, bar_start, factor_version, revision)
SETTINGS non_replicated_deduplication_window = 1000;

INSERT INTO gold.bar_revision
SELECT *
FROM gold.bar
WHERE
    (kafka_partition, kafka_offset) NOT IN (
        SELECT
            seen.kafka_partition,
            seen.kafka_offset
        FROM gold.bar_revision AS seen
    );

EXCHANGE TABLES gold.bar AND gold.bar_revision;

INSERT INTO gold.bar
SELECT *
FROM gold.bar_revision
WHERE
    (kafka_partition, kafka_offset) NOT IN (
        SELECT
            seen.kafka_partition,
            seen.kafka_offset
        FROM gold.bar AS seen
    );

DROP TABLE IF EXISTS gold.bar_revision;
