-- Trades as normalized, believed from when each was taken in; a fault in one is a new record.
SELECT
    entity_id,
    event_time,
    sequence,
    raw_symbol AS symbol,
    venue,
    isin,
    price,
    "size",
    trade_date,
    session_phase,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    quality_flags,
    source,
    event_id,
    ingest_time AS known_from,
    TIMESTAMP '9999-12-31 00:00:00.000000' AS known_to
FROM lake.silver.trade
