-- The second step, and the moment of the rotation: the old record is removed, if it is what the client has loaded, and a note
-- says so to everybody who finds the pending one.
-- KEYS: old record, note. ARGV: now, expected, lease, number of its set of all, owner whose sessions are being ended
-- Answers the outcome and the note: what the new record keeps of the old one, and the old one's owner.
local note = redis.call('GET', KEYS[2])
if note == 'undone' then return { NEW_PENDING, '' } end
-- A client that lost the answer may have sent it twice.
if note then return { OK, note } end
local found = head(KEYS[1])
if found == false then return { CORRUPT, '' } end
if found and found.is_pending then return { PENDING, '' } end
if not found or found.expires <= tonumber(ARGV[1]) then return { NOT_FOUND, '' } end
if found.revision ~= ARGV[2] then return { CONFLICT, '' } end
local all, owners, name = names_of(KEYS[1], ARGV[4])
remove(KEYS[1], all, owners, found, name)
if ARGV[5] ~= '' and found.owner == ARGV[5] then return { NOT_FOUND, '' } end
note = found.times .. found.owner
redis.call('SET', KEYS[2], note, 'PX', ARGV[3])
return { OK, note }
