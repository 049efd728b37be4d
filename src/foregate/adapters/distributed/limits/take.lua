-- All the limits of one request, taken together or not at all. The algorithms are those of adapters/embedded/limits,
-- with the state of one keeper instead of sums of many.
--
-- KEYS: one per charge. ARGV: now, wall ("" for the server's clock), holder, prefix of the holders' signs of life, their
-- length of life in ms; then five per charge: kind, p, q, r, cost.
-- Answer: "allowed wait retry refused_by" and per charge "remaining reset", numbers in seconds and requests.

local SLACK = 1e-4
local now, wall = tonumber(ARGV[1]), tonumber(ARGV[2])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
  wall = now
end
local holder, alive, alive_ms = ARGV[3], ARGV[4], ARGV[5]

local function number(value)
  return string.format('%.17g', value)
end

local function keep(key, seconds)
  redis.call('PEXPIRE', key, math.ceil(math.max(10, seconds) * 1000))
end

local judge = {}

function judge.token_bucket(key, rate, burst, _, cost)
  local had = redis.call('HMGET', key, 'tokens', 'at')
  local at = math.max(tonumber(had[2]) or now, now)
  local tokens = math.min(burst, (tonumber(had[1]) or burst) + (at - (tonumber(had[2]) or now)) * rate)
  local need = math.min(cost, burst)
  cost = math.min(cost, 16 * burst)
  if tokens + SLACK < need then
    return { ok = false, retry = (need - tokens) / rate, left = tokens, reset = (burst - tokens) / rate }
  end
  local left = tokens - cost
  return { ok = true, left = left, reset = (burst - left) / rate, commit = function()
    redis.call('HSET', key, 'tokens', number(left), 'at', number(at))
    keep(key, 2 * (burst - left) / rate)
  end }
end

function judge.leaky_bucket(key, rate, burst, delay_max, cost)
  local queue = math.min(burst, rate * delay_max)
  local had = redis.call('HMGET', key, 'level', 'at')
  local at = math.max(tonumber(had[2]) or now, now)
  local level = math.max(0, (tonumber(had[1]) or 0) - (at - (tonumber(had[2]) or now)) * rate)
  if level > queue + SLACK then
    return { ok = false, retry = (level - queue) / rate, left = queue + 1 - level, reset = level / rate }
  end
  local after = level + math.min(cost, 16 * (queue + 1))
  return { ok = true, wait = level / rate, left = queue + 1 - after, reset = after / rate, commit = function()
    redis.call('HSET', key, 'level', number(after), 'at', number(at))
    keep(key, 2 * after / rate)
  end }
end

-- (present, before): what was counted in `window` and the one before it
local function counted(key, window)
  local had = redis.call('HMGET', key, 'window', 'present', 'before')
  local seen = tonumber(had[1])
  if seen == window then
    return tonumber(had[2]), tonumber(had[3])
  elseif seen == window - 1 then
    return 0, tonumber(had[2])
  end
  return 0, 0
end

local function count(key, window, present, before, seconds)
  redis.call('HSET', key, 'window', number(window), 'present', number(present), 'before', number(before))
  keep(key, seconds)
end

function judge.sliding_window(key, limit, window_s, _, cost)
  local window = math.floor(now / window_s)
  local gone = now / window_s - window
  local present, before = counted(key, window)
  local left = limit - present
  if before > 0 then -- those of the window before, evenly spread, that are still in view
    left = left - math.max(0, math.ceil(before * (1 - gone) - SLACK) - 1)
  end
  local need = math.min(cost, limit)
  local reset = (1 - gone) * window_s
  if left + SLACK < need then
    local room = limit - need
    local windows
    if present <= room + SLACK and before > 0 then
      windows = 1 - (math.floor(room - present + SLACK) + 1) / before - gone
    else
      windows = 1 - gone + math.max(0, 1 - (math.floor(room + SLACK) + 1) / present)
    end
    return { ok = false, retry = windows * window_s, left = left, reset = reset }
  end
  return { ok = true, left = left - cost, reset = reset, commit = function()
    count(key, window, present + cost, before, 3 * window_s)
  end }
end

local function fixed(key, limit, window, ends, cost, seconds)
  local present = counted(key, window)
  if limit - present + SLACK < math.min(cost, limit) then
    return { ok = false, retry = ends, left = limit - present, reset = ends }
  end
  return { ok = true, left = limit - present - cost, reset = ends, commit = function()
    count(key, window, present + cost, 0, seconds)
  end }
end

function judge.fixed_window(key, limit, window_s, _, cost)
  local window = math.floor(now / window_s)
  return fixed(key, limit, window, (window + 1) * window_s - now, cost, 2 * window_s)
end

local function whole(cost)
  return cost > 0 and math.max(1, math.floor(cost + 0.5)) or 0
end

function judge.day(key, limit, _, _, cost)
  local day = math.floor(wall / 86400)
  return fixed(key, limit, day, (day + 1) * 86400 - wall, whole(cost), 2 * 86400)
end

-- Days since 1970 of the first of a month that may be 13, and the month of a day (Hinnant, "chrono-compatible
-- low-level date algorithms").
local function first_of(year, month)
  if month > 12 then year, month = year + 1, month - 12 end
  local y = month <= 2 and year - 1 or year
  local era = math.floor(y / 400)
  local of_era = y - era * 400
  local of_year = math.floor((153 * (month + (month > 2 and -3 or 9)) + 2) / 5)
  return era * 146097 + of_era * 365 + math.floor(of_era / 4) - math.floor(of_era / 100) + of_year - 719468
end

local function month_of(day)
  local z = day + 719468
  local era = math.floor(z / 146097)
  local of_era = z - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524) - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local m = math.floor((5 * of_year + 2) / 153)
  local month = m < 10 and m + 3 or m - 9
  return year + era * 400 + (month <= 2 and 1 or 0), month
end

function judge.month(key, limit, _, _, cost)
  local year, month = month_of(math.floor(wall / 86400))
  local ends = first_of(year, month + 1) * 86400 - wall
  return fixed(key, limit, year * 12 + month, ends, whole(cost), 62 * 86400)
end

-- A holder says how much it holds, by a number that only rises, never how much more: a lost or late message is healed
-- by the next one. `mine` is what it holds or waits for besides this charge.
function judge.concurrency(key, limit, mine, sequence, cost)
  redis.call('SET', alive .. holder, '1', 'PX', alive_ms)
  local others, known, stated = 0, -1, 0
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local said, held = string.match(all[i + 1], '^(%d+):(.+)$')
    if all[i] == holder then
      known, stated = tonumber(said), tonumber(held)
    elseif redis.call('EXISTS', alive .. all[i]) == 1 then
      others = others + tonumber(held)
    else
      redis.call('HDEL', key, all[i])
    end
  end
  local late = known > sequence
  local before = late and math.max(0, stated - cost) or mine
  local function state(held)
    if held > SLACK then
      redis.call('HSET', key, holder, string.format('%d:%s', math.max(known, sequence), number(held)))
      keep(key, 3600)
    else
      redis.call('HDEL', key, holder)
    end
  end
  local left = limit - others - before
  if left + SLACK < math.min(cost, limit) then
    return { ok = false, retry = 1, left = left, reset = 0, withdraw = function() state(before) end }
  end
  return {
    ok = true, left = left - cost, reset = 0,
    commit = function() state(before + cost) end,
    withdraw = function() state(before) end,
  }
end

local verdicts, refused, retry, wait = {}, -1, 0, 0
for i, key in ipairs(KEYS) do
  local at = 5 * i + 1
  local kind, p, q, r = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local verdict = judge[kind](key, p, q, r, tonumber(ARGV[at + 4]))
  verdicts[i] = verdict
  wait = math.max(wait, verdict.wait or 0)
  if not verdict.ok and (refused < 0 or verdict.retry > retry) then
    refused, retry = i - 1, verdict.retry
  end
end

local answer = { refused < 0 and '1' or '0', number(refused < 0 and wait or 0), number(retry), tostring(refused) }
for _, verdict in ipairs(verdicts) do
  local finish = refused < 0 and verdict.commit or verdict.withdraw
  if finish then finish() end
  answer[#answer + 1] = number(math.max(0, verdict.left))
  answer[#answer + 1] = number(verdict.reset)
end
return table.concat(answer, ' ')
