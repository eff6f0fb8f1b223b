"""Local mode of one process against a real server: who is asked, and what happens when nobody answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import fuseboard
from fuseboard import current
from fuseboard.errors import FuseboardUnavailable
from fuseboard.resilience import (
    CircuitBreakerOpenError,
    circuit_breaker,
    get_circuit_breaker,
    get_rate_limiter,
    rate_limit,
)
from fuseboard.transport import HttpTransport, Request
from fuseboard.wire import Response

from conftest import Server, eventually, forget_board
from misbehaving import ALLOWED, Misbehaving, answer, request


class Boom(Exception):
    pass


def boom() -> None:
    raise Boom


@pytest.fixture
def local(server: Server) -> Iterator[Server]:
    fuseboard.configure(url=server.url, mode="local", timeout=1.0)
    yield server


def paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests from here on."""
    seen: list[str] = []
    transport = current.board().transport
    assert isinstance(transport, HttpTransport)
    request, request_async = transport.request, transport.request_async

    def spy(asked: Request) -> Response:
        seen.append(asked.path)
        return request(asked)

    async def spy_async(asked: Request) -> Response:
        seen.append(asked.path)
        return await request_async(asked)

    monkeypatch.setattr(transport, "request", spy)
    monkeypatch.setattr(transport, "request_async", spy_async)
    return seen


def cell(func: Callable[..., Any]) -> Any:
    return func.__fuseboard_guard__[2].cell  # type: ignore[attr-defined]


def warm(func: Callable[[], Any]) -> None:
    """Until calls are decided here."""

    def is_local() -> bool:
        func()
        found = cell(func)
        return found.span.fresh > 0 and found.tap.take() > 0

    eventually(is_local)


def fail(func: Callable[[], Any], times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Boom):
            func()


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
    client.breaker_state_set(name, state, reason="test")
    if state == "forced_open":
        eventually(lambda: current.board().replica.breaker(name).state == state)  # type: ignore[union-attr]
        with pytest.raises(CircuitBreakerOpenError) as refused:
            ok()
        assert refused.value.state == "forced_open"
    else:
        eventually(lambda: current.board().replica.breaker(name).state == state)  # type: ignore[union-attr]
        fail(func, 5)
        assert ok() == 1
    client.breaker_reset(name)
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


def test_a_batch_whose_answer_is_lost_counts_once(
    local: Server, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [0]

    def work() -> None:
        calls[0] += 1

    func = circuit_breaker(name)(work)
    warm(func)
    get_circuit_breaker(name).get_state()
    transport = current.board().transport
    request, lost = transport.request, []

    def loses_answers(asked: Request) -> Response:
        answer = request(asked)
        if asked.path == "/v1/outcomes/aggregated" and len(lost) < 2:
            lost.append(json.loads(asked.body or b"")["items"][0]["sequence"])
            raise FuseboardUnavailable("the answer was lost")
        return answer

    monkeypatch.setattr(transport, "request", loses_answers)
    for _ in range(10):
        func()
    eventually(lambda: len(lost) == 2 and not current.board().presence.away, 20)
    assert lost[0] == lost[1], "unchanged"
    warm(func)
    assert get_circuit_breaker(name).metrics.success_calls == calls[0]


def test_a_killed_server_holds_nobody_up_and_hears_of_everything(
    local: Server, name: str, client: fuseboard.Client
) -> None:
    calls = [0]

    def work() -> None:
        calls[0] += 1

    func = rate_limit(name, 2000, 2000)(circuit_breaker(name)(work))
    warm(func)
    get_circuit_breaker(name).get_state()
    time.sleep(1.2)
    local.kill()
    longest = _longest(func, 1.5)
    assert longest < 0.3, longest
    assert current.board().presence.away
    local.start()
    eventually(lambda: not current.board().presence.away, 10)
    warm(func)
    assert get_circuit_breaker(name).metrics.success_calls == calls[0]


def test_a_frozen_server_costs_one_caller_one_timeout_at_most(local: Server, name: str) -> None:
    func = rate_limit(name, 2000, 2000)(circuit_breaker(name)(lambda: None))
    warm(func)
    local.freeze()
    try:
        # leases run out after a second; whoever asks then waits once
        first = _longest(func, 2.5)
        assert first < 1.4, first
        assert current.board().presence.away
        later = _longest(func, 2.0)
        assert later < 0.1, later
    finally:
        local.thaw()
    eventually(lambda: not current.board().presence.away, 15)
    warm(func)


def _longest(func: Callable[[], Any], seconds: float) -> float:
    longest, until = 0.0, time.monotonic() + seconds
    while (start := time.monotonic()) < until:
        func()
        longest = max(longest, time.monotonic() - start)
        time.sleep(0.002)
    return longest


def test_silence_is_as_if_the_server_were_away(server: Server, name: str) -> None:
    fuseboard.configure(url=server.url, mode="local", stale_after=1.5, timeout=1.0)
    func = circuit_breaker(name)(lambda: None)
    warm(func)
    server.freeze()
    try:
        start = time.monotonic()
        assert _longest(func, 1.0) < 0.1
        eventually(lambda: current.board().presence.away, 3)
        # a beat may have come just before, and outcomes may have been tried
        assert 0.5 < time.monotonic() - start < 2.6
    finally:
        server.thaw()


def test_alone_it_opens_by_the_servers_configuration_and_tells_it_later(
    local: Server, name: str, client: fuseboard.Client
) -> None:
    client.breaker_put(name, {"failure_threshold": 4, "timeout_seconds": 60})
    ok = circuit_breaker(name, failure_threshold=50)(lambda: None)
    func = circuit_breaker(name, failure_threshold=50)(boom)
    warm(ok)
    time.sleep(1.2)
    local.kill()
    eventually(lambda: current.board().presence.away)
    fail(func, 4)
    with pytest.raises(CircuitBreakerOpenError):
        func()
    local.start()
    eventually(lambda: not current.board().presence.away, 10)
    eventually(lambda: client.breaker_get(name)["state"] == "open")
    assert client.breaker_get(name)["metrics"]["failure_calls"] == 4


def test_what_was_spent_alone_is_missing_afterwards(
    local: Server, name: str, client: fuseboard.Client
) -> None:
    client.limiter_put(name, {"requests_per_second": 20, "burst_size": 1000})
    func = rate_limit(name, 20, 1000)(lambda: None)
    func()
    time.sleep(1.2)
    local.freeze()
    eventually(lambda: (func(), current.board().presence.away)[1], 5)
    spent = 0
    for _ in range(20):
        func()
        spent += 1
    local.thaw()
    eventually(lambda: not current.board().presence.away, 15)
    limiter = client.limiter_get(name)
    assert limiter["available_tokens"] < 1000 - spent / 2


@pytest.mark.parametrize("choice", ["allow", "deny", "local"])
def test_each_resource_has_its_own_choice(nowhere: str, name: str, choice: str) -> None:
    fuseboard.configure(url=nowhere, mode="local")
    breaker = circuit_breaker(name, failure_threshold=1, on_unavailable=choice)  # type: ignore[arg-type]
    limit = rate_limit(name, 0.5, 1, on_unavailable=choice)  # type: ignore[arg-type]
    func, ok, limited = breaker(boom), breaker(lambda: 1), limit(lambda: 2)
    if choice == "deny":
        for denied in (func, ok, limited):
            with pytest.raises(FuseboardUnavailable):
                denied()
        return
    fail(func)
    start = time.monotonic()
    if choice == "allow":
        assert ok() == 1
        assert [limited() for _ in range(5)] == [2] * 5
        assert time.monotonic() - start < 1
    else:
        with pytest.raises(CircuitBreakerOpenError):
            ok()
        assert limited() == 2


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
