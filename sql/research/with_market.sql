-- The days of each listing beside those of the one that stands for its venue's market.
SELECT
    own.entity_id,
    own.days,
    COALESCE(market.days, '') AS market_days
FROM $listings AS own
LEFT JOIN (VALUES $benchmarks) AS benchmark (venue, listing) ON own.venue = benchmark.venue
LEFT JOIN $listings AS market ON benchmark.listing = market.entity_id
