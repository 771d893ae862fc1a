-- One row for as long as the same was believed: new knowledge that says the same is no new version.
SELECT
    entity_id,
    symbol,
    venue,
    trade_date,
    `open`,
    high,
    low,
    `close`,
    volume,
    CAST(NULL AS DOUBLE) AS vwap,
    price_factor,
    split_factor AS split_price_factor,
    share_factor,
    MIN(factor_version) AS factor_version,
    source,
    MIN(known_from) AS known_from,
    MAX(known_to) AS known_to
FROM (
    SELECT
        *,
        SUM(begins) OVER (PARTITION BY entity_id, trade_date ORDER BY known_from) AS span
    FROM (
        SELECT
            *,
            CASE
                WHEN
                    said = LAG(said) OVER w AND known_from = LAG(known_to) OVER w
                    THEN 0
                ELSE 1
            END AS begins
        FROM (
            SELECT
                *,
                CONCAT_WS(
                    '|',
                    symbol,
                    source,
                    CAST(`open` AS STRING),
                    CAST(high AS STRING),
                    CAST(low AS STRING),
                    CAST(`close` AS STRING),
                    CAST(volume AS STRING),
                    CAST(price_factor AS STRING),
                    CAST(split_factor AS STRING),
                    CAST(share_factor AS STRING)
                ) AS said
            FROM $said
        )
        WINDOW w AS (PARTITION BY entity_id, trade_date ORDER BY known_from)
    )
)
GROUP BY
    entity_id,
    symbol,
    venue,
    trade_date,
    `open`,
    high,
    low,
    `close`,
    volume,
    price_factor,
    split_factor,
    share_factor,
    source,
    span
