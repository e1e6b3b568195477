-- KEYS: record. ARGV: now, number of its set of all
local found = head(KEYS[1])
local all, owners, name = names_of(KEYS[1], ARGV[2])
if found == nil then
  redis.call('ZREM', all, name)
  return NOT_FOUND
end
if found and found.is_pending then return PENDING end
remove(KEYS[1], all, owners, found, name)
return found and tonumber(ARGV[1]) < found.expires and OK or NOT_FOUND
