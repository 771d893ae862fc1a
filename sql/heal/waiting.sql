-- Late records that were not healed yet. What a heal has put into silver comes too late for derive
-- once more; its bars were healed with it, so it is no task.
WITH sent AS (
    SELECT DISTINCT
        raw_event_id,
        'normalized.' || SPLIT_PART(topic, '.', 2) AS topic
    FROM healed
    WHERE topic LIKE 'raw.%' AND outcome = 'NORMALIZED'
)

SELECT
    late.topic,
    late.part,
    late.place,
    late.stage,
    late.raw_event_id,
    COALESCE(late.raw_key, '') AS raw_key
FROM late
LEFT JOIN healed AS marker
    ON late.topic = marker.topic AND late.part = marker.part AND late.place = marker.place
LEFT JOIN sent ON late.topic = sent.topic AND late.raw_event_id = sent.raw_event_id
WHERE marker.topic IS NULL AND sent.topic IS NULL AND late.raw_event_id IS NOT NULL
