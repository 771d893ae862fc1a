-- One pass over a dataset: everything that is measured of a source in a minute of event time. Sums
-- are exact decimals and whole numbers, so they do not depend on the order in which rows arrive.
SELECT
    window_start,
    source,
    MAX(ingest_time) AS ingest_time,
    COUNT(*) AS records,
    COUNT(quality_flags) AS flagged,
    COUNT(order_violation) AS order_violations,
    SUM(delay) AS delay_sum,
    MAX(delay) AS delay_max,
    $aggregates
FROM TABLE(TUMBLE(TABLE $readings, DESCRIPTOR (event_time), INTERVAL '1' MINUTE))
GROUP BY window_start, window_end, source
