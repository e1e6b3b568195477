-- Mostly a session is updated that is live, at the expected revision, and keeps its owner: then the stored line is compared as it is,
-- and not taken apart. KEYS and ARGV are those of update.lua.
local now, value, stage, is_plain = tonumber(ARGV[1]), ARGV[5], ARGV[6], false
do
  -- A longer owner is no plain case.
  local text, sub = redis.pcall('GETRANGE', KEYS[1], '0', '130'), string.sub
  if type(text) == 'string' and sub(text, 19, 34) == ARGV[2] then
    local size = string.find(value, '\n', 67, true)
    -- Begin and deadline are mostly those that the writer loaded; the stored ones are kept.
    local is_same = sub(text, 35, size) == sub(value, 35, size)
    if (is_same or sub(text, 67, size) == sub(value, 67, size)) and sub(text, 1, 2) == '1 ' then
      local before, expires = tonumber(sub(text, 3, 17)) or 0, tonumber(sub(value, 3, 17))
      if now < before and now < expires then
        -- Then its score is that of this expiry too, and Redis keeps it long enough.
        local is_filed = before <= expires and expires - expires % QUANTUM <= before
        if is_filed and not stage then redis.call('SET', KEYS[1], value, 'KEEPTTL') else put(KEYS[1], value, stage, ARGV[3]) end
        if not is_same then redis.call('SETRANGE', KEYS[1], '35', sub(text, 36, 66)) end
        if is_filed then return 1 end
        is_plain = true
      end
    end
  end
end
