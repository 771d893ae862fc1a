-- The markers of what was healed, as records of healed.event.
SELECT
    topic || ':' || part || ':' || place AS event_id,
    event_time,
    ingest_time,
    'heal' AS source,
    1 AS schema_version,
    topic || ':' || part || ':' || place AS entity_id,
    topic,
    part,
    place,
    stage,
    raw_event_id,
    outcome,
    '$heal_id' AS heal_id,
    minute
FROM fate
