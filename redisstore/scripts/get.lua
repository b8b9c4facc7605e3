-- Reads records of one partition at one moment.
--
-- KEYS  the records
-- ARGV  1 call number, returned
--
-- Returns {call number, value or nil, ...} in the order of KEYS.

if #KEYS > 1000 then -- more than Lua's stack may hold
  local reply = {ARGV[1]}
  for i = 1, #KEYS do
    reply[i + 1] = redis.call('GET', KEYS[i])
  end
  return reply
end
local reply = redis.call('MGET', unpack(KEYS))
for i = 1, #KEYS do
  if not reply[i] then redis.call('GET', KEYS[i]) end -- fails where the key is there, and of another type, which MGET takes for missing
end
table.insert(reply, 1, ARGV[1])
return reply
