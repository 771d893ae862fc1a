-- Who each key was in [valid_from, valid_to), as it was believed in [known_from, known_to). A row
-- that is superseded is written once more, with the end of its belief: the last one counts.
SELECT
    listing_id AS entity_id,
    raw_key,
    symbol,
    venue,
    isin,
    status,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    valid_from,
    valid_to,
    known_from,
    CASE
        WHEN known_to >= TIMESTAMP '2200-01-01 00:00:00'
            THEN TIMESTAMP '9999-12-31 00:00:00.000000'
        ELSE known_to
    END AS known_to
FROM (
    SELECT
        *,
        ROW_NUMBER() OVER (
            PARTITION BY raw_key, valid_from, known_from
            ORDER BY kafka_offset DESC
        ) AS place
    FROM lake.silver.entity_history
)
WHERE place = 1
