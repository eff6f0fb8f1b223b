-- A rate limit as one keeps it in Redis: the generic cell rate algorithm over some keys, each of which has the time until which its
-- tokens are spent. KEYS: names. ARGV: microseconds between tokens, how many of them may be spent ahead, tokens.
-- Answers for each key how many tokens are left, or minus the microseconds to wait.
local clock = redis.call("TIME")
local now = clock[1] * 1000000 + clock[2]
local interval, burst, tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local answers = {}
for i, key in ipairs(KEYS) do
  local spent = math.max(tonumber(redis.call("GET", key) or now), now) + tokens * interval
  local wait = spent - burst - now
  if wait > 0 then
    answers[i] = -math.ceil(wait)
  else
    redis.call("SET", key, string.format("%.0f", spent), "PX", math.ceil((spent - now) / 1000) + 1)
    answers[i] = math.floor(-wait / interval)
  end
end
return answers
