-- Takes the timers that are due, and moves each ahead: a claim that nobody settles comes due again.
--
-- KEYS[1]  sorted set  neonhub:timers: `tick:<schedule>`, `retry:<session>` -> unix second it is due
-- KEYS[2]  string      neonhub:alive: there as long as Redis was not emptied
-- ARGV[1]  the present, unix seconds
-- ARGV[2]  the score of what is claimed, unix seconds
-- ARGV[3]  how many to take at most
--
-- Returns {whether the marker is there, nearest score left or "", JSON or "": [member, its score,
-- member, …], the longest due first}.

local timers = KEYS[1]
local CHUNK = 1000 -- unpack takes some thousand values at most

local due = redis.call('ZRANGE', timers, '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
local moved = {}
for i = 1, #due, 2 do
  moved[i], moved[i + 1] = ARGV[2], due[i]
end
for from = 1, #moved, CHUNK do
  redis.call('ZADD', timers, unpack(moved, from, math.min(from + CHUNK - 1, #moved)))
end
local nearest = redis.call('ZRANGE', timers, 0, 0, 'WITHSCORES')[2] or ''
return {redis.call('EXISTS', KEYS[2]), nearest, #due > 0 and cjson.encode(due) or ''}
