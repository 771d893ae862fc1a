-- The records that are fit to be resolved, and the change points of their keys, on one time line.
SELECT
    entity_id AS raw_key,
    event_time,
    event_id,
    ingest_time,
    source,
    schema_version,
    kafka_partition,
    kafka_offset,
    $payload,
    CAST(NULL AS STRING) AS listing_id,
    CAST(NULL AS STRING) AS isin,
    CAST(NULL AS STRING) AS venue,
    CAST(NULL AS INT) AS listing_state,
    CAST(NULL AS DOUBLE) AS price_factor,
    CAST(NULL AS DOUBLE) AS split_factor,
    CAST(NULL AS DOUBLE) AS share_factor,
    CAST(NULL AS INT) AS factor_version
FROM $raw
WHERE $refusal IS NULL AND NOT ($late) AND NOT ($untimely_beat)

UNION ALL

SELECT
    entity_id AS raw_key,
    event_time,
    CAST(NULL AS STRING) AS event_id,
    CAST(NULL AS TIMESTAMP(3)) AS ingest_time,
    CAST(NULL AS STRING) AS source,
    CAST(NULL AS INT) AS schema_version,
    CAST(NULL AS INT) AS kafka_partition,
    CAST(NULL AS BIGINT) AS kafka_offset,
    $no_payload,
    listing_id,
    isin,
    venue,
    CASE status WHEN 'LISTED' THEN $listed WHEN 'DELISTED' THEN $delisted ELSE $not_listed END
        AS listing_state,
    price_factor,
    split_factor,
    share_factor,
    factor_version
FROM $changes
WHERE source <> 'heartbeat' AND decode_error IS NULL
