-- Records set aside after their key was looked up; their bytes stay where the coordinates say.
SELECT
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING)) AS event_id,
    ingest_time AS event_time,
    ingest_time,
    source,
    1 AS schema_version,
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING)) AS entity_id,
    CAST(
        ROW(
            '$topic', kafka_partition, kafka_offset, 'normalize', $reason, CAST(NULL AS STRING),
            event_id, raw_key, CAST(NULL AS BYTES)
        ) AS ROW<$types>
    ) AS payload
FROM $judged
WHERE $condition
