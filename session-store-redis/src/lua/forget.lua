-- The fourth step: nobody asks for the note any more. KEYS: note.
return redis.call('UNLINK', KEYS[1])
