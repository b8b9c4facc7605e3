-- Carries out one transaction of a partition, all of it or nothing.
--
-- KEYS  1 outcome of the operation
--       2 version counter of the partition
--       then, in this order: one record per precondition, one per put, one per delete, one index per
--       index change, one log per entry, one bucket per reset
-- ARGV  1 call number, returned
--       2 operation id
--       3 lowest version to give (the milliseconds of core's clock, see floor in apply.go)
--       4 milliseconds to keep the outcome
--       5 channel to announce log entries on
--       6 what to announce there, "" = nothing
--       7 "1" if the caller waits for replicas or the disk afterwards
--       8-13 how many preconditions, puts, deletes, index changes, entries, resets
--       then, in this order:
--         precondition  version, 0 = absent
--         put           "<schema> <expires> <value>", milliseconds to keep it or 0
--         index change  "+" or "-", member
--         entry         data, how many entries to keep
--
-- Returns {call number, "done" | "again", version of the puts}, or {call number, "conflict", index of
-- the precondition that failed}.
--
-- Redis refuses a script (READONLY, NOREPLICAS, MISCONF, OOM) at its first write only, so that nothing
-- is ever half done. What only deletes begins with a DEL, which a full memory does not refuse.

local call = ARGV[1]
local k, a = 2, 13 -- the last of KEYS and ARGV that was used

local outcome = redis.call('GET', KEYS[1])
if outcome then
  if ARGV[7] == '1' then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end -- a write for WAIT to wait for
  return {call, 'again', outcome}
end

-- clear says that nothing is required but that records are absent, and all are: what makes something new asks once for all of it.
local required = tonumber(ARGV[8])
local function clear()
  for i = a + 1, a + required do
    if ARGV[i] ~= '0' then return false end
  end
  return redis.call('EXISTS', unpack(KEYS, k + 1, k + required)) == 0
end

if required > 1 and clear() then
  k, a = k + required, a + required
else
  for i = 1, required do
    k, a = k + 1, a + 1
    local head = redis.call('GETRANGE', KEYS[k], 0, 16)
    if (string.match(head, '^%d+') or '0') ~= ARGV[a] then
      redis.call('DEL', KEYS[1]) -- not there: changes nothing, and fails where the view may be stale
      return {call, 'conflict', i}
    end
  end
end

local puts, deletes, changes, entries = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12])

-- Before anything is written: what is no log fails here.
local newest = {} -- of each log the sequence of its last entry
for i = k + puts + deletes + changes + 1, k + puts + deletes + changes + entries do
  if not newest[KEYS[i]] then
    local last = redis.call('XREVRANGE', KEYS[i], '+', '-', 'COUNT', 1)[1]
    newest[KEYS[i]] = last and tonumber(string.match(last[1], '^%d+')) or 0
  end
end

-- given returns the sequence of the last entry that a log was ever given. Where its newest were deleted, by hand, it still knows it.
local function given(log)
  local about = redis.call('XINFO', 'STREAM', log)
  for i = 1, #about, 2 do
    if about[i] == 'last-generated-id' then return tonumber(string.match(about[i + 1], '^%d+')) end
  end
end

-- append adds an entry to a log, by redis.call or redis.pcall.
local function append(how, log, keep, data)
  newest[log] = newest[log] + 1
  return how('XADD', log, 'MAXLEN', '~', keep, string.format('%.0f-0', newest[log]), 'o', ARGV[2], 'd', data)
end

if puts == 0 and deletes > 0 then redis.call('DEL', KEYS[k + 1]) end

local version = '0'
if puts > 0 then
  version = redis.call('GET', KEYS[2])
  version = string.format('%.0f', math.max(tonumber(version or '0') + 1, tonumber(ARGV[3])))
end
redis.call('SET', KEYS[1], version, 'PX', ARGV[4])

-- What is kept for ever and stands side by side is set by one command, the version counter among it: to carry out a command costs
-- more than to set one value more.
local kept = {}
local function flush()
  if #kept > 0 then redis.call('MSET', unpack(kept)) end
  kept = {}
end

if puts > 0 then kept = {KEYS[2], version} end
for _ = 1, puts do
  k = k + 1
  local value, keep = version .. ' ' .. ARGV[a + 1], ARGV[a + 2]
  a = a + 2
  if keep == '0' then
    kept[#kept + 1] = KEYS[k]
    kept[#kept + 1] = value
  else
    flush()
    redis.call('SET', KEYS[k], value, 'PX', keep)
  end
end
flush()

for _ = 1, deletes do
  k = k + 1
  redis.call('DEL', KEYS[k])
end

for _ = 1, changes do
  k = k + 1
  if ARGV[a + 1] == '+' then
    redis.call('ZADD', KEYS[k], 0, ARGV[a + 2])
  else
    redis.call('ZREM', KEYS[k], ARGV[a + 2])
  end
  a = a + 2
end

for _ = 1, entries do
  k = k + 1
  if type(append(redis.pcall, KEYS[k], ARGV[a + 2], ARGV[a + 1])) == 'table' then -- an error: what was deleted from it came after
    newest[KEYS[k]] = given(KEYS[k])
    append(redis.call, KEYS[k], ARGV[a + 2], ARGV[a + 1])
  end
  a = a + 2
end

for _ = 1, tonumber(ARGV[13]) do
  k = k + 1
  redis.call('DEL', KEYS[k])
end

-- All is done by now. Where it may not be announced, whoever waits finds out at the next poll.
if ARGV[6] ~= '' then redis.pcall('PUBLISH', ARGV[5], ARGV[6]) end
return {call, 'done', version}
