-- One number per request, round a hundred series.
local n, headers = 0, { ["Content-Type"] = "application/json" }

function init()
  headers["Authorization"] = wrk.headers["Authorization"]
end

function request()
  n = (n + 1) % 100
  local body = '{"samples":[{"name":"app_queue_depth","type":"gauge","value":42,"labels":{"instance":"w' .. n .. '"}}]}'
  return wrk.format("POST", "/v1/metrics", headers, body)
end
