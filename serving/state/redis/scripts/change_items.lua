-- Put fields over those that an item has, or delete it. ARGV: time, and of each its id, the number of its fields
-- (-1: deleted), and their names and values.
local place = 3
while place <= #ARGV do
    local item, size = ARGV[place], tonumber(ARGV[place + 1])
    local key, state = p .. 'i:' .. item, redis.call('HGET', p .. 'i:' .. item, '')
    place = place + 2
    if size < 0 or (state and state:sub(1, 1) == 'd') then
        redis.call('DEL', key)
    end
    for _ = 1, size do
        redis.call('HSET', key, ARGV[place], ARGV[place + 1])
        place = place + 2
    end
    local number = redis.call('INCR', p .. 'item_number')
    redis.call('ZADD', p .. 'items', number, item)
    redis.call('HSET', key, '', (size < 0 and 'd ' or 'p ') .. string.format('%.0f', number) .. ' ' .. ARGV[2])
end
return 0
