-- KEYS: old record, its set of all, new record, its set of all.
-- ARGV: old owners' prefix, old name, new owners' prefix, new name, now, expected, expires, ttl, revision, owner, value
local now, expires = tonumber(ARGV[5]), tonumber(ARGV[7])
local new = head(KEYS[3])
if new and not new.is_pending and now < new.expires and new.revision == ARGV[9] then return OK end
local old = head(KEYS[1])
if old == false then return CORRUPT end
if old and old.is_pending then return PENDING end
if not old or old.expires <= now then return NOT_FOUND end
if old.revision ~= ARGV[6] then return CONFLICT end
if new and new.is_pending then return NEW_PENDING end
if new == false or (new and now < new.expires) then return EXISTS end
if new then remove(KEYS[3], KEYS[4], ARGV[3], new, ARGV[4]) end
if now < expires then
  redis.call('SET', KEYS[3], ARGV[11], 'PX', ARGV[8])
  if string.sub(ARGV[11], 36, 66) ~= old.times then redis.call('SETRANGE', KEYS[3], 35, old.times) end
  file(KEYS[4], ARGV[3], ARGV[10], ARGV[4], ARGV[7], ARGV[8])
end
remove(KEYS[1], KEYS[2], ARGV[1], old, ARGV[2])
return OK
