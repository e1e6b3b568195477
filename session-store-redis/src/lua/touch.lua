-- KEYS: record. ARGV: now, expires in 15 digits, ttl, number of its set of all
local found = head(KEYS[1])
if found == false then return CORRUPT end
if found and found.is_pending then return PENDING end
if not found or found.expires <= now then return NOT_FOUND end
if expires <= found.expires then return OK end
redis.call('SETRANGE', KEYS[1], '2', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local all, owners, name = names_of(KEYS[1], ARGV[4])
file(all, owners, found.owner, name, expires, tonumber(ARGV[3]))
return OK
