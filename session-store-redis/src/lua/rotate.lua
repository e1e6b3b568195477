-- KEYS: old record, new record.
-- ARGV: now, expected, ttl, number of the old one's set of all, of the new one's, value; or its line, and where it is staged
local now, value = tonumber(ARGV[1]), ARGV[6]
local expires, revision, owner = written(value)
local new = head(KEYS[2])
if new and not new.is_pending and now < new.expires and new.revision == revision then return OK end
local old = head(KEYS[1])
if old == false then return CORRUPT end
if old and old.is_pending then return PENDING end
if not old or old.expires <= now then return NOT_FOUND end
if old.revision ~= ARGV[2] then return CONFLICT end
if new and new.is_pending then return NEW_PENDING end
if new == false or (new and now < new.expires) then return EXISTS end
local new_all, new_owners, new_name = names_of(KEYS[2], ARGV[5])
if new then remove(KEYS[2], new_all, new_owners, new, new_name) end
if now < expires then
  put(KEYS[2], value, ARGV[7], ARGV[3])
  if string.sub(value, 36, 66) ~= old.times then redis.call('SETRANGE', KEYS[2], '35', old.times) end
  file(new_all, new_owners, owner, new_name, expires, tonumber(ARGV[3]))
end
local old_all, old_owners, old_name = names_of(KEYS[1], ARGV[4])
remove(KEYS[1], old_all, old_owners, old, old_name)
return OK
