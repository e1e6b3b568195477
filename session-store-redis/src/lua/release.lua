-- Undoes the first step, if it is still that.
-- KEYS: new record. ARGV: revision, number of its set of all
local found = head(KEYS[1])
if found and found.is_pending and found.revision == ARGV[1] then
  local all, owners, name = names_of(KEYS[1], ARGV[2])
  remove(KEYS[1], all, owners, found, name)
end
return OK
