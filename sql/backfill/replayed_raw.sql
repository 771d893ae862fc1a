-- The records that were brought back from quarantine. Their key carries the knowledge they were
-- resolved with, so that each finds the change points of that knowledge and no other.
SELECT $columns
FROM $raw AS record
INNER JOIN $replayed AS marker
    ON
        record.kafka_partition = marker.`partition`
        AND record.kafka_offset = marker.`offset`
        AND marker.`topic` = '$topic'
        AND marker.outcome = 'NORMALIZED'
