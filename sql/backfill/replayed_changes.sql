-- Change points for the records that were brought back: by each knowledge that a key was resolved
-- with, what was believed of it, under a key that carries this knowledge.
SELECT
    fact.event_id,
    fact.valid_from AS event_time,
    fact.valid_from AS ingest_time,
    'reference' AS source,
    1 AS schema_version,
    resolved.keyed AS entity_id,
    resolved.keyed AS raw_key,
    fact.valid_from AS effective_time,
    fact.listing_id,
    fact.isin,
    fact.symbol,
    fact.venue,
    fact.status,
    fact.price_factor,
    fact.split_factor,
    fact.share_factor,
    fact.factor_version,
    fact.known_from,
    CAST(NULL AS STRING) AS decode_error
FROM $history AS fact
INNER JOIN $keys AS resolved ON fact.raw_key = resolved.raw_key
WHERE fact.known_from <= resolved.known_at AND resolved.known_at < fact.known_to
