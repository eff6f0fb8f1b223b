"""Thresholds and alerts, with a real server and without."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard import FuseboardError
from fuseboard.monitoring import Alert, AlertLevel, AlertManager, AlertThreshold, get_alert_manager
from fuseboard.monitoring import alerts as module

from conftest import Server, eventually, finished, forget_board, python

DRAWDOWN = AlertThreshold(
    metric_name="portfolio_drawdown",
    threshold=0.15,
    level=AlertLevel.WARNING,
    comparison=">",
    message_template="Portfolio drawdown too high: {value:.2%}",
)


@pytest.fixture(autouse=True)
def board() -> Iterator[None]:
    """Forget the server after a test."""
    yield
    forget_board()


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertManager]:
    """The process's manager, as if it were new."""
    fresh = AlertManager()
    monkeypatch.setattr(module, "_manager", fresh)
    module.chores.append(fresh)
    yield fresh
    module.chores.remove(fresh)


def ours(client: fuseboard.Client) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = client.threshold_list(limit=1000)["items"]
    return [item for item in items if not item["id"].startswith("builtin.")]


def test_a_value_is_checked_against_the_thresholds(
    server: Server, client: fuseboard.Client, manager: AlertManager
) -> None:
    seen: list[Alert] = []
    manager.add_handler(seen.append)
    manager.add_handler(seen.append)
    manager.add_threshold(DRAWDOWN)
    assert manager.check_metric("portfolio_drawdown", 0.1) == []
    (alert,) = manager.check_metric("portfolio_drawdown", 0.17)
    assert seen == [alert]
    assert alert.level == "warning"
    assert alert.message == "Portfolio drawdown too high: 17.00%"
    assert alert.details == {
        "metric_name": "portfolio_drawdown",
        "value": 0.17,
        "threshold": 0.15,
        "comparison": ">",
    }
    assert alert.source == "threshold"
    assert alert.timestamp.tzinfo is not None
    assert set(alert.to_dict()) == {"level", "message", "timestamp", "source", "details"}
    assert len(manager.check_metric("portfolio_drawdown", 0.2)) == 1, "one that goes on is told again"
    assert len(seen) == 2
    recent = manager.get_recent_alerts()
    assert [found.id for found in recent] == [alert.id], "and is one episode"
    assert manager.check_metric("portfolio_drawdown", 0.1) == []
    assert manager.get_recent_alerts()[0].state == "resolved"


def test_the_same_threshold_is_one(server: Server, client: fuseboard.Client, manager: AlertManager) -> None:
    for _ in range(3):
        manager.add_threshold(DRAWDOWN)
    code = """
        from fuseboard.monitoring import AlertLevel, AlertThreshold, get_alert_manager
        get_alert_manager().add_threshold(AlertThreshold(
            "portfolio_drawdown", 0.15, AlertLevel.WARNING, ">", "Portfolio drawdown too high: {value:.2%}"))
        print(get_alert_manager().check_metric("portfolio_drawdown", 0.3)[0].message)
    """
    assert finished(python(code, server.url)).strip() == "Portfolio drawdown too high: 30.00%"
    assert len(ours(client)) == 1
    assert [alert.message for alert in manager.get_recent_alerts()] == ["Portfolio drawdown too high: 30.00%"]


def test_recent_and_cleared(server: Server, client: fuseboard.Client, manager: AlertManager) -> None:
    for i in range(5):
        manager.add_threshold(AlertThreshold(f"m{i}", 0, AlertLevel.ERROR, message_template=f"alert {i}"))
        manager.check_metric(f"m{i}", 1)
    assert [alert.message for alert in manager.get_recent_alerts(3)] == ["alert 4", "alert 3", "alert 2"]
    assert manager.get_recent_alerts(0) == []
    assert len(manager.get_recent_alerts(100)) == 5
    manager.clear_alerts()
    assert manager.get_recent_alerts() == []
    assert len(client.alert_list()["items"]) == 5, "the board keeps them"
    manager.check_metric("m0", -1)
    manager.check_metric("m0", 1)
    assert [alert.message for alert in manager.get_recent_alerts()] == ["alert 0"]


@pytest.mark.usefixtures("nowhere")
def test_without_a_server_this_process_decides(manager: AlertManager) -> None:
    seen: list[Alert] = []
    manager.add_handler(seen.append)
    manager.add_threshold(DRAWDOWN)
    manager.add_threshold(DRAWDOWN)
    manager.add_threshold(AlertThreshold("portfolio_sharpe", 1.0, AlertLevel.ERROR, "<"))
    (alert,) = manager.check_metric("portfolio_drawdown", 0.17)
    assert (alert.source, alert.message) == ("local", "Portfolio drawdown too high: 17.00%")
    assert manager.check_metric("portfolio_drawdown", 0.15) == []
    assert manager.check_metric("other", 1) == []
    (other,) = manager.check_metric("portfolio_sharpe", 0.5)
    assert other.message == "portfolio_sharpe < 1.0: 0.5"
    assert seen == [alert, other]
    assert manager.get_recent_alerts() == [other, alert]
    assert manager.get_recent_alerts(1) == [other]
    manager.clear_alerts()
    assert manager.get_recent_alerts() == []


def test_thresholds_of_an_outage_are_declared_afterwards(
    server: Server, client: fuseboard.Client, manager: AlertManager
) -> None:
    manager.add_threshold(AlertThreshold("before", 1, AlertLevel.INFO))
    server.kill()
    manager.add_threshold(DRAWDOWN)
    assert manager.check_metric("portfolio_drawdown", 0.17)[0].source == "local"
    server.start()
    eventually(lambda: len(ours(client)) == 2)
    eventually(lambda: manager.check_metric("portfolio_drawdown", 0.17)[0].source == "threshold")


def test_a_board_that_lost_its_database_is_told_again(
    server: Server, client: fuseboard.Client, manager: AlertManager, tmp_path: Path
) -> None:
    manager.add_threshold(DRAWDOWN)
    server.kill()
    for file in tmp_path.glob("board.db*"):
        file.unlink()
    assert manager.check_metric("portfolio_drawdown", 0.17)[0].source == "local"
    server.start()
    eventually(lambda: len(ours(client)) == 1)


@pytest.mark.parametrize(
    ("comparison", "value", "breached"),
    [
        (">", 1.0, False), (">", 1.1, True), ("<", 0.9, True), ("<", 1.0, False), (">=", 1.0, True),
        ("<=", 1.0, True), ("==", 1.0, True), ("!=", 1.0, False), ("!=", 2.0, True), (">=", 0.9, False),
    ],
)  # fmt: skip
def test_the_process_decides_as_the_server_does(
    server: Server, manager: AlertManager, comparison: str, value: float, breached: bool
) -> None:
    template = "{metric_name}|{comparison}|{threshold}|{value}|{level}|{value:>+12.4g}|{{x}}|{level!s:^9}"
    threshold = AlertThreshold("m", 1.0, AlertLevel.CRITICAL, comparison, template)
    manager.add_threshold(threshold)
    there = manager.check_metric("m", value)
    here = manager.decide("m", value)
    assert bool(there) is breached
    assert [(a.level, a.message, a.details) for a in there] == [(a.level, a.message, a.details) for a in here]


def test_values_that_json_does_not_know(server: Server, manager: AlertManager) -> None:
    manager.add_threshold(DRAWDOWN)
    (alert,) = manager.check_metric("portfolio_drawdown", math.inf)
    assert (alert.source, alert.message) == ("local", "Portfolio drawdown too high: inf%")
    assert manager.check_metric("portfolio_drawdown", math.nan) == []
    assert manager.check_metric("portfolio_drawdown", -math.inf) == []
    with pytest.raises((TypeError, ValueError)):
        manager.check_metric("portfolio_drawdown", "high")  # type: ignore[arg-type]


def test_what_is_no_threshold_is_refused(
    server: Server, client: fuseboard.Client, manager: AlertManager
) -> None:
    bad: list[Callable[[], object]] = [
        lambda: AlertThreshold("m", math.nan, AlertLevel.INFO),
        lambda: AlertThreshold("m", 1, "loud"),  # type: ignore[arg-type]
        lambda: AlertThreshold("m", 1, AlertLevel.INFO, "=>"),
        lambda: AlertThreshold("m", 1, AlertLevel.INFO, message_template="{nothing}"),
        lambda: AlertThreshold("m", 1, AlertLevel.INFO, message_template="{value:d}"),
        lambda: AlertThreshold("m", 1, AlertLevel.INFO, message_template="{"),
        lambda: manager.add_threshold({"metric_name": "m"}),  # type: ignore[arg-type]
        lambda: manager.add_handler("handler"),  # type: ignore[arg-type]
    ]
    for make in bad:
        with pytest.raises((TypeError, ValueError)):
            make()
    for refused in (
        AlertThreshold("no such name!", 1, AlertLevel.INFO),
        AlertThreshold("m", 1, AlertLevel.INFO, message_template="{value.__class__}"),
    ):
        with pytest.raises(FuseboardError) as error:
            manager.add_threshold(refused)
        assert error.value.status == 422
        assert manager.check_metric("m", 2) == []
    assert ours(client) == []
    assert AlertThreshold("m", 1, "info").level is AlertLevel.INFO  # type: ignore[arg-type]


@pytest.mark.usefixtures("nowhere")
def test_handlers_that_fail_or_await(manager: AlertManager, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def fails(alert: Alert) -> None:
        raise RuntimeError("handler")

    async def awaits(alert: Alert) -> None:
        await asyncio.sleep(0)
        seen.append("async")

    for handler in (fails, awaits, lambda alert: seen.append("plain")):
        manager.add_handler(handler)
    manager.add_threshold(DRAWDOWN)
    manager.check_metric("portfolio_drawdown", 1)
    assert seen == ["async", "plain"]
    assert "a handler of alerts failed" in caplog.text

    async def main() -> None:
        manager.check_metric("portfolio_drawdown", 1)
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert sorted(seen) == ["async", "async", "plain", "plain"]
    manager.remove_handler(fails)
    manager.remove_handler(fails)


def test_many_threads(server: Server, client: fuseboard.Client, manager: AlertManager) -> None:
    found: list[Alert] = []
    manager.add_handler(found.append)

    def work() -> None:
        manager.add_threshold(DRAWDOWN)
        for _ in range(20):
            manager.check_metric("portfolio_drawdown", 0.5)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 160
    assert len({alert.id for alert in found}) == 1
    assert len(ours(client)) == 1


def test_the_manager_is_one() -> None:
    assert get_alert_manager() is get_alert_manager()
