-- Takes jobs off RQ's queues, the most urgent first, and forgets those taken before.
--
-- KEYS     lists  rq:queue:<queue>: ids, the oldest first; the most urgent queue first
-- ARGV[1]  how many to take at most
-- ARGV[2]  number of jobs that were taken off a queue already
-- then     their ids
-- then     ids of jobs taken before, to be forgotten
--
-- Reads    hash  rq:job:<id>: field `data` = the call, compressed and pickled
-- Returns  {id, data or "", id, …}; "" where there is no such job any more.

local found = {}

local function take(id)
  found[#found + 1] = id
  found[#found + 1] = redis.call('HGET', 'rq:job:' .. id, 'data') or ''
end

local popped = tonumber(ARGV[2])
for i = 3, #ARGV do
  if i <= 2 + popped then take(ARGV[i]) else redis.call('DEL', 'rq:job:' .. ARGV[i]) end
end
local left = tonumber(ARGV[1])
for i = 1, #KEYS do
  if left <= 0 then break end
  local ids = redis.call('LPOP', KEYS[i], left)
  for _, id in ipairs(ids or {}) do
    take(id)
    left = left - 1
  end
end
return found
