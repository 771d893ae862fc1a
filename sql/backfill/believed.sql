-- Change points by the knowledge of one moment: what was believed then, each interval from its
-- beginning on, however far back that lies.
SELECT
    event_id,
    valid_from AS event_time,
    valid_from AS ingest_time,
    'reference' AS source,
    1 AS schema_version,
    raw_key AS entity_id,
    raw_key,
    valid_from AS effective_time,
    listing_id,
    isin,
    symbol,
    venue,
    status,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    known_from,
    CAST(NULL AS STRING) AS decode_error
FROM $history
WHERE known_from <= $known_at AND $known_at < known_to
