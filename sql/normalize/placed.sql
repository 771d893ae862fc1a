-- Each timely record beside what its key meant at its event time, as it was known then: the last
-- change point of the key up to that time. Copies of one event share key and time, so the same
-- pass finds them, and remembers what the rules need of the rows before. One exchange, and each
-- key's rows leave in event-time order.
SELECT
    raw_key,
    event_time,
    event_id,
    ingest_time,
    source,
    schema_version,
    kafka_partition,
    kafka_offset,
    $payload,
    LAST_VALUE(listing_id) OVER key_history AS listing_id,
    LAST_VALUE(isin) OVER key_history AS isin,
    LAST_VALUE(venue) OVER key_history AS venue,
    LAST_VALUE(listing_state) OVER key_history AS listing_state,
    LAST_VALUE(price_factor) OVER key_history AS price_factor,
    LAST_VALUE(split_factor) OVER key_history AS split_factor,
    LAST_VALUE(share_factor) OVER key_history AS share_factor,
    LAST_VALUE(factor_version) OVER key_history AS factor_version,
    $key_time OVER key_history AS key_time,
    $memory OVER key_history AS history
FROM $timeline
WINDOW key_history AS (
    PARTITION BY $key
    ORDER BY event_time
    RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
)
