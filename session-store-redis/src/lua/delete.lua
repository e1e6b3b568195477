-- KEYS: record, set of all. ARGV: owners' prefix, name, now
local found = head(KEYS[1])
if found == nil then
  redis.call('ZREM', KEYS[2], ARGV[2])
  return NOT_FOUND
end
if found and found.is_pending then return PENDING end
remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2])
return found and tonumber(ARGV[3]) < found.expires and OK or NOT_FOUND
