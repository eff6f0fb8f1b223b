"""The contract's lines about limiters, against a real server."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import fuseboard
from fuseboard import current
from fuseboard.resilience import (
    CircuitBreakerOpenError,
    RateLimiter,
    RateLimiterConfig,
    circuit_breaker,
    get_circuit_breaker,
    get_rate_limiter,
    rate_limit,
    retry,
)
from fuseboard.transport import Request

from conftest import Server

pytestmark = pytest.mark.usefixtures("server")


@pytest.fixture
def asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that this process's calls ask."""
    board = current.board()
    paths: list[str] = []
    carry = board.transport.request

    def request(request: Request) -> Any:
        if request.path == "/v1/calls" or request.path.endswith("/acquire"):
            paths.append(request.path)
        return carry(request)

    monkeypatch.setattr(board.transport, "request", request)
    return paths


def test_it_waits_for_a_token_then_calls(name: str) -> None:
    @rate_limit(name, requests_per_second=20, burst_size=2)
    def guarded() -> float:
        return time.monotonic()

    start = time.monotonic()
    times = [guarded() - start for _ in range(8)]
    assert times[1] < 1
    assert times[-1] >= 6 / 20 - 0.02
    assert times[-1] < 3


@pytest.mark.asyncio
async def test_coroutines_wait_without_blocking_the_loop(name: str) -> None:
    @rate_limit(name, requests_per_second=10, burst_size=1)
    async def guarded() -> float:
        return time.monotonic()

    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.01)

    ticking = asyncio.create_task(tick())
    start = time.monotonic()
    times = sorted(await asyncio.gather(*[guarded() for _ in range(6)]))
    ticking.cancel()
    assert times[-1] - start >= 0.48
    assert ticks > 20
    slots = [i / 10 - 0.02 for i in range(6)]
    assert all(at - start >= slot for at, slot in zip(times, slots, strict=True)), "each has a slot"


def test_the_burst_defaults_to_the_whole_rate(name: str, client: fuseboard.Client) -> None:
    rate_limit(name, requests_per_second=7.9)(lambda: None)()
    assert get_rate_limiter(name).get_stats()["burst_size"] == 7
    rate_limit(name + "_slow", requests_per_second=0.5)(lambda: None)()
    assert client.limiter_get(name + "_slow")["burst_size"] == 1


def test_the_default_rate_is_five(name: str) -> None:
    assert RateLimiterConfig(name).requests_per_second == 5.0
    stats = get_rate_limiter(name).get_stats()
    assert (stats["requests_per_second"], stats["burst_size"]) == (5.0, 5)


@pytest.mark.asyncio
async def test_acquire_says_whether_there_was_a_token(name: str) -> None:
    limiter = RateLimiter(RateLimiterConfig(name, requests_per_second=0.5, burst_size=2))
    assert await limiter.acquire()
    assert await limiter.acquire(1.0)
    assert await limiter.acquire() is False


@pytest.mark.asyncio
async def test_wait_for_token_waits_and_call_calls(name: str) -> None:
    limiter = RateLimiter(RateLimiterConfig(name, requests_per_second=10, burst_size=2))
    start = time.monotonic()
    await limiter.wait_for_token(2.0)
    await limiter.wait_for_token()
    assert time.monotonic() - start >= 0.09

    async def later(x: int) -> int:
        return x

    assert await limiter.call(later, 3) == 3
    assert await limiter.call(lambda x: x, 4) == 4


@pytest.mark.asyncio
async def test_get_stats_has_the_shape_of_the_contract(name: str) -> None:
    limiter = get_rate_limiter(name, RateLimiterConfig(name, requests_per_second=0.1, burst_size=2))
    assert [await limiter.acquire() for _ in range(4)] == [True, True, False, False]
    stats = limiter.get_stats()
    assert stats["name"] == name
    assert stats["requests_per_second"] == 0.1
    assert stats["burst_size"] == 2
    assert 0 <= stats["available_tokens"] < 1
    assert stats["total_requests"] == 4
    assert stats["throttled_requests"] == 2
    assert stats["throttle_rate"] == pytest.approx(0.5)


def test_the_limiter_of_the_operator_is_never_changed(name: str, client: fuseboard.Client) -> None:
    client.limiter_put(name, {"algorithm": "sliding_window", "limit": 3, "period_seconds": 0.5})
    guarded = rate_limit(name, requests_per_second=1000)(time.monotonic)
    start = time.monotonic()
    times = [guarded() - start for _ in range(7)]
    assert times[3] >= 0.48
    assert times[6] >= 0.98
    assert client.limiter_get(name)["algorithm"] == "sliding_window"
    assert get_rate_limiter(name).get_stats()["name"] == name


def test_more_than_it_could_ever_grant_is_an_error(name: str) -> None:
    limiter = RateLimiter(RateLimiterConfig(name, requests_per_second=2))
    with pytest.raises(fuseboard.FuseboardError) as refused:
        asyncio.run(limiter.wait_for_token(1000))
    assert refused.value.status == 422


def test_directly_around_a_breaker_it_is_one_request(name: str, asked: list[str]) -> None:
    @rate_limit(name, requests_per_second=1000)
    @circuit_breaker(name)
    @retry(max_attempts=2, initial_delay=0)
    def guarded() -> str:
        return "ticker"

    for _ in range(3):
        assert guarded() == "ticker"
    assert asked == ["/v1/calls"] * 3


def test_two_limits_around_a_breaker_are_still_one_request(name: str, asked: list[str]) -> None:
    @rate_limit(name + "_account", requests_per_second=1000)
    @rate_limit(name, requests_per_second=1000)
    @circuit_breaker(name)
    def guarded() -> str:
        return "ticker"

    assert guarded() == "ticker"
    assert asked == ["/v1/calls"]
    assert get_rate_limiter(name).get_stats()["total_requests"] >= 1
    assert get_rate_limiter(name + "_account").get_stats()["total_requests"] >= 1


def test_with_a_decorator_between_it_is_two(name: str, asked: list[str]) -> None:
    def logged(func: Callable[[], str]) -> Callable[[], str]:
        @functools.wraps(func)  # copies the attributes of the guarded function
        def wrapper() -> str:
            return "logged " + func()

        return wrapper

    @rate_limit(name, requests_per_second=1000)
    @logged
    @circuit_breaker(name)
    def guarded() -> str:
        return "ticker"

    assert guarded() == "logged ticker"
    assert asked == [f"/v1/limiters/{name}/acquire", "/v1/calls"]


def test_a_refused_call_costs_no_token(name: str) -> None:
    @rate_limit(name, requests_per_second=0.1, burst_size=3)
    @circuit_breaker(name, failure_threshold=2)
    def guarded() -> None:
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            guarded()
    start = time.monotonic()
    for _ in range(5):
        with pytest.raises(CircuitBreakerOpenError):
            guarded()
    assert time.monotonic() - start < 2
    assert get_rate_limiter(name).get_stats()["available_tokens"] >= 0.9


def test_it_waits_longer_than_one_question_lasts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fuseboard.board.PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr("fuseboard.calls.GUARDED_PATIENCE_SECONDS", 0.1)
    alone = rate_limit(name, requests_per_second=2, burst_size=1)(time.monotonic)
    both = rate_limit(name + "_2", 2, 1)(circuit_breaker(name)(time.monotonic))
    for guarded in (alone, both):
        start = time.monotonic()
        guarded()
        assert guarded() - start >= 0.45
    assert get_circuit_breaker(name).metrics.success_calls == 2


class InFlight:
    """Counts those inside."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def __call__(self) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.02)
        self.now -= 1


@pytest.mark.parametrize("with_breaker", [False, True])
def test_a_limit_on_calls_in_flight_is_given_back(
    name: str, client: fuseboard.Client, with_breaker: bool
) -> None:
    client.limiter_put(name, {"algorithm": "concurrency", "limit": 2})
    inside = InFlight()
    guarded = rate_limit(name, 100)(circuit_breaker(name)(inside) if with_breaker else inside)
    start = time.monotonic()
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: guarded(), range(24)))
    assert inside.most <= 2
    assert time.monotonic() - start < 5


@pytest.mark.asyncio
@pytest.mark.parametrize("with_breaker", [False, True])
async def test_a_cancelled_call_is_no_longer_in_flight(
    name: str, client: fuseboard.Client, with_breaker: bool
) -> None:
    client.limiter_put(name, {"algorithm": "concurrency", "limit": 1})

    async def work(seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "done"

    guarded = rate_limit(name, 100)(circuit_breaker(name)(work) if with_breaker else work)
    task = asyncio.create_task(guarded(60))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(guarded(0), 5) == "done"


@pytest.mark.asyncio
async def test_a_call_cancelled_while_it_asks_is_not_in_flight(name: str, client: fuseboard.Client) -> None:
    client.limiter_put(name, {"algorithm": "concurrency", "limit": 1, "lease_seconds": 600})

    @rate_limit(name, 100)
    async def guarded() -> str:
        return "done"

    assert await guarded() == "done"
    task = asyncio.create_task(guarded())
    for _ in range(3):
        await asyncio.sleep(0)
    time.sleep(0.2)  # the answer waits in the socket, unread
    assert client.limiter_get(name)["available_tokens"] == 0
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(guarded(), 5) == "done"


@pytest.mark.parametrize("bad", [0, -1, float("inf"), float("nan")])
def test_rates_are_checked_where_they_are_written(bad: float) -> None:
    with pytest.raises(ValueError):
        rate_limit("x", requests_per_second=bad)
