-- The first step of a rotation between two parts: the new key is taken by a record that is not live yet.
-- KEYS: new record, its set of all, mark that the owner's sessions are being ended.
-- ARGV: owners' prefix, name, now, lease, revision, owner, value whose expiry is 0
local found = head(KEYS[1])
if found == false then return { EXISTS, 0 } end
if found and tonumber(ARGV[3]) < found.expires then
  return { found.revision == ARGV[5] and OK or EXISTS, 0 }
end
if found then remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2]) end
redis.call('SET', KEYS[1], ARGV[7], 'PX', ARGV[4])
if ARGV[6] ~= '' then
  -- Whoever ends the owner's sessions finds it here.
  redis.call('ZADD', ARGV[1] .. ARGV[6], tonumber(ARGV[3]) + tonumber(ARGV[4]), ARGV[2])
  keep(ARGV[1] .. ARGV[6], ARGV[4])
end
return { OK, redis.call('EXISTS', KEYS[3]) }
