-- Bars of a second and a minute; a revision ends the belief in the one before.
SELECT
    entity_id,
    bar_start,
    interval_seconds,
    price_type,
    raw_symbol AS symbol,
    venue,
    trade_date,
    open,
    high,
    low,
    "close",
    volume,
    vwap,
    event_count,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    revision,
    ingest_time AS known_from,
    LEAD(ingest_time, 1, TIMESTAMP '9999-12-31 00:00:00.000000')
        OVER (
            PARTITION BY entity_id, interval_seconds, price_type, bar_start, factor_version
            ORDER BY revision, kafka_offset
        ) AS known_to
FROM lake.gold.bar
