-- The records of a reference topic that can be read, each as one JSON object for the engine.
SELECT
    COALESCE(venue, '') AS venue,
    event_time,
    kafka_offset / $chunk_rows AS chunk,
    $late AS late,
    JSON_OBJECT($members) AS record
FROM $raw
WHERE ($reason) IS NULL AND source <> 'heartbeat'
