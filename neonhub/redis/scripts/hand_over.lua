-- Puts sessions on RQ's queues and moves timers, all or nothing. Or keeps both as a part of a batch,
-- which a later run hands over.
--
-- KEYS[1]  sorted set  neonhub:timers: `tick:<schedule>`, `retry:<session>` -> unix second it is due
-- KEYS[2]  set         rq:queues: the key of every queue RQ knows
-- KEYS[3]  hash        neonhub:job: what jobs of one queue share; gone when the script ends
-- KEYS[4…] list        rq:queue:<queue>: ids, the oldest first; the most urgent queue first
-- ARGV[1]  channel to wake schedulers on when the nearest timer came nearer
-- ARGV[2]  instant of the push, in the form RQ writes times
-- ARGV[3]  seconds after which a job hash that nobody finished is dropped
-- ARGV[4]  failure_ttl of each job, seconds
-- ARGV[5]  timer moves, JSON: [[the score they must still carry ("" any), member, new score
--          ("" remove), member, …], …]
-- ARGV[6]  what begins the names of a batch's lists, or "": there is none
-- ARGV[7]  seconds to keep as a part of that batch what is given; "": it and the batch are handed over
-- then per queue, attempt and push: queue, end of the job ids, call before and after the session id
--          (pickle), description before and after it, session ids (JSON)
--
-- Writes  hash  rq:job:<id>       what a stock `rq worker` reads; what it takes for unset is left out
--         list  neonhub:batch:<batch>:rq:queue:<queue>  ids of jobs that are written, not pushed yet
--         list  neonhub:batch:<batch>:moves  timer moves that are not made yet, as in ARGV[5]
-- Returns the number of jobs pushed: one whose hash exists was pushed before and is left alone.

local timers, queues, model = KEYS[1], KEYS[2], KEYS[3]
local pushed_at, keep, failure_ttl = ARGV[2], ARGV[3], ARGV[4]
local batch, keep_batch = ARGV[6], tonumber(ARGV[7])
local FIRST_QUEUE, FIRST_JOBS = 4, 8
local CHUNK = 1000 -- unpack takes some thousand values at most

local function nearest()
  return tonumber(redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')[2])
end

local function in_chunks(command, key, values)
  for from = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
  end
end

local function write(queue, id_end, head, tail, described, described_end, sessions)
  local ids = {}
  -- A copy takes less than all fields of each, and is refused if the hash exists.
  redis.call('HSET', model,
    'status', 'queued', 'origin', queue, 'created_at', pushed_at, 'enqueued_at', pushed_at,
    'timeout', '-1', 'result_ttl', '0', 'failure_ttl', failure_ttl)
  redis.call('EXPIRE', model, keep)
  for _, session in ipairs(cjson.decode(sessions)) do
    local id = session .. id_end
    local hash = 'rq:job:' .. id
    if redis.call('COPY', model, hash) == 1 then
      redis.call('HSET', hash,
        'data', head .. session .. tail, 'description', described .. session .. described_end)
      ids[#ids + 1] = id
    end
  end
  redis.call('DEL', model)
  return ids
end

local function push(list, ids)
  if #ids > 0 then
    redis.call('SADD', queues, list)
    in_chunks('RPUSH', list, ids)
  end
  return #ids
end

local function push_batch(list)
  local kept = batch .. list
  local count = redis.call('LLEN', kept)
  if count > 0 and redis.call('EXISTS', list) == 0 then
    redis.call('SADD', queues, list)
    redis.call('RENAME', kept, list)
    redis.call('PERSIST', list)
  elseif count > 0 then
    push(list, redis.call('LRANGE', kept, 0, -1))
    redis.call('DEL', kept)
  end
  return count
end

local function keep_in_batch(name, values)
  in_chunks('RPUSH', batch .. name, values)
  redis.call('EXPIRE', batch .. name, keep_batch)
end

local function move(group)
  local scores, members, set, removed = {}, {}, {}, {}
  for i = 2, #group, 2 do
    scores[group[i]], members[#members + 1] = group[i + 1], group[i]
  end
  if group[1] ~= '' then members = redis.call('ZRANGE', timers, group[1], group[1], 'BYSCORE') end
  for _, member in ipairs(members) do
    local score = scores[member]
    if score == '' then
      removed[#removed + 1] = member
    elseif score then
      set[#set + 1], set[#set + 2] = score, member
    end
  end
  in_chunks('ZADD', timers, set)
  in_chunks('ZREM', timers, removed)
end

local pushed = 0
if batch ~= '' and not keep_batch then
  for i = FIRST_QUEUE, #KEYS do pushed = pushed + push_batch(KEYS[i]) end
end
for i = FIRST_JOBS, #ARGV, 7 do
  local list, ids = 'rq:queue:' .. ARGV[i], write(unpack(ARGV, i, i + 6))
  if keep_batch then
    keep_in_batch(list, ids)
  else
    pushed = pushed + push(list, ids)
  end
end

if keep_batch then
  keep_in_batch('moves', {ARGV[5]})
  return 0
end

local groups = cjson.decode(ARGV[5])
if batch ~= '' then
  for _, kept in ipairs(redis.call('LRANGE', batch .. 'moves', 0, -1)) do
    for _, group in ipairs(cjson.decode(kept)) do groups[#groups + 1] = group end
  end
  redis.call('DEL', batch .. 'moves')
end
if #groups > 0 then
  local before = nearest()
  for _, group in ipairs(groups) do move(group) end
  local after = nearest()
  if after and (not before or after < before) then
    redis.call('PUBLISH', ARGV[1], tostring(after))
  end
end

return pushed
