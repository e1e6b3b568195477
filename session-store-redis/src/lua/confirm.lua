-- The third step: the new record is as any other.
-- KEYS: new record, its set of all, mark that the owner's sessions are being ended.
-- ARGV: owners' prefix, name, revision, ttl, times, '1' if the mark counts, now
local found = head(KEYS[1])
if not found or found.revision ~= ARGV[3] then return NOT_FOUND end
if not found.is_pending then return OK end
if found.expires <= tonumber(ARGV[7]) or (ARGV[6] == '1' and redis.call('EXISTS', KEYS[3]) == 1) then
  remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2])
  return NOT_FOUND
end
-- Between the line and the data the pending one has another line, that of the old part.
local line = '1' .. string.sub(found.text, 2, 35) .. ARGV[5] .. string.sub(found.text, 67) .. '\n'
local data = redis.call('GETRANGE', KEYS[1], #line, -1)
redis.call('SET', KEYS[1], line .. string.sub(data, string.find(data, '\n', 1, true) + 1), 'PX', ARGV[4])
file(KEYS[2], ARGV[1], found.owner, ARGV[2], found.expires, ARGV[4])
return OK
