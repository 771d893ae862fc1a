-- Rows of $topic that came too late for their bars: they stay where they are, the bars are healed.
SELECT
    task.*,
    CASE WHEN made.event_id IS NOT NULL THEN 'NORMALIZED' END AS outcome
FROM task
LEFT JOIN $normalized AS made
    ON task.raw_event_id = made.event_id AND task.event_time = made.event_time
WHERE task.topic = '$topic'
