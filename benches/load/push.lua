-- One number per request, as one worker sends it.
wrk.method = "POST"
wrk.path = "/v1/metrics"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"samples":[{"name":"app_queue_depth","type":"gauge","value":42}]}'
