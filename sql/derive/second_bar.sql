-- Bars of one second, left-closed, labelled by their start; no event, no bar. Prices before and
-- after a change of factors never share a bar: the factor version is part of its key.
SELECT
    window_start,
    window_end,
    window_time,
    entity_id,
    price_type,
    factor_version,
    MIN(order_key) AS first_key,
    MAX(order_key) AS last_key,
    MAX(price) AS high,
    MIN(price) AS low,
    SUM(size) AS volume,
    SUM(price * size) AS turnover,
    COUNT(*) AS event_count,
    MAX(ingest_time) AS ingest_time,
    MAX(raw_symbol) AS raw_symbol,
    MAX(venue) AS venue,
    MAX(trade_date) AS trade_date,
    MAX(price_factor) AS price_factor,
    MAX(split_factor) AS split_factor,
    MAX(share_factor) AS share_factor
FROM TABLE(TUMBLE(TABLE $prices, DESCRIPTOR (event_time), INTERVAL '1' SECOND))
GROUP BY window_start, entity_id, price_type, factor_version, window_end, window_time
