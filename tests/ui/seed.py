"""A board on which something is going on: for tests of every view, and for looking at it by hand.

``python tests/ui/seed.py http://127.0.0.1:7077`` fills a server that runs.
"""

from __future__ import annotations

import random
import sys
from typing import Any, Protocol


class Board(Protocol):
    def ask(self, method: str, path: str, body: Any = None) -> Any: ...

    def fail(self, breaker: str, times: int = 1, client: str = "bot-1", error: str | None = None) -> None: ...

    def succeed(self, breaker: str, times: int = 1, client: str = "bot-1") -> None: ...


WINDOW = {
    "kind": "count",
    "size": 50,
    "minimum_calls": 10,
    "failure_rate": 0.5,
    "slow_call_rate": 0.9,
    "slow_call_seconds": 2,
}
BREAKERS = {
    "binance_futures": {},
    "binance_ohlcv": {"window": WINDOW},
    "binance_orders": {"window": WINDOW},
    "binance_ws": {},
    "kraken_api": {"timeout_seconds": 90},
    "kraken_ohlcv": {"window": WINDOW},
    "kraken_orders": {"min_reporters": 2},
    "coinbase_api": {},
    "coinbase_orders": {},
    "postgres": {"failure_threshold": 3},
    "risk-engine": {},
    "mailer": {},
}


def populate(board: Board) -> None:
    """Fill an empty board."""
    breakers(board)
    limiters(board)
    retries(board)
    checks(board)
    board.ask(
        "PUT",
        "/v1/gates/session-start",
        {"checks": ["exchange-feed", "portfolio"], "breakers": ["kraken_api"]},
    )
    board.ask("PUT", "/v1/gates/backtest", {"checks": ["engine"], "max_status": "yellow"})
    receivers(board)
    metrics(board)
    backups(board)
    schedules(board)
    windows(board)
    board.ask(
        "POST",
        "/v1/silences",
        {
            "matchers": ['alertname="queue_depth"'],
            "duration_seconds": 7200,
            "created_by": "mira",
            "comment": "being rebuilt",
        },
    )


def breakers(board: Board) -> None:
    chance = random.Random(7)
    for name, config in BREAKERS.items():
        board.ask("PUT", f"/v1/breakers/{name}", config)
        for client in ("bot-1", "bot-7", "backtest-3"):
            board.succeed(name, chance.randrange(2, 9), client)
    board.fail("binance_ohlcv", 4, "bot-7")
    board.fail("kraken_orders", 3, "bot-7")
    board.fail("coinbase_api", 2, "bot-1")
    board.fail("kraken_api", 5, "bot-7", "504 Gateway Timeout from api.kraken.com")
    board.fail("postgres", 3, "backtest-3", "connection refused")
    board.ask(
        "POST", "/v1/breakers/postgres/state", {"target": "half_open", "reason": "restarted", "actor": "mira"}
    )
    board.ask(
        "POST",
        "/v1/breakers/coinbase_orders/state",
        {
            "target": "forced_open",
            "reason": "exchange maintenance",
            "actor": "mira",
            "ttl_seconds": 5400,
        },
    )
    board.ask(
        "POST", "/v1/breakers/mailer/state", {"target": "disabled", "reason": "new provider", "actor": "jon"}
    )
    board.ask(
        "POST",
        "/v1/breakers/risk-engine/state",
        {"target": "metrics_only", "reason": "measuring first", "actor": "jon"},
    )


def limiters(board: Board) -> None:
    board.ask("PUT", "/v1/limiters/kraken", {"requests_per_second": 10, "burst_size": 20})
    board.ask(
        "PUT", "/v1/limiters/binance", {"algorithm": "sliding_window", "limit": 1200, "period_seconds": 60}
    )
    board.ask("PUT", "/v1/limiters/coinbase", {"requests_per_second": 8})
    board.ask("PUT", "/v1/limiters/gpu", {"algorithm": "concurrency", "limit": 4})
    board.ask("POST", "/v1/limiters/kraken/acquire", {"tokens": 14, "client": "bot-1"})
    board.ask("POST", "/v1/limiters/binance/acquire", {"tokens": 811, "client": "bot-7"})
    board.ask("POST", "/v1/limiters/gpu/lease", {"tokens": 3, "client": "backtest-3"})
    board.ask(
        "POST",
        "/v1/limiters/coinbase/penalize",
        {"retry_after_seconds": 900, "reason": "429 from the exchange"},
    )


def retries(board: Board) -> None:
    board.ask("PUT", "/v1/retry-policies/exchange", {"budget_ratio": 0.2, "budget_window_seconds": 3600})
    board.ask(
        "PUT",
        "/v1/retry-policies/mail",
        {"max_attempts": 5, "budget_ratio": 0.2, "budget_min_per_second": 0, "budget_window_seconds": 3600},
    )
    for policy, calls, again in (("exchange", 30, 9), ("mail", 10, 3)):
        for attempt in [1] * calls + [2] * again:
            board.ask("POST", f"/v1/retry-policies/{policy}/attempts", {"attempt": attempt})


def receivers(board: Board) -> None:
    board.ask(
        "PUT",
        "/v1/receivers/ops-chat",
        {"kind": "slack", "url": "http://127.0.0.1:9/services/T0/B0/x", "channel": "#ops"},
    )
    board.ask(
        "PUT",
        "/v1/receivers/on-call",
        {"kind": "webhook", "url": "http://127.0.0.1:9/hooks/x", "give_up_after_seconds": 0},
    )
    board.ask(
        "PUT",
        "/v1/receivers/desk",
        {
            "kind": "email",
            "smtp_host": "127.0.0.1",
            "from": "board@example.com",
            "to": ["desk@example.com"],
            "send_resolved": False,
        },
    )
    board.ask(
        "PUT",
        "/v1/routes/trading",
        {
            "matchers": ['severity=~"error|critical"'],
            "receiver": "on-call",
            "group_by": ["alertname"],
            "group_wait_seconds": 0,
            "routes": [{"matchers": ['strategy="carry"'], "receiver": "night-desk"}],
        },
    )
    board.ask("PUT", "/v1/routes/rest", {"position": 1, "receiver": "ops-chat", "group_wait_seconds": 0})


def windows(board: Board) -> None:
    board.ask(
        "PUT",
        "/v1/maintenance-windows/exchange-upgrade",
        {
            "starts_at": "2027-01-01T00:00:00Z",
            "ends_at": "2027-01-01T04:00:00Z",
            "matchers": ['exchange="coinbase"'],
            "comment": "announced by the exchange",
            "created_by": "mira",
        },
    )
    board.ask(
        "PUT",
        "/v1/maintenance-windows/weekly-restart",
        {
            "cron": "0 4 * * SUN",
            "timezone": "Europe/Berlin",
            "duration_seconds": 7200,
            "comment": "all machines",
            "created_by": "jon",
        },
    )


def checks(board: Board) -> None:
    for name, spec in {
        "engine": {"description": "The backtest engine can be imported."},
        "portfolio": {},
        "risk": {},
        "exchange-feed": {"description": "Ticks of the last minute."},
        "disk": {"critical": False},
    }.items():
        board.ask("PUT", f"/v1/checks/{name}", {"kind": "push", "stale_after_seconds": 3600, **spec})
    board.ask(
        "PUT",
        "/v1/checks/nightly-report",
        {"kind": "heartbeat", "interval_seconds": 86400, "grace_seconds": 3600},
    )
    board.ask(
        "PUT", "/v1/checks/kraken-breaker", {"kind": "breaker", "breaker": "kraken_api", "critical": False}
    )

    def push(name: str, status: str, message: str) -> None:
        board.ask(
            "POST",
            f"/v1/checks/{name}/results",
            {"status": status, "message": message, "duration_seconds": 0.04},
        )

    for name in ("engine", "portfolio", "risk", "exchange-feed", "disk"):
        push(name, "green", "as it should be")
    push("exchange-feed", "red", "no tick from Kraken for 94 s")
    push("exchange-feed", "green", "as it should be")
    push("exchange-feed", "red", "no tick from Kraken for 127 s")
    push("disk", "yellow", "81 % full")


def metrics(board: Board) -> None:
    board.ask(
        "POST",
        "/v1/thresholds",
        {
            "metric_name": "portfolio_drawdown",
            "comparison": ">",
            "threshold": 0.15,
            "level": "critical",
            "message_template": "Portfolio drawdown too high: {value:.2%}",
        },
    )
    board.ask(
        "POST",
        "/v1/thresholds",
        {"metric_name": "queue_depth", "comparison": ">=", "threshold": 1000, "level": "warning"},
    )
    samples: list[dict[str, Any]] = [
        {
            "name": "portfolio_drawdown",
            "type": "gauge",
            "op": "set",
            "value": 0.173,
            "labels": {"strategy": "ma_cross"},
        },
        {
            "name": "portfolio_drawdown",
            "type": "gauge",
            "op": "set",
            "value": 0.021,
            "labels": {"strategy": "carry"},
        },
        {"name": "queue_depth", "type": "gauge", "op": "set", "value": 1840},
        {"name": "backtests_completed", "type": "counter", "op": "increment", "value": 312},
    ]
    chance = random.Random(3)
    samples += [
        {
            "name": "backtest_duration",
            "type": "timer",
            "op": "observe",
            "value": chance.lognormvariate(0, 0.6),
        }
        for _ in range(60)
    ]
    board.ask("POST", "/v1/metrics", {"samples": samples, "client": "bot-7"})


def backups(board: Board) -> None:
    def save(started: str | None, max_drawdown: float) -> None:
        session = {"mode": "live", "started": started, "risk": {"max_drawdown": max_drawdown}}
        board.ask(
            "POST",
            "/v1/backups",
            {
                "backup_type": "pre_session",
                "labels": {"strategy": "ma_cross"},
                "data": {"positions": positions, "session": session},
            },
        )

    positions = {"BTC/EUR": {"size": "0.40", "entry": 61250.5}, "ETH/EUR": {"size": "3.1", "entry": 3310.0}}
    save(None, 0.15)
    positions["BTC/EUR"]["size"] = "0.55"
    positions.pop("ETH/EUR")
    positions["SOL/EUR"] = {"size": "12", "entry": 151.2}
    save("2027-01-15T08:00:00Z", 0.12)
    board.ask("POST", "/v1/backups", {"backup_type": "daily", "data": {"state": {"equity": [1.0] * 4000}}})


def schedules(board: Board) -> None:
    board.ask(
        "PUT",
        "/v1/schedules/nightly-backup",
        {
            "cron": "0 2 * * *",
            "timezone": "Europe/Berlin",
            "action": {"kind": "create_backup", "backup_type": "scheduled", "source": {"kind": "board"}},
        },
    )
    board.ask(
        "PUT", "/v1/schedules/checks-every-5-min", {"cron": "*/5 * * * *", "action": {"kind": "run_checks"}}
    )
    board.ask(
        "PUT",
        "/v1/schedules/report-hook",
        {
            "cron": "30 6 * * 1-5",
            "timezone": "America/New_York",
            "action": {"kind": "webhook", "url": "http://127.0.0.1:9/report", "method": "POST"},
        },
    )
    board.ask("POST", "/v1/schedules/nightly-backup/run?wait_seconds=20", {})
    board.ask("POST", "/v1/schedules/checks-every-5-min/run?wait_seconds=20", {})
    board.ask("POST", "/v1/schedules/report-hook/run?wait_seconds=20", {})


if __name__ == "__main__":
    from server import Server

    running = Server.__new__(Server)
    running._token = None
    running._port = int(sys.argv[1].rsplit(":", 1)[1].strip("/"))
    populate(running)
