-- Marks that an owner's sessions are being ended, or takes that mark back. KEYS: marks. ARGV: whose it is, lease or nothing
if ARGV[2] == '' then return redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[1], '0', ARGV[1])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
