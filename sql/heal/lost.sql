-- Coordinates of the records of a raw topic that bronze has and no lane, up to where its reader has
-- come. What a backfill by another knowledge has left out of its day is not lost.
SELECT
    placed.part,
    placed.place
FROM placed
INNER JOIN reached ON placed.part = reached.part
WHERE
    placed.raw = 1
    AND placed.lanes = 0
    AND NOT placed.restated
    AND placed.place < reached.place
