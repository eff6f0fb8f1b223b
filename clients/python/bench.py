"""What a guarded call costs over a bare one, against a real server: medians of five rounds.

FUSEBOARD_BIN=target/release/fuseboard python clients/python/bench.py
"""

from __future__ import annotations

import asyncio
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import fuseboard
from fuseboard import current
from fuseboard.resilience import circuit_breaker, rate_limit

CALLS, ROUNDS = 2000, 5


def noop() -> int:
    return 1


async def async_noop() -> int:
    return 1


def sync_cost(func: Callable[[], int]) -> float:
    func()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            func()
        rounds.append((time.perf_counter() - start) / CALLS * 1e6)
    return statistics.median(rounds)


async def async_cost(func: Callable[[], Awaitable[int]]) -> float:
    await func()
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            await func()
        rounds.append((time.perf_counter() - start) / CALLS * 1e6)
    return statistics.median(rounds)


def main() -> None:
    """Start a server, measure, print."""
    binary = os.environ.get("FUSEBOARD_BIN") or Path(__file__).parents[2] / "target/release/fuseboard"
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [str(binary), "serve", "--listen", "127.0.0.1:0", "--db", f"{folder}/board.db"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout is not None
            found = next(
                filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in server.stdout))
            )
            fuseboard.configure(url=found[0])
            limit = rate_limit("bench", requests_per_second=1_000_000)
            for name, func in {
                "breaker": circuit_breaker("a")(noop),
                "limiter": limit(noop),
                "limiter and breaker": limit(circuit_breaker("b")(noop)),
            }.items():
                print(f"{name:32}{sync_cost(func):8.1f} us")
            for name, func_async in {
                "breaker": circuit_breaker("c")(async_noop),
                "limiter and breaker": limit(circuit_breaker("d")(async_noop)),
            }.items():
                print(f"{'async ' + name:32}{asyncio.run(async_cost(func_async)):8.1f} us")
            current.board().close()
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
