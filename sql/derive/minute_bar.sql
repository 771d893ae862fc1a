-- Bars of one minute, from the bars of one second.
SELECT
    window_start,
    window_end,
    window_time,
    entity_id,
    price_type,
    factor_version,
    MIN(first_key) AS first_key,
    MAX(last_key) AS last_key,
    MAX(high) AS high,
    MIN(low) AS low,
    SUM(volume) AS volume,
    SUM(turnover) AS turnover,
    SUM(event_count) AS event_count,
    MAX(ingest_time) AS ingest_time,
    MAX(raw_symbol) AS raw_symbol,
    MAX(venue) AS venue,
    MAX(trade_date) AS trade_date,
    MAX(price_factor) AS price_factor,
    MAX(split_factor) AS split_factor,
    MAX(share_factor) AS share_factor
FROM
    TABLE(
        TUMBLE(
            TABLE $second_bar, DESCRIPTOR (bar_time), INTERVAL '1' MINUTE
        )
    )
GROUP BY window_start, entity_id, price_type, factor_version, window_end, window_time
