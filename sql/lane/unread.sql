-- Records set aside before their key is looked up, with their bytes.
SELECT
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING))
        AS event_id,
    CAST(kafka_time AS TIMESTAMP(3)) AS event_time,
    CAST(kafka_time AS TIMESTAMP(3)) AS ingest_time,
    COALESCE(source, '') AS source,
    1 AS schema_version,
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING))
        AS entity_id,
    '$topic' AS `topic`,
    kafka_partition AS `partition`,
    kafka_offset AS `offset`,
    '$stage' AS stage,
    $reason AS reason,
    CAST(NULL AS STRING) AS detail,
    event_id AS raw_event_id,
    entity_id AS raw_key,
    message_bytes AS raw_bytes
FROM $raw
WHERE $condition
