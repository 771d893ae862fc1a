-- The bars of one second on a time line of their own, so that a window can be cut from them.
SELECT
    window_time AS bar_time,
    entity_id,
    price_type,
    factor_version,
    first_key,
    last_key,
    high,
    low,
    volume,
    turnover,
    event_count,
    ingest_time,
    raw_symbol,
    venue,
    trade_date,
    price_factor,
    split_factor,
    share_factor
FROM $second_bar
