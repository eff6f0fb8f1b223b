-- Creates breakers b1, b2, … with the seed's configuration; the argument is the first number to use.
wrk.method = "PUT"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"failure_threshold":5,"timeout_seconds":60,"half_open_max_calls":3}'
local n

function init(args)
  n = tonumber(args[1])
end

function request()
  n = n + 1
  return wrk.format(nil, "/v1/breakers/b" .. n)
end
