-- Normalized rows of a bounded run, with the columns that a live source of them has.
SELECT
    *,
    CAST(NULL AS BYTES) AS raw_bytes,
    CAST(NULL AS STRING) AS decode_error,
    payload.raw_partition AS kafka_partition,
    payload.raw_offset AS kafka_offset,
    ingest_time AS kafka_time,
    FALSE AS is_late
FROM $normalized
