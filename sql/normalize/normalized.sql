-- What is accepted, as the contract says; the change points have done their work and end here.
-- Heartbeats go on, so that time moves downstream too.
SELECT
    event_id,
    event_time,
    ingest_time,
    source,
    schema_version,
    CASE WHEN source = 'heartbeat' THEN raw_key ELSE listing_id END AS entity_id,
    $columns
FROM $placed
WHERE event_id IS NOT NULL AND ($verdict) IS NULL AND NOT ($behind) AND NOT ($copy)
