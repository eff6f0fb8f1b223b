"""What a guarded call costs over a bare one, beside libraries that decide in memory or over Redis.

    FUSEBOARD_BIN=target/release/fuseboard python clients/python/bench.py [rounds]

Peers are measured as far as they are installed (pybreaker, aiobreaker, limits, pyrate-limiter, purgatory;
redis with redis-server). All are measured in turn, round after round; of each the median and the least of its
rounds are printed, since whatever else runs on the machine only adds. Then: how long after a trip in one
process another one refuses, both in local mode.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import fuseboard
from fuseboard import current
from fuseboard.resilience import circuit_breaker, rate_limit

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 7
LOCAL_CALLS, SHARED_CALLS = 100_000, 1_000
TRIPS = 60

Sync = Callable[[], Any]
Async = Callable[[], Awaitable[Any]]


def noop() -> int:
    return 1


async def anoop() -> int:
    return 1


def once(func: Sync, calls: int) -> float:
    """Microseconds per call."""
    rounds = range(calls)
    start = time.perf_counter_ns()
    for _ in rounds:
        func()
    return (time.perf_counter_ns() - start) / calls / 1e3


async def once_async(func: Async, calls: int) -> float:
    rounds = range(calls)
    start = time.perf_counter_ns()
    for _ in rounds:
        await func()
    return (time.perf_counter_ns() - start) / calls / 1e3


def have(name: str) -> Any:
    with contextlib.suppress(ImportError):
        return importlib.import_module(name)
    return None


def ours(mode: Any, calls: int) -> Iterator[tuple[str, Sync | Async, int]]:
    """Breaker and limit together, and each alone."""
    limit = rate_limit(f"bench_{mode}", 1_000_000, 1_000_000_000, mode=mode)
    breaker = circuit_breaker(f"bench_{mode}", mode=mode)
    yield f"fuseboard {mode}: breaker and limit", limit(breaker(noop)), calls
    yield f"fuseboard {mode}: breaker and limit, async", limit(breaker(anoop)), calls
    yield f"fuseboard {mode}: breaker", breaker(noop), calls
    yield f"fuseboard {mode}: limit", limit(noop), calls


def in_memory() -> Iterator[tuple[str, Sync | Async, int]]:
    """Libraries that decide for one process."""
    if pybreaker := have("pybreaker"):
        yield "pybreaker, memory", pybreaker.CircuitBreaker()(noop), 20_000
    if limits := have("limits"):
        item = limits.RateLimitItemPerSecond(1_000_000)
        fixed = limits.strategies.FixedWindowRateLimiter(limits.storage.MemoryStorage())
        yield "limits, memory, fixed window", lambda: fixed.hit(item, "k") and noop(), 10_000
    if pyrate := have("pyrate_limiter"):
        rate = pyrate.Rate(1_000_000, pyrate.Duration.SECOND)
        limiter = pyrate.Limiter(pyrate.InMemoryBucket([rate]))
        yield "pyrate-limiter, memory", lambda: limiter.try_acquire("k", blocking=False) and noop(), 5_000
    if purgatory := have("purgatory"):
        yield "purgatory, memory", purgatory.SyncCircuitBreakerFactory()("c")(noop), 20_000
    if aiobreaker := have("aiobreaker"):
        breaker = aiobreaker.CircuitBreaker()
        yield "aiobreaker, memory, async", lambda: breaker.call_async(anoop), 20_000


def over_redis(port: int) -> Iterator[tuple[str, Sync | Async, int]]:
    """The same, shared."""
    redis = have("redis")
    if pybreaker := have("pybreaker"):
        storage = pybreaker.CircuitRedisStorage("closed", redis.Redis(port=port), namespace="b")
        yield "pybreaker, redis", pybreaker.CircuitBreaker(state_storage=storage)(noop), SHARED_CALLS
    if limits := have("limits"):
        store = limits.storage.RedisStorage(f"redis://127.0.0.1:{port}/0")
        item = limits.RateLimitItemPerSecond(1_000_000)
        for kind in ("FixedWindow", "MovingWindow"):
            strategy = getattr(limits.strategies, f"{kind}RateLimiter")(store)
            yield f"limits, redis, {kind}", lambda s=strategy, k=kind: s.hit(item, k) and noop(), SHARED_CALLS


def measure(rows: list[tuple[str, Sync | Async, int]]) -> None:
    """All in turn, round after round."""

    async def main() -> None:
        seen: dict[str, list[float]] = {name: [] for name, _, _ in rows}
        for func in (func for _, func, _ in rows):
            for _ in range(300):
                result = func()
                if asyncio.iscoroutine(result):
                    await result
            await asyncio.sleep(0.15)  # local mode leases what it sees to be used
        for _ in range(ROUNDS):
            for name, func, calls in rows:
                result = func()
                if asyncio.iscoroutine(result):
                    await result
                    await once_async(func, calls // 10)  # leases grow to the use
                    seen[name].append(await once_async(func, calls) - await once_async(anoop, calls))
                else:
                    once(func, calls // 10)
                    seen[name].append(once(func, calls) - once(noop, calls))
        print("| overhead over the bare call, µs | median | least |\n|---|---|---|")
        for name, figures in seen.items():
            print(f"| {name} | {statistics.median(figures):.3g} | {min(figures):.3g} |", flush=True)

    asyncio.run(main())


PEER = """
import sys, time
from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker
guarded = {n: circuit_breaker(n, failure_threshold=3, mode="local")(lambda: None) for n in sys.argv[1:]}
for func in guarded.values():
    while func.__fuseboard_guard__[2].cell.span.fresh < 0:
        func()
        time.sleep(0.002)
print("ready", flush=True)
for func in guarded.values():
    sys.stdin.readline()
    while True:
        try:
            func()
            time.sleep(0.0002)
        except CircuitBreakerOpenError:
            print(time.clock_gettime(time.CLOCK_MONOTONIC), flush=True)
            break
"""


def trip_to_refusal(url: str) -> None:
    """From the third failure's exception here to the first refusal in another process."""
    names = [f"trip{i}" for i in range(TRIPS)]
    peer = subprocess.Popen(
        [sys.executable, "-c", PEER, *names],
        env={**os.environ, "FUSEBOARD_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert peer.stdin is not None and peer.stdout is not None
    assert peer.stdout.readline() == "ready\n"

    def boom() -> None:
        raise ValueError

    delays = []
    for name in names:
        failing = circuit_breaker(name, failure_threshold=3, mode="local")(boom)
        guard = failing.__fuseboard_guard__[2]  # type: ignore[attr-defined]
        while guard.cell.span.fresh < 0:
            current.board().admit(guard.ask, guard.cell)
            time.sleep(0.002)
        peer.stdin.write("\n")
        peer.stdin.flush()
        time.sleep(0.01)
        for _ in range(3):
            with contextlib.suppress(ValueError):
                failing()
        tripped = time.clock_gettime(time.CLOCK_MONOTONIC)
        delays.append((float(peer.stdout.readline()) - tripped) * 1e3)
    peer.communicate()
    delays.sort()
    p99 = delays[min(len(delays) - 1, round(len(delays) * 0.99))]
    print(
        "\nFrom the third failure in one process to the first refusal in another: "
        f"p50 {statistics.median(delays):.2f} ms, p99 {p99:.2f} ms ({TRIPS} trips)."
    )


@contextlib.contextmanager
def redis_server() -> Iterator[int | None]:
    """The port of a Redis of its own, if there is one."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    try:
        process = subprocess.Popen([*command, "--appendonly", "no"], stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        yield None
        return
    try:
        time.sleep(0.5)
        yield port if have("redis") else None
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Start a server, measure, print."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and then what was started is stopped
    binary = os.environ.get("FUSEBOARD_BIN") or Path(__file__).parents[2] / "target/release/fuseboard"
    with tempfile.TemporaryDirectory() as folder, redis_server() as redis:
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
            rows = [*ours("local", LOCAL_CALLS), *in_memory(), *ours("strict", SHARED_CALLS)]
            if redis:
                rows += over_redis(redis)
            measure(rows)
            trip_to_refusal(found[0])
            current.board().close()
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
