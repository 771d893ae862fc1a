-- Records set aside after their key was looked up; their bytes stay where the coordinates say.
SELECT
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING))
        AS event_id,
    ingest_time AS event_time,
    ingest_time,
    source,
    1 AS schema_version,
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING))
        AS entity_id,
    '$topic' AS `topic`,
    kafka_partition AS `partition`,
    kafka_offset AS `offset`,
    'normalize' AS stage,
    $reason AS reason,
    CAST(NULL AS STRING) AS detail,
    event_id AS raw_event_id,
    raw_key,
    CAST(NULL AS BYTES) AS raw_bytes
FROM $placed
WHERE event_id IS NOT NULL AND $condition
