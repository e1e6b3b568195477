-- KEYS: record. ARGV: now
local now = ARGV[1]
local base, name = names_of(KEYS[1])
local line = read(KEYS[1])
if line and is_pending(line) then return PENDING end
if line then
  remove(base, name, owner_of(line))
  return now < expires_of(line) and OK or NOT_FOUND
end
-- Redis has collected it, or it does not say whose it is; its entry does. The entries of what has been collected are the first ones.
call('UNLINK', KEYS[1])
local set = base .. 'all:' .. set_of(name)
local entries = line == nil and call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', '0', '20') or call('ZRANGE', set, '0', '-1')
for _, entry in ipairs(entries) do
  local filed, owner = name_and_owner(entry)
  if filed == name then unfile(base, name, owner) end
end
return line == false and OK or NOT_FOUND
