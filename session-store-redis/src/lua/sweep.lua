-- ARGV: what the names of the part begin with, now, which set, how many of its entries to pass over, how many to remove at most
-- Removes what is over. Answers how many, and where the next step goes on: set and entries, or -1 if all sets have been seen.
local base, now, set, passed, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local removed, looks = 0, STEP
while set < SETS do
  local most = math.min(looks, limit - removed)
  local entries = call('ZRANGEBYSCORE', base .. 'all:' .. set, '-inf', now, 'LIMIT', passed, most)
  for _, entry in ipairs(entries) do
    local is_gone = look(base, set, entry, now, now)
    if is_gone then removed = removed + 1 end
    if is_gone == nil then passed = passed + 1 end
  end
  looks = looks - #entries
  if removed == limit or looks == 0 then return { removed, set, passed } end
  if #entries < most then set, passed = set + 1, 0 end
end
return { removed, -1, 0 }
