-- The records that were never brought back from quarantine.
SELECT record.*
FROM $raw AS record
WHERE NOT EXISTS (
    SELECT 1
    FROM $replayed AS marker
    WHERE
        marker.`topic` = '$topic'
        AND marker.`partition` = record.kafka_partition
        AND marker.`offset` = record.kafka_offset
)
