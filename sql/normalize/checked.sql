-- Every raw record with the reason to refuse it, if there is one. A heartbeat is never refused.
SELECT
    *,
    CASE
        WHEN decode_error IS NOT NULL THEN decode_error
        WHEN source = 'heartbeat' AND event_time IS NOT NULL THEN CAST(NULL AS STRING)
        ELSE $rules
    END AS reason
FROM $raw
