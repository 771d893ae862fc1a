-- Rows that came behind this job's own watermark: no bar holds them until a backfill does.
SELECT
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING)) AS event_id,
    kafka_time AS event_time,
    kafka_time AS ingest_time,
    source,
    1 AS schema_version,
    CONCAT('$topic:', CAST(kafka_partition AS STRING), ':', CAST(kafka_offset AS STRING)) AS entity_id,
    CAST(
        ROW(
            '$topic', kafka_partition, kafka_offset, 'derive', 'LATE_BEYOND_WATERMARK',
            CAST(NULL AS STRING), event_id, entity_id, raw_bytes
        ) AS ROW<$types>
    ) AS payload
FROM $normalized
WHERE is_late AND source <> 'heartbeat' AND decode_error IS NULL
