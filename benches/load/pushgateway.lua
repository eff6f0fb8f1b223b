-- One number per request, as a Pushgateway takes it.
wrk.method = "POST"
wrk.path = "/metrics/job/x"
wrk.headers["Content-Type"] = "text/plain; version=0.0.4"
wrk.body = "# TYPE app_queue_depth gauge\napp_queue_depth 42\n"
