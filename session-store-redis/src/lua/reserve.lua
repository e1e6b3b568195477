-- The first step of a rotation between two parts: the new key is taken by a record that is pending.
-- KEYS: new record, its set of all, mark that the owner's sessions are being ended.
-- ARGV: owners' prefix, name, now, lease, revision, owner, value
-- Answers the outcome, and whether the mark is there.
local now = tonumber(ARGV[3])
local found = head(KEYS[1])
if found == false then return { EXISTS, 0 } end
if found and found.revision ~= ARGV[5] then
  if found.is_pending then return { PENDING, 0 } end
  if now < found.expires then return { EXISTS, 0 } end
end
if found then remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2]) end
redis.call('SET', KEYS[1], ARGV[7], 'PX', ARGV[4])
if ARGV[6] ~= '' then
  -- Whoever ends the owner's sessions finds it here.
  redis.call('ZADD', ARGV[1] .. ARGV[6], now + tonumber(ARGV[4]), ARGV[2])
  keep(ARGV[1] .. ARGV[6], ARGV[4])
end
return { OK, redis.call('EXISTS', KEYS[3]) }
