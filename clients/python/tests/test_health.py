"""Health checks of this process and of the server."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard import health
from fuseboard.health import BaseHealthCheck, HealthChecker, HealthCheckResult, HealthStatus, register

from conftest import Server, eventually, finished, forget_board, python
from misbehaving import Misbehaving, request


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Nothing is registered before and after a test."""
    yield
    for name in list(health.checker._registry):
        health.unregister(name)
    forget_board()


def run(checker: HealthChecker) -> dict[str, HealthCheckResult]:
    return asyncio.run(checker.run_all_checks())


def returning(value: Any) -> HealthCheckResult:
    checker = HealthChecker(["c"])
    checker.register("c", lambda: value)
    return run(checker)["c"]


def test_local_checks_run_and_are_pushed(server: Server, client: fuseboard.Client) -> None:
    @register("backtest")
    def backtest() -> tuple[str, str, dict[str, Any]]:
        return "yellow", "engine importable", {"version": 3}

    @register("risk")
    async def risk() -> HealthStatus:
        return HealthStatus.GREEN

    @register("live")
    class Live(BaseHealthCheck):
        async def check(self) -> HealthCheckResult:
            return self._create_result(HealthStatus.RED, "no feed", {"feed": "kraken"}, "timeout")

    results = run(HealthChecker(["backtest", "risk", "live"]))
    assert list(results) == ["backtest", "risk", "live"]
    assert results["backtest"].status == "yellow"
    assert results["backtest"].details == {"version": 3}
    assert results["risk"].status in ["green", "yellow"]
    assert results["live"].error == "timeout"
    told = client.health_get()
    assert told["overall_status"] == "red"
    assert told["checks"]["backtest"]["message"] == "engine importable"
    assert told["checks"]["backtest"]["details"] == {"version": 3}
    assert told["checks"]["live"]["error"] == "timeout"
    assert client.check_get("risk")["kind"] == "push"


def test_what_only_the_server_knows_is_asked_there(server: Server, client: fuseboard.Client) -> None:
    client.check_put("exchange", {"kind": "tcp", "address": server.url.removeprefix("http://")})
    client.check_result_push("portfolio", "yellow", message="half of it", details={"a": 1})
    results = run(HealthChecker(["exchange", "portfolio", "nobody", "böse, name"]))
    assert results["exchange"].status == "green"  # it was run now: it had no result before
    portfolio = results["portfolio"]
    assert (portfolio.status, portfolio.message, portfolio.details) == ("yellow", "half of it", {"a": 1})
    assert portfolio.timestamp.tzinfo is not None
    for unknown in ("nobody", "böse, name"):
        assert results[unknown].status == "red"
        assert "nobody knows" in results[unknown].message


def test_all_are_those_of_the_process_and_of_the_server(server: Server, client: fuseboard.Client) -> None:
    assert set(run(HealthChecker())) == set(health.SEED_CHECKS)
    assert HealthChecker.get_overall_status(run(HealthChecker())) == "red"
    client.check_result_push("elsewhere", "green")
    register("here", lambda: True)
    assert {name: str(result.status) for name, result in run(HealthChecker()).items()} == {
        "elsewhere": "green",
        "here": "green",
    }


def test_a_check_that_is_stale_is_yellow(server: Server, client: fuseboard.Client) -> None:
    client.check_put("c", {"kind": "push", "stale_after_seconds": 0.05})
    client.check_result_push("c", "green", message="fine")
    eventually(lambda: client.check_get("c")["stale"])
    results = run(HealthChecker(["c"]))
    assert (results["c"].status, results["c"].stale) == ("yellow", True)
    assert HealthChecker.get_overall_status(results) == client.health_get()["overall_status"] == "yellow"


def test_what_is_not_critical_makes_it_yellow(server: Server, client: fuseboard.Client) -> None:
    client.check_put("c", {"kind": "push", "critical": False})
    client.check_result_push("c", "red", message="down")
    results = run(HealthChecker(["c"]))
    assert results["c"].status == "red"
    assert HealthChecker.get_overall_status(results) == client.health_get()["overall_status"] == "yellow"


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_local_checks_work_and_others_are_red(name: str) -> None:
    register(name, lambda: "green")
    results = run(HealthChecker([name, "elsewhere"]))
    assert results[name].status == "green"
    assert results["elsewhere"].status == "red"
    assert "is away" in results["elsewhere"].message
    everything = run(HealthChecker())
    assert everything[name].status == "green"
    assert everything["fuseboard"].status == "red"
    assert HealthChecker.get_overall_status(everything) == "red"
    assert HealthChecker.get_overall_status(run(HealthChecker([name]))) == "green"


def test_a_server_that_is_killed_and_returns(server: Server, client: fuseboard.Client) -> None:
    client.check_result_push("elsewhere", "green")
    register("here", lambda: True)
    checker = HealthChecker(["elsewhere", "here"])
    assert checker.get_overall_status(run(checker)) == "green"
    server.kill()
    assert [str(result.status) for result in run(checker).values()] == ["red", "green"]
    server.start()
    client.check_result_push("elsewhere", "green")
    eventually(lambda: checker.get_overall_status(run(checker)) == "green")


def test_a_frozen_server_costs_a_bounded_time(server: Server) -> None:
    fuseboard.configure(url=server.url, timeout=0.5)
    register("here", lambda: True)
    server.freeze()
    started = time.monotonic()
    results = run(HealthChecker(["here", "elsewhere"], timeout_seconds=1.0))
    assert time.monotonic() - started < 5
    started = time.monotonic()
    again = run(HealthChecker(["here", "elsewhere"], timeout_seconds=1.0))
    assert time.monotonic() - started < 0.5, "known to be away"
    server.thaw()
    for found in (results, again):
        assert (found["here"].status, found["elsewhere"].status) == ("green", "red")


def test_checks_run_side_by_side_each_with_its_time(nowhere: str) -> None:
    checker = HealthChecker([], timeout_seconds=5.0)
    release = threading.Event()
    barrier = threading.Barrier(4)  # broken unless all four are inside at once

    def together() -> bool:
        return barrier.wait(5) >= 0

    for i in range(4):
        checker.register(f"b{i}", together)
    runs: list[int] = []

    @checker.register("hangs", timeout_seconds=0.1)
    def hangs() -> None:
        runs.append(1)
        release.wait(20)

    @checker.register("slow", timeout_seconds=0.1)
    async def slow() -> None:
        await asyncio.sleep(20)

    started = time.monotonic()
    results = run(checker)
    assert time.monotonic() - started < 5
    assert [str(results[f"b{i}"].status) for i in range(4)] == ["green"] * 4
    for name in ("hangs", "slow"):
        assert (results[name].status, results[name].error) == ("red", "timeout")
    assert "has not ended" in run(checker)["hangs"].message
    assert len(runs) == 1, "one that hangs is not started again beside itself"
    release.set()
    eventually(lambda: run(checker)["hangs"].status == "green")


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), asyncio.CancelledError(), RecursionError()]
)
def test_a_check_that_raises_is_red(error: BaseException) -> None:
    checker = HealthChecker([])

    def plain() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ValueError

    @checker.register("unprintable")
    def unprintable() -> None:
        raise Unprintable

    checker.register("plain", plain)
    checker.register("coroutine", coroutine)
    results = run(checker)
    assert {str(result.status) for result in results.values()} == {"red"}
    for name in ("plain", "coroutine"):
        assert type(error).__name__ in (results[name].error or "")


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize(
    ("value", "status"),
    [
        (None, "green"),
        (True, "green"),
        (False, "red"),
        ("yellow", "yellow"),
        (("red", "down"), "red"),
        ((True, "fine", {"a": 1}), "green"),
        ({"status": "yellow", "message": "so so", "error": ValueError("x")}, "yellow"),
        (HealthCheckResult("other", HealthStatus.YELLOW), "yellow"),
        ("purple", "red"),
        (7, "red"),
        ({}, "red"),
        (("green",) * 4, "red"),
        (("green", "x", 7), "red"),
    ],
)
def test_what_a_check_may_return(value: Any, status: str) -> None:
    result = returning(value)
    assert (result.name, result.status) == ("c", status)


def test_hostile_results_are_pushed_as_far_as_they_go(server: Server, client: fuseboard.Client) -> None:
    checker = HealthChecker([])
    deep: dict[str, Any] = {}
    deep["self"] = deep
    hostile: dict[str, Any] = {
        "nan": {"a": math.nan, "b": [math.inf]},
        "deep": deep,
        "object": {"o": object(), "t": time, 7: {1, 2}},
        "surrogate": {"s": "\ud800", "\udfff": 1},
        "huge": {"h": "x" * 100_000},
    }
    for name, details in hostile.items():
        checker.register(name, lambda details=details: ("green", "ü\x00\ud800" * 5000, details))
    results = run(checker)
    assert {str(result.status) for result in results.values()} == {"green"}
    told = client.health_get()["checks"]
    assert set(told) == set(hostile)
    assert told["nan"]["details"] == {"a": "nan", "b": ["inf"]}
    assert told["huge"]["details"] == {"left_out": "the details are too long"}
    report = json.loads(checker.format_results_json(results))
    assert report["checks"]["nan"]["details"] == {"a": "nan", "b": ["inf"]}


def test_a_board_that_takes_no_results_changes_nothing(
    server: Server, client: fuseboard.Client, caplog: pytest.LogCaptureFixture
) -> None:
    client.check_put("c", {"kind": "heartbeat", "interval_seconds": 60})
    register("c", lambda: True)
    assert run(HealthChecker(["c"]))["c"].status == "green"
    assert "takes no results" in caplog.text


def test_a_server_that_talks_nonsense_is_red() -> None:
    def nonsense(sock: Any, number: int) -> None:
        request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]")

    with Misbehaving(nonsense) as other:
        fuseboard.configure(url=other.url)
        assert run(HealthChecker(["elsewhere"]))["elsewhere"].status == "red"


def test_a_wrong_token_is_red_and_says_so(tmp_path: Any) -> None:
    server = Server(tmp_path / "board.db", FUSEBOARD_TOKEN="secret-token-of-the-board")
    try:
        fuseboard.configure(url=server.url, token="wrong")
        result = run(HealthChecker(["c"]))["c"]
        assert (result.status, "refuses" in result.message) == ("red", True)
    finally:
        server.kill()


@pytest.mark.usefixtures("nowhere")
def test_registering_what_is_no_check() -> None:
    for name, check in (("böse", lambda: None), ("", lambda: None), ("c", 7), ("c", "green")):
        with pytest.raises((TypeError, ValueError)):
            register(name, check)
    with pytest.raises(ValueError, match="timeout"):
        register("c", lambda: None, timeout_seconds=0)
    with pytest.raises(TypeError):
        HealthChecker("backtest")
    with pytest.raises(TypeError):
        BaseHealthCheck("c")  # type: ignore[abstract]


@pytest.mark.usefixtures("nowhere")
def test_classes_with_and_without_a_name() -> None:
    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def check(self) -> tuple[bool, str]:
            return True, self.name

    class Unnamed(BaseHealthCheck):
        def __init__(self) -> None:
            super().__init__("mine")

        def check(self) -> HealthCheckResult:  # type: ignore[override]
            return self._create_result("green", "plain")

    checker = HealthChecker([])
    checker.register("n", Named)
    checker.register("u", Unnamed)
    checker.register("o", Named("object"))
    results = run(checker)
    assert [results[name].message for name in ("n", "u", "o")] == ["n", "plain", "object"]
    assert results["u"].name == "u"


def test_the_reports(nowhere: str) -> None:
    results = {
        "risk": HealthCheckResult("risk", HealthStatus.RED, "late\x1b[2J", error="no\nping", stale=True),
        "backtest": HealthCheckResult("backtest", HealthStatus.GREEN, "engine importable"),
        "x": HealthCheckResult("x", HealthStatus.RED, "", critical=False),
    }
    report = json.loads(HealthChecker.format_results_json(results))
    assert set(report) == {"overall_status", "timestamp", "checks"}
    assert report["overall_status"] == "red"
    assert set(report["checks"]["risk"]) == {"name", "status", "message", "timestamp", "details", "error"}
    first, *rest = HealthChecker.format_results_cli(results).splitlines()
    assert first.startswith("Health: RED  20")
    assert rest == [
        "  GREEN   backtest  engine importable",
        "  RED     risk      late\\x1b[2J  (stale)",
        "                    no\\nping",
        "  RED     x           (not critical)",
    ]
    assert HealthChecker.get_overall_status({}) == "green"
    assert f"{HealthChecker.get_overall_status(results)}" == "red"


def test_it_runs_from_plain_code_and_inside_a_loop(nowhere: str) -> None:
    register("c", lambda: True)
    checker = HealthChecker(["c"])
    assert checker.run_all_checks_sync()["c"].status == "green"

    async def main() -> dict[str, HealthCheckResult]:
        return checker.run_all_checks_sync()

    assert asyncio.run(main())["c"].status == "green"


def test_many_processes_share_the_results(server: Server, client: fuseboard.Client) -> None:
    code = """
        import asyncio, sys
        from fuseboard.health import HealthChecker, register
        register("p" + sys.argv[1], lambda: ("green", "from " + sys.argv[1]))
        asyncio.run(HealthChecker(["p" + sys.argv[1]]).run_all_checks())
    """
    workers = [python(code.replace("sys.argv[1]", f"'{i}'"), server.url) for i in range(3)]
    for worker in workers:
        finished(worker)
    results = run(HealthChecker(["p0", "p1", "p2"]))
    assert [result.message for result in results.values()] == ["from 0", "from 1", "from 2"]


def test_a_check_that_hangs_does_not_hold_the_process(nowhere: str) -> None:
    code = """
        import threading
        from fuseboard.health import HealthChecker
        checker = HealthChecker([], timeout_seconds=0.2)
        checker.register("hangs", threading.Event().wait)
        print(checker.run_all_checks_sync()["hangs"].status)
    """
    assert finished(python(code, nowhere), timeout=20).strip() == "red"


def test_the_command_line(server: Server, client: fuseboard.Client, tmp_path: Path) -> None:
    (tmp_path / "mychecks.py").write_text(
        "from fuseboard.health import register\nregister('here', lambda: ('yellow', 'so so'))\n"
    )
    client.check_result_push("elsewhere", "green")

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fuseboard.health", "--import", "mychecks", *arguments],
            cwd=tmp_path,
            env={**os.environ, "FUSEBOARD_URL": server.url},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    good = command()
    assert good.returncode == 0, good.stderr
    assert "GREEN   elsewhere" in good.stdout
    assert "YELLOW  here       so so" in good.stdout
    bad = command("--json", "here", "nobody")
    assert bad.returncode == 1
    assert json.loads(bad.stdout)["checks"]["nobody"]["status"] == "red"
