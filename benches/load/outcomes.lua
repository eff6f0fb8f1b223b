-- A hundred outcomes in one request, of calls that outcomes_prepare.lua began; each is reported once. Arguments are the file of their
-- ids, and one that is made when all are reported.
wrk.method = "POST"
wrk.path = "/v1/outcomes"
wrk.headers["Content-Type"] = "application/json"
local lines, finished

function init(args)
  lines, finished = assert(io.lines(args[1])), args[2]
end

function request()
  local items = {}
  for i = 1, 100 do
    local id = lines and lines()
    if not id then
      lines = nil
      assert(io.open(finished, "w")):close()
      wrk.thread:stop()
      break
    end
    items[i] = '{"call_id":"' .. id .. '","outcome":"success","duration_seconds":0.012}'
  end
  return wrk.format(nil, nil, nil, '{"items":[' .. table.concat(items, ",") .. "]}")
end
