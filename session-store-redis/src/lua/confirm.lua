-- The third step: the new record is as any other.
-- KEYS: new record, mark that the owner's sessions are being ended.
-- ARGV: now, revision, ttl, number of its set of all, times, '1' if the mark counts
local found = head(KEYS[1])
if not found or found.revision ~= ARGV[2] then return NOT_FOUND end
if not found.is_pending then return OK end
local all, owners, name = names_of(KEYS[1], ARGV[4])
if found.expires <= tonumber(ARGV[1]) or (ARGV[6] == '1' and redis.call('EXISTS', KEYS[2]) == 1) then
  remove(KEYS[1], all, owners, found, name)
  return NOT_FOUND
end
-- Between the line and the data the pending one has another line, that of the old part.
local line = '1' .. string.sub(found.text, 2, 35) .. ARGV[5] .. string.sub(found.text, 67) .. '\n'
local data = redis.call('GETRANGE', KEYS[1], #line, -1)
redis.call('SET', KEYS[1], line .. string.sub(data, string.find(data, '\n', 1, true) + 1), 'PX', ARGV[3])
file(all, owners, found.owner, name, found.expires, tonumber(ARGV[3]))
return OK
