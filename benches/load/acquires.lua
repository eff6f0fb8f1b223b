-- A hundred acquires in one request, each of one of ten thousand limiters by chance. Bodies are made before, to spare wrk.
wrk.method = "POST"
wrk.path = "/v1/acquires"
wrk.headers["Content-Type"] = "application/json"
local requests = {}

function init()
  for n = 1, 200 do
    local items = {}
    for i = 1, 100 do items[i] = '{"limiter":"l' .. math.random(10000) .. '","tokens":1}' end
    requests[n] = wrk.format(nil, nil, nil, '{"client":"bot-7","items":[' .. table.concat(items, ",") .. "]}")
  end
end

function request()
  return requests[math.random(#requests)]
end
