-- Store the events whose key is new. For each: digest of its key, user key, row, time ('' unless it is an item
-- event). Returns how many were stored.
local accepted = 0
for place = 2, #ARGV, 4 do
    local digest, user, row, time = ARGV[place], ARGV[place + 1], ARGV[place + 2], ARGV[place + 3]
    if redis.call('HSETNX', bucket(digest), digest:sub(3), '') == 1 then
        accepted = accepted + 1
        local id = struct.pack('>I6', redis.call('INCR', p .. 'number'))
        redis.call('HSET', p .. 'e:' .. user, id, row)
        if time ~= '' then
            redis.call('ZADD', p .. 't:' .. user, time, id)
            redis.call('RPUSH', p .. 'n:' .. user, id)
            redis.call('ZADD', p .. 'active', 'LT', '-' .. time, user)
        end
    end
end
return accepted
