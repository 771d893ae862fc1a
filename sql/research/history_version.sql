-- Who each key was, in whole minutes of knowledge; what is believed has no end.
SELECT
    listing_id,
    raw_key,
    symbol,
    venue,
    price_factor,
    split_factor,
    share_factor,
    factor_version,
    valid_from,
    valid_to,
    $learnt AS known_from,
    CASE
        WHEN known_to >= TIMESTAMP '2200-01-01 00:00:00' THEN TIMESTAMP '9999-12-31 00:00:00'
        ELSE $superseded
    END AS known_to
FROM $history
WHERE status = 'LISTED' AND listing_id <> ''
