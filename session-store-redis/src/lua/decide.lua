-- Asks for the note of a rotation, or sees to it that there never is one. KEYS: note. ARGV: lease, or nothing to only ask
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], 'undone', 'NX', 'PX', ARGV[1]) end
return redis.call('GET', KEYS[1]) or ''
