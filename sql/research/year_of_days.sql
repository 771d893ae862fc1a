-- The days of a listing in a year, one line each, as jobs/research/operators.py reads them.
SELECT
    entity_id,
    venue,
    LISTAGG(
        JSON_ARRAY(
            TIMESTAMPDIFF(DAY, DATE '1970-01-01', trade_date),
            CAST(`open` AS DOUBLE),
            CAST(high AS DOUBLE),
            CAST(low AS DOUBLE),
            CAST(`close` AS DOUBLE),
            CAST(volume AS DOUBLE),
            price_factor,
            share_factor,
            CAST(known_from AS STRING),
            CAST(known_to AS STRING)
        ),
        $line_feed
    ) AS days
FROM $days
GROUP BY entity_id, venue, EXTRACT(YEAR FROM trade_date)
