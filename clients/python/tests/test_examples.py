"""Every program of ``examples/`` runs to its end against a real server, which then knows what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard.backup import BackupManager

from conftest import BINARY, Server, eventually

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
PROGRAMS = ["exchange_bots", "backtest", "portfolio", "live_session", "maintenance"]


@pytest.fixture(autouse=True)
def needs() -> None:
    for package in ("ccxt", "backtesting", "schedule"):
        pytest.importorskip(package, exc_type=ImportError)


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(EXAMPLES / f"{name}.py"), *arguments]


def example(url: str, name: str, *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        command(name, *arguments),
        env={**os.environ, "FUSEBOARD_URL": url},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def moves(client: fuseboard.Client, breaker: str) -> list[tuple[str, str]]:
    items = client.breaker_transitions(breaker)["items"]
    return [(move["from"], move["to"]) for move in reversed(items)]


def test_bots_share_a_limit_and_a_breaker(server: Server, client: fuseboard.Client) -> None:
    out = example(server.url, "exchange_bots")
    assert "bans in all: 0" in out
    assert len(re.findall(r"process \d+:.* refused by the breaker", out)) == 3, out
    assert moves(client, "kraken_api") == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert moves(client, "kraken_ohlcv") == [], "the third attempt succeeded"
    counters = client.metrics_view()["counters"]
    seen = client.breaker_get("kraken_api")["metrics"]
    # Calls that end after the breaker has opened count no more.
    assert 0 <= counters["kraken_ticker_success"] - seen["success_calls"] <= 2
    assert 0 <= counters["kraken_ticker_errors"] - seen["failure_calls"] <= 2
    assert seen["failure_calls"] >= 4
    assert seen["rejected_calls"] >= 3


def test_a_backtest_begins_with_checks_and_a_backup(server: Server, client: fuseboard.Client) -> None:
    out = example(server.url, "backtest")
    (backup,) = BackupManager().list_backups("pre_backtest")
    assert backup.backup_id in out
    state = BackupManager().load_backup(backup.backup_id)["pre_backtest_state"]
    assert state == {"strategy": "sma_cross", "parameters": {"fast": 10, "slow": 30}}
    assert client.health_get()["checks"]["risk"]["details"] == {"bars": 2148}
    view = client.metrics_view()
    assert view["counters"] == {"backtests_completed": 1}
    assert view["timers"]["backtest_duration"]["count"] == 1


def test_a_backtest_on_spoilt_prices_does_not_begin(server: Server, client: fuseboard.Client) -> None:
    out = example(server.url, "backtest", "--spoil", status=1)
    assert "4 bars without a price" in out
    assert client.health_get()["checks"]["risk"]["status"] == "red"
    assert BackupManager().list_backups() == []
    assert client.metrics_view()["counters"] == {}


def test_a_portfolio_raises_alerts_and_resolves_them(server: Server, client: fuseboard.Client) -> None:
    out = example(server.url, "portfolio")
    told = re.findall(r"\[warning\] (.*)", out)
    firing = client.alert_list(state="firing")["items"]
    assert len(told) == 2
    assert {alert["message"] for alert in firing} == set(told)
    drawdown = client.metrics_view()["gauges"]["portfolio_drawdown"]
    assert f"Portfolio drawdown too high: {drawdown:.2%}" in told
    example(server.url, "portfolio", "EURUSD")
    states = {alert["metric_name"]: alert["state"] for alert in client.alert_list()["items"]}
    assert states == {"portfolio_drawdown": "resolved", "portfolio_sharpe": "firing"}
    assert len(client.threshold_list(metric_name="portfolio_drawdown")["items"]) == 1, (
        "declared twice, it is one"
    )


def test_a_live_session_is_stopped_by_its_drawdown(server: Server, client: fuseboard.Client) -> None:
    for session in (1, 2):
        out = example(server.url, "live_session", "--pause", "0.05")
        assert "stopped: Session drawdown above 15%" in out
        assert client.metrics_view()["counters"]["live_sessions_started"] == session
        alerts = client.alert_list(metric_name="session_drawdown")["items"]
        assert [alert["level"] for alert in alerts] == ["critical", "warning"] * session
        assert {alert["state"] for alert in alerts} == {"resolved"}
        before, after = (BackupManager().list_backups(kind) for kind in ("pre_session", "pre_restore"))
        assert len(before) == len(after) == session
        assert BackupManager().load_backup(before[0].backup_id)["broker"]["cash"] == 100_000
        assert 80_000 < BackupManager().load_backup(after[0].backup_id)["broker"]["cash"] < 85_000
        (restored,) = client.restore_list(before[0].backup_id)["items"]
        assert "drawdown" in restored["reason"]
    names = {check["name"] for check in client.check_list()["items"]}
    assert "live_session" not in names, "an orderly end is no alarm"


def test_no_live_session_while_the_exchange_is_down(server: Server, client: fuseboard.Client) -> None:
    out = example(server.url, "live_session", "--exchange-down", status=1)
    assert "gate start_live_session: closed" in out
    assert BackupManager().list_backups() == []
    assert client.metrics_view()["counters"] == {}


def test_a_session_that_dies_is_missed(server: Server, client: fuseboard.Client) -> None:
    running = subprocess.Popen(
        command("live_session", "--ticks", "1000", "--pause", "1"),
        env={**os.environ, "FUSEBOARD_URL": server.url},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    try:
        for line in running.stdout:
            if "worth" in line:
                break
        assert client.check_get("live_session")["status"] == "green"
    finally:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        running.stdout.close()
    eventually(lambda: client.check_get("live_session")["status"] == "red")


def test_maintenance_in_a_process(server: Server, client: fuseboard.Client, tmp_path: Path) -> None:
    client.check_result_push("exchange", "red", message="down")
    example(server.url, "maintenance", "--reports", str(tmp_path / "logs"))
    (report,) = (tmp_path / "logs").iterdir()
    told: dict[str, Any] = json.loads(report.read_text())
    assert told["overall_status"] == "red"
    assert told["checks"]["exchange"]["message"] == "down"
    assert client.health_get()["checks"]["portfolio"]["details"] == {"positions": 3}
    assert len(BackupManager().list_backups("scheduled")) == 1
    assert client.check_get("scheduled_maintenance")["status"] == "green"


def test_maintenance_by_the_board_alone(server: Server, client: fuseboard.Client) -> None:
    example(server.url, "maintenance", "--on-the-board")
    for name in ("hourly_checks", "nightly_backup"):
        (run,) = client.run_list(name)["items"]
        assert run["status"] == "succeeded"
    (backup,) = BackupManager().list_backups("scheduled")
    schedules = [item["name"] for item in client.schedule_list()["items"]]
    assert {"hourly_checks", "nightly_backup"} <= set(schedules)
    assert backup.size_bytes > 0


def test_an_applications_own_tests(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLES / "testing")],
        cwd=tmp_path,
        env={**os.environ, "FUSEBOARD_BIN": str(BINARY)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 passed" in done.stdout


def test_help() -> None:
    asked = [
        subprocess.Popen(command(name, "--help"), stdout=subprocess.PIPE, text=True) for name in PROGRAMS
    ]
    for process in asked:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert "integration" in out


def test_without_a_server_an_example_says_what_to_do(nowhere: str) -> None:
    done = subprocess.run(
        command("maintenance"),
        env={**os.environ, "FUSEBOARD_URL": nowhere},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 1
    assert "make run" in done.stderr
    assert "Traceback" not in done.stderr
