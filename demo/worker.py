"""One trading bot: the real ``ccxt`` client behind Fuseboard's decorators.

``run.py`` starts four of these. Each reads orders, one JSON object a line, and answers with what happened:

    {"seconds": 5, "pause": 0}    fetch tickers for that long, as fast as the guards allow
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from typing import Any

import ccxt

from fuseboard.resilience import CircuitBreakerOpenError, circuit_breaker, get_rate_limiter, rate_limit

BREAKER_TIMEOUT_SECONDS = 2.0


class ResilientKrakenClient:
    """The client of the integration examples: 10 requests a second, open after 5 failures."""

    def __init__(self, url: str) -> None:
        self.client = ccxt.kraken({"enableRateLimit": False})
        self.client.urls["api"]["public"] = url

    async def connect(self) -> None:
        """Load the markets: two requests, which count like any other."""
        await get_rate_limiter("kraken_api").wait_for_token(2)
        self.client.load_markets()

    @rate_limit(name="kraken_api", requests_per_second=10)
    @circuit_breaker(name="kraken_api", failure_threshold=5, timeout_seconds=BREAKER_TIMEOUT_SECONDS)
    async def fetch_ticker_safe(self, symbol: str) -> dict[str, Any]:
        """A ticker; the breaker and the limit are everybody's."""
        return self.client.fetch_ticker(symbol)


async def work(client: ResilientKrakenClient, seconds: float, pause: float) -> dict[str, Any]:
    """Fetch for that long."""
    seen: dict[str, Any] = dict.fromkeys(("ok", "banned", "failed", "refused"), 0)
    seen["last_ok_at"] = 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if client.client.markets is None:
                await client.connect()
            price = (await client.fetch_ticker_safe("BTC/EUR"))["last"]
            assert price > 0
            seen["ok"] += 1
            seen["last_ok_at"] = time.time()
        except CircuitBreakerOpenError:
            seen["refused"] += 1
            await asyncio.sleep(0.1)
        except (ccxt.DDoSProtection, ccxt.RateLimitExceeded):
            seen["banned"] += 1
        except ccxt.NetworkError:
            seen["failed"] += 1
        if pause:
            await asyncio.sleep(pause)
    return seen


def main() -> None:
    """Answer orders until the input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--exchange", required=True, help="base address of the emulated exchange")
    client = ResilientKrakenClient(parser.parse_args().exchange)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(asyncio.run(work(client, order["seconds"], order["pause"]))), flush=True)


if __name__ == "__main__":
    main()
