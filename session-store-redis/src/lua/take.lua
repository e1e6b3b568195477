-- The second step: the old record is removed, if it is what the client has loaded. From here on it is dead.
-- KEYS: old record, its set of all. ARGV: owners' prefix, name, now, expected
local found = head(KEYS[1])
if found == false then return { CORRUPT, '' } end
if not found or found.expires <= tonumber(ARGV[3]) then return { NOT_FOUND, '' } end
if found.revision ~= ARGV[4] then return { CONFLICT, '' } end
remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2])
return { OK, found.text }
