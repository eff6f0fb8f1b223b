"""Several processes in local mode, one server and one emulated exchange, all of which may die."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request as Ask
from urllib.request import urlopen

import pytest

import fuseboard

from conftest import Server, eventually, finished, python

EXCHANGE = Path(__file__).resolve().parents[3] / "demo" / "exchange.py"
LOCAL = {"FUSEBOARD_MODE": "local"}
QUICK = {**LOCAL, "FUSEBOARD_TIMEOUT": "1.0", "FUSEBOARD_CONNECT_TIMEOUT": "0.5"}

TRIPPED = """
    import sys, time
    from fuseboard import current
    from fuseboard.resilience import circuit_breaker, CircuitBreakerOpenError

    @circuit_breaker("shared", failure_threshold=5, timeout_seconds=60)
    def call(fail=False):
        if fail:
            raise ValueError

    def warm():
        while call.__fuseboard_guard__[2].cell.span.fresh < 0:
            call()
            time.sleep(0.01)

    warm()
"""


def test_a_failing_process_trips_it_in_spite_of_a_healthy_peer(server: Server) -> None:
    healthy = python(
        TRIPPED
        + """
    print("ready", flush=True)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        try:
            call()
        except CircuitBreakerOpenError:
            print("refused")
            break
    """,
        server.url,
        **LOCAL,
    )
    assert healthy.stdout is not None
    assert healthy.stdout.readline() == "ready\n"
    failing = """
    for _ in range(5):
        time.sleep(0.02)
        try:
            call(fail=True)
        except ValueError:
            pass
    try:
        call()
    except CircuitBreakerOpenError:
        print("refused")
    """
    assert finished(python(TRIPPED + failing, server.url, **LOCAL)) == "refused\n"
    assert finished(healthy) == "refused\n"


def test_one_of_twenty_passes_a_half_open_breaker(server: Server, client: fuseboard.Client) -> None:
    client.breaker_put("shared", {"failure_threshold": 3, "timeout_seconds": 1.5, "half_open_max_calls": 1})
    half = (
        TRIPPED
        + """
    import threading
    import os
    if os.environ["LEAD"] == "1":
        for _ in range(3):
            try:
                call(fail=True)
            except ValueError:
                pass
    print("ready", flush=True)
    time.sleep(max(0, float(os.environ["START"]) - time.clock_gettime(time.CLOCK_MONOTONIC)))
    entered = []

    @circuit_breaker("shared")
    def probe():
        entered.append(1)
        time.sleep(0.5)

    def one():
        try:
            probe()
        except CircuitBreakerOpenError:
            pass

    threads = [threading.Thread(target=one) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(entered))
    """
    )
    start = str(time.clock_gettime(time.CLOCK_MONOTONIC) + 4.0)
    processes = []
    for lead in ("0", "1"):
        process = python(half, server.url, LEAD=lead, START=start, **LOCAL)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    eventually(lambda: client.breaker_get("shared")["state"] == "half_open")
    assert time.clock_gettime(time.CLOCK_MONOTONIC) < float(start), "too slow a machine for this test"
    assert sum(int(finished(process)) for process in processes) == 1


HAMMER = """
    import json, os, sys, time
    from fuseboard.resilience import rate_limit

    at = []

    @rate_limit("shared", 100)
    def call():
        at.append(time.clock_gettime(time.CLOCK_MONOTONIC))

    start, late, lead = float(os.environ["START"]), os.environ["LATE"] == "1", os.environ["LEAD"] == "1"
    time.sleep(max(0, start - time.clock_gettime(time.CLOCK_MONOTONIC)))
    if late:
        if lead:
            call()
        time.sleep(max(0, start + 0.9 - time.clock_gettime(time.CLOCK_MONOTONIC)))
    while time.clock_gettime(time.CLOCK_MONOTONIC) < start + 2.8:
        call()
    print(json.dumps(at))
"""


@pytest.mark.parametrize("late", ["0", "1"])
def test_no_window_admits_more_than_the_limit(server: Server, client: fuseboard.Client, late: str) -> None:
    client.limiter_put("shared", {"algorithm": "sliding_window", "limit": 10, "period_seconds": 1.0})
    start = str(time.clock_gettime(time.CLOCK_MONOTONIC) + 1.0)
    peers = [
        python(HAMMER, server.url, START=start, LATE=late, LEAD=str(int(i == 0)), **LOCAL) for i in range(4)
    ]
    at = sorted(t for peer in peers for t in json.loads(finished(peer)))
    assert len(at) >= 15
    # the board counts when it grants, this when the function begins: a busy machine moves that
    assert max(sum(t <= x < t + 0.9 for x in at) for t in at) <= 10


def test_what_a_dead_process_has_leased_ends_by_itself(server: Server, client: fuseboard.Client) -> None:
    client.limiter_put("shared", {"algorithm": "sliding_window", "limit": 1000, "period_seconds": 1.5})
    leaseholder = python(
        """
        import time
        from fuseboard import current
        from fuseboard.resilience import rate_limit
        call = rate_limit("shared", 10)(lambda: None)
        for _ in range(5000):
            call()
            time.sleep(0.001)
            lease = current.board().replica._limiters["shared"].tap.lease
            if lease is not None and lease.left > 10:
                print("leased", flush=True)
                time.sleep(60)
        """,
        server.url,
        **LOCAL,
    )
    assert leaseholder.stdout is not None
    assert leaseholder.stdout.readline() == "leased\n"
    assert client.limiter_get("shared")["available_tokens"] < 1000
    leaseholder.kill()
    leaseholder.communicate()
    eventually(lambda: client.limiter_get("shared")["available_tokens"] == 1000, 5)


WORKER = """
    import json, os, sys, threading, time
    import http.client
    from fuseboard import current
    from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker, rate_limit

    seen = {"ok": 0, "banned": 0, "refused": 0}

    @rate_limit("exchange", 10)
    @circuit_breaker("exchange", failure_threshold=50)
    def fetch(connection):
        connection.request("GET", "/0/public/Time")
        answer = connection.getresponse()
        answer.read()
        seen["banned" if answer.status == 429 else "ok"] += 1

    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["EXCHANGE"]))
    print("ready", flush=True)
    until = time.monotonic() + float(os.environ["SECONDS"])
    while time.monotonic() < until:
        try:
            fetch(connection)
        except CircuitBreakerOpenError:
            seen["refused"] += 1
            time.sleep(0.05)
        time.sleep(0.01)
    print(json.dumps(seen), flush=True)
"""


class Exchange:
    """``demo/exchange.py`` as a child process."""

    def __init__(self) -> None:
        command = [sys.executable, str(EXCHANGE), "--limit", "10", "--ban-seconds", "60"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r":(\d+)", self.process.stdout.readline())
        assert found is not None
        self.port = found[1]

    def stats(self) -> dict[str, Any]:
        with urlopen(Ask(f"http://127.0.0.1:{self.port}/stats"), timeout=5) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    running = Exchange()
    yield running
    running.process.kill()
    running.process.communicate()


@pytest.mark.parametrize(
    "limit",
    [
        {"algorithm": "sliding_window", "limit": 9, "period_seconds": 1.1},
        {"algorithm": "token_bucket", "requests_per_second": 4, "burst_size": 3},
    ],
    ids=["window", "bucket"],
)
def test_the_exchange_bans_nobody_whoever_dies(
    server: Server, client: fuseboard.Client, exchange: Exchange, limit: dict[str, Any]
) -> None:
    # as in demo/run.py: the exchange counts arrivals, the board counts grants
    client.limiter_put("exchange", limit)
    env = {**QUICK, "EXCHANGE": exchange.port}

    def start(seconds: float) -> subprocess.Popen[str]:
        worker = python(WORKER, server.url, SECONDS=str(seconds), **env)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        return worker

    workers = [start(19) for _ in range(4)]
    time.sleep(2.5)
    healthy = exchange.stats()["requests"]
    workers[0].kill()  # with leased tokens and outcomes in hand
    workers[0].communicate()
    workers[0] = start(15)
    time.sleep(1.0)
    server.kill()
    time.sleep(4.0)
    alone = exchange.stats()["requests"]
    server.start()
    time.sleep(4.0)
    server.freeze()
    time.sleep(2.5)
    server.thaw()
    workers[1].send_signal(signal.SIGKILL)
    workers[1].communicate()
    results = [json.loads(finished(worker)) for worker in (workers[0], workers[2], workers[3])]
    stats = exchange.stats()
    assert stats["bans"] == 0, (stats, results)
    assert sum(result["banned"] for result in results) == 0
    assert healthy > 5 and alone > healthy
    assert stats["requests"] > alone + 5, "they went on"
