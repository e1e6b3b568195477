-- KEYS: record. ARGV: now, a minute ago, how long Redis keeps the record, the record
local now, over, ttl, record = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local new = line_of(record)
local base, name = names_of(KEYS[1])
-- Mostly the key is free.
if expires_of(new) <= now or not call('SET', KEYS[1], record, 'NX', 'PX', ttl) then
  local old = read(KEYS[1])
  if old == false then return EXISTS end
  if old and is_pending(old) then return PENDING end
  if old and now < expires_of(old) then return EXISTS end
  if old then remove(base, name, owner_of(old)) end
  if expires_of(new) <= now then return OK end
  call('SET', KEYS[1], record, 'PX', ttl)
end
file(base, name, owner_of(new), expires_of(new), ttl)
-- One of four cleans up behind eight who left, so that the index does not grow without a sweeper.
if (string.byte(name, -4) or 0) % 4 == 0 then
  local set = set_of(name)
  for _, entry in ipairs(call('ZRANGEBYSCORE', base .. 'all:' .. set, '-inf', over, 'LIMIT', '0', '8')) do
    look(base, set, entry, now, over)
  end
end
return OK
