-- ARGV further: owner or nothing.
-- Answers the count, and the names of those that are pending, about which the client has to ask.
local owner, count, pending = ARGV[5], 0, {}
for part = first, last do
  local keys = part_of(part)
  if owner == '' then
    for set = part * SETS, (part + 1) * SETS - 1 do
      count = count + redis.call('ZCOUNT', keys.all .. set, '(' .. ARGV[2], '+inf')
    end
  else
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', keys.owners .. owner, '(' .. ARGV[2], '+inf')) do
      local found = head(keys.record .. name)
      if found and found.owner == owner and now < found.expires then
        if found.is_pending then pending[#pending + 1] = name else count = count + 1 end
      end
    end
  end
end
return { count, pending }
