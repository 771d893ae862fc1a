-- The bars that a healed record of $dataset belongs to; some more than once.
WITH kind AS (
    SELECT UNNEST([$price_types]) AS price_type
),

span AS (
    SELECT UNNEST([1, 60]) AS interval_seconds
)

SELECT
    made.entity_id,
    made.factor_version,
    span.interval_seconds,
    kind.price_type,
    CASE span.interval_seconds
        WHEN 60 THEN DATE_TRUNC('minute', made.event_time)
        ELSE DATE_TRUNC('second', made.event_time)
    END AS bar_start
FROM fate
INNER JOIN $normalized AS made
    ON fate.raw_event_id = made.event_id AND fate.event_time = made.event_time
CROSS JOIN span
CROSS JOIN kind
WHERE fate.dataset = '$dataset' AND fate.outcome = 'NORMALIZED'
