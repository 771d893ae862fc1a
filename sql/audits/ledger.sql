-- Records of $topic that are not in exactly one lane, as ranges of neighbouring offsets.
-- lost: in none. doubled: in several, or in one twice. unknown: in a lane and not in bronze.
-- kept_twice: in bronze more than once. What a backfill by another knowledge has left out of its
-- day is not lost: Kafka and ClickHouse have the row that the stream made of it.
SELECT
    '$topic' AS topic,
    part AS partition,
    MIN(place) AS first_offset,
    MAX(place) AS last_offset,
    fault,
    COUNT(*) AS records,
    MIN(hour) AS hour,
    CAST(SUM(normalized) AS BIGINT) AS normalized,
    CAST(SUM(duplicate) AS BIGINT) AS duplicate,
    CAST(SUM(late) AS BIGINT) AS late,
    CAST(SUM(quarantined) AS BIGINT) AS quarantined
FROM (
    SELECT
        faulty.*,
        place - ROW_NUMBER() OVER (PARTITION BY part, fault ORDER BY place) AS run
    FROM (
        SELECT
            placed.*,
            CASE
                WHEN raw = 0 THEN 'unknown'
                WHEN raw > 1 THEN 'kept_twice'
                WHEN lanes > 1 THEN 'doubled'
                ELSE 'lost'
            END AS fault
        FROM placed
        WHERE raw <> 1 OR lanes > 1 OR (lanes = 0 AND NOT restated)
    ) AS faulty
) AS numbered
GROUP BY part, fault, run
ORDER BY part, first_offset
