-- ARGV: what the names of the part begin with, now, which set
-- Removes everything. Answers how many were live, and the set that the next step goes on with, or -1 if there is none.
local base, now, set = ARGV[1], ARGV[2], tonumber(ARGV[3])
local count, looks = 0, STEP
while set < SETS do
  local entries = call('ZRANGE', base .. 'all:' .. set, '0', looks - 1)
  for _, entry in ipairs(entries) do
    local name, owner = name_and_owner(entry)
    local line = read(base .. 'key:' .. name)
    if line and now < expires_of(line) and not is_pending(line) then count = count + 1 end
    remove(base, name, owner)
  end
  looks = looks - #entries
  if looks == 0 then return { count, set } end
  set = set + 1
end
return { count, -1 }
