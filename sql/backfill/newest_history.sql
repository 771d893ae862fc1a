-- The bitemporal truth: of each interval and when it was learnt, what was written last. (An
-- interval that is superseded is written once more, with the end of its belief.)
SELECT
    event_id,
    raw_key,
    listing_id,
    isin,
    symbol,
    venue,
    status,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    valid_from,
    valid_to,
    known_from,
    known_to
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY raw_key, valid_from, known_from
            ORDER BY kafka_offset DESC
        ) AS newest
    FROM $history
)
WHERE newest = 1
