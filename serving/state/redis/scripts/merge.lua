-- The events of one user become another's. ARGV: from, to, how many changes of users are kept. Returns how many.
local from, to = ARGV[2], ARGV[3]
local events = redis.call('HGETALL', p .. 'e:' .. from)
for place = 1, #events, 2 do
    redis.call('HSET', p .. 'e:' .. to, events[place], 'u' .. events[place + 1]:sub(2))
end
if from ~= to then
    redis.call('ZUNIONSTORE', p .. 't:' .. to, 2, p .. 't:' .. to, p .. 't:' .. from, 'AGGREGATE', 'MAX')
    local ids = redis.call('LRANGE', p .. 'n:' .. to, 0, -1)
    for _, id in ipairs(redis.call('LRANGE', p .. 'n:' .. from, 0, -1)) do
        ids[#ids + 1] = id
    end
    table.sort(ids, function(one, other)
        return struct.unpack('>I6', one) < struct.unpack('>I6', other)
    end)
    redis.call('DEL', p .. 'n:' .. to, p .. 'e:' .. from, p .. 't:' .. from, p .. 'n:' .. from)
    for start = 1, #ids, 1000 do
        redis.call('RPUSH', p .. 'n:' .. to, unpack(ids, start, math.min(start + 999, #ids)))
    end
    local latest = redis.call('ZSCORE', p .. 'active', from)
    if latest then
        redis.call('ZADD', p .. 'active', 'LT', latest, to)
        redis.call('ZREM', p .. 'active', from)
    end
end
note_change(from)
note_change(to)
redis.call('ZREMRANGEBYRANK', p .. 'user_changes', 0, -1 - ARGV[4])
return #events / 2
