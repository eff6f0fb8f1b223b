-- One kind of request over N resources by chance: arguments are the kind, N, and what random numbers start from.
local kind, count, n = "call", 1, 0
local ids, tokens = {}, { headers = nil }

function init(args)
  kind, count = args[1], tonumber(args[2])
  math.randomseed(tonumber(args[3]))
  tokens.headers = { ["Content-Type"] = "application/json", ["Authorization"] = wrk.headers["Authorization"] }
end

local function post(path, body)
  return wrk.format("POST", path, tokens.headers, body)
end

local function call(i)
  local outcome = ""
  if n > 0 then
    outcome = '{"call_id":"' .. ids[n] .. '","outcome":"success","duration_seconds":0.012}'
    n = n - 1
  end
  return post("/v1/calls", '{"breaker":"b' .. i .. '","limiters":[{"name":"l' .. i .. '","tokens":1}],"client":"c' .. i
    .. '","outcomes":[' .. outcome .. "]}")
end

function request()
  local i = math.random(count)
  if kind == "call" then return call(i) end
  if kind == "acquire" then return post("/v1/limiters/l" .. i .. "/acquire", '{"tokens":1,"client":"c' .. i .. '"}') end
  if kind == "push" then
    return post("/v1/metrics", '{"samples":[{"name":"growth_' .. math.floor((i - 1) / 1000) .. '","type":"gauge","value":' .. i .. ',"labels":{"instance":"w' .. i .. '"}}]}')
  end
  if kind == "show" then return wrk.format("GET", "/v1/breakers/b" .. i, tokens.headers) end
  if kind == "list" then return wrk.format("GET", "/v1/breakers?limit=100", tokens.headers) end
  if kind == "history" then return wrk.format("GET", "/v1/events?limit=100&resource=breaker&name=b" .. i, tokens.headers) end
  return wrk.format("GET", "/v1/events?limit=100", tokens.headers)
end

function response(status, _, body)
  local id = kind == "call" and status < 300 and string.match(body, '"call_id":"([^"]+)"')
  if id then
    n = n + 1
    ids[n] = id
  end
end
