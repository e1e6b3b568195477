-- What every script knows: how a record is read, and how it is filed. Times are texts of 15 digits, which compare as they are.

local OK, NOT_FOUND, CONFLICT, EXISTS, CORRUPT, PENDING, NEW_PENDING = 1, 2, 3, 4, 5, 6, 7
local call, sub, find = redis.call, string.sub, string.find

-- The line before the data of a record is "1 EXPIRES REVISION CREATED DEADLINE[ OWNER]\n"; `false` if there is none.
local function line_of(record)
  local stop = find(record, '\n', 67, true)
  return stop and find(record, '^[01] %d+ ') and sub(record, 1, stop - 1) or false
end

-- Reads the line of what is stored: nothing if the key is free, `false` if it cannot be read.
local function read(key)
  local text = redis.pcall('GETRANGE', key, '0', '127')
  if text == '' then return nil end
  if type(text) ~= 'string' then return false end
  -- Some owners are long.
  if #text == 128 and not find(text, '\n', 67, true) then text = call('GETRANGE', key, '0', '322') end
  return line_of(text)
end

local function expires_of(line) return sub(line, 3, 17) end
local function revision_of(line) return sub(line, 19, 34) end
local function owner_of(line) return sub(line, 68) end

-- A rotation between two slots has not finished with it.
local function is_pending(line) return string.byte(line) == 48 end

-- Returns a record with begin and deadline of the line that is stored: they stay. Mostly they are those that the writer loaded.
local function with_times_of(line, record)
  if sub(line, 36, 66) == sub(record, 36, 66) then return record end
  return sub(record, 1, 35) .. sub(line, 36, 66) .. sub(record, 67)
end

-- What the names of a part begin with, and the session's own name. No prefix has a brace.
local function names_of(key)
  local brace = find(key, '}:key:', 1, true)
  return sub(key, 1, brace + 1), sub(key, brace + 6)
end

-- The set of all that a name is filed in, by its last three characters: modulo 39 the sixteen hex digits are neighbours.
local function set_of(name)
  local c, b, a = string.byte(name, -3, -1)
  if not a then a, b, c = b or c or 0, c or 0, 0 end
  return (a % 39 * 256 + b % 39 * 16 + c % 39) % SETS
end

-- How a session is called in its set of all: with its owner, so that who finds the entry knows whose it was.
local function entry_of(name, owner)
  if owner == '' then return name end
  return name .. ' ' .. owner
end

local function name_and_owner(entry)
  local space = find(entry, ' ', 1, true)
  if not space then return entry, '' end
  return sub(entry, 1, space - 1), sub(entry, space + 1)
end

-- The index is told of a later expiry when the first nine digits of it change: a session is filed at its expiry, or up to so much earlier.
local QUANTUM = 1000000
local function is_filed_for(expires, found) return found <= expires and sub(found, 1, 9) == sub(expires, 1, 9) end

-- A set lasts longer than what is in it, by so much that Redis is seldom told.
local function keep(set, ttl)
  if call('PTTL', set) < ttl + QUANTUM then call('PEXPIRE', set, ttl + 2 * QUANTUM) end
end

-- Files a session: in a set of all, by time, and in its owner's, by name.
local function file(base, name, owner, expires, ttl)
  local set = base .. 'all:' .. set_of(name)
  call('ZADD', set, expires, entry_of(name, owner))
  keep(set, tonumber(ttl))
  if owner == '' then return end
  set = base .. 'owner:' .. owner
  call('ZADD', set, '0', name)
  keep(set, tonumber(ttl))
end

local function unfile(base, name, owner)
  call('ZREM', base .. 'all:' .. set_of(name), entry_of(name, owner))
  if owner ~= '' then call('ZREM', base .. 'owner:' .. owner, name) end
end

local function remove(base, name, owner)
  call('UNLINK', base .. 'key:' .. name)
  unfile(base, name, owner)
end

-- Looks at the record of an entry whose score has come. What had expired by the time `over` is removed, and the answer is true. What
-- lives is filed anew, and what Redis has collected has no entry any more: the answer is false. Else it is nothing.
local function look(base, set, entry, now, over)
  local name, owner = name_and_owner(entry)
  local line = read(base .. 'key:' .. name)
  if line == nil then
    unfile(base, name, owner)
    return false
  end
  local again
  if line == false then
    -- When Redis has collected it, somebody will look again.
    again = string.format('%.0f', tonumber(now) + math.max(call('PTTL', base .. 'key:' .. name), 60000))
  elseif is_pending(line) then
    return nil
  elseif expires_of(line) <= over then
    remove(base, name, owner)
    return true
  elseif expires_of(line) <= now then
    return nil
  end
  call('ZADD', base .. 'all:' .. set, again or expires_of(line), entry)
  return false
end

