-- The first step of a rotation between two parts: the new key is taken by a record that is pending.
-- KEYS: new record, mark that the owner's sessions are being ended. ARGV: now, lease, number of its set of all, value
-- Answers the outcome, and whether the mark is there.
local now, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local _, revision, owner = written(ARGV[4])
local all, owners, name = names_of(KEYS[1], ARGV[3])
local found = head(KEYS[1])
if found == false then return { EXISTS, 0 } end
if found and found.revision ~= revision then
  if found.is_pending then return { PENDING, 0 } end
  if now < found.expires then return { EXISTS, 0 } end
end
if found then remove(KEYS[1], all, owners, found, name) end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[2])
if owner ~= '' then
  -- Whoever ends the owner's sessions finds it here.
  redis.call('ZADD', owners .. owner, now + lease, name)
  keep(owners .. owner, lease)
end
return { OK, redis.call('EXISTS', KEYS[2]) }
