-- ARGV: prefix, now, first part, last part, owner or nothing, and what the script itself says. Each part has a hash tag and SETS sets
-- of all.
local prefix, now, first, last, owner = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), ARGV[5]
local function part_of(part)
  local base = prefix .. ':{' .. TAGS[part + 1] .. '}:'
  return { record = base .. 'key:', owners = base .. 'owner:', ending = base .. 'ending:', all = base .. 'all:' }
end

-- What is live has a score after this one; up to `now` it may be over as well.
local since = string.format('(%.0f', now - QUANTUM)

-- The set of all that a name is filed in, by its last two characters.
local function set_of(part, name)
  return part * SETS + ((string.byte(name, -1) or 0) % 39 * 16 + (string.byte(name, -2) or 0) % 39) % SETS
end
