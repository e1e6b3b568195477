-- The steps of a rotation between two slots of a cluster; rotation.rs says how they make one. ARGV[1] is the step.
local step, now = ARGV[1], ARGV[2]

-- The first one: the new key is taken by a record that is pending.
-- KEYS: new record, mark that the owner's sessions are being ended. ARGV further: lease, record
-- Answers the outcome, and whether the mark is there.
if step == 'reserve' then
  local lease, record = ARGV[3], ARGV[4]
  local base, name = names_of(KEYS[1])
  local line, new = read(KEYS[1]), line_of(record)
  if line == false then return { EXISTS, 0 } end
  if line and revision_of(line) ~= revision_of(new) then
    if is_pending(line) then return { PENDING, 0 } end
    if now < expires_of(line) then return { EXISTS, 0 } end
  end
  if line then remove(base, name, owner_of(line)) end
  call('SET', KEYS[1], record, 'PX', lease)
  -- Whoever ends the owner's sessions finds it here, and who counts looks at it.
  file(base, name, owner_of(new), now, lease)
  return { OK, call('EXISTS', KEYS[2]) }
end

-- The second one, and the moment of the rotation: the old record is removed, if it is what the client has loaded, and a note says so to
-- everybody who finds the pending one.
-- KEYS: old record, note. ARGV further: lease, expected revision
-- Answers the outcome and the note: what the new record keeps of the old one, and the old one's owner.
if step == 'take' then
  local lease, expected = ARGV[3], ARGV[4]
  local note = call('GET', KEYS[2])
  if note == 'undone' then return { NEW_PENDING, '' } end
  -- It was sent twice.
  if note then return { OK, note } end
  local line = read(KEYS[1])
  if line == false then return { CORRUPT, '' } end
  if line and is_pending(line) then return { PENDING, '' } end
  if not line or expires_of(line) <= now then return { NOT_FOUND, '' } end
  if revision_of(line) ~= expected then return { CONFLICT, '' } end
  local base, name = names_of(KEYS[1])
  local owner = owner_of(line)
  remove(base, name, owner)
  note = sub(line, 36, 66) .. owner
  call('SET', KEYS[2], note, 'PX', lease)
  return { OK, note }
end

-- The third one: the new record is as any other.
-- KEYS: new record, mark that the owner's sessions are being ended. ARGV further: revision, ttl, times, '1' if the mark counts
if step == 'confirm' then
  local ttl, times = ARGV[4], ARGV[5]
  local line = read(KEYS[1])
  if not line or revision_of(line) ~= ARGV[3] then return NOT_FOUND end
  if not is_pending(line) then return OK end
  local base, name = names_of(KEYS[1])
  local owner, expires = owner_of(line), expires_of(line)
  if expires <= now or (ARGV[6] == '1' and call('EXISTS', KEYS[2]) == 1) then
    remove(base, name, owner)
    return NOT_FOUND
  end
  -- Between the line and the data the pending one has another line, that of the old part.
  line = '1' .. sub(line, 2, 35) .. times .. sub(line, 67) .. '\n'
  local data = call('GETRANGE', KEYS[1], #line, -1)
  call('SET', KEYS[1], line .. sub(data, find(data, '\n', 1, true) + 1), 'PX', ttl)
  file(base, name, owner, expires, ttl)
  return OK
end

-- The fourth one: nobody asks for the note any more. KEYS: note
if step == 'forget' then return call('UNLINK', KEYS[1]) end

-- Undoes the first one, if it is still that. KEYS: new record. ARGV further: revision
if step == 'release' then
  local line = read(KEYS[1])
  if line and is_pending(line) and revision_of(line) == ARGV[3] then
    local base, name = names_of(KEYS[1])
    remove(base, name, owner_of(line))
  end
  return OK
end

-- Asks for the note, or sees to it that there never is one. KEYS: note. ARGV further: lease, or nothing to only ask
if step == 'decide' then
  if ARGV[3] ~= '' then call('SET', KEYS[1], 'undone', 'NX', 'PX', ARGV[3]) end
  return call('GET', KEYS[1]) or ''
end

-- Marks that an owner's sessions are being ended, or takes that mark back. KEYS: marks. ARGV further: whose it is, lease or nothing
-- Answers 0 if the mark to be taken back is not there.
if step == 'mark' then
  if ARGV[4] == '' then return call('ZREM', KEYS[1], ARGV[3]) end
  call('ZADD', KEYS[1], '0', ARGV[3])
  return call('PEXPIRE', KEYS[1], ARGV[4])
end

-- Takes away the marks of those who have died, or take too long and will notice. KEYS: marks
if step == 'unmark' then return call('UNLINK', KEYS[1]) end
