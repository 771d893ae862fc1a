-- The newest record of each series, and the highest offset of its partition among the series'
-- records. A series can lie in two: where a backfill made a part of it, in partition -1.
SELECT
    kafka_partition,
    max(kafka_offset) AS last_offset,
    arg_max(records, (${time}, kafka_offset)) AS newest
FROM records
GROUP BY entity_id, kafka_partition, ${series}
