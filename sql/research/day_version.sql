-- Each day under the factors of each knowledge: believed while both the bar and they were.
SELECT
    bar.entity_id,
    believed.symbol,
    bar.venue,
    bar.trade_date,
    bar.`open`,
    bar.high,
    bar.low,
    bar.`close`,
    bar.volume,
    believed.price_factor,
    believed.split_factor,
    believed.share_factor,
    believed.factor_version,
    bar.source,
    GREATEST(bar.known_from, believed.known_from) AS known_from,
    LEAST(bar.known_to, believed.known_to) AS known_to
FROM $versions AS bar
INNER JOIN $history AS believed
    ON
        bar.entity_id = believed.listing_id
        AND bar.raw_key = believed.raw_key
        AND bar.event_time >= believed.valid_from
        AND bar.event_time < believed.valid_to
        AND bar.known_from < believed.known_to
        AND bar.known_to > believed.known_from
WHERE bar.known_from < bar.known_to AND believed.known_from < believed.known_to
