-- Removes what is over, and says so, of a record whose score has come. One that lives is filed at its very end, so that it is looked
-- at once more and not again and again.
local function removed_if_over(key, all, owners, name, now)
  local found = head(key)
  -- What Redis has collected already is over too: its last trace goes now.
  local expires = 0
  if found then
    expires = found.expires
  elseif found == false then
    -- What cannot be read ends at the latest with the last millisecond of its score's quantum.
    local score = tonumber(redis.call('ZSCORE', all, name))
    expires = score - score % QUANTUM + QUANTUM - 1
  end
  if now < expires then
    redis.call('ZADD', all, expires, name)
    return false
  end
  remove(key, all, owners, found, name)
  return true
end
