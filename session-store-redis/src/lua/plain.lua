-- Mostly a session is updated that is live, at the expected revision, and keeps its begin, deadline and owner: then the stored line
-- is compared as it is, and not taken apart. KEYS and ARGV are those of update.lua.
local is_plain = false
do
  local now, value = tonumber(ARGV[3]), ARGV[9]
  local size = ARGV[8] == '' and 67 or 68 + #ARGV[8]
  local text = redis.pcall('GETRANGE', KEYS[1], 0, size - 1)
  if type(text) == 'string' and string.sub(text, 19, 34) == ARGV[4] and string.sub(text, 35) == string.sub(value, 35, size)
    and string.sub(text, 1, 2) == '1 ' and now < (tonumber(string.sub(text, 3, 17)) or 0) and now < tonumber(ARGV[5]) then
    redis.call('SET', KEYS[1], value, 'PX', ARGV[6])
    if string.sub(text, 3, 17) == string.sub(value, 3, 17) then return 1 end
    is_plain = true
  end
end
