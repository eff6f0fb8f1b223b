-- Checks of values. Argument "turns": each request makes an alert fire or resolves it, on a series of its own connection;
-- "going": all of them report the same alert, which goes on; "well": no alert.
wrk.method = "POST"
wrk.path = "/v1/alerts/check"
wrk.headers["Content-Type"] = "application/json"
local mode, bodies, n = "turns", {}, 0
local series = 64

function init(args)
  mode = args[1] or mode
  for i = 1, series do
    local tail = ',"labels":{"bot":"' .. i .. '"}}'
    bodies[i] = '{"metric_name":"drawdown","value":0.17' .. tail
    bodies[series + i] = '{"metric_name":"drawdown","value":0.05' .. tail
  end
end

function request()
  if mode == "going" then return wrk.format(nil, nil, nil, '{"metric_name":"drawdown","value":0.17}') end
  if mode == "well" then return wrk.format(nil, nil, nil, '{"metric_name":"drawdown","value":0.05}') end
  -- All series fire in turn, then all are well again: each request finds its series as it must be.
  n = n % (2 * series) + 1
  return wrk.format(nil, nil, nil, bodies[n])
end
