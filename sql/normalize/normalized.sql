-- What is accepted, as the contract says. Heartbeats go on, so that time moves downstream too.
SELECT
    event_id,
    event_time,
    ingest_time,
    source,
    schema_version,
    CASE WHEN source = 'heartbeat' THEN raw_key ELSE listing_id END AS entity_id,
    CASE
        WHEN source <> 'heartbeat' THEN CAST(ROW($columns) AS ROW<$types>)
    END AS payload
FROM $judged
WHERE reason IS NULL AND NOT is_duplicate
