-- Takes one unit from a rate bucket (generic cell rate algorithm).
--
-- The bucket holds one time: when it will be full again. Each hit moves that by one interval, and is
-- refused if that would be more than burst intervals from now.
--
-- KEYS  1 the bucket
-- ARGV  1 call number, returned
--       2 now, 3 interval between units, 4 burst times interval, all in microseconds
--       5 milliseconds to keep the bucket beyond the time when it is full
--
-- Returns {call number, 1, units left} or {call number, 0, microseconds until one unit is back}.

local now, interval, capacity = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + interval
local early = full - capacity - now
if early > 0 then
  return {ARGV[1], 0, string.format('%.0f', early)}
end
local keep = math.ceil((full - now) / 1000) + tonumber(ARGV[5])
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', string.format('%.0f', keep))
return {ARGV[1], 1, string.format('%.0f', math.floor((now + capacity - full) / interval))}
