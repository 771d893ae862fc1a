-- The $price_type price of each event. The order key sorts as (event_time, sequence) and ends in
-- the price: its minimum holds the first price and its maximum the last, in any order of arrival.
SELECT
    entity_id,
    event_time,
    ingest_time,
    '$price_type' AS price_type,
    bar_price AS price,
    bar_size AS size,
    CONCAT(
        CAST(
            1000000000000000 + EXTRACT(EPOCH FROM event_time) * 1000
            + EXTRACT(MILLISECOND FROM event_time) AS STRING
        ),
        CAST(1000000000000000000 + COALESCE(sequence, raw_offset) AS STRING),
        CAST(bar_price AS STRING)
    ) AS order_key,
    raw_symbol,
    venue,
    trade_date,
    price_factor,
    split_factor,
    share_factor,
    factor_version
FROM (
    SELECT
        *,
        CAST($price AS DECIMAL(18, 8)) AS bar_price,
        CAST($size AS DECIMAL(18, 8)) AS bar_size
    FROM $normalized
    WHERE source <> 'heartbeat' AND NOT ($late)
)
