-- One holder states what it holds of one limit. KEYS: the limit. ARGV: holder, sequence, held, prefix of the holders'
-- signs of life, their length of life in ms. An older statement than the one known changes nothing.

redis.call('SET', ARGV[4] .. ARGV[1], '1', 'PX', ARGV[5])
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and tonumber(string.match(known, '^(%d+):')) > tonumber(ARGV[2]) then
  return 0
end
if tonumber(ARGV[3]) > 1e-4 then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. ARGV[3])
  redis.call('PEXPIRE', KEYS[1], 3600000)
else
  redis.call('HDEL', KEYS[1], ARGV[1])
end
return 1
