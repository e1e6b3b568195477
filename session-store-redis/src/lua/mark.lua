-- Marks that an owner's sessions are being ended, or takes one such mark back. KEYS: mark. ARGV: 1 or -1, lease
if redis.call('INCRBY', KEYS[1], ARGV[1]) <= 0 then redis.call('DEL', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
