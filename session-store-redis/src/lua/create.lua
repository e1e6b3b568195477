local function put_if_free(key, value, stage, ttl)
  if not stage then return redis.call('SET', key, value, 'NX', 'PX', ttl) end
  if redis.call('EXISTS', key) == 1 then return false end
  put(key, value, stage, ttl)
  return true
end

-- KEYS: record. ARGV: now, ttl, number of its set of all, value; or its line, and where it is staged
local now, ttl, value, stage = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[4], ARGV[5]
local expires, revision, owner = written(value)
local all, owners, name = names_of(KEYS[1], ARGV[3])
-- Mostly the key is free.
if expires <= now or not put_if_free(KEYS[1], value, stage, ARGV[2]) then
  local found = head(KEYS[1])
  if found == false then return CORRUPT end
  if found and found.is_pending then return PENDING end
  if found and now < found.expires then
    -- A client that lost the answer may have sent it twice.
    return found.revision == revision and OK or EXISTS
  end
  if found then remove(KEYS[1], all, owners, found, name) end
  if expires <= now then return OK end
  put(KEYS[1], value, stage, ARGV[2])
end
-- Whoever comes cleans up behind two who left, so that the index does not grow without a sweeper.
for _, other in ipairs(redis.call('ZRANGEBYSCORE', all, '-inf', now - QUANTUM, 'LIMIT', '0', '2')) do
  removed_if_over(string.sub(KEYS[1], 1, -1 - #name) .. other, all, owners, other, now)
end
if owner ~= '' then redis.call('ZREMRANGEBYSCORE', owners .. owner, '-inf', now - GRACE - QUANTUM) end
file(all, owners, owner, name, expires, ttl)
return OK
