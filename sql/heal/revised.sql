-- Touched bars that differ from the newest revision there is, as the next one; or that are new.
SELECT
    made.* REPLACE (
        REGEXP_REPLACE(made.event_id, ':0$$', ':' || COALESCE(stored.revision + 1, 0)) AS event_id,
        COALESCE(stored.revision + 1, 0) AS revision
    ),
    DATE_TRUNC('minute', made.bar_start) AS minute
FROM analytics_bar AS made
SEMI JOIN touched
    ON
        made.entity_id = touched.entity_id
        AND made.interval_seconds = touched.interval_seconds
        AND made.price_type = touched.price_type
        AND made.bar_start = touched.bar_start
        AND made.factor_version = touched.factor_version
LEFT JOIN newest_bar AS stored
    ON
        made.entity_id = stored.entity_id
        AND made.interval_seconds = stored.interval_seconds
        AND made.price_type = stored.price_type
        AND made.bar_start = stored.bar_start
        AND made.factor_version = stored.factor_version
WHERE stored.event_id IS NULL OR NOT ($same)
