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
    `quality_flags` Nullable(String) COMMENT 'Reason codes of the rules that flag the record, in the order of the rules, joined by a comma; null when none does.',
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
    `quality_flags` Nullable(String) COMMENT 'Reason codes of the rules that flag the record, in the order of the rules, joined by a comma; null when none does.',
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
    `quality_flags` Nullable(String) COMMENT 'Reason codes of the rules that flag the record, in the order of the rules, joined by a comma; null when none does.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, interval_seconds, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.security
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id.',
    `fact_id` String COMMENT 'Id of the fact; survives a correction.',
    `version` Int32 COMMENT 'Version of the fact, from 1.',
    `raw_key` String COMMENT 'The source\'s own key from valid_from on.',
    `symbol` String COMMENT 'Symbol from valid_from on.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `series` String COMMENT 'Series or group at the venue; \'\' when there is none.',
    `isin` String COMMENT 'ISIN from valid_from on; \'\' when there is none.',
    `security_class` String COMMENT 'Class of the listing, e.g. EQ.',
    `kind` LowCardinality(String) COMMENT 'LIST, RENAME, ISIN_CHANGE, SERIES_CHANGE, TERMS_CHANGE, DELIST or MERGE.',
    `status` LowCardinality(String) COMMENT 'CONFIRMED or CANCELLED.',
    `valid_from` DateTime64(3, 'UTC') COMMENT 'First instant at which it holds: the start of its exchange-local date; UTC.',
    `known_from` DateTime64(3, 'UTC') COMMENT 'When it was known; UTC.',
    `successor_id` String COMMENT 'For MERGE: listing the holders got; \'\' when unknown.',
    `underlying_id` String COMMENT 'For an option contract: listing of its underlying; \'\' otherwise.',
    `raw_partition` Int32 COMMENT 'Partition of the raw record.',
    `raw_offset` Int64 COMMENT 'Offset of the raw record.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, fact_id, version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.corporate_action
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id.',
    `action_id` String COMMENT 'Id of the action; survives an amended ex-date.',
    `version` Int32 COMMENT 'Version of the action, from 1.',
    `kind` LowCardinality(String) COMMENT 'SPLIT, BONUS, STOCK_DIVIDEND, CASH_DIVIDEND, SPECIAL_DIVIDEND, RIGHTS, DEMERGER, CAPITAL_REDUCTION, MERGER or OTHER.',
    `status` LowCardinality(String) COMMENT 'ANNOUNCED, CONFIRMED, AMENDED, CANCELLED or NEEDS_TERMS.',
    `symbol` String COMMENT 'Symbol on the day before the ex-date.',
    `isin` String COMMENT 'ISIN on the day before the ex-date; \'\' when there is none.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `ex_date` Date32 COMMENT 'Exchange-local ex-date.',
    `effective_time` DateTime64(3, 'UTC') COMMENT 'Start of the ex-date at the exchange; UTC.',
    `announce_date` Nullable(Date32) COMMENT 'Exchange-local date of the company\'s announcement.',
    `record_date` Nullable(Date32) COMMENT 'Exchange-local record date.',
    `pay_date` Nullable(Date32) COMMENT 'Exchange-local payment date.',
    `ratio_numerator` Nullable(Int64) COMMENT 'New shares: of a split after it, of a bonus or rights issue on top.',
    `ratio_denominator` Nullable(Int64) COMMENT 'Old shares: of a split before it, of a bonus or rights issue held.',
    `cash_amount` Nullable(Decimal(18, 8)) COMMENT 'Per share, on the cum basis.',
    `currency` Nullable(String) COMMENT 'ISO 4217 code of the amounts.',
    `subscription_price` Nullable(Decimal(18, 8)) COMMENT 'For RIGHTS: price of one new share.',
    `distributed_value` Nullable(Decimal(18, 8)) COMMENT 'For DEMERGER: value per parent share, on the cum basis.',
    `method` Nullable(String) COMMENT 'PREV_CLOSE or EX_CLOSE.',
    `reference_price` Nullable(Decimal(18, 8)) COMMENT 'Raw close the source gave for `method`.',
    `purpose` Nullable(String) COMMENT 'The exchange\'s own words.',
    `known_from` DateTime64(3, 'UTC') COMMENT 'When this version was known; UTC.',
    `raw_partition` Int32 COMMENT 'Partition of the raw record.',
    `raw_offset` Int64 COMMENT 'Offset of the raw record.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, action_id, version)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.restatement
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id; the key\'s former one where it lost its listing.',
    `raw_key` String COMMENT 'Key whose past was restated.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `from_time` DateTime64(3, 'UTC') COMMENT 'First event time that now means something else; UTC.',
    `to_time` DateTime64(3, 'UTC') COMMENT 'End of the range, exclusive: when it was known; UTC.',
    `old_listing_id` String COMMENT 'Listing the key meant by then; \'\' when none.',
    `new_listing_id` String COMMENT 'Listing the key means now; \'\' when none.',
    `old_factor_version` Int32 COMMENT 'Factor version as published, at the end of the range.',
    `new_factor_version` Int32 COMMENT 'Factor version by today\'s knowledge, at the end of the range.',
    `reason` LowCardinality(String) COMMENT 'ACTION or MAPPING: what was learnt late, amended or cancelled.',
    `cause` String COMMENT 'Event id of the raw record that was learnt; of several, the first.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
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

CREATE TABLE IF NOT EXISTS silver.entity_history
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'The source\'s own key.',
    `raw_key` String COMMENT 'The source\'s own key.',
    `listing_id` String COMMENT 'Permanent listing id; \'\' when the key means no listing.',
    `security_id` String COMMENT 'What all listings of the security share; \'\' when unknown.',
    `issuer_id` String COMMENT 'What all securities of the issuer share; \'\' when unknown.',
    `symbol` String COMMENT 'Symbol.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `series` String COMMENT 'Series or group at the venue; \'\' when there is none.',
    `isin` String COMMENT 'ISIN; \'\' when there is none.',
    `security_class` String COMMENT 'Class of the listing, e.g. EQ.',
    `status` LowCardinality(String) COMMENT 'LISTED, NOT_LISTED or DELISTED.',
    `valid_from` DateTime64(3, 'UTC') COMMENT 'First instant of the interval; UTC.',
    `valid_to` DateTime64(3, 'UTC') COMMENT 'End of the interval, exclusive; 2200-01-01 while it is open.',
    `known_from` DateTime64(3, 'UTC') COMMENT 'When it was learnt; UTC.',
    `known_to` DateTime64(3, 'UTC') COMMENT 'When it was superseded; 2200-01-01 while it is believed.',
    `price_factor` Float64 COMMENT 'C(t): cumulative forward price factor from listing, splits and dividends.',
    `split_factor` Float64 COMMENT 'The split part of price_factor; the dividend part is price_factor / split_factor.',
    `share_factor` Float64 COMMENT 'S(t): cumulative forward share factor from listing.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions the factors come from; grows with it.',
    `strike` Nullable(Decimal(18, 8)) COMMENT 'For an option contract: its strike in the interval.',
    `lot_size` Nullable(Decimal(18, 8)) COMMENT 'Units of one contract or lot in the interval.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (raw_key, valid_from, known_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.identifier_map
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id.',
    `listing_id` String COMMENT 'Permanent listing id.',
    `id_type` LowCardinality(String) COMMENT 'RAW_KEY, SYMBOL or ISIN.',
    `id_value` String COMMENT 'The identifier.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `series` String COMMENT 'Series or group at the venue; \'\' when there is none.',
    `valid_from` DateTime64(3, 'UTC') COMMENT 'First instant of the interval; UTC.',
    `valid_to` DateTime64(3, 'UTC') COMMENT 'End of the interval, exclusive; 2200-01-01 while it is open.',
    `known_from` DateTime64(3, 'UTC') COMMENT 'When it was learnt; UTC.',
    `known_to` DateTime64(3, 'UTC') COMMENT 'When it was superseded; 2200-01-01 while it is believed.',
    `reason` LowCardinality(String) COMMENT 'Kind of the fact that began the interval: LIST, RENAME, ISIN_CHANGE, ...',
    `link` String COMMENT 'Why it belongs to the one before: FV_SPLIT, RENAME, SUCCESSOR; \'\' when nothing came before.',
    `raw_event_id` String COMMENT 'Event id of the raw record it comes from.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (id_type, id_value, listing_id, valid_from, known_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.adjustment_factor
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Permanent listing id.',
    `listing_id` String COMMENT 'Permanent listing id.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `ex_date` Date32 COMMENT 'Exchange-local ex-date.',
    `effective_time` DateTime64(3, 'UTC') COMMENT 'Start of the ex-date at the exchange; UTC.',
    `price_numerator` String COMMENT 'Numerator of m, the factor of every earlier price; an exact integer.',
    `price_denominator` String COMMENT 'Denominator of m.',
    `share_numerator` String COMMENT 'Numerator of s, the factor of every earlier share count; an exact integer.',
    `share_denominator` String COMMENT 'Denominator of s.',
    `price_factor` Float64 COMMENT 'm as a number.',
    `split_factor` Float64 COMMENT 'The split part of m.',
    `share_factor` Float64 COMMENT 's as a number.',
    `method` String COMMENT 'PREV_CLOSE, EX_CLOSE, TERP or RATIO; of several, joined by \'+\'.',
    `reference_price` Nullable(Decimal(18, 8)) COMMENT 'Raw close the factor was measured against.',
    `reference_date` Nullable(Date32) COMMENT 'Exchange-local date of that close; null when the source gave the price.',
    `action_ids` String COMMENT 'Ids of the actions, joined by commas.',
    `status` LowCardinality(String) COMMENT 'FINAL; PROVISIONAL while the close is missing, old or may still change; NEEDS_TERMS when nothing was applied for want of terms.',
    `factor_version` Int32 COMMENT 'Which knowledge of this listing\'s actions it comes from.',
    `known_from` DateTime64(3, 'UTC') COMMENT 'When it was learnt; UTC.',
    `known_to` DateTime64(3, 'UTC') COMMENT 'When it was superseded; 2200-01-01 while it is believed.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (listing_id, ex_date, known_from)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS silver.session
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it happened at the venue; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw it; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'Market identifier code.',
    `venue` LowCardinality(String) COMMENT 'Market identifier code.',
    `trade_date` Date32 COMMENT 'Exchange-local date.',
    `pre_open_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the pre-open phase; UTC; null when there is none.',
    `pre_open_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the pre-open phase, exclusive.',
    `regular_start` DateTime64(3, 'UTC') COMMENT 'Start of the regular phase; UTC.',
    `regular_end` DateTime64(3, 'UTC') COMMENT 'End of the regular phase, exclusive.',
    `post_start` Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of the post phase; UTC; null when there is none.',
    `post_end` Nullable(DateTime64(3, 'UTC')) COMMENT 'End of the post phase, exclusive.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (venue, trade_date)
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
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, interval_seconds, price_type, bar_start, factor_version, revision)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS gold.quality
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'Start of the window; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw that record; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'dataset|source: all measurements of one pair stay in order.',
    `dataset` String COMMENT 'trade, quote, bar and so on.',
    `measured_source` String COMMENT 'Source of the records that were measured.',
    `metric` String COMMENT 'What was measured, such as records, duplicate_share, null_share, mean: docs/quality.md.',
    `measured_column` Nullable(String) COMMENT 'Column that was measured, for metrics of a column.',
    `interval_seconds` Int32 COMMENT 'Length of the window in seconds.',
    `window_start` DateTime64(3, 'UTC') COMMENT 'Start of the window, inclusive; UTC. It ends interval_seconds later, exclusive.',
    `value` Float64 COMMENT 'The measurement; shares are fractions of 1, delays milliseconds.',
    `records` Int64 COMMENT 'Records that it was computed from.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, interval_seconds, event_time, event_id)
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

CREATE TABLE IF NOT EXISTS ops.replayed_event
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'Event time of the record that was brought back; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw that record; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'topic/partition/offset of the record.',
    `topic` LowCardinality(String) COMMENT 'Topic of the record.',
    `partition` Int32 COMMENT 'Partition of the record.',
    `offset` Int64 COMMENT 'Offset of the record: with topic and partition it names the original.',
    `stage` LowCardinality(String) COMMENT 'Job that had set the record aside.',
    `reason` LowCardinality(String) COMMENT 'Reason code it had been set aside with.',
    `raw_event_id` String COMMENT 'event_id of the record.',
    `raw_key` String COMMENT 'entity_id of the record.',
    `outcome` String COMMENT 'NORMALIZED, or DUPLICATE when the event had been taken through another copy.',
    `known_at` DateTime64(3, 'UTC') COMMENT 'Knowledge the record was resolved with: the newest about its key; UTC.',
    `replay_id` String COMMENT 'Which replay brought it back: a hash over its records and their knowledge.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS ops.healed_event
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'Event time of the record that was healed; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When ingestion first saw that record; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'topic/partition/offset of the record.',
    `topic` LowCardinality(String) COMMENT 'Topic of the record.',
    `partition` Int32 COMMENT 'Partition of the record.',
    `offset` Int64 COMMENT 'Offset of the record: with topic and partition it names the original.',
    `stage` LowCardinality(String) COMMENT 'Job that had set the record aside.',
    `raw_event_id` Nullable(String) COMMENT 'event_id of the record.',
    `outcome` String COMMENT 'NORMALIZED, DUPLICATE when its event had been taken through another copy, or the reason code it is refused with.',
    `heal_id` String COMMENT 'Which healing did it: a hash over its records.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;

CREATE TABLE IF NOT EXISTS ops.discarded_event
(
    `event_id` String COMMENT 'Deterministic id: a hash over source and the source\'s natural key. A re-read source yields the same id.',
    `event_time` DateTime64(3, 'UTC') COMMENT 'When it was decided; UTC, milliseconds.',
    `ingest_time` DateTime64(3, 'UTC') COMMENT 'When it was decided; UTC, milliseconds.',
    `source` LowCardinality(String) COMMENT 'Which connector it came from; \'heartbeat\' marks a record that only moves time.',
    `schema_version` Int32 COMMENT 'Version of the payload, counted from 1.',
    `entity_id` String COMMENT 'topic/partition/offset of the record.',
    `topic` LowCardinality(String) COMMENT 'Topic of the record.',
    `partition` Int32 COMMENT 'Partition of the record.',
    `offset` Int64 COMMENT 'Offset of the record: with topic and partition it names the original.',
    `stage` LowCardinality(String) COMMENT 'Job that had set the record aside.',
    `reason` LowCardinality(String) COMMENT 'Reason code it had been set aside with.',
    `raw_event_id` Nullable(String) COMMENT 'event_id of the record, if it could be read.',
    `raw_key` Nullable(String) COMMENT 'entity_id of the record, if it could be read.',
    `why` String COMMENT 'The words of the person who decided.',
    `decided_by` String COMMENT 'Who decided.',
    `kafka_partition` Int32 COMMENT 'Partition the record was read from.',
    `kafka_offset` Int64 COMMENT 'Offset the record was read from.'
)
ENGINE = ReplacingMergeTree(kafka_offset)
PARTITION BY kafka_partition
ORDER BY (entity_id, event_time, event_id)
SETTINGS non_replicated_deduplication_window = 1000;
