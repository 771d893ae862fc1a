-- Rendered from the contracts: python -m asknown.storage.clickhouse
CREATE DATABASE IF NOT EXISTS gold ENGINE = Atomic;

CREATE DATABASE IF NOT EXISTS ops ENGINE = Atomic;

CREATE DATABASE IF NOT EXISTS silver ENGINE = Atomic;

CREATE TABLE IF NOT EXISTS silver.trade
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id (ARCHITECTURE: section 5); never derived from today\'s ticker or ISIN.',
    `raw_key` String COMMENT 'entity_id of the raw record.',
    `raw_symbol` Nullable(String) COMMENT 'Symbol as the source wrote it.',
    `isin` Nullable(String) COMMENT 'ISIN valid at event_time, as known then.',
    `venue` LowCardinality(Nullable(String)) COMMENT 'Market identifier code of the listing.',
    `price` Decimal(18, 8) COMMENT 'Raw price of one unit as received; never adjusted.',
    `size` Decimal(18, 8) COMMENT 'Units traded as received.',
    `sequence` Nullable(Int64) COMMENT 'Order of events of one entity within a millisecond, as the source counts it.',
    `event_time_ns` Nullable(Int64) COMMENT 'Finer source time: nanoseconds since the epoch, UTC.',
    `trade_date` Nullable(Date32) COMMENT 'Exchange-local session date.',
    `session_phase` LowCardinality(Nullable(String)) COMMENT 'pre_open, regular, post.',
    `price_factor` Float64 COMMENT 'C(t): cumulative forward price factor from listing, splits and dividends.',
    `split_factor` Float64 COMMENT 'The split part of price_factor; the dividend part is price_factor / split_factor.',
    `share_factor` Float64 COMMENT 'S(t): cumulative forward share factor from listing.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions the factors come from; grows with it.',
    `raw_partition` Int32 COMMENT 'Partition of the raw record.',
    `raw_offset` Int64 COMMENT 'Offset of the raw record.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.quote
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id (ARCHITECTURE: section 5); never derived from today\'s ticker or ISIN.',
    `raw_key` String COMMENT 'entity_id of the raw record.',
    `raw_symbol` Nullable(String) COMMENT 'Symbol as the source wrote it.',
    `isin` Nullable(String) COMMENT 'ISIN valid at event_time, as known then.',
    `venue` LowCardinality(Nullable(String)) COMMENT 'Market identifier code of the listing.',
    `bid_price` Decimal(18, 8) COMMENT 'Best bid as received.',
    `bid_size` Nullable(Decimal(18, 8)) COMMENT 'Units bid; null where the source has no sizes.',
    `ask_price` Decimal(18, 8) COMMENT 'Best ask as received.',
    `ask_size` Nullable(Decimal(18, 8)) COMMENT 'Units asked; null where the source has no sizes.',
    `sequence` Nullable(Int64) COMMENT 'Order of events of one entity within a millisecond, as the source counts it.',
    `event_time_ns` Nullable(Int64) COMMENT 'Finer source time: nanoseconds since the epoch, UTC.',
    `trade_date` Nullable(Date32) COMMENT 'Exchange-local session date.',
    `session_phase` LowCardinality(Nullable(String)) COMMENT 'pre_open, regular, post.',
    `price_factor` Float64 COMMENT 'C(t): cumulative forward price factor from listing, splits and dividends.',
    `split_factor` Float64 COMMENT 'The split part of price_factor; the dividend part is price_factor / split_factor.',
    `share_factor` Float64 COMMENT 'S(t): cumulative forward share factor from listing.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions the factors come from; grows with it.',
    `raw_partition` Int32 COMMENT 'Partition of the raw record.',
    `raw_offset` Int64 COMMENT 'Offset of the raw record.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.bar
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id (ARCHITECTURE: section 5); never derived from today\'s ticker or ISIN.',
    `raw_key` String COMMENT 'entity_id of the raw record.',
    `raw_symbol` Nullable(String) COMMENT 'Symbol as the source wrote it.',
    `isin` Nullable(String) COMMENT 'ISIN valid at event_time, as known then.',
    `venue` LowCardinality(Nullable(String)) COMMENT 'Market identifier code of the listing.',
    `interval_seconds` Int32 COMMENT 'Length of the bar in seconds.',
    `open` Decimal(18, 8) COMMENT 'First price.',
    `high` Decimal(18, 8) COMMENT 'Highest price.',
    `low` Decimal(18, 8) COMMENT 'Lowest price.',
    `close` Decimal(18, 8) COMMENT 'Last or official price.',
    `volume` Decimal(18, 8) COMMENT 'Units traded.',
    `trade_date` Nullable(Date32) COMMENT 'Exchange-local session date.',
    `session_phase` LowCardinality(Nullable(String)) COMMENT 'pre_open, regular, post.',
    `price_factor` Float64 COMMENT 'C(t): cumulative forward price factor from listing, splits and dividends.',
    `split_factor` Float64 COMMENT 'The split part of price_factor; the dividend part is price_factor / split_factor.',
    `share_factor` Float64 COMMENT 'S(t): cumulative forward share factor from listing.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions the factors come from; grows with it.',
    `raw_partition` Int32 COMMENT 'Partition of the raw record.',
    `raw_offset` Int64 COMMENT 'Offset of the raw record.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, interval_seconds, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.entity_change
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'The source\'s own key, e.g. NSE:EQ:RELIANCE.',
    `raw_key` String COMMENT 'Key the change is for.',
    `effective_time` DateTime64(3, 'UTC') COMMENT 'From this event time on, an event with this key means what follows.',
    `listing_id` String COMMENT 'Permanent listing id; \'\' when the key means no listing.',
    `isin` String COMMENT 'ISIN from then on; \'\' when there is none.',
    `symbol` String COMMENT 'Symbol from then on.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `status` LowCardinality(String) COMMENT 'LISTED, NOT_LISTED or DELISTED.',
    `price_factor` Float64 COMMENT 'C(t): cumulative forward price factor from listing, splits and dividends.',
    `split_factor` Float64 COMMENT 'The split part of price_factor; the dividend part is price_factor / split_factor.',
    `share_factor` Float64 COMMENT 'S(t): cumulative forward share factor from listing.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions the factors come from; grows with it.',
    `known_from` DateTime64(3, 'UTC') COMMENT 'When the fact was known.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (raw_key, effective_time)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS gold.bar
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id (ARCHITECTURE: section 5); never derived from today\'s ticker or ISIN.',
    `interval_seconds` Int32 COMMENT 'Length of the bar in seconds.',
    `price_type` LowCardinality(String) COMMENT 'trade, bid, ask or mid.',
    `bar_start` DateTime64(3, 'UTC') COMMENT 'Start of the bar, inclusive; UTC. The bar ends interval_seconds later, exclusive.',
    `raw_symbol` Nullable(String) COMMENT 'Symbol in force.',
    `venue` LowCardinality(Nullable(String)) COMMENT 'Market identifier code.',
    `trade_date` Nullable(Date32) COMMENT 'Exchange-local session date.',
    `open` Decimal(18, 8) COMMENT 'First price by (event_time, sequence).',
    `high` Decimal(18, 8) COMMENT 'Highest price.',
    `low` Decimal(18, 8) COMMENT 'Lowest price.',
    `close` Decimal(18, 8) COMMENT 'Last price by (event_time, sequence).',
    `volume` Decimal(38, 8) COMMENT 'Sum of sizes.',
    `vwap` Nullable(Decimal(38, 8)) COMMENT 'Volume-weighted average price; null without volume.',
    `event_count` Int64 COMMENT 'Events in the bar.',
    `price_factor` Float64 COMMENT 'C(t): cumulative forward price factor from listing, splits and dividends.',
    `split_factor` Float64 COMMENT 'The split part of price_factor; the dividend part is price_factor / split_factor.',
    `share_factor` Float64 COMMENT 'S(t): cumulative forward share factor from listing.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions the factors come from; grows with it.',
    `revision` Int32 COMMENT '0 as first published; grows with each correction.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(revision)
PARTITION BY kafka_partition
ORDER BY (entity_id, interval_seconds, price_type, bar_start, factor_version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS ops.quarantine_event
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'topic/partition/offset of the record.',
    `topic` LowCardinality(String) COMMENT 'Topic of the record.',
    `partition` Int32 COMMENT 'Partition of the record.',
    `offset` Int64 COMMENT 'Offset of the record: with topic and partition it names the original.',
    `stage` LowCardinality(String) COMMENT 'Job that set the record aside.',
    `reason` LowCardinality(String) COMMENT 'Reason code.',
    `detail` Nullable(String) COMMENT 'What was expected and what was found.',
    `raw_event_id` Nullable(String) COMMENT 'event_id of the record, if it could be read.',
    `raw_key` Nullable(String) COMMENT 'entity_id of the record, if it could be read.',
    `raw_bytes` Nullable(String) COMMENT 'The record\'s bytes, where the original was at hand; else fetch it by its coordinates.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS ops.late_event
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'topic/partition/offset of the record.',
    `topic` LowCardinality(String) COMMENT 'Topic of the record.',
    `partition` Int32 COMMENT 'Partition of the record.',
    `offset` Int64 COMMENT 'Offset of the record: with topic and partition it names the original.',
    `stage` LowCardinality(String) COMMENT 'Job that set the record aside.',
    `reason` LowCardinality(String) COMMENT 'Reason code.',
    `detail` Nullable(String) COMMENT 'What was expected and what was found.',
    `raw_event_id` Nullable(String) COMMENT 'event_id of the record, if it could be read.',
    `raw_key` Nullable(String) COMMENT 'entity_id of the record, if it could be read.',
    `raw_bytes` Nullable(String) COMMENT 'The record\'s bytes, where the original was at hand; else fetch it by its coordinates.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS ops.duplicate_event
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'topic/partition/offset of the record.',
    `topic` LowCardinality(String) COMMENT 'Topic of the record.',
    `partition` Int32 COMMENT 'Partition of the record.',
    `offset` Int64 COMMENT 'Offset of the record: with topic and partition it names the original.',
    `stage` LowCardinality(String) COMMENT 'Job that set the record aside.',
    `reason` LowCardinality(String) COMMENT 'Reason code.',
    `detail` Nullable(String) COMMENT 'What was expected and what was found.',
    `raw_event_id` Nullable(String) COMMENT 'event_id of the record, if it could be read.',
    `raw_key` Nullable(String) COMMENT 'entity_id of the record, if it could be read.',
    `raw_bytes` Nullable(String) COMMENT 'The record\'s bytes, where the original was at hand; else fetch it by its coordinates.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;
