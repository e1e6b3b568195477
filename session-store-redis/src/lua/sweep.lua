-- ARGV further: limit.
local left = tonumber(ARGV[5])
local limit = left
for part = first, last do
  local keys = part_of(part)
  for set = part * SETS, (part + 1) * SETS - 1 do
    local all = keys.all .. set
    while left > 0 do
      local names = redis.call('ZRANGEBYSCORE', all, '-inf', now, 'LIMIT', 0, left)
      if #names == 0 then break end
      for _, name in ipairs(names) do
        local found = head(keys.record .. name)
        if found and now < found.expires then
          redis.call('ZADD', all, found.expires, name)
        else
          -- What Redis has collected already counts too: its last trace goes now.
          remove(keys.record .. name, all, keys.owners, found, name)
          left = left - 1
        end
      end
    end
    if left == 0 then return limit end
  end
end
return limit - left
