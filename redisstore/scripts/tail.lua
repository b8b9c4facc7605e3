-- Reads what was appended to logs of one partition.
--
-- KEYS  1 heartbeat
--       then the logs
-- ARGV  1 call number, returned
--       2 most entries to return of each log
--       then per log: sequence and operation id of the entry to go on after, and the sequence that
--       follows; "0", "", "1" for the beginning; "end", "", "" for the end
--
-- Returns {call number, log, ...}, where a log is {state, sequence, operation id, entry, ...}: state is
-- "ok" or "gap", sequence and operation id are those of the newest entry ("0", "" if there is none), and
-- an entry is "<sequence> <operation id> <data>".
--
-- The heartbeat is a key that is never there. Deleting it changes and replicates nothing, but Redis
-- refuses it (READONLY, NOREPLICAS, MISCONF) where it would refuse a write: a master that was deposed does
-- not pass for one whose logs are merely quiet. A full memory refuses no DEL, and stops no reading.

redis.call('DEL', KEYS[1])

local function parts(entry)
  local fields = entry[2]
  return string.match(entry[1], '^%d+'), fields[2], fields[4]
end

-- holds says whether all that followed the position is still there.
local function holds(log, sequence, operation, newest)
  if sequence == 'end' then return true end
  if sequence == '0' and operation == '' then
    local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
    return not first or first[1] == '1-0'
  end
  if not newest then return false end
  local seen = redis.call('XRANGE', log, sequence .. '-0', sequence .. '-0')[1]
  return seen and seen[2][2] == operation
end

local reply = {ARGV[1]}
for i = 2, #KEYS do
  local a = 3 * i - 3
  local log, sequence, operation, following = KEYS[i], ARGV[a], ARGV[a + 1], ARGV[a + 2]
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local feed = {'ok', '0', ''}
  if newest then feed[2], feed[3] = parts(newest) end
  if not holds(log, sequence, operation, newest) then
    feed[1] = 'gap'
  elseif sequence ~= 'end' and sequence ~= feed[2] then
    for n, entry in ipairs(redis.call('XRANGE', log, following .. '-0', '+', 'COUNT', ARGV[2])) do
      feed[3 + n] = table.concat({parts(entry)}, ' ')
    end
  end
  reply[i] = feed
end
return reply
