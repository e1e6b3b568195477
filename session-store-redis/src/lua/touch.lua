-- KEYS: record, set of all. ARGV: owners' prefix, name, now, expires in 15 digits, ttl
local found = head(KEYS[1])
if found == false then return CORRUPT end
if found and found.is_pending then return PENDING end
if not found or found.expires <= tonumber(ARGV[3]) then return NOT_FOUND end
if tonumber(ARGV[4]) <= found.expires then return OK end
redis.call('SETRANGE', KEYS[1], 2, ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
file(KEYS[2], ARGV[1], found.owner, ARGV[2], tonumber(ARGV[4]), ARGV[5])
return OK
