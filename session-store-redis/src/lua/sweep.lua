-- ARGV further: limit.
local left = tonumber(ARGV[6])
local limit = left
for part = first, last do
  local keys = part_of(part)
  for set = part * SETS, (part + 1) * SETS - 1 do
    local all = keys.all .. set
    while left > 0 do
      local names = redis.call('ZRANGEBYSCORE', all, '-inf', ARGV[2], 'LIMIT', '0', left)
      if #names == 0 then break end
      for _, name in ipairs(names) do
        if removed_if_over(keys.record .. name, all, keys.owners, name, now) then left = left - 1 end
      end
    end
    if left == 0 then return limit end
  end
end
return limit - left
