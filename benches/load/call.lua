-- One guarded call per request, in steady state: each request carries the outcome of an earlier one.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local head = '{"breaker":"b1","limiters":[{"name":"l1","tokens":1}],"client":"bot-7","outcomes":['
local ids, n = {}, 0

function request()
  local outcome = ""
  if n > 0 then
    outcome = '{"call_id":"' .. ids[n] .. '","outcome":"success","duration_seconds":0.012}'
    n = n - 1
  end
  return wrk.format(nil, nil, nil, head .. outcome .. "]}")
end

function response(_, _, body)
  -- The peer echoes the request, so both answers hold an id once one is known.
  local id = string.match(body, '"call_id":"([^"]+)"')
  n = n + 1
  ids[n] = id or "00000000000000000000000000000000"
end
