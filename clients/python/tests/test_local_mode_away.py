"""Local mode of one process when its server is killed, frozen or silent, and afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from local_mode import boom, fail, warm

import fuseboard
from fuseboard import current
from fuseboard.errors import FuseboardUnavailable
from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker, get_circuit_breaker, rate_limit
from fuseboard.transport import Request
from fuseboard.wire import Response

from conftest import Server, eventually


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
    # what is leased, here or elsewhere, may be spent for a second: then it begins with its share
    assert longest < 3.0, longest
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
        assert first < 4.0, first
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
    began = time.monotonic()
    client.limiter_acquire(name, 500, client=current.board().client)
    local.freeze()
    eventually(lambda: (func(), current.board().presence.away)[1], 5)
    spent = 0
    for _ in range(20):
        func()
        spent += 1
    local.thaw()
    eventually(lambda: not current.board().presence.away, 15)
    limiter = client.limiter_get(name)
    assert limiter["available_tokens"] <= 500 + 20 * (time.monotonic() - began) - spent


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
