-- Rows of the late lane for records of $topic that no stage has an answer for, as bronze has them.
-- `occurred` is when the record happened, which the lane does not say.
SELECT
    '$topic:' || lost.part || ':' || lost.place AS event_id,
    bronze.ingest_time AS event_time,
    bronze.ingest_time,
    bronze.source,
    1 AS schema_version,
    '$topic:' || lost.part || ':' || lost.place AS entity_id,
    '$topic' AS topic,
    lost.part,
    lost.place,
    'recover' AS stage,
    '$reason' AS reason,
    'expected an answer of a stage, found none' AS detail,
    bronze.event_id AS raw_event_id,
    bronze.entity_id AS raw_key,
    CAST(NULL AS BLOB) AS raw_bytes,
    bronze.event_time AS occurred
FROM lost
INNER JOIN bronze_row AS bronze
    ON lost.part = bronze.kafka_partition AND lost.place = bronze.kafka_offset
ORDER BY lost.part, lost.place
