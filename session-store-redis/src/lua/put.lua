-- Writes a record: the value that came along, or the one that is staged because it is long; then `value` is only its line.
local function put(key, value, stage, ttl)
  if stage then
    -- It was set with this ttl.
    redis.call('RENAME', stage, key)
  else
    redis.call('SET', key, value, 'PX', ttl)
  end
end

