-- Rows of $table that use what was learnt after their knowledge time, or what was never known.
-- That time is the event's own; for a record brought back from quarantine that of its marker; for
-- a row restated by a backfill (partition -1) the moment that stands in place of its offset.
SELECT
    '$topic' AS raw_topic,
    used.raw_partition,
    used.raw_offset,
    used.raw_key,
    used.event_time,
    used.knowledge_time,
    used.entity_id,
    used.factor_version,
    MIN(fact.known_from) AS known_from
FROM (
    SELECT
        stored.*,
        CASE
            WHEN stored.kafka_partition = -1 AND stored.kafka_offset >= 0
                THEN MAKE_TIMESTAMP(stored.kafka_offset * 1000)
            ELSE COALESCE(marker.known_at, stored.event_time)
        END AS knowledge_time
    FROM $table AS stored
    LEFT JOIN ops.replayed_event AS marker
        ON
            marker.topic = '$topic'
            AND stored.raw_partition = marker.partition
            AND stored.raw_offset = marker.offset
) AS used
LEFT JOIN silver.entity_history AS fact
    ON
        used.raw_key = fact.raw_key
        AND used.entity_id = fact.listing_id
        AND COALESCE(used.isin, '') = fact.isin
        AND COALESCE(used.venue, '') = fact.venue
        AND used.price_factor = fact.price_factor
        AND used.split_factor = fact.split_factor
        AND used.share_factor = fact.share_factor
        AND used.factor_version = fact.factor_version
        AND used.event_time >= fact.valid_from
        AND used.event_time < fact.valid_to
        AND fact.status = 'LISTED'
GROUP BY
    used.raw_partition,
    used.raw_offset,
    used.raw_key,
    used.event_time,
    used.knowledge_time,
    used.entity_id,
    used.factor_version
HAVING MIN(fact.known_from) IS NULL OR MIN(fact.known_from) > used.knowledge_time
