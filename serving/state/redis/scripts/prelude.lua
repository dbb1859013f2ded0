-- What every script begins with. The first argument of each is the prefix of all keys.
local p = ARGV[1] .. ':'

local function bucket(digest)
    return p .. 'k:' .. digest:sub(1, 2)
end

-- Ids and rows of a user's events, one after the other.
local function rows(user, ids)
    local found = {}
    for start = 1, #ids, 1000 do
        local stop = math.min(start + 999, #ids)
        local values = redis.call('HMGET', p .. 'e:' .. user, unpack(ids, start, stop))
        for place = start, stop do
            found[#found + 1] = ids[place]
            found[#found + 1] = values[place - start + 1]
        end
    end
    return found
end

local function note_change(user)
    local number = redis.call('INCR', p .. 'change_number')
    redis.call('ZADD', p .. 'user_changes', number, struct.pack('>I6', number) .. user)
end

