"""Guarded calls beside the least that a server does: nginx with a fixed answer, axum that echoes the JSON."""

from __future__ import annotations

import peers
import processes
from compare import Case, Effort, Measured, compare, rated

CONFIG = "[limits]\nmax_calls_in_flight = 20000000\n"


def measure(effort: Effort) -> Measured:
    rows = []
    with (
        peers.running(peers.NGINX_STATIC) as nginx,
        peers.running(peers.AXUM) as axum,
        processes.fuseboard(config=CONFIG) as board,
    ):
        api = processes.Api(board.port)
        api("PUT", "/v1/breakers/b1", '{"failure_threshold": 5, "timeout_seconds": 60}')
        api("PUT", "/v1/limiters/l1", '{"requests_per_second": 1000000}')
        for connections in (32, 1):
            cases = [
                Case("nginx, a fixed answer", nginx, "call.lua", connections),
                Case("bare axum, the same JSON echoed", axum, "call.lua", connections),
                Case("`POST /v1/calls` with breaker, limiter and outcome", board, "call.lua", connections),
            ]
            rows += compare(cases, 1, effort)
    return rated("bare axum", rows), str(effort)
