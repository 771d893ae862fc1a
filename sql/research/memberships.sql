-- When each listing could be traded, one line for each interval of each knowledge.
SELECT
    listing_id AS entity_id,
    venue,
    LISTAGG(
        JSON_ARRAY(
            symbol,
            CAST(valid_from AS STRING),
            CAST(valid_to AS STRING),
            CAST(known_from AS STRING),
            CAST(known_to AS STRING)
        ),
        $line_feed
    ) AS spans
FROM $history
WHERE known_from < known_to
GROUP BY listing_id, venue
