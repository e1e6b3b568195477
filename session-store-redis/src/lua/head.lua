-- Numbers go to Redis as strings where they can: it writes each anew, which takes as long as to read a record.

-- What is before the data: "1 EXPIRES REVISION CREATED DEADLINE[ OWNER]\n". Times are 15 digits, the revision is 16.
-- A record that a rotation between two slots has not finished begins with 0.
-- Returns nothing if the key is free, `false` if what is stored cannot be read.
local function head(key)
  local text = redis.pcall('GETRANGE', key, '0', '322')
  if text == '' then return nil end
  if type(text) ~= 'string' or not string.find(text, '^[01] ') then return false end
  local expires, stop = tonumber(string.sub(text, 3, 17)), string.find(text, '\n', 67, true)
  if not expires or not stop then return false end
  return { is_pending = string.byte(text) == 48, expires = expires, revision = string.sub(text, 19, 34), times = string.sub(text, 36, 66),
    owner = string.sub(text, 68, stop - 1), text = string.sub(text, 1, stop - 1) }
end

-- Takes the line of a value apart that the client writes: expiry, revision, owner.
local function written(value)
  return tonumber(string.sub(value, 3, 17)), string.sub(value, 19, 34), string.sub(value, 68, string.find(value, '\n', 67, true) - 1)
end

-- The names that go with a record's: its set of all, of which the client says the number, what those of its part's owners begin
-- with, and its name in the sets.
local function names_of(key, set)
  -- No prefix has a brace.
  local brace = string.find(key, '}:key:', 1, true)
  local base = string.sub(key, 1, brace + 1)
  return base .. 'all:' .. set, base .. 'owner:', string.sub(key, brace + 6)
end

-- A set of the index lives longer than the records in it, by so much that it is seldom told.
local function keep(set, ttl)
  if redis.call('PTTL', set) < ttl + QUANTUM then redis.call('PEXPIRE', set, ttl + SLACK) end
end

-- Files a record in the index: the set of its part, and that of its owner. Its score is its expiry, rounded down.
local function file(all, owners, owner, name, expires, ttl)
  local score = string.format('%.0f', expires - expires % QUANTUM)
  redis.call('ZADD', all, score, name)
  keep(all, ttl)
  if owner ~= '' then
    redis.call('ZADD', owners .. owner, score, name)
    keep(owners .. owner, ttl)
  end
end

-- Removes a record and its entries; `found` is its head.
local function remove(key, all, owners, found, name)
  redis.call('UNLINK', key)
  redis.call('ZREM', all, name)
  if found and found.owner ~= '' then redis.call('ZREM', owners .. found.owner, name) end
end

local OK, NOT_FOUND, CONFLICT, EXISTS, CORRUPT, PENDING, NEW_PENDING = 1, 2, 3, 4, 5, 6, 7
