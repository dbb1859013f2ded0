-- A user's item events with a higher number, in the order of arrival. ARGV: user key, number.
local user, number = ARGV[2], tonumber(ARGV[3])
local size, found = 16, {}
while true do
    found = redis.call('LRANGE', p .. 'n:' .. user, -size, -1)
    if #found < size or struct.unpack('>I6', found[1]) <= number then
        break
    end
    size = size * 8
end
local new = {}
for _, id in ipairs(found) do
    if struct.unpack('>I6', id) > number then
        new[#new + 1] = id
    end
end
return rows(user, new)
