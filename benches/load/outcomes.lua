-- A hundred outcomes in one request, of calls that outcomes_prepare.lua began; each is reported once.
wrk.method = "POST"
wrk.path = "/v1/outcomes"
wrk.headers["Content-Type"] = "application/json"
local lines

function init(args)
  lines = assert(io.lines(args[1]))
end

function request()
  local items = {}
  for i = 1, 100 do
    local id = lines()
    if not id then break end
    items[i] = '{"call_id":"' .. id .. '","outcome":"success","duration_seconds":0.012}'
  end
  return wrk.format(nil, nil, nil, '{"items":[' .. table.concat(items, ",") .. "]}")
end
