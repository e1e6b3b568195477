-- ARGV: what the names of the part begin with, now, the owner, the name of the exception or nothing
-- Answers how many that were live have been removed, and whether there may be more.
local base, now, owner, except = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local set, count = base .. 'owner:' .. owner, 0
local names = call('ZRANGEBYLEX', set, '-', '+', 'LIMIT', '0', STEP)
for _, name in ipairs(names) do
  if name ~= except then
    local line = read(base .. 'key:' .. name)
    if line and owner_of(line) ~= owner then
      call('ZREM', set, name)
    else
      if line and now < expires_of(line) and not is_pending(line) then count = count + 1 end
      remove(base, name, owner)
    end
  end
end
return { count, #names == STEP and 1 or 0 }
