-- What became of each late record of $topic: the first answer of the recomputation that names it.
-- A row whose event silver has through another copy is a copy itself; one that silver has with
-- these very coordinates was put there by a backfill.
SELECT
    task.*,
    CASE
        WHEN made.event_id IS NOT NULL AND there.event_id IS NOT NULL THEN 'IN_LAKE'
        WHEN made.event_id IN (SELECT taken.event_id FROM $silver AS taken) THEN 'DUPLICATE'
        WHEN made.event_id IS NOT NULL THEN 'NORMALIZED'
        WHEN copied.place IS NOT NULL THEN 'DUPLICATE'
        ELSE refused.reason
    END AS outcome
FROM task
LEFT JOIN $normalized AS made ON task.part = made.raw_partition AND task.place = made.raw_offset
LEFT JOIN $silver AS there ON task.part = there.raw_partition AND task.place = there.raw_offset
LEFT JOIN duplicate_event AS copied
    ON task.topic = copied.topic AND task.part = copied.part AND task.place = copied.place
LEFT JOIN quarantine_event AS refused
    ON task.topic = refused.topic AND task.part = refused.part AND task.place = refused.place
WHERE task.topic = '$topic'
