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
    CAST(
        ROW(
            $seconds,
            price_type,
            window_start,
            raw_symbol,
            venue,
            trade_date,
            CAST(SUBSTRING(first_key FROM 36) AS DECIMAL(18, 8)),
            high,
            low,
            CAST(SUBSTRING(last_key FROM 36) AS DECIMAL(18, 8)),
            volume,
            CASE WHEN volume > 0 THEN turnover / volume END,
            event_count,
            price_factor,
            split_factor,
            share_factor,
            factor_version,
            0
        ) AS ROW<$types>
    ) AS payload
FROM $window_bar
