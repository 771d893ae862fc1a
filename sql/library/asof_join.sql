-- For each event the place of the row to use, null where there is none. Where the best row was
-- withdrawn without another in its stead, what else was believed then is looked for one by one.
WITH found AS (
    SELECT
        events.place AS event,
        events.series,
        events.at,
        best.best.place AS place,
        COALESCE(best.best.withdrawn <= events.at, FALSE) AS is_withdrawn
    FROM events
    ASOF LEFT JOIN best
        ON events.series = best.series AND events.at >= best.available
),

others AS (
    SELECT
        found.event,
        ARG_MAX(
            facts.place, STRUCT_PACK(trade_day := facts.trade_day, known := facts.known)
        ) AS place
    FROM found
    INNER JOIN facts
        ON
            found.series = facts.series
            AND found.at >= facts.available
            AND found.at < facts.withdrawn
    WHERE found.is_withdrawn
    GROUP BY found.event
)

SELECT
    found.event,
    CASE WHEN found.is_withdrawn THEN others.place ELSE found.place END AS place
FROM found
LEFT JOIN others ON found.event = others.event
ORDER BY found.event
