-- What the listings of a venue are ranked by at the last session of each month that is over.
WITH session_day AS (
    SELECT
        venue,
        trade_date,
        LEAD(trade_date) OVER (PARTITION BY venue ORDER BY trade_date) AS next_day
    FROM (
        SELECT DISTINCT
            venue,
            trade_date
        FROM $days
    )
),

last_session AS (
    SELECT
        venue,
        trade_date
    FROM session_day
    WHERE
        EXTRACT(YEAR FROM trade_date) <> EXTRACT(YEAR FROM next_day)
        OR EXTRACT(MONTH FROM trade_date) <> EXTRACT(MONTH FROM next_day)
),

day_of_listing AS (
    -- The symbol that was known first: a later one would be knowledge the choice did not have.
    SELECT
        entity_id,
        venue,
        trade_date,
        symbol
    FROM (
        SELECT
            *,
            ROW_NUMBER() OVER (PARTITION BY entity_id, trade_date ORDER BY known_from) AS version
        FROM $days
    )
    WHERE version = 1
)

SELECT
    last_session.venue,
    last_session.trade_date,
    LISTAGG(
        JSON_ARRAY(
            feature.entity_id,
            day_of_listing.symbol,
            feature.`value`,
            CAST(feature.known_from AS STRING),
            CAST(feature.known_to AS STRING)
        ),
        $line_feed
    ) AS ranked
FROM last_session
INNER JOIN day_of_listing
    ON
        last_session.venue = day_of_listing.venue
        AND last_session.trade_date = day_of_listing.trade_date
INNER JOIN $features AS feature
    ON
        day_of_listing.entity_id = feature.entity_id
        AND day_of_listing.trade_date = feature.trade_date
WHERE feature.feature_name = '$by'
GROUP BY last_session.venue, last_session.trade_date
