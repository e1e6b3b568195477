-- ARGV: what the names of the part begin with, now, the owner or nothing, the last name that was seen or nothing, limit
-- Answers the last name that was looked at, or nothing if that was the last of all; then name and line of each live session, by set and
-- name. What a rotation has not finished with has no line: the client has to ask what it is.
local base, now, owner, after, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local answer, looks = { '' }, math.max(limit, STEP)

-- Says whether there is room for more.
local function show(name)
  local line = read(base .. 'key:' .. name)
  if line and now < expires_of(line) and (owner == '' or owner == owner_of(line)) then
    answer[#answer + 1] = name
    answer[#answer + 1] = is_pending(line) and '' or line
    limit = limit - 1
  elseif owner ~= '' and line == nil then
    call('ZREM', base .. 'owner:' .. owner, name)
  end
  answer[1], looks = name, looks - 1
  return limit > 0 and looks > 0
end

if owner ~= '' then
  local names = call('ZRANGEBYLEX', base .. 'owner:' .. owner, after == '' and '-' or '(' .. after, '+', 'LIMIT', '0', looks)
  for _, name in ipairs(names) do
    if not show(name) then return answer end
  end
else
  for set = after == '' and 0 or set_of(after), SETS - 1 do
    local names = {}
    for _, entry in ipairs(call('ZRANGE', base .. 'all:' .. set, '0', '-1')) do
      local name = name_and_owner(entry)
      if name > after then names[#names + 1] = name end
    end
    table.sort(names)
    for _, name in ipairs(names) do
      if not show(name) then return answer end
    end
    after = ''
  end
end
answer[1] = ''
return answer
