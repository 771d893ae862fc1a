-- The raw closes of session days, which dividends and rights are measured against.
SELECT
    venue,
    CAST(event_time AS TIMESTAMP(3)) AS known_at,
    JSON_OBJECT($members) AS records
FROM $bars
WHERE
    source <> 'heartbeat' AND decode_error IS NULL AND interval_seconds = 86400
    AND trade_date BETWEEN DATE '1970-01-01' AND DATE '2199-12-31' AND `close` IS NOT NULL
    AND event_time > TIMESTAMP '1970-01-01 00:00:00'
    AND event_time < TIMESTAMP '2200-01-01 00:00:00'
