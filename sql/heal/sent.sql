-- The rows that go to $topic: what the late records among the raw ones became.
SELECT
    made.*,
    fate.minute
FROM fate
INNER JOIN $normalized AS made ON fate.part = made.raw_partition AND fate.place = made.raw_offset
WHERE fate.topic = '$topic' AND fate.outcome = 'NORMALIZED'
