-- Delete all that is known of users. ARGV: reason, time, and of each the key and its hash.
for place = 4, #ARGV, 2 do
    local user, hash = ARGV[place], ARGV[place + 1]
    for _, row in ipairs(redis.call('HVALS', p .. 'e:' .. user)) do
        local digest = row:sub(2, 17)
        redis.call('HDEL', bucket(digest), digest:sub(3))
    end
    redis.call('DEL', p .. 'e:' .. user, p .. 't:' .. user, p .. 'n:' .. user)
    redis.call('ZREM', p .. 'active', user)
    redis.call('HDEL', p .. 'users', user)
    for _, change in ipairs(redis.call('ZRANGE', p .. 'user_changes', 0, -1)) do
        if change:sub(7) == user then
            redis.call('ZREM', p .. 'user_changes', change)
        end
    end
    local reason = ARGV[2]
    local before = redis.call('HGET', p .. 'suppressed', hash)
    if before and before:sub(1, 10) == 'no_consent' then
        reason = 'no_consent' -- who is deleted afterwards has still not consented
    end
    redis.call('HSET', p .. 'suppressed', hash, reason .. ' ' .. ARGV[3])
end
note_change('')
redis.call('INCR', p .. 'erased')
return 0
