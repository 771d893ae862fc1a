-- All days of a listing. (Years first: text that grows line by line is copied at every line.)
SELECT
    entity_id,
    venue,
    LISTAGG(days, $line_feed) AS days
FROM $years
GROUP BY entity_id, venue
