-- The second step, and the moment of the rotation: the old record is removed, if it is what the client has loaded, and a note
-- says so to everybody who finds the pending one.
-- KEYS: old record, its set of all, note. ARGV: owners' prefix, name, now, expected, lease, owner whose sessions are being ended
-- Answers the outcome and the note: what the new record keeps of the old one, and the old one's owner.
local note = redis.call('GET', KEYS[3])
if note == 'undone' then return { NEW_PENDING, '' } end
-- A client that lost the answer may have sent it twice.
if note then return { OK, note } end
local found = head(KEYS[1])
if found == false then return { CORRUPT, '' } end
if found and found.is_pending then return { PENDING, '' } end
if not found or found.expires <= tonumber(ARGV[3]) then return { NOT_FOUND, '' } end
if found.revision ~= ARGV[4] then return { CONFLICT, '' } end
remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2])
if ARGV[6] ~= '' and found.owner == ARGV[6] then return { NOT_FOUND, '' } end
note = found.times .. found.owner
redis.call('SET', KEYS[3], note, 'PX', ARGV[5])
return { OK, note }
