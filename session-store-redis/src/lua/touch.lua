-- KEYS: record. ARGV: now, expiry, how long Redis keeps the record
local now, expires, ttl = ARGV[1], ARGV[2], ARGV[3]
local line = read(KEYS[1])
if line == false then return CORRUPT end
if line and is_pending(line) then return PENDING end
if not line or expires_of(line) <= now then return NOT_FOUND end
if expires <= expires_of(line) then return OK end
call('SETRANGE', KEYS[1], '2', expires)
call('PEXPIRE', KEYS[1], ttl)
if not is_filed_for(expires, expires_of(line)) then
  local base, name = names_of(KEYS[1])
  file(base, name, owner_of(line), expires, ttl)
end
return OK
