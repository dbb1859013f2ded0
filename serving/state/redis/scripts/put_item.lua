-- Store an item as another store had it. ARGV: its id, number, state and time, and the names and values of its
-- fields.
local key, number = p .. 'i:' .. ARGV[2], ARGV[3]
redis.call('DEL', key)
for place = 6, #ARGV, 2 do
    redis.call('HSET', key, ARGV[place], ARGV[place + 1])
end
redis.call('HSET', key, '', ARGV[4] .. ' ' .. number .. ' ' .. ARGV[5])
redis.call('ZADD', p .. 'items', number, ARGV[2])
if tonumber(number) > tonumber(redis.call('GET', p .. 'item_number') or '0') then
    redis.call('SET', p .. 'item_number', number)
end
return 0
