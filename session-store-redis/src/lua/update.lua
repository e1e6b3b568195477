-- KEYS: record. ARGV: now, expected revision, how long Redis keeps the record, the record
local now, expected, ttl, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local old, new = read(KEYS[1]), line_of(record)
if old == false then return CORRUPT end
if old and is_pending(old) then return PENDING end
if not old or expires_of(old) <= now then return NOT_FOUND end
-- It was sent twice.
if revision_of(old) == revision_of(new) then return OK end
if revision_of(old) ~= expected then return CONFLICT end
local expires = expires_of(new)
if expires <= now then
  local base, name = names_of(KEYS[1])
  remove(base, name, owner_of(old))
  return OK
end
call('SET', KEYS[1], with_times_of(old, record), 'PX', ttl)
if owner_of(old) ~= owner_of(new) or not is_filed_for(expires, expires_of(old)) then
  local base, name = names_of(KEYS[1])
  if owner_of(old) ~= owner_of(new) then unfile(base, name, owner_of(old)) end
  file(base, name, owner_of(new), expires, ttl)
end
return OK
