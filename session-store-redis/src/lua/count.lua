-- Answers the count, and the names of those that are pending, about which the client has to ask.
local count, pending = 0, {}
for part = first, last do
  local keys = part_of(part)
  if owner == '' then
    for set = part * SETS, (part + 1) * SETS - 1 do
      local filed = redis.call('ZCOUNT', keys.all .. set, since, '+inf')
      if filed > 0 then
        -- Only those whose score has come are looked at.
        local names = redis.call('ZRANGEBYSCORE', keys.all .. set, since, ARGV[2])
        count = count + filed - #names
        for _, name in ipairs(names) do
          local found = head(keys.record .. name)
          if found and now < found.expires then count = count + 1 end
        end
      end
    end
  else
    for _, name in ipairs(redis.call('ZRANGEBYSCORE', keys.owners .. owner, since, '+inf')) do
      local found = head(keys.record .. name)
      if found and found.owner == owner and now < found.expires then
        if found.is_pending then pending[#pending + 1] = name else count = count + 1 end
      end
    end
  end
end
return { count, pending }
