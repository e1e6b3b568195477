-- KEYS: record. ARGV: now, expected, ttl, number of its set of all, value; or its line, and where it is staged
local expires, revision, owner = written(value)
local all, owners, name = names_of(KEYS[1], ARGV[4])
if is_plain then
  file(all, owners, owner, name, expires, tonumber(ARGV[3]))
  return OK
end
local found = head(KEYS[1])
if found == false then return CORRUPT end
if found and found.is_pending then return PENDING end
if not found or found.expires <= now then return NOT_FOUND end
if found.revision == revision then return OK end
if found.revision ~= ARGV[2] then return CONFLICT end
if expires <= now then
  remove(KEYS[1], all, owners, found, name)
  return OK
end
put(KEYS[1], value, stage, ARGV[3])
-- The stored times are kept; mostly they are those that the writer loaded.
if string.sub(value, 36, 66) ~= found.times then redis.call('SETRANGE', KEYS[1], '35', found.times) end
if found.owner ~= owner and found.owner ~= '' then redis.call('ZREM', owners .. found.owner, name) end
file(all, owners, owner, name, expires, tonumber(ARGV[3]))
return OK
