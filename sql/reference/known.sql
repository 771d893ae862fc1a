-- What became known at one instant, together: a swap of two symbols is never seen by halves.
SELECT
    venue,
    CAST(window_start AS TIMESTAMP(3)) AS known_at,
    LISTAGG(record, $line_feed) AS records
FROM
    TABLE(
        TUMBLE(TABLE $records, DESCRIPTOR (event_time), $instant)
    )
WHERE NOT late
GROUP BY window_start, window_end, venue, chunk

UNION ALL

SELECT
    venue,
    CAST(event_time AS TIMESTAMP(3)) AS known_at,
    record AS records
FROM $records
WHERE late
