-- Quotes as normalized. A quote is believed from when it was taken in.
SELECT
    entity_id,
    event_time,
    sequence,
    raw_symbol AS symbol,
    venue,
    isin,
    bid_price,
    bid_size,
    ask_price,
    ask_size,
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
FROM lake.silver.quote
