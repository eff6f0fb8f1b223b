"""How an application tests what it guards: the seed's sixth integration, with pytest.

pytest examples/testing
"""

from __future__ import annotations

import subprocess
import sys

import ccxt
import pytest

import fuseboard
from fuseboard.health import HealthChecker
from fuseboard.resilience import CircuitBreakerOpenError, get_circuit_breaker, get_rate_limiter

from exchange_bots import ResilientKrakenClient
from scene import EmulatedExchange

ANOTHER_PROCESS = """
from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker

@circuit_breaker(name="kraken_api")
def call():
    return "called"

try:
    print(call())
except CircuitBreakerOpenError:
    print("refused")
"""


@pytest.mark.asyncio
async def test_kraken_with_circuit_breaker(exchange: EmulatedExchange) -> None:
    """What succeeds is counted, and leaves the breaker closed."""
    async with ResilientKrakenClient(exchange.url) as client:
        assert (await client.fetch_ticker_safe("BTC/EUR"))["last"] > 0
    state = get_circuit_breaker("kraken_api").get_state()
    assert state["state"] == "closed"
    assert state["metrics"]["success_calls"] == 1


@pytest.mark.asyncio
async def test_an_outage_opens_the_breaker_for_every_process(exchange: EmulatedExchange, board: fuseboard.Client) -> None:
    """Five failures here, and another process is refused without having failed once."""
    async with ResilientKrakenClient(exchange.url) as client:
        exchange.control(fail=True)
        for _ in range(5):
            with pytest.raises(ccxt.ExchangeNotAvailable):
                await client.fetch_ticker_safe("BTC/EUR")
        with pytest.raises(CircuitBreakerOpenError):
            await client.fetch_ticker_safe("BTC/EUR")
    assert exchange.stats()["failed"] == 5, "the sixth call never left"
    assert subprocess.check_output([sys.executable, "-c", ANOTHER_PROCESS], text=True).strip() == "refused"
    assert board.breaker_transitions("kraken_api")["items"][0]["to"] == "open"


@pytest.mark.asyncio
async def test_a_hiccup_is_one_call_that_succeeds(exchange: EmulatedExchange) -> None:
    """Retry is innermost: the breaker sees the end, not the attempts."""
    async with ResilientKrakenClient(exchange.url) as client:
        exchange.control(fail_next=2)
        assert len(await client.fetch_ohlcv_safe("BTC/EUR")) == 50
    metrics = get_circuit_breaker("kraken_ohlcv").get_state()["metrics"]
    assert (metrics["success_calls"], metrics["failure_calls"]) == (1, 0)


@pytest.mark.asyncio
async def test_an_operators_word_holds(exchange: EmulatedExchange, board: fuseboard.Client) -> None:
    """Maintenance: no call leaves, whatever the counts say."""
    async with ResilientKrakenClient(exchange.url) as client:
        await client.fetch_ticker_safe("BTC/EUR")
        board.breaker_state_set("kraken_api", "forced_open", reason="exchange maintenance", ttl_seconds=60)
        with pytest.raises(CircuitBreakerOpenError):
            await client.fetch_ticker_safe("BTC/EUR")


@pytest.mark.asyncio
async def test_the_limit_is_shared(exchange: EmulatedExchange, board: fuseboard.Client) -> None:
    """Tickers and candles use one limit: four requests are four tokens."""
    async with ResilientKrakenClient(exchange.url) as client:  # two of them
        await client.fetch_ticker_safe("BTC/EUR")
        await client.fetch_ohlcv_safe("BTC/EUR")
    assert get_rate_limiter("kraken_api").get_stats()["total_requests"] == 3, "one of them asked for two tokens"
    assert exchange.stats()["requests"] == 4


@pytest.mark.asyncio
async def test_health_check_before_backtest() -> None:
    """A check that a test registers for itself alone."""
    checker = HealthChecker(checks=["backtest"])
    checker.register("backtest", lambda: "yellow")
    results = await checker.run_all_checks()
    assert results["backtest"].status in ["green", "yellow"]
