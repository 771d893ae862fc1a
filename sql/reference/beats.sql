-- The clock of the reference topics, for every partition of the change points.
SELECT
    p.number AS `partition`,
    CAST(told.event_time AS TIMESTAMP(3)) AS beat
FROM $raw AS told
CROSS JOIN (VALUES $partitions) AS p (number)
WHERE
    told.source = 'heartbeat'
    AND told.event_time > TIMESTAMP '1970-01-01 00:00:00'
    AND told.event_time < TIMESTAMP '2200-01-01 00:00:00'
