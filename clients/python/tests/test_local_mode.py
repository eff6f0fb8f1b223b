"""Local mode of one process against a real server: who is asked, and who decides."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time

import pytest
from local_mode import Boom, boom, cell, fail, paths, warm

import fuseboard
from fuseboard import current
from fuseboard.resilience import (
    CircuitBreakerOpenError,
    circuit_breaker,
    get_circuit_breaker,
    get_rate_limiter,
    rate_limit,
)

from conftest import Server, eventually, forget_board
from misbehaving import ALLOWED, Misbehaving, answer, request


def test_calls_are_decided_without_asking_and_all_are_counted(
    local: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    func = rate_limit(name, 1_000_000, 1_000_000_000)(circuit_breaker(name)(lambda: 7))
    warm(func)
    before = get_circuit_breaker(name).metrics.success_calls
    seen = paths(monkeypatch)
    for _ in range(20_000):
        assert func() == 7
    assert "/v1/calls" not in seen or seen.count("/v1/calls") < 100
    assert len(seen) < 300
    assert get_circuit_breaker(name).metrics.success_calls == before + 20_000


def test_coroutines_are_decided_alike(local: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @rate_limit(name, 1_000_000, 1_000_000_000)
    @circuit_breaker(name, failure_threshold=3)
    async def func(error: Exception | None = None) -> int:
        await asyncio.sleep(0)
        if error is not None:
            raise error
        return 7

    async def main() -> None:
        while not (cell(func).span.fresh > 0 and cell(func).tap.take() > 0):
            await func()
            await asyncio.sleep(0.01)
        seen = paths(monkeypatch)
        # many at once find the first leases used up, until these are as large as the use
        for _ in range(50):
            seen.clear()
            assert await asyncio.gather(*[func() for _ in range(500)]) == [7] * 500
            if seen.count("/v1/calls") < 100:
                break
            await asyncio.sleep(0.02)
        else:
            pytest.fail("leases did not grow")
        for _ in range(3):
            with pytest.raises(Boom):
                await func(Boom())
        with pytest.raises(CircuitBreakerOpenError):
            await func()
        task = asyncio.ensure_future(get_circuit_breaker(name + "x").call(asyncio.sleep, 5))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    eventually(lambda: get_circuit_breaker(name).state == "open")


def test_the_object_and_several_limiters_are_decided_alike(local: Server, name: str) -> None:
    limits = [rate_limit(f"{name}{i}", 1000, 1000) for i in range(2)]
    func = limits[0](limits[1](circuit_breaker(name, failure_threshold=2)(boom)))
    ok = limits[0](limits[1](circuit_breaker(name, failure_threshold=2)(lambda: 1)))
    for _ in range(50):
        assert ok() == 1
        time.sleep(0.002)
    board = current.board()
    assert board.replica._limiters[f"{name}0"].tap.used() > 10
    fail(func, 2)
    with pytest.raises(CircuitBreakerOpenError):
        ok()
    with pytest.raises(CircuitBreakerOpenError):
        asyncio.run(get_circuit_breaker(name).call(lambda: 1))
    limiter = get_rate_limiter(f"{name}0")

    async def use() -> None:
        for _ in range(20):
            await limiter.wait_for_token()
            assert await limiter.acquire()
            assert await limiter.call(lambda: 5) == 5

    asyncio.run(use())


def test_it_trips_here_at_once_and_everywhere_soon(
    local: Server, name: str, client: fuseboard.Client
) -> None:
    func = circuit_breaker(name, failure_threshold=3, timeout_seconds=30)(boom)
    ok = circuit_breaker(name)(lambda: 1)
    warm(ok)
    fail(func, 3)
    with pytest.raises(CircuitBreakerOpenError) as refused:
        ok()
    assert refused.value.state == "open" and 25 < (refused.value.retry_after_seconds or 0) <= 30
    eventually(lambda: client.breaker_get(name)["state"] == "open")
    history = client.breaker_transitions(name)["items"]
    assert history[0]["cause"] == "failure_threshold" and history[0]["reporters"]
    assert get_circuit_breaker(name).metrics.rejected_calls == 1
    get_circuit_breaker(name).reset()
    assert ok() == 1
    warm(ok)


def test_half_open_always_asks(local: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    func = circuit_breaker(name, failure_threshold=1, timeout_seconds=0.3)(boom)
    ok = circuit_breaker(name)(lambda: 1)
    warm(ok)
    fail(func)
    time.sleep(0.35)
    seen = paths(monkeypatch)
    assert ok() == 1
    assert "/v1/calls" in seen
    warm(ok)
    assert get_circuit_breaker(name).state == "closed"


@pytest.mark.parametrize("state", ["forced_open", "disabled", "metrics_only"])
def test_an_operators_word_is_heard(local: Server, name: str, client: fuseboard.Client, state: str) -> None:
    func = circuit_breaker(name, failure_threshold=1)(boom)
    ok = circuit_breaker(name)(lambda: 1)
    warm(ok)

    def heard(word: str) -> bool:
        breaker = current.board().replica.breaker(name)
        return breaker is not None and breaker.state == word

    client.breaker_state_set(name, state, reason="test")
    eventually(lambda: heard(state))
    if state == "forced_open":
        with pytest.raises(CircuitBreakerOpenError) as refused:
            ok()
        assert refused.value.state == "forced_open"
    else:
        fail(func, 5)
        assert ok() == 1
    client.breaker_reset(name)
    eventually(lambda: heard("closed"))
    warm(ok)


def test_slow_calls_are_told_apart(local: Server, name: str, client: fuseboard.Client) -> None:
    window = {
        "kind": "count",
        "size": 10,
        "minimum_calls": 4,
        "slow_call_rate": 0.9,
        "slow_call_seconds": 0.02,
    }
    client.breaker_put(name, {"window": window})
    slow = circuit_breaker(name)(lambda: time.sleep(0.03))
    quick = circuit_breaker(name)(lambda: None)
    warm(quick)
    with pytest.raises(CircuitBreakerOpenError):
        for _ in range(40):
            slow()
    assert client.breaker_get(name)["state"] == "open"
    assert client.breaker_get(name)["metrics"]["slow_calls"] >= 9


def test_a_limit_is_kept_and_waited_for(local: Server, name: str, client: fuseboard.Client) -> None:
    client.limiter_put(name, {"algorithm": "sliding_window", "limit": 5, "period_seconds": 0.5})
    at: list[float] = []
    func = rate_limit(name, 10)(lambda: at.append(time.monotonic()))
    until = time.monotonic() + 2.0
    while time.monotonic() < until:
        func()
    # grants are counted there, calls here: a little earlier or later
    assert max(sum(start <= t < start + 0.45 for t in at) for start in at) <= 5
    assert len(at) >= 12


def test_calls_in_flight_are_asked_for_one_by_one(local: Server, name: str, client: fuseboard.Client) -> None:
    client.limiter_put(name, {"algorithm": "concurrency", "limit": 2})
    inside, most = [0], [0]
    lock = threading.Lock()

    def work() -> None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        with lock:
            inside[0] -= 1

    alone, both = rate_limit(name, 10)(work), rate_limit(name, 10)(circuit_breaker(name)(work))
    current.board().replica.take(alone_config := get_rate_limiter(name).config)
    eventually(lambda: current.board().replica._limiters[alone_config.name].may_lease is False)
    eventually(lambda: client.limiter_get(name)["available_tokens"] == 2)
    threads = [threading.Thread(target=func) for func in (alone, both) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] <= 2


def test_without_a_stream_each_call_is_asked_for(
    local: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    func = circuit_breaker(name)(lambda: 1)
    warm(func)
    follower = current.board().replica.follower
    monkeypatch.setattr(follower, "_path", lambda: "/v1/breakers")
    stream = follower._stream
    assert stream is not None
    stream.close()
    eventually(lambda: cell(func).span.fresh < 0)
    assert not current.board().presence.away
    seen = paths(monkeypatch)
    assert (func(), func()) == (1, 1)
    assert seen.count("/v1/calls") == 2
    monkeypatch.undo()
    warm(func)


def test_a_server_that_has_no_stream_left_is_not_away(nowhere: str, name: str) -> None:
    asked: list[bytes] = []

    def script(sock: socket.socket, number: int) -> None:
        while True:
            line = request(sock).split(b"\r\n", 1)[0]
            asked.append(line)
            full = b"/v1/replica" in line
            sock.sendall(answer({"code": "overloaded"}, 503) if full else answer({**ALLOWED, "items": []}))

    with Misbehaving(script) as server:
        fuseboard.configure(url=server.url, mode="local")
        func = circuit_breaker(name)(lambda: 1)
        func()
        eventually(lambda: sum(b"/v1/replica" in line for line in asked) >= 2)
        assert not current.board().presence.away
        assert not any(b"/livez" in line for line in asked), "nobody had to ask whether it is there"
        before = len([line for line in asked if b"/v1/calls" in line])
        assert (func(), func()) == (1, 1)
        assert len([line for line in asked if b"/v1/calls" in line]) == before + 2


def test_idle_tokens_go_back(local: Server, name: str, client: fuseboard.Client) -> None:
    client.limiter_put(name, {"requests_per_second": 0.001, "burst_size": 1000, "lease_seconds": 60})
    func = rate_limit(name, 10)(lambda: None)
    for _ in range(100):
        func()
        time.sleep(0.001)
    eventually(lambda: client.limiter_get(name)["available_tokens"] == pytest.approx(900, abs=2))


def test_what_was_penalised_is_not_spent(local: Server, name: str, client: fuseboard.Client) -> None:
    func = rate_limit(name, 1000, 1000)(lambda: None)
    for _ in range(50):
        func()
    assert current.board().replica._limiters[name].tap.lease is not None
    client.limiter_penalize(name, 1.0)
    start = time.monotonic()
    eventually(lambda: current.board().replica._limiters[name].tap.lease is None, 0.9)
    func()
    assert time.monotonic() - start >= 0.9


def test_modes_are_chosen_by_name_too(server: Server, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    local = circuit_breaker(name, mode="local")(lambda: 1)
    warm(local)
    seen = paths(monkeypatch)
    strict = circuit_breaker(name + "s")(lambda: 1)
    mixed = rate_limit(name, 1000)(circuit_breaker(name, mode="local")(lambda: 1))
    for func in (strict, mixed):
        seen.clear()
        func()
        func()
        assert seen.count("/v1/calls") == 2
    fuseboard.configure(url=server.url, mode="local")
    opted_out = circuit_breaker(name, mode="strict")(lambda: 1)
    seen = paths(monkeypatch)
    opted_out()
    opted_out()
    assert seen.count("/v1/calls") == 2
    for bad in ({"mode": "fast"}, {"on_unavailable": "hope"}):
        with pytest.raises(ValueError):
            circuit_breaker(name, **bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        fuseboard.configure(url=server.url, stale_after=0.5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_spends_nothing_of_its_parents(
    local: Server, name: str, client: fuseboard.Client
) -> None:
    client.limiter_put(name, {"requests_per_second": 0.001, "burst_size": 400, "lease_seconds": 60})
    used = [0]

    def work() -> None:
        used[0] += 1

    func = rate_limit(name, 10)(circuit_breaker(name)(work))
    warm(func)
    stream = current.board().replica.follower._stream
    assert stream is not None and stream._sock is not None
    line = stream._sock.fileno()
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        used[0] = 0
        found = cell(func)
        with contextlib.suppress(OSError):
            os.fstat(line)
            os._exit(1)  # it would keep the line open after its parent's end
        shut = found.span.fresh < 0 and found.tap.take() < 0
        for _ in range(30):
            func()
            time.sleep(0.002)
        current.board().rounds.last()
        os.write(write, json.dumps([used[0], shut, current.board().client]).encode())
        os._exit(0)
    for _ in range(30):
        func()
        time.sleep(0.002)
    assert os.waitpid(pid, 0)[1] == 0
    child, shut, who = json.loads(os.read(read, 1000))
    assert shut and who != current.board().client
    current.board().rounds.last()
    assert 400 - client.limiter_get(name)["available_tokens"] == pytest.approx(used[0] + child, abs=4)
    assert client.breaker_get(name)["metrics"]["success_calls"] == used[0] + child


def test_another_board_is_another_replica(server: Server, name: str) -> None:
    fuseboard.configure(url=server.url, mode="local")
    func = circuit_breaker(name)(lambda: 1)
    warm(func)
    fuseboard.configure(url=server.url, mode="strict")
    assert cell(func).span.fresh < 0
    assert func() == 1
    forget_board()
