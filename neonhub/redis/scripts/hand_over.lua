-- Puts sessions on RQ's queues and moves timers, all or nothing.
--
-- KEYS[1]  sorted set  neonhub:timers: `tick:<schedule>`, `retry:<session>` -> unix second it is due
-- KEYS[2]  set         rq:queues: the key of every queue RQ knows
-- KEYS[3]  hash        neonhub:job: what jobs of one queue share; gone when the script ends
-- ARGV[1]  channel to wake schedulers on when the nearest timer came nearer
-- ARGV[2]  instant of the push, in the form RQ writes times
-- ARGV[3]  seconds after which a job hash that nobody finished is dropped
-- ARGV[4]  failure_ttl of each job, seconds
-- ARGV[5]  timer moves, JSON: [[the score they must still carry ("" any), member, new score
--          ("" remove), member, …], …]
-- then per queue, attempt and push: queue, end of the job ids, call before and after the session id
--          (pickle), description before and after it, session ids (JSON)
--
-- Writes  hash  rq:job:<id>       what a stock `rq worker` reads; what it takes for unset is left out
--         list  rq:queue:<queue>  ids, the oldest first
-- Returns the number of jobs pushed: one whose hash exists was pushed before and is left alone.

local timers, queues, model = KEYS[1], KEYS[2], KEYS[3]
local pushed_at, keep, failure_ttl = ARGV[2], ARGV[3], ARGV[4]
local CHUNK = 1000 -- unpack takes some thousand values at most

local function nearest()
  return tonumber(redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')[2])
end

local function in_chunks(command, key, values)
  for from = 1, #values, CHUNK do
    redis.call(command, key, unpack(values, from, math.min(from + CHUNK - 1, #values)))
  end
end

local function push(queue, id_end, head, tail, described, described_end, sessions)
  local pushed = {}
  -- A copy takes less than all fields of each, and is refused if the hash exists.
  redis.call('HSET', model,
    'status', 'queued', 'origin', queue, 'created_at', pushed_at, 'enqueued_at', pushed_at,
    'timeout', '-1', 'result_ttl', '0', 'failure_ttl', failure_ttl)
  redis.call('EXPIRE', model, keep)
  for _, session in ipairs(sessions) do
    local id = session .. id_end
    local hash = 'rq:job:' .. id
    if redis.call('COPY', model, hash) == 1 then
      redis.call('HSET', hash,
        'data', head .. session .. tail, 'description', described .. session .. described_end)
      pushed[#pushed + 1] = id
    end
  end
  redis.call('DEL', model)
  if #pushed > 0 then
    redis.call('SADD', queues, 'rq:queue:' .. queue)
    in_chunks('RPUSH', 'rq:queue:' .. queue, pushed)
  end
  return #pushed
end

local function move(group)
  local claimed = tonumber(group[1])
  local members, set, removed = {}, {}, {}
  for i = 2, #group, 2 do members[#members + 1] = group[i] end
  for from = 1, #members, CHUNK do
    local to = math.min(from + CHUNK - 1, #members)
    local present = claimed and redis.call('ZMSCORE', timers, unpack(members, from, to))
    for i = from, to do
      if not claimed or tonumber(present[i - from + 1] or '') == claimed then
        local score = group[2 * i + 1]
        if score == '' then
          removed[#removed + 1] = members[i]
        else
          set[#set + 1], set[#set + 2] = score, members[i]
        end
      end
    end
  end
  in_chunks('ZADD', timers, set)
  in_chunks('ZREM', timers, removed)
end

local pushed = 0
for i = 6, #ARGV, 7 do
  pushed = pushed + push(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4], ARGV[i + 5],
    cjson.decode(ARGV[i + 6]))
end

local groups = cjson.decode(ARGV[5])
if #groups > 0 then
  local before = nearest()
  for _, group in ipairs(groups) do move(group) end
  local after = nearest()
  if after and (not before or after < before) then
    redis.call('PUBLISH', ARGV[1], tostring(after))
  end
end

return pushed
