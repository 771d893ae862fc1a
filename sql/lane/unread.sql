-- Records set aside before their key is looked up, with their bytes. No such row may say that it
-- is a heartbeat: it would be written without its payload.
SELECT
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING))
        AS event_id,
    CAST(kafka_time AS TIMESTAMP(3)) AS event_time,
    CAST(kafka_time AS TIMESTAMP(3)) AS ingest_time,
    CASE WHEN source IS NULL OR source = 'heartbeat' THEN '' ELSE source END AS source,
    1 AS schema_version,
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING))
        AS entity_id,
    '$topic' AS `topic`,
    kafka_partition AS `partition`,
    kafka_offset AS `offset`,
    '$stage' AS stage,
    $reason AS reason,
    $detail AS detail,
    event_id AS raw_event_id,
    entity_id AS raw_key,
    message_bytes AS raw_bytes
FROM $raw
WHERE $condition
