-- KEYS: record, set of all. ARGV: owners' prefix, name, now, grace, expires, ttl, revision, owner, value, record's prefix
local now, expires = tonumber(ARGV[3]), tonumber(ARGV[5])
local found = head(KEYS[1])
if found == false then return CORRUPT end
if found and found.is_pending then return PENDING end
if found and now < found.expires then
  -- A client that lost the answer may have sent it twice.
  return found.revision == ARGV[7] and OK or EXISTS
end
if found then remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2]) end
if expires <= now then return OK end
-- Whoever comes cleans up behind two who left, so that the index does not grow without a sweeper.
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 2)) do
  local other = head(ARGV[10] .. name)
  if other and now < other.expires then
    redis.call('ZADD', KEYS[2], other.expires, name)
  else
    remove(ARGV[10] .. name, KEYS[2], ARGV[1], other, name)
  end
end
redis.call('SET', KEYS[1], ARGV[9], 'PX', ARGV[6])
if ARGV[8] ~= '' then redis.call('ZREMRANGEBYSCORE', ARGV[1] .. ARGV[8], '-inf', now - tonumber(ARGV[4])) end
file(KEYS[2], ARGV[1], ARGV[8], ARGV[2], ARGV[5], ARGV[6])
return OK
