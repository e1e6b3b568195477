-- Undoes the first step, if it is still that.
-- KEYS: new record, its set of all. ARGV: owners' prefix, name, revision
local found = head(KEYS[1])
if found and found.is_pending and found.revision == ARGV[3] then remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2]) end
return OK
