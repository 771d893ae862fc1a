-- How far a topic's table had been loaded when rows were taken out of it: the loader goes on behind the newest offset
-- that a table holds, and these rows may have been the newest. Emptying a table by hand means deleting its rows here.
CREATE TABLE IF NOT EXISTS ops.loaded_offset
(
    loaded_table LowCardinality(String) COMMENT 'Table, with its database.',
    kafka_partition Int32 COMMENT 'Partition of its topic.',
    kafka_offset Int64 COMMENT 'Everything up to this offset was loaded.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
ORDER BY (loaded_table, kafka_partition);
