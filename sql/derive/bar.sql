-- A bar as the contract says.
SELECT
    CONCAT_WS(
        ':', entity_id, '$seconds', price_type,
        CAST(
            EXTRACT(EPOCH FROM window_start) * 1000 AS STRING
        ),
        CAST(factor_version AS STRING), '0'
    ) AS event_id,
    CAST(window_start AS TIMESTAMP(3)) AS event_time,
    ingest_time,
    'derive' AS source,
    1 AS schema_version,
    entity_id,
    $seconds AS interval_seconds,
    price_type,
    CAST(window_start AS TIMESTAMP(3)) AS bar_start,
    raw_symbol,
    venue,
    trade_date,
    CAST(SUBSTRING(first_key FROM 36) AS DECIMAL(18, 8)) AS `open`,
    high,
    low,
    CAST(SUBSTRING(last_key FROM 36) AS DECIMAL(18, 8)) AS `close`,
    CAST(volume AS DECIMAL(38, 8)) AS volume,
    CASE WHEN volume > 0 THEN CAST(turnover / volume AS DECIMAL(38, 8)) END AS vwap,
    event_count,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    0 AS revision
FROM $window_bar
