-- ARGV: hash of a user's key.
local reason = redis.call('HGET', p .. 'suppressed', ARGV[2])
if reason and reason:sub(1, 10) == 'no_consent' then
    redis.call('HDEL', p .. 'suppressed', ARGV[2])
end
return 0
