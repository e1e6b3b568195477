-- ARGV further: how many records to remove at most.
-- Answers how many were live, and whether it is done.
local left, count = tonumber(ARGV[6]), 0
for part = first, last do
  local keys = part_of(part)
  for set = part * SETS, (part + 1) * SETS - 1 do
    local all = keys.all .. set
    repeat
      local names = redis.call('ZRANGE', all, 0, left - 1)
      for _, name in ipairs(names) do
        local found = head(keys.record .. name)
        if found and now < found.expires then count = count + 1 end
        if found and found.owner ~= '' then redis.call('ZREM', keys.owners .. found.owner, name) end
        redis.call('UNLINK', keys.record .. name)
        redis.call('ZREM', all, name)
      end
      left = left - #names
      if left == 0 then return { count, 0 } end
    until #names == 0
  end
end
return { count, 1 }
