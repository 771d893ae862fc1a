-- What sources said of each session day, and until when it was the last word. Knowledge counts in
-- whole minutes and is never early: a file of corrections then is one moment, not thousands.
SELECT
    entity_id,
    raw_key,
    venue,
    trade_date,
    event_time,
    `open`,
    high,
    low,
    `close`,
    volume,
    source,
    known_from,
    LEAD(known_from, 1, TIMESTAMP '9999-12-31 00:00:00') OVER (
        PARTITION BY entity_id, trade_date
        ORDER BY known_from, ingest_time, kafka_partition, kafka_offset
    ) AS known_to
FROM (
    SELECT
        *,
        $learnt AS known_from
    FROM $bars
    WHERE interval_seconds = 86400 AND venue IS NOT NULL AND trade_date IS NOT NULL
)
