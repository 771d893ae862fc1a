-- Apply records of one partition: keep the newest of each series, and tell who listens. Once, whatever is sent again.
-- ARGV: place, the next offset as it is known (or empty), the next offset behind these records, how many are kept,
--       then for each record: entity, series, offset, time, body
local place, before, after, keep = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local known = redis.call('HGET', 'live:applied', place) or ''
if known ~= before then
  local function named(offset) return offset == '' and 'its beginning' or offset end
  return redis.error_reply('MOVED expected ' .. place .. ' at ' .. named(before) .. ', found ' .. named(known))
end
local told = 0
for i = 5, #ARGV, 5 do
  local entity, series, offset, time, body = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local latest = 'latest:' .. entity
  local had = redis.call('HMGET', latest, series .. '@seq', series .. '@time')
  local previous = had[1] or '-1'
  if tonumber(offset) > tonumber(previous) then
    if not had[2] or tonumber(time) >= tonumber(had[2]) then
      redis.call('HSET', latest, series, body, series .. '@seq', offset, series .. '@time', time)
    else
      redis.call('HSET', latest, series .. '@seq', offset)
    end
    local update = offset .. ' ' .. previous .. ' ' .. body
    local recent = 'recent:' .. entity .. ':' .. series
    redis.call('LPUSH', recent, update)
    redis.call('LTRIM', recent, 0, keep - 1)
    redis.call('EXPIRE', recent, 300) -- whoever missed more asks for a snapshot
    redis.call('PUBLISH', 'live:' .. entity, series .. ' ' .. update)
    told = told + 1
  end
end
redis.call('HSET', 'live:applied', place, after)
return told
