-- Bars as sources say them; the next word on a bar ends the belief in the one before.
SELECT
    entity_id,
    event_time AS bar_start,
    interval_seconds,
    raw_symbol AS symbol,
    venue,
    trade_date,
    open,
    high,
    low,
    "close",
    volume,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    source,
    event_id,
    ingest_time AS known_from,
    LEAD(ingest_time, 1, TIMESTAMP '9999-12-31 00:00:00.000000')
        OVER (
            PARTITION BY entity_id, interval_seconds, event_time
            ORDER BY ingest_time, kafka_offset
        ) AS known_to
FROM lake.silver.bar
