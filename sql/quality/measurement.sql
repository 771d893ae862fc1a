-- One row a measurement, as the contract says. A column without a value has no mean.
SELECT
    CONCAT_WS(
        '|', '$dataset', measured_source, metric, COALESCE(measured_column, ''),
        CAST(EXTRACT(EPOCH FROM window_start) * 1000 AS STRING)
    ) AS event_id,
    window_start AS event_time,
    ingest_time,
    'derive' AS source,
    1 AS schema_version,
    CONCAT('$dataset|', measured_source) AS entity_id,
    '$dataset' AS dataset,
    measured_source,
    metric,
    measured_column,
    60 AS interval_seconds,
    window_start,
    measured AS `value`,
    measured_records AS records
FROM (
    SELECT
        CAST(one_minute.window_start AS TIMESTAMP(3)) AS window_start,
        one_minute.ingest_time,
        one_minute.source AS measured_source,
        found.metric,
        found.measured_column,
        found.measured,
        found.measured_records
    FROM $minutes AS one_minute
    CROSS JOIN
        UNNEST($measurements) AS found (metric, measured_column, measured, measured_records)
)
WHERE measured IS NOT NULL
