-- Store events as another store had them, unless their keys are there. For each: id, digest of its key, user key,
-- row, time ('' unless it is an item event). The events of a user come in the order of arrival.
for place = 2, #ARGV, 5 do
    local id, digest, user, row, time = unpack(ARGV, place, place + 4)
    if redis.call('HSETNX', bucket(digest), digest:sub(3), '') == 1 then
        redis.call('HSET', p .. 'e:' .. user, id, row)
        if time ~= '' then
            redis.call('ZADD', p .. 't:' .. user, time, id)
            redis.call('RPUSH', p .. 'n:' .. user, id)
            redis.call('ZADD', p .. 'active', 'LT', '-' .. time, user)
        end
    end
end
return 0
