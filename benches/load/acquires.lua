-- A hundred acquires in one request, over ten limiters.
wrk.method = "POST"
wrk.path = "/v1/acquires"
wrk.headers["Content-Type"] = "application/json"
local items = {}
for i = 1, 100 do items[i] = '{"limiter":"l' .. (i % 10 + 1) .. '","tokens":1}' end
wrk.body = '{"client":"bot-7","items":[' .. table.concat(items, ",") .. "]}"
