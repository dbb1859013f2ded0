-- Items whose last change has a higher number, in its order: id and hash of each. ARGV: number, at most how many.
local found = {}
local ids = redis.call('ZRANGEBYSCORE', p .. 'items', '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])
for place, item in ipairs(ids) do
    found[place] = {item, redis.call('HGETALL', p .. 'i:' .. item)}
end
return found
