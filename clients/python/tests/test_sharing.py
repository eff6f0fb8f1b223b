"""Several real processes and one board."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

import fuseboard
from fuseboard import current
from fuseboard.outbox import Flight
from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker, get_circuit_breaker
from fuseboard.transport import Request

from conftest import Server, finished, python

FAILING = """
    import sys
    from fuseboard.resilience import circuit_breaker, CircuitBreakerOpenError

    @circuit_breaker(sys.argv[1] if len(sys.argv) > 1 else "shared", failure_threshold=5)
    def call():
        raise ValueError

    for _ in range(5):
        try:
            call()
        except ValueError:
            pass
    try:
        call()
    except CircuitBreakerOpenError:
        print("open")
"""


def test_failures_in_one_process_open_it_for_the_other(server: Server) -> None:
    guarded = circuit_breaker("shared", failure_threshold=5)(lambda: "ticker")
    assert guarded() == "ticker"
    assert finished(python(FAILING, server.url)).strip() == "open"
    with pytest.raises(CircuitBreakerOpenError):
        guarded()
    metrics = get_circuit_breaker("shared").metrics
    assert (metrics.success_calls, metrics.failure_calls, metrics.rejected_calls) == (1, 5, 2)


def test_a_healthy_peers_successes_do_not_hide_a_failing_one(
    server: Server, client: fuseboard.Client
) -> None:
    healthy = python(
        """
        import time
        from fuseboard.resilience import circuit_breaker, CircuitBreakerOpenError

        @circuit_breaker("shared", failure_threshold=5)
        def call():
            pass

        print("running", flush=True)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                call()
            except CircuitBreakerOpenError:
                break
            time.sleep(0.002)
        else:
            raise SystemExit("it never opened")
        """,
        server.url,
    )
    assert healthy.stdout is not None
    assert healthy.stdout.readline().strip() == "running"
    time.sleep(0.1)
    assert finished(python(FAILING, server.url)).strip() == "open"
    finished(healthy)
    opened = [
        item
        for item in client.breaker_transitions("shared")["items"]
        if (item["from"], item["to"]) == ("closed", "open")
    ]
    assert len(opened) == 1


def test_a_limiter_over_four_processes_is_one_limiter(server: Server) -> None:
    rate, burst, seconds = 40, 5, 2.0
    code = f"""
        import json, time
        from fuseboard.resilience import rate_limit

        @rate_limit("shared", requests_per_second={rate}, burst_size={burst})
        def call():
            return time.time()

        end = time.time() + {seconds}
        times = []
        while time.time() < end:
            times.append(call())
        print(json.dumps(times))
    """
    workers = [python(code, server.url) for _ in range(4)]
    shares = [json.loads(finished(worker)) for worker in workers]
    times = sorted(time for share in shares for time in share)
    assert all(shares), "everyone got some"
    # a call that was granted in time may start a little late: 50 ms of it are forgiven
    for i, start in enumerate(times):
        for j in range(i, len(times)):
            assert j - i + 1 <= burst + rate * (times[j] - start + 0.05) + 1
    assert len(times) >= rate * seconds * 0.6


def test_half_open_permits_are_shared(server: Server, client: fuseboard.Client, tmp_path: Path) -> None:
    client.breaker_put("shared", {"failure_threshold": 1, "timeout_seconds": 0.5, "half_open_max_calls": 2})
    with pytest.raises(ValueError):
        circuit_breaker("shared")(int)("x")
    code = f"""
        import os, time
        from fuseboard.resilience import circuit_breaker, CircuitBreakerOpenError

        @circuit_breaker("shared")
        def call():
            time.sleep(2.0)
            print("called")

        print("ready", flush=True)
        while not os.path.exists({str(tmp_path / "go")!r}):
            time.sleep(0.005)
        try:
            call()
        except CircuitBreakerOpenError:
            pass
    """
    workers = [python(code, server.url) for _ in range(5)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline().strip() == "ready"
    time.sleep(0.6)
    (tmp_path / "go").touch()
    called = [finished(worker).strip() for worker in workers]
    assert called.count("called") == 2


def test_a_process_that_dies_gives_its_permits_back(server: Server, client: fuseboard.Client) -> None:
    client.breaker_put(
        "shared",
        {
            "failure_threshold": 1,
            "timeout_seconds": 0.2,
            "half_open_max_calls": 1,
            "call_timeout_seconds": 0.5,
        },
    )
    guarded = circuit_breaker("shared")(lambda down: 1 / 0 if down else "ticker")
    with pytest.raises(ZeroDivisionError):
        guarded(True)
    time.sleep(0.3)
    dying = python(
        """
        import os
        from fuseboard.resilience import circuit_breaker
        circuit_breaker("shared")(lambda: os._exit(0))()
        """,
        server.url,
    )
    finished(dying)
    end = time.monotonic() + 5
    while True:
        try:
            assert guarded(False) == "ticker"
            return
        except CircuitBreakerOpenError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_the_last_outcomes_of_a_process_arrive(server: Server, client: fuseboard.Client) -> None:
    code = """
        from fuseboard.resilience import circuit_breaker
        circuit_breaker("shared")(lambda: None)()
    """
    finished(python(code, server.url))
    assert client.breaker_get("shared")["metrics"]["success_calls"] == 1


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_the_last_outcomes_of_a_child_of_multiprocessing_arrive(
    server: Server, client: fuseboard.Client, method: str, tmp_path: Path
) -> None:
    (tmp_path / "child.py").write_text(
        "from fuseboard.resilience import circuit_breaker\n"
        "@circuit_breaker('shared')\n"
        "def call(n): return n\n"
    )
    code = f"""
        import multiprocessing, child
        if __name__ == "__main__":
            child.call(0)
            context = multiprocessing.get_context({method!r})
            workers = [context.Process(target=child.call, args=(n,)) for n in range(3)]
            [worker.start() for worker in workers]
            [worker.join() for worker in workers]
    """
    finished(python(code, server.url, PYTHONPATH=str(tmp_path)))
    assert client.breaker_get("shared")["metrics"]["success_calls"] == 4


def test_a_state_includes_what_the_courier_took_at_that_moment(server: Server, name: str) -> None:
    """Between looking at what others are sending and taking what is left, the courier may take it."""
    guarded = circuit_breaker(name)(lambda: 1)
    guarded()
    on = current.board()
    on.flush()
    on.courier.stop()
    guarded()
    look = on.outbox.in_the_air
    couriers: list[threading.Thread] = []

    def taken_meanwhile() -> set[Flight]:
        found = look()
        if not couriers:
            taken = threading.Event()

            def courier() -> None:
                flight = on.outbox.take()
                taken.set()
                assert flight is not None
                time.sleep(0.2)
                items = [outcome.item() for outcome in flight.outcomes]
                body = json.dumps({"items": items}).encode()
                on.run(on.send(Request("POST", "/v1/outcomes", body), flight))

            couriers.append(threading.Thread(target=courier))
            couriers[0].start()
            taken.wait()
        return found

    on.outbox.in_the_air = taken_meanwhile  # type: ignore[method-assign]
    assert get_circuit_breaker(name).metrics.success_calls == 2
    couriers[0].join()
