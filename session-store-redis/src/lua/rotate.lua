-- KEYS: old record, new record. ARGV: now, expected revision, how long Redis keeps the record, the record
local now, expected, ttl, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local old, there, new = read(KEYS[1]), read(KEYS[2]), line_of(record)
-- It was sent twice.
if there and not is_pending(there) and now < expires_of(there) and revision_of(there) == revision_of(new) then return OK end
if old == false then return CORRUPT end
if old and is_pending(old) then return PENDING end
if not old or expires_of(old) <= now then return NOT_FOUND end
if revision_of(old) ~= expected then return CONFLICT end
if there and is_pending(there) then return NEW_PENDING end
if there == false or (there and now < expires_of(there)) then return EXISTS end
local base, old_name = names_of(KEYS[1])
local _, new_name = names_of(KEYS[2])
if there then remove(base, new_name, owner_of(there)) end
if now < expires_of(new) then
  call('SET', KEYS[2], with_times_of(old, record), 'PX', ttl)
  file(base, new_name, owner_of(new), expires_of(new), ttl)
end
remove(base, old_name, owner_of(old))
return OK
