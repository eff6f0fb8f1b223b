"""The integration examples that Fuseboard comes from, with their import lines unchanged.

``seed/`` has them word for word. ``src.infra.resilience`` is one line; the exchange and the logging are
stand-ins.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fuseboard

from conftest import Server

SEED = Path(__file__).parent / "seed"

RESILIENCE = "from fuseboard.resilience import *\n"

MONITORING = """
import contextlib, logging

get_logger = logging.getLogger

class Metrics:
    def increment(self, name, value=1): pass
    def timer(self, name): return contextlib.nullcontext()

def get_metrics_collector():
    return Metrics()
"""

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

USE = """
import asyncio, time
from src.exchange.binance_resilient import ResilientBinanceClient
from src.exchange.kraken_resilient import ResilientKrakenClient, example_usage
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
    try:
        await client.fetch_ticker_safe("BTC/EUR")
    except CircuitBreakerOpenError:
        print("open")
    assert get_circuit_breaker("kraken_api").get_state()["state"] == "open"
    assert get_circuit_breaker("kraken_ohlcv").get_state()["state"] == "closed"

asyncio.run(main())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The layout that the examples expect."""
    files = {
        "src/__init__.py": "",
        "src/infra/__init__.py": "",
        "src/infra/resilience/__init__.py": RESILIENCE,
        "src/infra/monitoring/__init__.py": MONITORING,
        "src/exchange/__init__.py": "",
        "src/exchange/ccxt_client.py": EXCHANGE,
        "src/exchange/kraken_resilient.py": (SEED / "kraken_resilient.py").read_text(),
        "src/exchange/binance_resilient.py": (SEED / "binance_resilient.py").read_text(),
        "tests/test_resilient_exchange.py": (SEED / "resilient_exchange.py").read_text(),
        "use.py": USE,
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def run(project: Path, url: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**os.environ, "FUSEBOARD_URL": url, "PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_section_1_exchange_integration(project: Path, server: Server) -> None:
    assert run(project, server.url, "use.py").splitlines()[-1] == "open"


def test_section_1_is_counted_on_the_server(project: Path, server: Server, client: fuseboard.Client) -> None:
    run(project, server.url, "use.py")
    metrics = client.breaker_get("kraken_api")["metrics"]
    assert (metrics["success_calls"], metrics["failure_calls"], metrics["rejected_calls"]) == (2, 5, 1)


def test_section_6_testing_integration(project: Path, server: Server) -> None:
    out = run(project, server.url, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert "1 passed" in out
