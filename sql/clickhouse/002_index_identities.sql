-- The history of a listing is found by its id, and the table is ordered by key.
ALTER TABLE silver.entity_history -- noqa: PRS
ADD INDEX IF NOT EXISTS listing listing_id TYPE bloom_filter(0.001) GRANULARITY 1;
-- Whose an identifier was is asked for every request. A statement costs by the column and by the granule, so each row
-- is kept once more as one text, in the order of values and in small granules. `claimed` is id_value under a name that
-- is not in the table's own key: with that the planner would at times prefer the table.
ALTER TABLE silver.identifier_map -- noqa: PRS
ADD COLUMN IF NOT EXISTS claimed String MATERIALIZED id_value,
ADD COLUMN IF NOT EXISTS claim String MATERIALIZED toJSONString((
listing_id, id_type, id_value, venue, series,
toUnixTimestamp64Milli(valid_from), toUnixTimestamp64Milli(valid_to),
toUnixTimestamp64Milli(known_from), toUnixTimestamp64Milli(known_to),
reason, link, raw_event_id, kafka_offset
));
-- Merging replaced rows would otherwise refuse a projection.
ALTER TABLE silver.identifier_map -- noqa: PRS
MODIFY SETTING deduplicate_merge_projection_mode = 'rebuild';
ALTER TABLE silver.identifier_map -- noqa: PRS
ADD PROJECTION IF NOT EXISTS by_value (
SELECT
    claimed,
    claim
ORDER BY claimed
) WITH SETTINGS (index_granularity = 128);
