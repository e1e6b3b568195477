-- ARGV: what the names of the part begin with, now, which set, how many of its entries to pass over
-- Counts what is live. Answers how many, where the next step goes on: set and entries, or -1 if all sets have been seen; and the names
-- of those that a rotation has not finished with.
local base, now, set, passed = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local count, looks, pending = 0, STEP, {}
while set < SETS do
  local all = base .. 'all:' .. set
  -- What lives is filed anew, and counted with the others below.
  local entries = call('ZRANGEBYSCORE', all, '-inf', now, 'LIMIT', passed, looks)
  for _, entry in ipairs(entries) do
    if look(base, set, entry, now, '') == nil then
      passed = passed + 1
      local name = name_and_owner(entry)
      local line = read(base .. 'key:' .. name)
      if line and is_pending(line) then pending[#pending + 1] = name end
    end
  end
  looks = looks - #entries
  if looks == 0 then return { count, set, passed, pending } end
  count = count + call('ZCOUNT', all, '(' .. now, '+inf')
  set, passed = set + 1, 0
end
return { count, -1, 0, pending }
