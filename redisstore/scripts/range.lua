-- Reads members of an ordered index.
--
-- KEYS  1 the index
-- ARGV  1 call number, returned
--       2 where to begin and 3 where to end, as ZRANGE BYLEX has them
--       4 how many
--       5 "REV" for the greatest first, else ""
--
-- Returns {call number, {member, ...}}.

if ARGV[5] == 'REV' then
  return {ARGV[1], redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[4])}
end
return {ARGV[1], redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3], 'BYLEX', 'LIMIT', 0, ARGV[4])}
