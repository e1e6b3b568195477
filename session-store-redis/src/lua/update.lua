-- KEYS: record, set of all. ARGV: owners' prefix, name, now, expected, expires, ttl, revision, owner, value
if is_plain then
  file(KEYS[2], ARGV[1], ARGV[8], ARGV[2], ARGV[5], ARGV[6])
  return OK
end
local now, expires = tonumber(ARGV[3]), tonumber(ARGV[5])
local found = head(KEYS[1])
if found == false then return CORRUPT end
if found and found.is_pending then return PENDING end
if not found or found.expires <= now then return NOT_FOUND end
if found.revision == ARGV[7] then return OK end
if found.revision ~= ARGV[4] then return CONFLICT end
if expires <= now then
  remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2])
  return OK
end
redis.call('SET', KEYS[1], ARGV[9], 'PX', ARGV[6])
-- The stored times are kept; mostly they are those that the writer loaded.
if string.sub(ARGV[9], 36, 66) ~= found.times then redis.call('SETRANGE', KEYS[1], 35, found.times) end
if found.owner ~= ARGV[8] and found.owner ~= '' then redis.call('ZREM', ARGV[1] .. found.owner, ARGV[2]) end
if found.owner ~= ARGV[8] or found.expires ~= expires then
  file(KEYS[2], ARGV[1], ARGV[8], ARGV[2], ARGV[5], ARGV[6])
end
return OK
