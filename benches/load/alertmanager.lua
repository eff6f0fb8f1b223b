-- One alert in each request, as Prometheus sends it. Argument "turns": each request makes an alert fire or ends it; "going": all send the
-- same one; "spread": a thousand in turn.
wrk.method = "POST"
wrk.path = "/api/v2/alerts"
wrk.headers["Content-Type"] = "application/json"
local requests, n = {}, 0

local function add(service, times)
  requests[#requests + 1] = wrk.format(nil, nil, nil, '[{"labels":{"alertname":"HighErrorRate","service":"' .. service
    .. '","severity":"critical"},"annotations":{"summary":"error rate above 5%"}' .. times .. "}]")
end

function init(args)
  local mode = args[1]
  for i = 1, mode == "going" and 1 or mode == "spread" and 1000 or 64 do add(mode .. i, "") end
  if mode == "turns" then
    for i = 1, 64 do add(mode .. i, ',"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-01T00:01:00Z"') end
  end
end

function request()
  n = n % #requests + 1
  return requests[n]
end
