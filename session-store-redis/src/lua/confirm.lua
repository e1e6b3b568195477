-- The third step: the new record gets its times and is live.
-- KEYS: new record, its set of all, mark that the owner's sessions are being ended.
-- ARGV: owners' prefix, name, revision, owner, expires in 15 digits, ttl, times, '1' if the mark counts
local found = head(KEYS[1])
if not found or found.revision ~= ARGV[3] then return NOT_FOUND end
if found.expires > 0 then return OK end
if ARGV[8] == '1' and redis.call('EXISTS', KEYS[3]) == 1 then
  remove(KEYS[1], KEYS[2], ARGV[1], found, ARGV[2])
  return NOT_FOUND
end
redis.call('SETRANGE', KEYS[1], 2, ARGV[5])
redis.call('SETRANGE', KEYS[1], 35, ARGV[7])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
file(KEYS[2], ARGV[1], ARGV[4], ARGV[2], tonumber(ARGV[5]), ARGV[6])
return OK
