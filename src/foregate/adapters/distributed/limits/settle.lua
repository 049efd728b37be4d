-- What was taken by `take.lua` turned out to be less or more. The algorithms are those of adapters/embedded/limits.
--
-- KEYS: one per charge. ARGV: now, wall ("" for the server's clock), how many seconds ago it was taken; then five per
-- charge: kind, p, q, the cost that was taken, what was used of it.

local now, wall, ago = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
  wall = now
end

local function number(value)
  return string.format('%.17g', value)
end

local function keep(key, seconds)
  redis.call('PEXPIRE', key, math.ceil(math.max(10, seconds) * 1000))
end

local settle = {}

function settle.token_bucket(key, rate, burst, cost, used)
  local missing = math.min(used, 16 * burst) - math.min(cost, 16 * burst)
  local had = redis.call('HMGET', key, 'tokens', 'at')
  local tokens, at = tonumber(had[1]), tonumber(had[2])
  if not tokens and missing <= 0 then
    return -- full again, and forgotten
  end
  tokens, at = tokens or burst, at or now
  local later = math.max(at, now)
  local left = math.min(burst, math.min(burst, tokens + (later - at) * rate) - missing)
  redis.call('HSET', key, 'tokens', number(left), 'at', number(later))
  keep(key, 2 * (burst - left) / rate)
end

-- What is given back leaves the window that it was counted in; what is missing is counted in the present one.
local function windows(key, taken, present, cost, used, seconds, remembers)
  local had = redis.call('HMGET', key, 'window', 'present', 'before')
  local seen = tonumber(had[1])
  if used < cost then
    if seen == taken then
      redis.call('HSET', key, 'present', number(math.max(0, tonumber(had[2]) - (cost - used))))
    elseif remembers and seen == taken + 1 then
      redis.call('HSET', key, 'before', number(math.max(0, tonumber(had[3]) - (cost - used))))
    end
    return
  end
  local counted, before = 0, 0
  if seen == present then
    counted, before = tonumber(had[2]), tonumber(had[3])
  elseif remembers and seen == present - 1 then
    before = tonumber(had[2])
  end
  redis.call('HSET', key, 'window', number(present), 'present', number(counted + used - cost), 'before', number(before))
  keep(key, seconds)
end

function settle.sliding_window(key, _, window_s, cost, used)
  windows(key, math.floor((now - ago) / window_s), math.floor(now / window_s), cost, used, 3 * window_s, true)
end

function settle.fixed_window(key, _, window_s, cost, used)
  windows(key, math.floor((now - ago) / window_s), math.floor(now / window_s), cost, used, 2 * window_s, false)
end

-- The month of a day (Hinnant, "chrono-compatible low-level date algorithms").
local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local of_era = z - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local m = math.floor((5 * of_year + 2) / 153)
  return (year + era * 400 + (m >= 10 and 1 or 0)) * 12 + (m < 10 and m + 3 or m - 9)
end

local function whole(cost)
  return cost > 0 and math.max(1, math.floor(cost + 0.5)) or 0
end

function settle.day(key, _, _, cost, used)
  local taken, present = math.floor((wall - ago) / 86400), math.floor(wall / 86400)
  windows(key, taken, present, whole(cost), math.floor(used + 0.5), 2 * 86400, false)
end

function settle.month(key, _, _, cost, used)
  local taken, present = month_of(math.floor((wall - ago) / 86400)), month_of(math.floor(wall / 86400))
  windows(key, taken, present, whole(cost), math.floor(used + 0.5), 62 * 86400, false)
end

for i, key in ipairs(KEYS) do
  local at = 5 * i - 1
  local of_kind = settle[ARGV[at]]
  if of_kind then
    local p, q, cost, used = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4])
    if used ~= cost then of_kind(key, p, q, cost, used) end
  end
end
return 1
