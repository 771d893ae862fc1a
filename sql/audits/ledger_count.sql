-- The ledger by partition and hour; `known` tells the records that Kafka still has.
SELECT
    placed.part,
    placed.hour,
    placed.place >= COALESCE(kept.place, 0) AS known,
    CAST(SUM(placed.raw) AS BIGINT) AS raw,
    CAST(SUM(placed.normalized) AS BIGINT) AS normalized,
    CAST(SUM(placed.duplicate) AS BIGINT) AS duplicate,
    CAST(SUM(placed.late) AS BIGINT) AS late,
    CAST(SUM(placed.quarantined) AS BIGINT) AS quarantined,
    COUNT(*) FILTER (WHERE placed.lanes = 0 AND placed.restated) AS restated
FROM placed
LEFT JOIN kept ON placed.part = kept.part
GROUP BY placed.part, placed.hour, known
ORDER BY placed.part, placed.hour, known
