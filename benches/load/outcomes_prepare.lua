-- Begins calls without outcomes and writes their ids down, for outcomes.lua.
wrk.method = "POST"
wrk.path = "/v1/calls"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"breaker":"b1","client":"bot-7"}'
local file

function init(args)
  file = assert(io.open(args[1], "w"))
end

function response(_, _, body)
  local id = string.match(body, '"call_id":"([^"]+)"')
  if id then file:write(id, "\n") end
end
