-- Records refused on sight, with their bytes.
SELECT
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING)) AS event_id,
    kafka_time AS event_time,
    kafka_time AS ingest_time,
    COALESCE(source, '') AS source,
    1 AS schema_version,
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING)) AS entity_id,
    CAST(
        ROW(
            '$topic', kafka_partition, kafka_offset, 'normalize', $reason, CAST(NULL AS STRING),
            event_id, entity_id, raw_bytes
        ) AS ROW<$types>
    ) AS payload
FROM $checked
WHERE $condition
