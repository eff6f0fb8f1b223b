"""Limits while the server is away: what this process may spend, and how long its callers wait for it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import fuseboard
from fuseboard import current
from fuseboard.local import LocalBucket
from fuseboard.resilience import RateLimiter, RateLimiterConfig, circuit_breaker, rate_limit
from fuseboard.shares import Shares
from fuseboard.steps import Sleep

from conftest import Server, eventually


def away() -> bool:
    return current.board().presence.away


def gpu(client: fuseboard.Client, name: str, lease_seconds: float) -> None:
    """A limit of four calls at once, of which a peer and this process use two each."""
    client.limiter_put(name, {"algorithm": "concurrency", "limit": 4, "lease_seconds": lease_seconds})
    client.limiter_acquire(name, 0, client="peer")


def test_the_local_permits_are_the_fair_share(server: Server, client: fuseboard.Client, name: str) -> None:
    gpu(client, name, 0.5)
    going, enough = threading.Semaphore(0), threading.Event()

    @rate_limit(name, requests_per_second=40)
    @circuit_breaker(name)
    def guarded() -> None:
        going.release()
        assert enough.wait(60)

    rate_limit(name, requests_per_second=40)(circuit_breaker(name)(lambda: None))()
    shares = current.board().alone.shares
    assert shares.permits[name] == 2
    assert not shares.has_rate(name)
    server.kill()
    with ThreadPoolExecutor(5) as pool:
        calls = [pool.submit(guarded) for _ in range(5)]
        try:
            assert going.acquire(timeout=30) and going.acquire(timeout=30)
            eventually(lambda: name in shares.in_flight())
            assert shares.in_flight()[name].running == 2
            server.start()
            # the server counts those two as its own, and gives the others what the peer leaves
            eventually(lambda: not current.board().presence.away, 30)
        finally:
            enough.set()
        for call in calls:
            call.result(60)
    eventually(lambda: client.limiter_get(name)["available_tokens"] == 4, 30)


@pytest.mark.asyncio
async def test_who_does_not_wait_is_refused_in_time(
    server: Server, client: fuseboard.Client, name: str
) -> None:
    gpu(client, name, 3600)
    limiter = RateLimiter(RateLimiterConfig(name, 40, 5))
    assert await limiter.acquire()
    server.kill()
    assert not away()
    assert not await limiter.acquire(), "what the server let go may run for an hour"
    assert away()
    alone, began = current.board().alone, time.monotonic()
    slept = 0.0
    steps = alone.wait(limiter.config, 1.0, 2.0)
    try:
        while True:
            step = next(steps)
            assert isinstance(step, Sleep)
            slept += step.seconds
    except StopIteration as done:
        assert done.value is False
    assert slept == 0, "it cannot be in time, and is told at once"
    assert time.monotonic() - began < 60


def test_nobody_waits_longer_while_the_server_is_told(server: Server, name: str) -> None:
    limiter = RateLimiterConfig(name, 40, 5)
    rate_limit(name, 40, 5)(lambda: None)()
    server.kill()
    rate_limit(name, 40, 5)(lambda: None)()
    assert away()
    alone = current.board().alone
    alone.shares.bucket_of(limiter).pause(True)
    slept = 0.0
    steps = alone.wait(limiter, 1.0, 0.3)
    try:
        while True:
            step = next(steps)
            assert isinstance(step, Sleep)
            slept += step.seconds
            time.sleep(step.seconds)
    except StopIteration as done:
        assert done.value is False
    assert slept <= 0.31


def test_a_wait_goes_on_in_the_next_absence(server: Server, name: str) -> None:
    limiter = RateLimiterConfig(name, 40, 5)
    rate_limit(name, 40, 5)(lambda: None)()
    server.kill()
    rate_limit(name, 40, 5)(lambda: None)()
    assert away()
    alone = current.board().alone
    alone.shares.pause(True)
    steps = alone.wait(limiter, 1.0, None)
    assert isinstance(next(steps), Sleep)
    alone.shares.begin_afresh()
    with pytest.raises(StopIteration) as done:
        for _ in range(1000):
            time.sleep(next(steps).seconds)  # type: ignore[union-attr]
    assert done.value.value is True


def test_promises_pass_and_windows_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shares = Shares(1)
    for told in (None, 20.0):
        shares.learn_acquired("bucket", {"fallback_share": 1.0, "fallback_after_seconds": told})
    shares.learn_acquired("window", {"fallback_share": 1.0, "fallback_after_seconds": 7.0})
    assert (shares._quiet("bucket"), shares._quiet("window")) == (20.0, 7.0)
    now[0] += 15
    assert (shares._quiet("bucket"), shares._quiet("window")) == (5.0, 7.0)


def test_a_share_begins_when_what_was_granted_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet: list[float] = []

    class Watched(LocalBucket):
        def __init__(self, rate: float, burst: float, **options: float) -> None:
            quiet.append(options["quiet"])
            super().__init__(rate, burst, quiet=options["quiet"])

    monkeypatch.setattr("fuseboard.shares.LocalBucket", Watched)
    shares = Shares(1)
    window = {"limit": 20, "period_seconds": 2.0}
    told = {"algorithm": "sliding_window", "fallback_share": 5.0, "live_clients": 2, "config": window}
    shares.learn_limiter("bucket", {"algorithm": "token_bucket", "fallback_share": 10.0, "config": {}})
    shares.learn_limiter("window", told)
    shares.learn_limiter("promised", told)
    shares.promise("promised", 3600.0)
    for name in ("bucket", "window", "promised"):
        shares.bucket_of(RateLimiterConfig(name, 10, 5))
    assert quiet[:2] == [1.0, 0.4 + 2.0], "until the lease ends; in a window, for the period after"
    assert quiet[2] > 3000
