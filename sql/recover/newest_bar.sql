-- Of each bar the newest revision.
SELECT DISTINCT ON (entity_id, interval_seconds, price_type, bar_start, factor_version) *
FROM $bars
ORDER BY revision DESC
