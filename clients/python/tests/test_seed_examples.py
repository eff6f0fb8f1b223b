"""The integration examples that Fuseboard comes from, with their import lines unchanged.

``seed/`` has them word for word; ``fuseboard.compat`` resolves ``src.infra``. Stand-ins are only for the
application's own classes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard.backup import BackupManager

from conftest import Server

SEED = Path(__file__).parent / "seed"

INSTALL = "import fuseboard.compat\nfuseboard.compat.install()\n"

EXCHANGE = """
class Ticker:
    last = 42.0

class CcxtExchangeClient:
    def __init__(self, exchange, api_key=None, secret=None, enable_rate_limit=True):
        self.down = False

    def fetch_ticker(self, symbol):
        if self.down:
            raise ConnectionError(symbol)
        return Ticker()

    def fetch_ohlcv(self, symbol, timeframe):
        return [[0, 1.0, 1.0, 1.0, 1.0, 1.0]]
"""

BACKTEST = """
class Result:
    sharpe_ratio, total_return, max_drawdown = 0.8, 0.12, -0.17

class BacktestEngine:
    def run(self, strategy, data):
        if data is None:
            raise ValueError("no data")
        return Result()
"""

PORTFOLIO = """
from src.backtest import Result

class PortfolioManager:
    def run_backtest(self, strategies, data):
        return Result()
"""

LIVE = "class PaperBroker: pass\n"

CHECKS = (
    INSTALL
    + """
from src.infra.health import health_check

@health_check("backtest")
def backtest():
    return "green", "engine importable"
"""
)

USE_EXCHANGE = """
import asyncio, time
from src.exchange.binance_resilient import ResilientBinanceClient
from src.exchange.kraken_resilient import ResilientKrakenClient, example_usage
from src.infra.monitoring import get_metrics_collector
from src.infra.resilience import CircuitBreakerOpenError, get_circuit_breaker, get_rate_limiter

async def main():
    await example_usage()
    client = ResilientKrakenClient()
    assert (await client.fetch_ticker_safe("BTC/EUR")).last == 42.0
    assert len(await client.fetch_ohlcv_safe("BTC/EUR", "1h")) == 1
    assert get_rate_limiter("kraken_api").get_stats()["total_requests"] == 4
    start = time.monotonic()
    await asyncio.gather(*[client.fetch_ohlcv_safe("BTC/EUR") for _ in range(15)])
    assert time.monotonic() - start >= 0.7, "10 requests a second"
    await ResilientBinanceClient().fetch_ticker_with_retry("BTC/EUR")
    client.client.down = True
    for _ in range(5):
        try:
            await client.fetch_ticker_safe("BTC/EUR")
        except ConnectionError:
            pass
    assert get_metrics_collector().get_metrics()["counters"]["kraken_ticker_errors"] == 5
    try:
        await client.fetch_ticker_safe("BTC/EUR")
    except CircuitBreakerOpenError:
        print("open")
    assert get_circuit_breaker("kraken_api").get_state()["state"] == "open"
    assert get_circuit_breaker("kraken_ohlcv").get_state()["state"] == "closed"

asyncio.run(main())
"""

STRATEGY = """
class Strategy:
    name = "ma_crossover"
"""

USE_BACKTEST = (
    STRATEGY
    + """
import asyncio
from src.backtest.resilient_engine import run_backtest_with_health_checks
from src.infra.health import register

risk = "red"
register("risk", lambda: risk)
assert asyncio.run(run_backtest_with_health_checks(Strategy, [1])) is None, "red aborts"
risk = "yellow"
assert asyncio.run(run_backtest_with_health_checks(Strategy, [1])).sharpe_ratio == 0.8
try:
    asyncio.run(run_backtest_with_health_checks(Strategy, None))
except ValueError:
    print("raised")
"""
)

USE_PORTFOLIO = """
from src.infra.monitoring import get_alert_manager, setup_structured_logging
from src.portfolio.monitored_portfolio import MonitoredPortfolioManager

setup_structured_logging()
seen = []
get_alert_manager().add_handler(lambda alert: seen.append((str(alert.level), alert.message)))
MonitoredPortfolioManager()
result = MonitoredPortfolioManager().run_backtest_monitored(["ma"], [1])
assert seen == [
    ("warning", "Portfolio drawdown too high: 17.00%"),
    ("warning", "Sharpe ratio too low: 0.80"),
], seen
print([alert.details["metric_name"] for alert in get_alert_manager().get_recent_alerts()])
"""

USE_LIVE = (
    STRATEGY
    + """
import asyncio, sys
import src.live.resilient_session as session
from src.infra.health import register
from src.infra.monitoring import setup_structured_logging

setup_structured_logging()
session.asyncio = asyncio  # the example forgets to import it
live = "red"
for name in ("exchange", "portfolio", "risk"):
    register(name, lambda: True)
register("live", lambda: (live, "no feed"))

async def main():
    global live
    started = session.ResilientLiveSession()
    try:
        await started.start_session(Strategy)
    except RuntimeError as error:
        assert str(error) == "System not healthy"
    else:
        raise AssertionError("it started")
    live = "green"
    backup_id = await started.start_session(Strategy)
    live = "red"
    watching = asyncio.create_task(started.monitor_session())
    await asyncio.sleep(1)
    watching.cancel()
    print(backup_id)

asyncio.run(main())
"""
)

USE_SCHEDULED = """
import threading, time
import schedule
from scripts import scheduled_maintenance as maintenance

time.sleep = lambda seconds, sleep=time.sleep: sleep(0.01)
threading.Thread(target=maintenance.main, daemon=True).start()
until = time.monotonic() + 20
while len(schedule.get_jobs()) < 2 and time.monotonic() < until:
    pass
assert [job.unit for job in schedule.get_jobs()] == ["hours", "days"]
schedule.run_all()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The layout that the examples expect."""
    files = {
        "src/__init__.py": "",
        "src/exchange/__init__.py": "",
        "src/exchange/ccxt_client.py": EXCHANGE,
        "src/exchange/kraken_resilient.py": seed("kraken_resilient"),
        "src/exchange/binance_resilient.py": seed("binance_resilient"),
        "src/backtest/__init__.py": BACKTEST,
        "src/backtest/resilient_engine.py": seed("resilient_engine"),
        "src/portfolio/__init__.py": PORTFOLIO,
        "src/portfolio/monitored_portfolio.py": seed("monitored_portfolio"),
        "src/live/__init__.py": LIVE,
        "src/live/resilient_session.py": seed("resilient_session"),
        "scripts/scheduled_maintenance.py": seed("scheduled_maintenance"),
        "tests/test_resilient_exchange.py": seed("resilient_exchange"),
        "conftest.py": CHECKS,
    }
    (tmp_path / "logs").mkdir()
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def seed(name: str) -> str:
    return (SEED / f"{name}.py").read_text()


def run(project: Path, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**os.environ, "FUSEBOARD_URL": url, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def use(project: Path, url: str, code: str) -> subprocess.CompletedProcess[str]:
    (project / "use.py").write_text("import conftest\n" + code)
    return run(project, url, "use.py")


def logged(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_section_1_exchange_integration(project: Path, server: Server, client: fuseboard.Client) -> None:
    assert use(project, server.url, USE_EXCHANGE).stdout.splitlines()[-1] == "open"
    metrics = client.breaker_get("kraken_api")["metrics"]
    assert (metrics["success_calls"], metrics["failure_calls"], metrics["rejected_calls"]) == (2, 5, 1)
    view = client.metrics_view()
    assert view["counters"]["kraken_ticker_requests"] == 7
    assert view["counters"]["kraken_ticker_errors"] == 5
    assert view["timers"]["kraken_ohlcv_latency"]["count"] == 17


def test_section_2_backtest_integration(project: Path, server: Server, client: fuseboard.Client) -> None:
    assert use(project, server.url, USE_BACKTEST).stdout.strip() == "raised"
    backups = BackupManager().list_backups("pre_backtest")
    assert len(backups) == 2
    state = BackupManager().load_backup(backups[0].backup_id)
    assert state == {"pre_backtest_state": {"strategy": "ma_crossover"}}
    view = client.metrics_view()
    assert view["counters"] == {"backtests_completed": 1, "backtests_failed": 1}
    assert view["timers"]["backtest_duration"]["count"] == 2
    assert client.health_get()["checks"]["risk"]["status"] == "yellow"


def test_section_3_portfolio_integration(project: Path, server: Server, client: fuseboard.Client) -> None:
    done = use(project, server.url, USE_PORTFOLIO)
    assert done.stdout.strip() == "['portfolio_sharpe', 'portfolio_drawdown']"
    lines = {line["message"]: line for line in logged(done)}
    assert lines["Backtest completed"]["sharpe"] == 0.8
    assert client.metrics_view()["gauges"]["portfolio_drawdown"] == 0.17
    ours = [item for item in client.threshold_list()["items"] if "portfolio" in item["config"]["metric_name"]]
    assert len(ours) == 2
    alerts = client.alert_list(state="firing")["items"]
    assert {alert["message"] for alert in alerts} == {
        "Portfolio drawdown too high: 17.00%",
        "Sharpe ratio too low: 0.80",
    }


def test_section_3_without_a_server(project: Path, nowhere: str) -> None:
    code = USE_PORTFOLIO.rpartition("print(")[0]
    use(project, nowhere, code)


def test_section_4_live_integration(project: Path, server: Server, client: fuseboard.Client) -> None:
    done = use(project, server.url, USE_LIVE)
    (backup,) = BackupManager().list_backups("pre_session")
    assert backup.backup_id == done.stdout.strip()
    failed = [line for line in logged(done) if line["message"] == "Health check failed: live"]
    assert (failed[0]["check"], failed[0]["extra_message"]) == ("live", "no feed")
    assert client.metrics_view()["counters"]["live_sessions_started"] == 1


def test_section_5_scheduled_tasks(project: Path, server: Server, client: fuseboard.Client) -> None:
    client.check_result_push("exchange", "red", message="down")
    use(project, server.url, USE_SCHEDULED)
    (report,) = (project / "logs").glob("health_check_*.json")
    told = json.loads(report.read_text())
    assert told["overall_status"] == "red"
    assert {name: check["status"] for name, check in told["checks"].items()} == {
        "backtest": "green",
        "exchange": "red",
    }
    assert len(BackupManager().list_backups("scheduled")) == 1


def test_section_6_testing_integration(project: Path, server: Server) -> None:
    out = run(project, server.url, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests").stdout
    assert "2 passed" in out
