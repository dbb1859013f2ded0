-- Delete events of a user. ARGV: user key, how many changes of users are kept, ids of events. Returns how many.
local user, count = ARGV[2], 0
for place = 4, #ARGV do
    local id = ARGV[place]
    local row = redis.call('HGET', p .. 'e:' .. user, id)
    if row then
        local digest = row:sub(2, 17)
        redis.call('HDEL', bucket(digest), digest:sub(3))
        redis.call('HDEL', p .. 'e:' .. user, id)
        if redis.call('ZREM', p .. 't:' .. user, id) == 1 then
            redis.call('LREM', p .. 'n:' .. user, 1, id) -- old ones are at its beginning
        end
        count = count + 1
    end
end
if count > 0 then
    local latest = redis.call('ZREVRANGE', p .. 't:' .. user, 0, 0, 'WITHSCORES')
    if latest[2] then
        redis.call('ZADD', p .. 'active', '-' .. latest[2], user)
    else
        redis.call('ZREM', p .. 'active', user)
    end
    note_change(user)
    redis.call('ZREMRANGEBYRANK', p .. 'user_changes', 0, -1 - ARGV[3])
    redis.call('INCR', p .. 'erased')
end
return count
