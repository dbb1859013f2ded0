-- The latest item events of a user: by time, then by arrival. ARGV: user key, how many.
return rows(ARGV[2], redis.call('ZREVRANGE', p .. 't:' .. ARGV[2], 0, ARGV[3] - 1))
