-- Bars that take the place of published ones: each under the newest revision it has had.
WITH newest AS (
    SELECT
        entity_id,
        interval_seconds,
        price_type,
        bar_start,
        factor_version,
        MAX(revision) AS revision
    FROM $published
    GROUP BY entity_id, interval_seconds, price_type, bar_start, factor_version
)

SELECT $numbered
FROM $bars AS record
LEFT JOIN newest
    ON
        record.entity_id = newest.entity_id
        AND record.interval_seconds = newest.interval_seconds
        AND record.price_type = newest.price_type
        AND record.bar_start = newest.bar_start
        AND record.factor_version = newest.factor_version
