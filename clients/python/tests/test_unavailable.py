"""A server that is killed, frozen, restarted or broken never hangs a caller.

Bounds are generous: they tell seconds from forever, not milliseconds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

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
)

from conftest import Server, eventually, finished, python


class Boom(Exception):
    pass


@pytest.fixture(autouse=True)
def patience() -> None:
    """The timeouts are the defaults: they are what is tested here."""


def duration(func: Callable[[], object]) -> float:
    start = time.monotonic()
    func()
    return time.monotonic() - start


def away() -> bool:
    return current.board().presence.away


def test_importing_and_decorating_need_no_server(nowhere: str) -> None:
    code = """
        import socket
        def refuse(*a, **k):
            raise AssertionError("connected")
        socket.socket.connect = refuse
        import fuseboard, fuseboard.resilience as r
        fuseboard.configure(timeout=0.5)

        @r.rate_limit("x", 10)
        @r.circuit_breaker("x")
        def call():
            return 1

        r.get_circuit_breaker("x"); r.get_rate_limiter("x"); r.RateLimiter(r.RateLimiterConfig("y"))
        import threading
        assert threading.active_count() == 1
        print("fine")
    """
    assert finished(python(code, nowhere)).strip() == "fine"


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_calls_pass_at_once(name: str) -> None:
    guarded = circuit_breaker(name)(lambda: "ticker")
    assert guarded() == "ticker"
    assert duration(lambda: [guarded() for _ in range(1000)]) < 1


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_the_breaker_works_locally(name: str) -> None:
    down = True

    @circuit_breaker(name, failure_threshold=3, timeout_seconds=0.3)
    def guarded() -> str:
        if down:
            raise Boom
        return "ticker"

    for _ in range(3):
        with pytest.raises(Boom):
            guarded()
    with pytest.raises(CircuitBreakerOpenError):
        guarded()
    state = get_circuit_breaker(name).get_state()
    assert (state["state"], state["board_state"]) == ("open", "local")
    time.sleep(0.35)
    down = False
    assert guarded() == "ticker"
    assert get_circuit_breaker(name).state == "closed"


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_the_limiter_works_locally(name: str) -> None:
    guarded = rate_limit(name, requests_per_second=20, burst_size=2)(time.monotonic)
    times = [guarded() for _ in range(8)]
    assert times[-1] - times[0] >= 6 / 20 - 0.05
    limiter = RateLimiter(RateLimiterConfig(name + "_2", requests_per_second=0.1, burst_size=1))
    assert asyncio.run(limiter.acquire())
    assert not asyncio.run(limiter.acquire())
    assert get_rate_limiter(name).get_stats()["board_state"] == "local"


def test_without_a_server_a_number_of_peers_divides_the_rate(nowhere: str, name: str) -> None:
    fuseboard.configure(url=nowhere, fallback_peers=4)
    guarded = rate_limit(name, requests_per_second=40, burst_size=4)(time.monotonic)
    times = [guarded() for _ in range(6)]
    assert times[-1] - times[0] >= 5 / 10 - 0.05


def test_on_unavailable_raise_raises(nowhere: str, name: str) -> None:
    fuseboard.configure(url=nowhere, on_unavailable="raise")
    guarded = circuit_breaker(name)(lambda: "ticker")
    limited = rate_limit(name, requests_per_second=10)(lambda: "ticker")
    for _ in range(2):
        with pytest.raises(fuseboard.FuseboardUnavailable):
            guarded()
        with pytest.raises(fuseboard.FuseboardUnavailable):
            limited()
        with pytest.raises(fuseboard.FuseboardUnavailable):
            get_circuit_breaker(name).get_state()


@pytest.mark.usefixtures("nowhere")
def test_reset_without_a_server_is_an_error(name: str) -> None:
    with pytest.raises(fuseboard.FuseboardUnavailable):
        get_circuit_breaker(name).reset()


def test_a_killed_server_costs_no_call_a_delay(server: Server, name: str) -> None:
    guarded = circuit_breaker(name)(lambda: "ticker")
    guarded()
    server.kill()
    assert duration(lambda: [guarded() for _ in range(200)]) < 1.5
    assert away()


def test_a_frozen_server_costs_one_call_one_timeout(server: Server, name: str) -> None:
    guarded = circuit_breaker(name)(lambda: "ticker")
    guarded()
    server.freeze()
    first = duration(guarded)
    assert 0.5 < first < 4
    # the others meanwhile, over several probes
    slowest = 0.0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        slowest = max(slowest, duration(guarded))
        time.sleep(0.01)
    assert slowest < 0.5
    server.thaw()
    eventually(lambda: not away())
    assert guarded() == "ticker"


def test_a_frozen_server_does_not_block_the_loop(server: Server, name: str) -> None:
    @circuit_breaker(name)
    async def guarded() -> str:
        return "ticker"

    async def scenario() -> None:
        await guarded()
        longest, running = 0.0, True

        async def tick() -> None:
            nonlocal longest
            while running:
                start = time.monotonic()
                await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - start)

        ticking = asyncio.create_task(tick())
        server.freeze()
        start = time.monotonic()
        # more than there are connections: those that waited for one must not time out in turn
        assert await asyncio.gather(*[guarded() for _ in range(300)]) == ["ticker"] * 300
        assert time.monotonic() - start < 4
        running = False
        await ticking
        assert longest < 0.7

    asyncio.run(scenario())


def test_a_frozen_server_costs_every_thread_one_timeout_at_most(server: Server, name: str) -> None:
    guarded = circuit_breaker(name)(lambda: "ticker")
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: guarded(), range(64)))
        server.freeze()
        start = time.monotonic()
        assert list(threads.map(lambda _: guarded(), range(200))) == ["ticker"] * 200
        assert time.monotonic() - start < 5


def test_a_restarted_server_is_found_again_and_told_the_names(server: Server, name: str) -> None:
    @rate_limit(name, requests_per_second=1000)
    @circuit_breaker(name, failure_threshold=2)
    def guarded(down: bool = False) -> str:
        if down:
            raise Boom
        return "ticker"

    guarded()
    server.kill()
    guarded()
    assert away()
    server.start()
    eventually(lambda: not away())
    for _ in range(2):
        with pytest.raises(Boom):
            guarded(down=True)
    with pytest.raises(CircuitBreakerOpenError):
        guarded()
    state = get_circuit_breaker(name).get_state()
    assert (state["state"], state["board_state"]) == ("open", "open")


def test_a_restart_between_two_calls_goes_unnoticed(server: Server, name: str) -> None:
    guarded = circuit_breaker(name)(lambda: "ticker")

    async def later() -> str:
        return await get_circuit_breaker(name).call(guarded)

    guarded()
    board = current.board()
    eventually(lambda: not board.outbox)
    time.sleep(1.3)  # the background thread has nothing to say meanwhile
    server.kill()
    server.start()
    assert guarded() == "ticker"
    assert not away()


@pytest.mark.asyncio
async def test_a_restart_between_two_coroutines_goes_unnoticed(server: Server, name: str) -> None:
    @circuit_breaker(name)
    async def guarded() -> str:
        await asyncio.sleep(0.05)
        return "ticker"

    await asyncio.gather(*[guarded() for _ in range(8)])
    await asyncio.sleep(1.3)
    server.kill()
    server.start()
    assert await asyncio.gather(*[guarded() for _ in range(8)]) == ["ticker"] * 8
    assert not away()


def test_an_open_breaker_stays_open_when_the_server_goes_away(server: Server, name: str) -> None:
    @circuit_breaker(name, failure_threshold=1)
    def guarded() -> None:
        raise Boom

    with pytest.raises(Boom):
        guarded()
    with pytest.raises(CircuitBreakerOpenError):
        guarded()
    server.kill()
    with pytest.raises(CircuitBreakerOpenError) as refused:
        guarded()
    assert refused.value.retry_after_seconds == pytest.approx(60, abs=10)
    assert away()


def test_the_local_rate_is_the_fair_share(server: Server, client: fuseboard.Client, name: str) -> None:
    @rate_limit(name, requests_per_second=40, burst_size=5)
    def guarded() -> float:
        return time.monotonic()

    @rate_limit(name, requests_per_second=40, burst_size=5)
    @circuit_breaker(name)
    def both() -> float:
        return time.monotonic()

    for peer in ("peer-1", "peer-2", "peer-3"):
        client.limiter_acquire(
            name,
            1,
            client=peer,
            config={"algorithm": "token_bucket", "requests_per_second": 40, "burst_size": 5},
        )
    board = current.board()
    both()
    eventually(lambda: name in board.alone.shares.rates)
    guarded()
    assert board.alone.shares.rates[name] == pytest.approx(10, rel=0.4)
    server.kill()
    guarded()
    times = [guarded() for _ in range(8)]
    assert times[-1] - times[0] >= 7 / 14 - 0.05
