-- Of each touched bar the newest revision that was published.
WITH published AS (
    SELECT stored_bar.*
    FROM stored_bar
    SEMI JOIN touched
        ON
            stored_bar.entity_id = touched.entity_id
            AND stored_bar.interval_seconds = touched.interval_seconds
            AND stored_bar.price_type = touched.price_type
            AND stored_bar.bar_start = touched.bar_start
            AND stored_bar.factor_version = touched.factor_version
)

SELECT DISTINCT ON (entity_id, interval_seconds, price_type, bar_start, factor_version) *
FROM published
ORDER BY revision DESC
