-- Publishes events: each gets its id, is kept for replay, and goes to all who listen.
--
-- KEYS[1]  stream      neonhub:events: field `e` = the event as JSON, its id included
-- KEYS[2]  sorted set  neonhub:events:seen: row id of an event published already -> unix second
-- ARGV[1]  channel to publish on
-- ARGV[2]  how many events the stream keeps, roughly
-- ARGV[3]  the present, unix seconds
-- ARGV[4]  how many seconds a row id is remembered
-- ARGV[5]  what is sent first where the stream begins anew: what was published before is forgotten
-- then per event: row id ("" for none), JSON without id
--
-- Returns the ids given, "" for an event that was published before.

local stream, seen = KEYS[1], KEYS[2]
local channel, cap, now, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])

local function next_id()
  -- The id must be known before the entry is written, because the entry holds it.
  local time = redis.call('TIME')
  local ms = time[1] * 1000 + math.floor(time[2] / 1000)
  local last = '0-0'
  if redis.call('EXISTS', stream) == 1 then
    local info = redis.call('XINFO', 'STREAM', stream)
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = info[i + 1] end
    end
  end
  local dash = string.find(last, '-', 1, true)
  local last_ms, last_n = tonumber(string.sub(last, 1, dash - 1)), tonumber(string.sub(last, dash + 1))
  -- Microseconds as the number: a stream begun anew never gives an id of the one before.
  if ms > last_ms then return ms, time[2] % 1000 end
  return last_ms, last_n + 1
end

local ids = {}
local ms, n = next_id()
if redis.call('EXISTS', stream) == 0 then redis.call('PUBLISH', channel, ARGV[5]) end
for i = 6, #ARGV, 2 do
  local row, body = ARGV[i], ARGV[i + 1]
  if row ~= '' and redis.call('ZADD', seen, 'NX', now, row) == 0 then
    ids[#ids + 1] = ''
  else
    local id = string.format('%.0f-%.0f', ms, n)
    local text = '{"id":"' .. id .. '",' .. string.sub(body, 2)
    redis.call('XADD', stream, 'MAXLEN', '~', cap, id, 'e', text)
    redis.call('PUBLISH', channel, text)
    ids[#ids + 1] = id
    n = n + 1
  end
end
redis.call('ZREMRANGEBYSCORE', seen, '-inf', now - keep)
return ids
