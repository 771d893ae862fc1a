-- Each placed record with its session and the verdict on it; the change points have done their work.
SELECT
    *,
    CASE
        WHEN source = 'heartbeat' THEN CAST(NULL AS STRING)
        WHEN status IS NULL THEN 'UNKNOWN_SYMBOL'
        WHEN status = 'NOT_LISTED' THEN 'NOT_LISTED'
        WHEN status = 'DELISTED' THEN 'AFTER_DELISTING'
        WHEN session_phase = 'closed' THEN 'MARKET_CLOSED'
    END AS reason,
    repeated_offsets IS NOT NULL
    AND ARRAY_CONTAINS(repeated_offsets, kafka_offset) AS is_duplicate
FROM (
    SELECT
        *,
        $trade_date AS trade_date,
        $session_phase AS session_phase
    FROM $placed
    WHERE event_id IS NOT NULL
)
