-- The waiting records with their times. `minute` is the one whose bars they belong to.
SELECT DISTINCT ON (waiting.topic, waiting.part, waiting.place)
    waiting.*,
    known.event_time,
    known.ingest_time,
    DATE_TRUNC('minute', known.event_time) AS minute,
    DATE_TRUNC('hour', known.event_time) AS hour,
    SPLIT_PART(waiting.topic, '.', 2) AS dataset
FROM waiting
INNER JOIN known
    ON waiting.topic = known.topic AND waiting.part = known.part AND waiting.place = known.place
