-- Puts sessions on RQ's queues and moves timers, all or nothing.
--
-- KEYS[1]  sorted set  neonhub:timers: `tick:<schedule>`, `retry:<session>` -> unix second it is due
-- KEYS[2]  set         rq:queues: the key of every queue RQ knows
-- ARGV[1]  channel to wake schedulers on when the nearest timer came nearer
-- ARGV[2]  instant of the push, in the form RQ writes times
-- ARGV[3]  seconds after which a job hash that nobody finished is dropped
-- ARGV[4]  failure_ttl of each job, seconds
-- ARGV[5]  number of jobs
-- then per job: id, queue, data (compressed pickle), description
-- then per timer move: member, the score it must still carry ("" any), its new score ("" remove)
--
-- Writes  hash  rq:job:<id>       what a stock `rq worker` reads
--         list  rq:queue:<queue>  ids, the oldest first
-- Returns the number of jobs pushed: one whose hash exists was pushed before and is left alone.

local timers, queues = KEYS[1], KEYS[2]
local pushed_at, keep, failure_ttl = ARGV[2], ARGV[3], ARGV[4]
local jobs = tonumber(ARGV[5])
local next_arg = 6

local function nearest()
  return tonumber(redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')[2])
end

local known = {}
local pushed = 0
for _ = 1, jobs do
  local id, queue = ARGV[next_arg], 'rq:queue:' .. ARGV[next_arg + 1]
  local hash = 'rq:job:' .. id
  if redis.call('EXISTS', hash) == 0 then
    redis.call('HSET', hash,
      'status', 'queued', 'origin', ARGV[next_arg + 1],
      'data', ARGV[next_arg + 2], 'description', ARGV[next_arg + 3],
      'created_at', pushed_at, 'enqueued_at', pushed_at,
      'timeout', '-1', 'result_ttl', '0', 'failure_ttl', failure_ttl,
      'started_at', '', 'ended_at', '', 'last_heartbeat', '', 'worker_name', '', 'group_id', '',
      'success_callback_name', '', 'failure_callback_name', '', 'stopped_callback_name', '')
    redis.call('EXPIRE', hash, keep)
    if not known[queue] then
      redis.call('SADD', queues, queue)
      known[queue] = true
    end
    redis.call('RPUSH', queue, id)
    pushed = pushed + 1
  end
  next_arg = next_arg + 4
end

if next_arg <= #ARGV then
  local before = nearest()
  for i = next_arg, #ARGV, 3 do
    local member, claimed, score = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    local present = redis.call('ZSCORE', timers, member)
    if claimed == '' or (present and tonumber(present) == tonumber(claimed)) then
      if score == '' then
        redis.call('ZREM', timers, member)
      else
        redis.call('ZADD', timers, score, member)
      end
    end
  end
  local after = nearest()
  if after and (not before or after < before) then
    redis.call('PUBLISH', ARGV[1], tostring(after))
  end
end

return pushed
