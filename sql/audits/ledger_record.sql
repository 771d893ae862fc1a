-- Each record of a raw topic that bronze holds or a lane names, and how often it is where.
-- Its hour is that in which the broker took it in: what cannot be read has no other time.
-- A marker moves its record: out of quarantine what was brought back, out of the late what was
-- healed. A row that a backfill computed counts where no lane names its record: what is late in
-- Kafka stays late. Records before the first offset that was asked for do not count.
SELECT
    placed.part,
    placed.place,
    MIN(placed.hour) AS hour,
    COUNT(*) FILTER (WHERE placed.lane = 'raw') AS raw,
    COUNT(*) FILTER (WHERE placed.lane = 'normalized') AS streamed,
    COUNT(*) FILTER (WHERE placed.lane = 'recomputed') AS recomputed,
    COUNT(*) FILTER (WHERE placed.lane = 'duplicate')
    + LEAST(COUNT(*) FILTER (WHERE placed.outcome = 'DUPLICATE'), 1) AS duplicate,
    GREATEST(
        COUNT(*) FILTER (WHERE placed.lane = 'late')
        - LEAST(COUNT(*) FILTER (WHERE placed.lane = 'healed'), 1), 0
    ) AS late,
    GREATEST(
        COUNT(*) FILTER (WHERE placed.lane = 'quarantined')
        - LEAST(COUNT(*) FILTER (WHERE placed.lane = 'replayed'), 1), 0
    )
    + LEAST(COUNT(*) FILTER (WHERE placed.outcome NOT IN ('NORMALIZED', 'DUPLICATE')), 1)
        AS quarantined,
    COUNT(restated.day) > 0 AS restated
FROM (
    SELECT
        kafka_partition AS part,
        kafka_offset AS place,
        'raw' AS lane,
        NULL AS outcome,
        DATE_TRUNC('hour', kafka_time) AS hour,
        CAST(event_time AS DATE) AS day
    FROM $bronze
    UNION ALL
    SELECT
        raw_partition AS part,
        raw_offset AS place,
        CASE WHEN kafka_partition < 0 THEN 'recomputed' ELSE 'normalized' END AS lane,
        NULL AS outcome,
        NULL AS hour,
        NULL AS day
    FROM $silver
    UNION ALL
    SELECT
        part,
        place,
        lane,
        outcome,
        NULL AS hour,
        NULL AS day
    FROM aside
) AS placed
LEFT JOIN first_place ON placed.part = first_place.part
LEFT JOIN restated ON placed.day = restated.day
WHERE placed.place >= COALESCE(first_place.place, 0)
GROUP BY placed.part, placed.place
