"""An emulated exchange: answers like Kraken's public API, bans who asks too often, fails on command.

It answers what ``ccxt.kraken`` needs for tickers and candles. Whoever makes more than ``--limit`` requests in
any one second is banned for ``--ban-seconds``; requests are counted per source address, or per ``API-Key``
header where there is one, so all workers on one machine are one source, as they are to a real exchange.

    python exchange.py --port 8900
    curl -XPOST localhost:8900/control -d '{"fail": true}'
    curl localhost:8900/stats
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

LATENCY_SECONDS = 0.005

ASSETS = {"XXBT": "XBT", "XETH": "ETH", "ZEUR": "EUR", "ZUSD": "USD"}
PAIRS = {
    "XXBTZEUR": ("XBTEUR", "XXBT", "ZEUR", 57000.0),
    "XXBTZUSD": ("XBTUSD", "XXBT", "ZUSD", 62000.0),
    "XETHZEUR": ("ETHEUR", "XETH", "ZEUR", 2400.0),
}
FEES = [[0, 0.26], [50000, 0.24]]


def asset(name: str) -> dict[str, Any]:
    """One of ``/0/public/Assets``."""
    return {
        "aclass": "currency",
        "altname": ASSETS[name],
        "decimals": 10,
        "display_decimals": 5,
        "status": "enabled",
    }


def pair(name: str) -> dict[str, Any]:
    """One of ``/0/public/AssetPairs``."""
    altname, base, quote, _ = PAIRS[name]
    return {
        "altname": altname,
        "wsname": f"{ASSETS[base]}/{ASSETS[quote]}",
        "aclass_base": "currency",
        "base": base,
        "aclass_quote": "currency",
        "quote": quote,
        "lot": "unit",
        "pair_decimals": 2,
        "cost_decimals": 5,
        "lot_decimals": 8,
        "lot_multiplier": 1,
        "leverage_buy": [],
        "leverage_sell": [],
        "fees": FEES,
        "fees_maker": FEES,
        "fee_volume_currency": "ZUSD",
        "ordermin": "0.0001",
        "costmin": "0.5",
        "status": "online",
    }


def ticker(name: str, now: float, factor: float) -> dict[str, Any]:
    """One of ``/0/public/Ticker``."""
    price = factor * PAIRS[name][3] * (1 + 0.001 * ((now * 10) % 10 - 5) / 5)
    text = f"{price:.2f}"
    return {
        "a": [text, "1", "1.000"],
        "b": [text, "1", "1.000"],
        "c": [text, "0.01"],
        "v": ["100.0", "200.0"],
        "p": [text, text],
        "t": [1000, 2000],
        "l": [text, text],
        "h": [text, text],
        "o": text,
    }


def candles(name: str, interval: int, now: float) -> list[list[Any]]:
    """The rows of ``/0/public/OHLC``."""
    step = interval * 60
    last = int(now) // step * step
    price = f"{PAIRS[name][3]:.2f}"
    return [[last - step * n, price, price, price, price, price, "1.0", 10] for n in reversed(range(50))]


@dataclass
class Source:
    """What the exchange remembers of one address or key: the exact times of the last second."""

    arrivals: deque[float] = field(default_factory=deque)
    banned_until: float = 0.0


@dataclass
class Stats:
    """What happened since the last reset."""

    requests: int = 0
    answered: int = 0
    bans: int = 0
    refused_by_ban: int = 0
    failed: int = 0
    peak_in_one_second: int = 0


class Exchange:
    """The exchange's rules, without its network."""

    def __init__(self, limit: int, ban_seconds: float) -> None:
        self.limit = limit
        self.ban_seconds = ban_seconds
        self.fail = False
        self.fail_next = 0
        self.factor = 1.0
        self.bans_on = True
        self.stats = Stats()
        self._sources: dict[str, Source] = {}

    def control(self, order: dict[str, Any]) -> dict[str, Any]:
        """Orders.

        ``fail``, ``fail_next`` (so many requests), ``factor`` (of all prices), ``bans`` (whether it bans), ``reset``
        (forget counts and bans).
        """
        self.fail = bool(order.get("fail", self.fail))
        self.fail_next = int(order.get("fail_next", self.fail_next))
        self.factor = float(order.get("factor", self.factor))
        self.bans_on = bool(order.get("bans", self.bans_on))
        if order.get("reset"):
            self.stats = Stats()
            self._sources.clear()
        return {"fail": self.fail, "bans": self.bans_on}

    def arrive(self, who: str, now: float) -> tuple[int, dict[str, Any]] | None:
        """Count a request; the refusal if there is one."""
        source = self._sources.setdefault(who, Source())
        self.stats.requests += 1
        source.arrivals.append(now)
        while source.arrivals[0] <= now - 1.0:
            source.arrivals.popleft()
        self.stats.peak_in_one_second = max(self.stats.peak_in_one_second, len(source.arrivals))
        if self.bans_on:
            banned = now < source.banned_until
            if not banned and len(source.arrivals) > self.limit:
                source.banned_until = now + self.ban_seconds
                self.stats.bans += 1
                banned = True
            if banned:
                self.stats.refused_by_ban += 1
                return 429, {"error": ["EAPI:Rate limit exceeded"]}
        if self.fail or self.fail_next > 0:
            self.fail_next = max(0, self.fail_next - 1)
            self.stats.failed += 1
            return 503, {"error": ["EService:Unavailable"]}
        self.stats.answered += 1
        return None

    def answer(self, path: str, query: dict[str, str], now: float) -> tuple[int, dict[str, Any]]:
        """The public API."""
        names = [name for name in query.get("pair", "").split(",") if name]
        if any(name not in PAIRS for name in names):
            return 200, {"error": ["EQuery:Unknown asset pair"]}
        result: dict[str, Any]
        match path.removeprefix("/0/public/"):
            case "Time":
                result = {"unixtime": int(now), "rfc1123": time.strftime("%a, %d %b %y %H:%M:%S +0000")}
            case "SystemStatus":
                result = {"status": "online", "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ")}
            case "Assets":
                result = {name: asset(name) for name in ASSETS}
            case "AssetPairs":
                result = {name: pair(name) for name in names or PAIRS}
            case "Ticker":
                result = {name: ticker(name, now, self.factor) for name in names or PAIRS}
            case "OHLC" if len(names) == 1:
                rows = candles(names[0], int(query.get("interval", "1")), now)
                result = {names[0]: rows, "last": rows[-1][0]}
            case _:
                return 404, {"error": ["EGeneral:Unknown method"]}
        return 200, {"error": [], "result": result}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        address = writer.get_extra_info("peername")[0]
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                now = time.monotonic()
                method, target, _ = head.split(" ", 2)
                length = re.search(r"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(length[1])) if length else b""
                url = urlsplit(target)
                if url.path == "/stats":
                    status, document = 200, asdict(self.stats)
                elif url.path == "/control" and method == "POST":
                    status, document = 200, self.control(json.loads(body))
                else:
                    key = re.search(r"\r\napi-key: *([^\r]+)", head, re.IGNORECASE)
                    refusal = self.arrive(key[1] if key else address, now)
                    await asyncio.sleep(LATENCY_SECONDS)
                    query = {name: values[0] for name, values in parse_qs(url.query).items()}
                    status, document = refusal or self.answer(url.path, query, time.time())
                data = json.dumps(document).encode()
                writer.write(
                    f"HTTP/1.1 {status} Status\r\ncontent-type: application/json\r\n"
                    f"content-length: {len(data)}\r\n\r\n".encode()
                    + data
                )
                await writer.drain()
        writer.close()


async def run(arguments: argparse.Namespace) -> None:
    """Serve until killed."""
    exchange = Exchange(arguments.limit, arguments.ban_seconds)
    server = await asyncio.start_server(exchange.serve, "127.0.0.1", arguments.port)
    print(f"exchange on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="An emulated exchange that bans.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--limit", type=int, default=10, help="requests in any one second")
    parser.add_argument("--ban-seconds", type=float, default=5.0)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
