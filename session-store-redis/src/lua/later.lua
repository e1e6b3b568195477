-- Mostly a session is touched that is live, and its new expiry has the score of the old one: then only its 15 digits are written.
-- Redis keeps a record long enough for every expiry of that score. KEYS and ARGV are those of touch.lua.
local now, expires = tonumber(ARGV[1]), tonumber(ARGV[2])
do
  local text = redis.pcall('GETRANGE', KEYS[1], '0', '66')
  if type(text) == 'string' and #text == 67 and string.sub(text, 1, 2) == '1 ' then
    local before = tonumber(string.sub(text, 3, 17)) or 0
    if now < before and before <= expires and expires - expires % QUANTUM <= before then
      redis.call('SETRANGE', KEYS[1], '2', ARGV[2])
      return 1
    end
  end
end
