-- The $price_type price of each event. The order key sorts as (event_time, sequence) and ends in the
-- price: its minimum holds the first price and its maximum the last, whatever the order of arrival.
SELECT
    entity_id,
    event_time,
    ingest_time,
    '$price_type' AS price_type,
    price,
    size,
    CONCAT(
        CAST(
            1000000000000000 + EXTRACT(EPOCH FROM event_time) * 1000
            + EXTRACT(MILLISECOND FROM event_time) AS STRING
        ),
        CAST(1000000000000000000 + COALESCE(payload.sequence, payload.raw_offset) AS STRING),
        CAST(price AS STRING)
    ) AS order_key,
    payload.raw_symbol AS raw_symbol,
    payload.venue AS venue,
    payload.trade_date AS trade_date,
    payload.price_factor AS price_factor,
    payload.split_factor AS split_factor,
    payload.share_factor AS share_factor,
    payload.factor_version AS factor_version
FROM (
    SELECT
        *,
        CAST($price AS DECIMAL(18, 8)) AS price,
        CAST($size AS DECIMAL(18, 8)) AS size
    FROM $normalized
    WHERE source <> 'heartbeat' AND decode_error IS NULL AND NOT is_late
)
