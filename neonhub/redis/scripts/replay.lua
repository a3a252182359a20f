-- Reads all events after an id, if none between was dropped.
--
-- KEYS[1]  stream  neonhub:events: field `e` = the event as JSON
-- ARGV[1]  id after which to read, as milliseconds
-- ARGV[2]  and number
--
-- Returns {1, the newest id, {events}}, or {0} where a gap can't be ruled out: the id is older than
-- what is kept, newer than what there is, or was lost when Redis was emptied or fell back.

local stream = KEYS[1]
local after_ms, after_n = tonumber(ARGV[1]), tonumber(ARGV[2])

local function before(ms, n, id)
  local dash = string.find(id, '-', 1, true)
  local id_ms, id_n = tonumber(string.sub(id, 1, dash - 1)), tonumber(string.sub(id, dash + 1))
  return ms < id_ms or (ms == id_ms and n < id_n), ms == id_ms and n == id_n
end

local from_start = after_ms == 0 and after_n == 0
if redis.call('EXISTS', stream) == 0 then
  if from_start then return {1, '0-0', {}} end
  return {0}
end
local last, added, length = '0-0', 0, 0
local info = redis.call('XINFO', 'STREAM', stream)
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last = info[i + 1] end
  if info[i] == 'entries-added' then added = info[i + 1] end
  if info[i] == 'length' then length = info[i + 1] end
end
local is_older, is_last = before(after_ms, after_n, last)
if is_last then return {1, last, {}} end
if not is_older then return {0} end
local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
if not first then return {0} end
local precedes = before(after_ms, after_n, first[1])
if precedes and not (from_start and added == length) then return {0} end
if not precedes then
  local id = ARGV[1] .. '-' .. ARGV[2]
  if #redis.call('XRANGE', stream, id, id) == 0 then return {0} end
end

local events = {}
local entries = redis.call('XRANGE', stream, '(' .. ARGV[1] .. '-' .. ARGV[2], '+')
for i = 1, #entries do
  events[i] = entries[i][2][2]
end
return {1, last, events}
