-- ARGV further: owner or nothing.
local owner, count = ARGV[5], 0
for part = first, last do
  local keys = part_of(part)
  if owner == '' then
    for set = part * SETS, (part + 1) * SETS - 1 do
      count = count + redis.call('ZCOUNT', keys.all .. set, '(' .. ARGV[2], '+inf')
    end
  else
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', keys.owners .. owner, '(' .. ARGV[2], '+inf')) do
      local found = head(keys.record .. name)
      if found and not found.is_pending and found.owner == owner and now < found.expires then count = count + 1 end
    end
  end
end
return count
