"""The metrics collector and a real server: totals are exact, whatever happens."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import fuseboard
from fuseboard import FuseboardUnavailable
from fuseboard.monitoring import get_metrics_collector
from fuseboard.monitoring import numbers as bounds

from conftest import Server, eventually, finished, forget_board, python
from misbehaving import Misbehaving, request

metrics = get_metrics_collector()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Nothing measured before and after a test."""
    metrics._start_afresh()
    yield
    metrics._start_afresh()
    forget_board()


def counters(client: fuseboard.Client) -> dict[str, float]:
    found: dict[str, float] = client.metrics_view()["counters"]
    return found


def test_what_is_measured_arrives_by_itself(server: Server, client: fuseboard.Client) -> None:
    metrics.increment("backtests_completed")
    metrics.increment("backtests_completed", 2.5)
    metrics.decrement("open_orders")
    metrics.set_gauge("portfolio_drawdown", 0.3)
    metrics.set_gauge("portfolio_drawdown", 0.17)
    metrics.record_time("backtest_duration", 1.8)
    with metrics.timer("block"), pytest.raises(ValueError):  # noqa: SIM117
        with metrics.timer("block"):
            raise ValueError
    eventually(lambda: "backtest_duration" in client.metrics_view()["timers"])
    view = client.metrics_view()
    assert view["counters"] == {"backtests_completed": 3.5, "open_orders_decrements": 1}
    assert view["gauges"] == {"portfolio_drawdown": 0.17}
    assert view["timers"]["backtest_duration"]["sum"] == 1.8
    assert view["timers"]["block"]["count"] == 2
    assert not metrics.pending()


def test_the_process_has_its_own_totals(nowhere: str) -> None:
    assert metrics.get_metrics() == {"counters": {}, "gauges": {}, "timers": {}}
    metrics.increment("c", 5)
    metrics.decrement("c", 2)
    metrics.increment("c", -1)
    metrics.set_gauge("g", 7)
    metrics.increment("c", labels={"b": 'x"y', "a": 1})
    for seconds in range(1, 101):
        metrics.record_time("t", seconds)
    view = metrics.get_metrics()
    assert view["counters"] == {"c": 2, 'c{a="1",b="x\\"y"}': 1}
    assert view["gauges"] == {"g": 7}
    quantiles = {"p50": 50.0, "p95": 95.0, "p99": 99.0}
    whole = {"count": 100, "sum": 5050.0, "mean": 50.5, "min": 1.0, "max": 100.0}
    assert view["timers"]["t"] == {**whole, **quantiles}


def test_shared_metrics_are_those_of_all(server: Server) -> None:
    code = """
        from fuseboard.monitoring import get_metrics_collector
        metrics = get_metrics_collector()
        for _ in range(1000):
            metrics.increment("c", labels={"strategy": "ma"})
            metrics.record_time("t", 0.5)
    """
    workers = [python(code, server.url) for _ in range(3)]
    for worker in workers:
        finished(worker)  # what was measured last is sent at exit
    metrics.increment("c", labels={"strategy": "ma"})
    shared = metrics.get_metrics(shared=True)
    assert shared["counters"] == {'c{strategy="ma"}': 3001}
    assert shared["timers"]["t"]["count"] == 3000
    assert metrics.get_metrics()["counters"] == {'c{strategy="ma"}': 1}


def test_many_threads_lose_nothing(server: Server, client: fuseboard.Client) -> None:
    def work() -> None:
        for i in range(5000):
            metrics.increment("c")
            metrics.increment("many", labels={"i": i % 50})
            if i % 10 == 0:
                metrics.record_time("t", 0.001)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.flush()
    view = client.metrics_view()
    assert view["counters"]["c"] == 40_000
    assert sum(value for name, value in view["counters"].items() if name.startswith("many")) == 40_000
    assert view["timers"]["t"]["count"] == 4000
    assert metrics.get_metrics()["counters"]["c"] == 40_000


def test_a_fork_counts_for_itself(server: Server, client: fuseboard.Client) -> None:
    code = """
        import os, sys, threading
        from fuseboard.monitoring import get_metrics_collector
        metrics = get_metrics_collector()
        stop = threading.Event()

        def busy():  # holds the locks at the time of some forks
            while not stop.is_set():
                metrics.increment("busy")

        threading.Thread(target=busy, daemon=True).start()
        metrics.increment("c", 1)
        children = []
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                assert metrics.get_metrics()["counters"] == {}
                metrics.increment("c", 10)
                os._exit(0 if metrics.flush() else 1)
            children.append(pid)
        assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 5
        stop.set()
        assert metrics.flush()
        print(metrics.get_metrics()["counters"]["c"])
    """
    assert finished(python(code, server.url)).strip() == "1"
    assert counters(client)["c"] == 51


def test_children_of_multiprocessing_deliver(server: Server, client: fuseboard.Client) -> None:
    code = """
        import multiprocessing
        from fuseboard.monitoring import get_metrics_collector

        def work(n):
            get_metrics_collector().increment("c", n)

        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            workers = [context.Process(target=work, args=(n,)) for n in (1, 2, 3)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
    """
    finished(python(code, server.url))
    assert counters(client) == {"c": 6}


def test_an_outage_loses_and_doubles_nothing(server: Server, client: fuseboard.Client) -> None:
    metrics.increment("before")
    assert metrics.flush()
    time.sleep(1.5)  # the server saves within a second what it counted
    server.kill()
    metrics.increment("c")
    assert not metrics.flush()
    for i in range(1000):
        metrics.increment("c")
        metrics.set_gauge("g", i)
        metrics.record_time("t", 0.1)
    with pytest.raises(FuseboardUnavailable):
        metrics.get_metrics(shared=True)
    assert metrics.get_metrics()["counters"]["c"] == 1001
    server.start()
    eventually(lambda: not metrics.pending())
    view = client.metrics_view()
    assert view["counters"] == {"before": 1, "c": 1001}
    assert view["gauges"] == {"g": 999}
    assert view["timers"]["t"]["count"] == 1000


@pytest.mark.usefixtures("nowhere")
def test_recording_waits_for_nothing() -> None:
    started = time.monotonic()
    for _ in range(20_000):
        metrics.increment("c")
    assert time.monotonic() - started < 5


def test_an_answer_that_is_lost_does_not_count_twice(server: Server, client: fuseboard.Client) -> None:
    """A proxy that passes requests on, and cuts the first answers off."""
    lost = 0

    def proxy(sock: socket.socket, number: int) -> None:
        nonlocal lost
        while True:
            asked = request(sock)
            port = int(server.url.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as real:
                real.sendall(asked)
                told = b""
                while b"\r\n\r\n" not in told:
                    told += real.recv(65536)
            if b"/v1/metrics" in asked and lost < 3:
                lost += 1
                sock.close()
                return
            sock.sendall(told)

    with Misbehaving(proxy) as between:
        fuseboard.configure(url=between.url)
        metrics.increment("c", 7)
        metrics.record_time("t", 1)
        eventually(lambda: not metrics.pending(), timeout=20)
        assert lost >= 2
        assert counters(client) == {"c": 7}
        assert client.metrics_view()["timers"]["t"]["count"] == 1
        forget_board()


def test_what_the_board_would_not_take_is_told_once(
    server: Server, client: fuseboard.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        for name in ("", "böse", "a b", "a.b", "\ud800", "x" * 300, "fuseboard_mine"):
            metrics.increment(name)
        for value in (math.nan, math.inf, -math.inf, 10**400):
            metrics.set_gauge("g", value)
            metrics.record_time("t", value)
        metrics.increment("c", math.inf)
        metrics.record_time("t", -1)
        metrics.increment("l", labels={"le": "reserved"})
        metrics.increment("l", labels={"ok": "x" * 5000, "\ud800": "\udfff"})
        metrics.set_gauge("good", 1)
        metrics.increment("good")  # of another type
        assert metrics.flush()
    assert client.metrics_view()["gauges"] == {}  # good is a counter: counters go first
    assert counters(client) == {"good": 3}
    assert caplog.text.count("'g' is not sent") == 1
    assert caplog.text.count("'fuseboard_mine' is not sent: reserved_name") == 1
    assert caplog.text.count("'good' is not sent: type_conflict") == 1
    assert metrics.get_metrics()["counters"]["böse"] == 3
    for value in ("abc", None, object()):
        with pytest.raises((TypeError, ValueError)):
            metrics.set_gauge("g", value)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        metrics.increment(7)  # type: ignore[arg-type]


def test_a_batch_that_is_refused_as_a_whole_loses_only_what_is_at_fault() -> None:
    taken: list[dict[str, Any]] = []

    def strict(sock: socket.socket, number: int) -> None:
        while True:
            body = json.loads(request(sock).partition(b"\r\n\r\n")[2])
            bad = any(sample["name"] == "bad" for sample in body["samples"])
            if not bad:
                taken.extend(body["samples"])
            told = json.dumps(
                {"code": "bad_request"} if bad else {"accepted": 1, "rejected": [], "alerts": []}
            )
            status = "400 Bad" if bad else "200 OK"
            sock.sendall(f"HTTP/1.1 {status}\r\ncontent-length: {len(told)}\r\n\r\n{told}".encode())

    with Misbehaving(strict) as other:
        fuseboard.configure(url=other.url)
        for i in range(30):
            metrics.increment(f"c{i}")
        metrics.increment("bad")
        metrics.set_gauge("g", 1)
        assert metrics.flush()
        assert sorted(sample["name"] for sample in taken) == sorted([*(f"c{i}" for i in range(30)), "g"])
        forget_board()


def test_a_server_that_is_none_keeps_it_waiting() -> None:
    def nonsense(sock: socket.socket, number: int) -> None:
        while request(sock):
            sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with Misbehaving(nonsense) as other:
        fuseboard.configure(url=other.url)
        metrics.increment("c")
        assert not metrics.flush()
        assert metrics.pending()
        forget_board()


def test_a_wrong_token_keeps_it_until_the_right_one(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = Server(tmp_path / "board.db", FUSEBOARD_TOKEN="secret-token-of-the-board")
    try:
        fuseboard.configure(url=server.url, token="wrong")
        metrics.increment("c")
        assert not metrics.flush()
        assert "refuses all" in caplog.text
        fuseboard.configure(url=server.url, token="secret-token-of-the-board")
        assert metrics.flush()
        with fuseboard.Client(server.url, "secret-token-of-the-board") as client:
            assert counters(client) == {"c": 1}
    finally:
        forget_board()
        server.kill()


@pytest.mark.usefixtures("nowhere")
def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(bounds, "MOST_SERIES", 100)
    monkeypatch.setattr(bounds, "MOST_WAITING", 100)
    for i in range(1000):
        metrics.increment("c", labels={"i": i})
        metrics.set_gauge("g", 1, labels={"i": i})
        metrics.record_time("t", 1)
    view = metrics.get_metrics()
    assert len(metrics._waiting) <= 200
    assert sum(map(len, view.values())) == 100
    assert "too many wait" in caplog.text


def test_large_amounts_travel_in_batches(server: Server, client: fuseboard.Client) -> None:
    for i in range(9000):
        metrics.set_gauge(f"g{i}", i, labels={"text": "ü" * 100})
        metrics.record_time("t", 0.1)
    assert metrics.flush()
    view = client.metrics_view()
    assert len(view["gauges"]) == 9000
    assert view["timers"]["t"]["count"] == 9000


def test_at_exit_a_server_that_is_away_costs_little(nowhere: str) -> None:
    code = """
        from fuseboard.monitoring import get_metrics_collector
        get_metrics_collector().increment("c")
    """
    started = time.monotonic()
    finished(python(code, nowhere))
    assert time.monotonic() - started < 10


def test_another_board_gets_what_the_first_did_not(server: Server, client: fuseboard.Client) -> None:
    fuseboard.configure(url="http://127.0.0.1:1", timeout=0.2)
    metrics.increment("c")
    assert not metrics.flush()
    fuseboard.configure(url=server.url)
    eventually(lambda: counters(client) == {"c": 1})


def test_importing_connects_to_nothing(nowhere: str) -> None:
    code = """
        import threading
        import fuseboard.monitoring as m, fuseboard.health, fuseboard.backup
        m.get_metrics_collector(); m.get_alert_manager(); m.get_logger("x").info("x")
        assert threading.active_count() == 1
        from fuseboard import current
        assert current._board is None
        print("fine")
    """
    assert finished(python(code, nowhere)).strip() == "fine"
