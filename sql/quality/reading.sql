-- What is measured of a normalized record; heartbeats and what came behind the watermark are not.
SELECT
    event_time,
    source,
    ingest_time,
    (EXTRACT(EPOCH FROM ingest_time) - EXTRACT(EPOCH FROM event_time)) * 1000
    + EXTRACT(MILLISECOND FROM ingest_time) - EXTRACT(MILLISECOND FROM event_time) AS delay,
    quality_flags,
    CASE WHEN POSITION('$order_violation' IN quality_flags) > 0 THEN 1 END AS order_violation,
    $columns
FROM $normalized
WHERE source <> 'heartbeat' AND NOT ($late)
