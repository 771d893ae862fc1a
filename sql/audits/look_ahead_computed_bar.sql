-- Bars of $table that use what was learnt after their end, or what was never known. A bar that
-- holds a record brought back from quarantine may use the knowledge of that record's marker; one
-- restated by a backfill (partition -1) that of the moment in place of its offset.
SELECT
    stored.entity_id,
    stored.interval_seconds,
    stored.price_type,
    stored.event_time,
    stored.factor_version,
    MIN(fact.known_from) AS known_from
FROM $table AS stored
LEFT JOIN silver.entity_history AS fact
    ON
        stored.entity_id = fact.listing_id
        AND COALESCE(stored.venue, '') = fact.venue
        AND stored.price_factor = fact.price_factor
        AND stored.split_factor = fact.split_factor
        AND stored.share_factor = fact.share_factor
        AND stored.factor_version = fact.factor_version
        AND stored.event_time + TO_SECONDS(stored.interval_seconds) > fact.valid_from
        AND stored.event_time < fact.valid_to
        AND fact.status = 'LISTED'
LEFT JOIN ops.replayed_event AS marker
    ON
        fact.raw_key = marker.raw_key
        AND CASE stored.price_type WHEN 'trade' THEN 'raw.trade' ELSE 'raw.quote' END = marker.topic
        AND stored.event_time <= marker.event_time
        AND stored.event_time + TO_SECONDS(stored.interval_seconds) > marker.event_time
GROUP BY
    stored.entity_id,
    stored.interval_seconds,
    stored.price_type,
    stored.event_time,
    stored.factor_version,
    stored.kafka_partition,
    stored.kafka_offset
HAVING
    NOT COALESCE(
        BOOL_OR(
            fact.known_from <= CASE
                WHEN stored.kafka_partition = -1 AND stored.kafka_offset >= 0
                    THEN MAKE_TIMESTAMP(stored.kafka_offset * 1000)
                ELSE stored.event_time + TO_SECONDS(stored.interval_seconds) - TO_MILLISECONDS(1)
            END
            OR fact.known_from <= marker.known_at
        ),
        FALSE
    )
