-- ARGV further: name of the exception or nothing.
local except, count = ARGV[6], 0
for part = first, last do
  local keys = part_of(part)
  local set = keys.owners .. owner
  for _, name in ipairs(redis.call('ZRANGE', set, 0, -1)) do
    if name ~= except then
      local found = head(keys.record .. name)
      if found and found.owner == owner then
        if not found.is_pending and now < found.expires then count = count + 1 end
        redis.call('UNLINK', keys.record .. name)
        redis.call('ZREM', keys.all .. set_of(part, name), name)
      end
      redis.call('ZREM', set, name)
    end
  end
end
return count
