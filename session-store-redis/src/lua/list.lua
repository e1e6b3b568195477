-- ARGV further: limit, number of the set of the last name that was shown, that name.
-- Answers name and line of each session, in the order of sets and names, and at the end whether the limit was reached. What is
-- pending has no line: the client has to ask what it is.
local limit, after_set, after = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local sets = owner == '' and SETS or 1
local answer = {}
for part = first, last do
  local keys = part_of(part)
  for set = part * sets, part * sets + sets - 1 do
    if set >= after_set then
      local key = owner == '' and keys.all .. set or keys.owners .. owner
      local names = redis.call('ZRANGEBYSCORE', key, since, '+inf')
      table.sort(names)
      for _, name in ipairs(names) do
        if set > after_set or name > after then
          local found = head(keys.record .. name)
          if found == nil or (found and owner ~= '' and found.owner ~= owner) then
            redis.call('ZREM', key, name)
          elseif found and now < found.expires then
            answer[#answer + 1] = name
            answer[#answer + 1] = found.is_pending and '' or found.text
            limit = limit - 1
            if limit == 0 then
              answer[#answer + 1] = 'full'
              return answer
            end
          end
        end
      end
    end
  end
end
answer[#answer + 1] = 'all'
return answer
