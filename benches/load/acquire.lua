-- Argument "acquire": a token of one of ten thousand limiters by chance; "lease": a hundred of one of a hundred, to spend locally.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local kind, body, limiters

function init(args)
  kind = args[1]
  limiters = kind == "lease" and 100 or 10000
  body = kind == "lease" and '{"tokens":100,"lease_seconds":0.5,"client":"bot-7"}' or '{"tokens":1,"client":"bot-7"}'
end

function request()
  return wrk.format(nil, "/v1/limiters/l" .. math.random(limiters) .. "/" .. kind, nil, body)
end
