-- The records that are fit to be resolved, and the change points of their keys, on one time line.
SELECT
    entity_id AS raw_key,
    event_time,
    event_id,
    ingest_time,
    source,
    schema_version,
    $payload,
    kafka_partition,
    kafka_offset,
    CAST(NULL AS STRING) AS change_listing_id,
    CAST(NULL AS STRING) AS change_isin,
    CAST(NULL AS STRING) AS change_venue,
    CAST(NULL AS STRING) AS change_status,
    CAST(NULL AS DOUBLE) AS change_price_factor,
    CAST(NULL AS DOUBLE) AS change_split_factor,
    CAST(NULL AS DOUBLE) AS change_share_factor,
    CAST(NULL AS INT) AS change_factor_version
FROM $checked
WHERE reason IS NULL AND NOT is_late

UNION ALL

SELECT
    entity_id AS raw_key,
    event_time,
    CAST(NULL AS STRING) AS event_id,
    CAST(NULL AS TIMESTAMP(3)) AS ingest_time,
    CAST(NULL AS STRING) AS source,
    CAST(NULL AS INT) AS schema_version,
    $no_payload,
    CAST(NULL AS INT) AS kafka_partition,
    CAST(NULL AS BIGINT) AS kafka_offset,
    payload.listing_id AS change_listing_id,
    payload.isin AS change_isin,
    payload.venue AS change_venue,
    payload.status AS change_status,
    payload.price_factor AS change_price_factor,
    payload.split_factor AS change_split_factor,
    payload.share_factor AS change_share_factor,
    payload.factor_version AS change_factor_version
FROM $changes
WHERE source <> 'heartbeat' AND decode_error IS NULL
