"""Several bots, one exchange that bans: the seed's first integration, with the real ccxt client.

All bots share one limit and one breaker on the board, so the exchange bans nobody; when it fails, the breaker opens once, for
all of them, and closes by itself when the exchange is back.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing import Queue
from multiprocessing.synchronize import Barrier, Event
from typing import Any

import ccxt.async_support as ccxt

from fuseboard.monitoring import get_logger, get_metrics_collector
from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker, get_rate_limiter, rate_limit, retry

from scene import EmulatedExchange, board, heading

logger = get_logger(__name__)
metrics = get_metrics_collector()

# What the operator declares; a decorator never changes what is there. The exchange allows 10 in 1 s. Two of them are left to
# the board's own check of the exchange (see live_session.py), which it counts like any other. And it counts arrivals, where the
# board counts grants: the half second more forgives a bot that was slow to send, on a busy machine.
LIMITER = {"algorithm": "sliding_window", "limit": 8, "period_seconds": 1.5}
# Four failures among the last eight calls of all bots together: nobody has to fail five times alone.
BREAKER = {
    "failure_threshold": 5,
    "timeout_seconds": 2.0,
    "half_open_max_calls": 1,
    "window": {"kind": "count", "size": 8, "minimum_calls": 4, "failure_rate": 0.5},
}


class ResilientKrakenClient:
    """Kraken with a shared limit and shared breakers."""

    def __init__(self, url: str) -> None:
        self.client = ccxt.kraken({"enableRateLimit": False})  # the board's limit counts, for all processes together
        self.client.urls["api"]["public"] = url

    async def __aenter__(self) -> ResilientKrakenClient:
        await get_rate_limiter("kraken_api").wait_for_token(2)  # the two requests of load_markets count like any other
        await self.client.load_markets()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()

    @rate_limit(name="kraken_api", requests_per_second=10)
    @circuit_breaker(name="kraken_api", failure_threshold=5, timeout_seconds=60)
    async def fetch_ticker_safe(self, symbol: str) -> dict[str, Any]:
        """A ticker."""
        logger.info("Fetching ticker for %s", symbol, extra={"symbol": symbol})
        metrics.increment("kraken_ticker_requests")
        with metrics.timer("kraken_ticker_latency"):
            try:
                ticker: dict[str, Any] = await self.client.fetch_ticker(symbol)
            except Exception:
                metrics.increment("kraken_ticker_errors")
                raise
        metrics.increment("kraken_ticker_success")
        return ticker

    @rate_limit(name="kraken_api", requests_per_second=10)
    @circuit_breaker(name="kraken_ohlcv", failure_threshold=5)
    @retry(max_attempts=3, initial_delay=0.2, exceptions=(ccxt.NetworkError,))
    async def fetch_ohlcv_safe(self, symbol: str, timeframe: str = "1h") -> list[list[float]]:
        """Candles: another breaker, the same limit. Two failures in a row are made up for by a third attempt."""
        with metrics.timer("kraken_ohlcv_latency"):
            candles: list[list[float]] = await self.client.fetch_ohlcv(symbol, timeframe)
        return candles


async def fetch_until(ready: Barrier, stop: Event, url: str) -> Counter[str]:
    """One bot: tickers, as fast as the guards allow; what became of them."""
    seen: Counter[str] = Counter()
    async with ResilientKrakenClient(url) as kraken:
        ready.wait(60)
        while not stop.is_set():
            try:
                await kraken.fetch_ticker_safe("BTC/EUR")
                seen["answered"] += 1
            except CircuitBreakerOpenError as refusal:
                seen["refused by the breaker"] += 1
                await asyncio.sleep(min(0.2, refusal.retry_after_seconds or 0.2))
            except ccxt.DDoSProtection:
                seen["banned"] += 1
            except ccxt.NetworkError:
                seen["failed"] += 1
    return seen


def bot(ready: Barrier, stop: Event, told: Queue[tuple[int, Counter[str]]], url: str) -> None:
    """What runs in each process."""
    told.put((os.getpid(), asyncio.run(fetch_until(ready, stop, url))))


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something that must come true."""
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            sys.exit("that took too long")
        time.sleep(0.05)


async def candles_after_two_failures(exchange: EmulatedExchange) -> None:
    """A hiccup that nobody notices."""
    async with ResilientKrakenClient(exchange.url) as kraken:
        exchange.control(fail_next=2)
        candles = await kraken.fetch_ohlcv_safe("BTC/EUR")
    print(f"  the exchange failed twice, the third attempt brought {len(candles)} candles")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bots", type=int, default=3, help="processes (default 3)")
    arguments = parser.parse_args()
    operator = board()
    operator.limiter_put("kraken_api", LIMITER)
    before = operator.breaker_put("kraken_api", BREAKER)["generation"]

    def state() -> str:
        return str(operator.breaker_get("kraken_api")["state"])

    spawn = multiprocessing.get_context("spawn")
    ready, stop, told = spawn.Barrier(arguments.bots + 1), spawn.Event(), spawn.Queue()
    with EmulatedExchange() as exchange:
        heading(f"{arguments.bots} processes, as fast as the shared limit allows")
        bots = [spawn.Process(target=bot, args=(ready, stop, told, exchange.url), daemon=True) for _ in range(arguments.bots)]
        for one in bots:
            one.start()
        ready.wait(60)
        until(lambda: exchange.stats()["answered"] >= 4 * arguments.bots)
        print(f"  at most {exchange.stats()['peak_in_one_second']} requests in any second")

        heading("The exchange fails: the breaker opens for everybody")
        exchange.control(fail=True)
        until(lambda: state() == "open")
        print(f"  open after {exchange.stats()['failed']} requests")
        time.sleep(1.0)
        print(f"  a second later: {exchange.stats()['failed']}")

        heading("It is back: a trial call closes the breaker, for everybody")
        exchange.control(fail=False)
        until(lambda: state() == "closed")
        answered = exchange.stats()["answered"]
        until(lambda: exchange.stats()["answered"] >= answered + 6)
        stop.set()
        for process, seen in sorted(told.get(timeout=30) for _ in bots):
            print(f"  process {process}: " + ", ".join(f"{count} {what}" for what, count in sorted(seen.items())))
        for one in bots:
            one.join()
        for move in reversed(operator.breaker_transitions("kraken_api", limit=100)["items"]):
            if move["generation"] > before:
                print(f"  {move['from']} -> {move['to']} ({move['cause']})")

        heading("Retry, innermost, makes up for a hiccup")
        asyncio.run(candles_after_two_failures(exchange))
        metrics.flush()
        print(f"  bans in all: {exchange.stats()['bans']}")


if __name__ == "__main__":
    main()
