"""A paper session, start to end: the seed's fourth integration.

A gate on the board says whether to start, a backup is made before, every tick is guarded and sends a heartbeat, and a drawdown
raises alerts: a warning first, then a critical one that stops the session. The prices are the emulated exchange's, which crash.
With --exchange-down the gate says no. Kill it with -9 while it runs, and the board's heartbeat turns red a few seconds later.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

import ccxt

import fuseboard
from fuseboard.backup import BackupManager, RecoveryManager
from fuseboard.health import HealthChecker, health_check
from fuseboard.monitoring import Alert, AlertLevel, AlertThreshold, get_alert_manager, get_metrics_collector
from fuseboard.resilience import CircuitBreakerOpenError

from exchange_bots import BREAKER, LIMITER, ResilientKrakenClient
from paper_broker import PaperBroker
from scene import EmulatedExchange, board, heading

metrics = get_metrics_collector()
alerts = get_alert_manager()

SYMBOL = "BTC/EUR"
CRASH_PER_TICK = 0.97


class ResilientLiveSession:
    """A strategy that buys once and holds, which is enough to lose money."""

    def __init__(self, client: fuseboard.Client, exchange: EmulatedExchange) -> None:
        self.client = client
        self.exchange = exchange
        self.broker = PaperBroker()
        self.backup_id = ""
        self.last_price = 0.0
        self.stopped_by: Alert | None = None
        for level, most in ((AlertLevel.WARNING, 0.05), (AlertLevel.CRITICAL, 0.15)):
            alerts.add_threshold(
                AlertThreshold(
                    metric_name="session_drawdown",
                    threshold=most,
                    level=level,
                    message_template="Session drawdown above {threshold:.0%}: {value:.1%}",
                )
            )
        alerts.add_handler(self.alerted)
        # A class that owns something registers its check when it has it.
        health_check("live")(lambda: ("green", "the broker answers", {"cash": round(self.broker.cash, 2)}))

    def alerted(self, alert: Alert) -> None:
        """The handler: a warning is told, a critical alert stops the session."""
        print(f"      [{alert.level}] {alert.message}")
        if alert.level == AlertLevel.CRITICAL:
            self.stopped_by = alert

    def declare(self) -> None:
        """What the session needs of the board. Declaring it again changes nothing."""
        self.client.limiter_put("kraken_api", LIMITER)
        self.client.breaker_put("kraken_api", BREAKER)
        self.client.check_put(
            "exchange",
            {"kind": "http", "url": f"{self.exchange.url}/0/public/Time", "interval_seconds": 5, "timeout_seconds": 2},
        )
        self.client.gate_put(
            "start_live_session",
            {
                "checks": ["exchange", "live"],
                "breakers": ["kraken_api"],
                "alerts": {"min_level": "critical"},
                "max_status": "yellow",
            },
        )

    async def may_start(self) -> bool:
        """Pre-flight: run all checks, then ask the gate, which also looks at breakers and alerts."""
        results = await HealthChecker(checks=["exchange", "live"]).run_all_checks()
        print(HealthChecker.format_results_cli(results))
        verdict = self.client.gate_evaluate("start_live_session")
        print(f"  gate start_live_session: {'open' if verdict['allowed'] else 'closed'}")
        for obstacle in verdict["blocking"]:
            print(f"      {obstacle['kind']} {obstacle['name']}: {obstacle['message'] or obstacle['status']}")
        return bool(verdict["allowed"])

    def begin(self) -> None:
        """A backup of what the session may ruin, and a dead man's switch."""
        self.backup_id = BackupManager().create_backup(
            {"broker": self.broker.state(), "session_start": {"strategy": "buy_and_hold", "symbol": SYMBOL}},
            backup_type="pre_session",
        )
        print(f"  backup {self.backup_id}")
        self.client.check_put("live_session", {"kind": "heartbeat", "interval_seconds": 2, "grace_seconds": 2})
        self.client.ping_post("live_session")
        metrics.increment("live_sessions_started")

    async def tick(self, kraken: ResilientKrakenClient, number: int) -> None:
        """A price, a trade, a look at the losses, a sign of life."""
        try:
            price = float((await kraken.fetch_ticker_safe(SYMBOL))["last"])
        except (ccxt.NetworkError, CircuitBreakerOpenError) as error:
            print(f"  {number:3}  no price: {type(error).__name__}")
            return
        if not self.broker.positions:
            amount = self.broker.buy(SYMBOL, price, 0.8)
            print(f"  {number:3}  bought {amount:.4f} at {price:.2f}")
        drawdown = self.broker.drawdown({SYMBOL: price})
        print(f"  {number:3}  worth {self.broker.worth({SYMBOL: price}):10.2f}  drawdown {drawdown:6.1%}", flush=True)
        metrics.set_gauge("session_drawdown", drawdown)
        alerts.check_metric("session_drawdown", drawdown)
        self.client.ping_post("live_session")
        self.last_price = price

    async def run(self, ticks: int, pause: float) -> None:
        """Until the end, or until a critical alert."""
        async with ResilientKrakenClient(self.exchange.url) as kraken:
            for number in range(1, ticks + 1):
                await self.tick(kraken, number)
                if self.stopped_by:
                    return
                self.exchange.control(factor=CRASH_PER_TICK**number)  # the market, which nobody asks
                await asyncio.sleep(pause)

    def end(self) -> dict[str, Any]:
        """Orderly: all is sold, no more heartbeats are due, the drawdown is over, the state before comes back, on record."""
        self.broker.sell_all({SYMBOL: self.last_price})
        self.client.check_delete("live_session")
        metrics.set_gauge("session_drawdown", 0.0)
        metrics.flush()
        reason = self.stopped_by.message if self.stopped_by else "end of the session"
        return RecoveryManager().restore_backup(self.backup_id, reason=reason, current={"broker": self.broker.state()})


async def session(client: fuseboard.Client, exchange: EmulatedExchange, ticks: int, pause: float) -> int:
    """All of it; the exit status."""
    live = ResilientLiveSession(client, exchange)
    live.declare()
    heading("May the session start?")
    if not await live.may_start():
        print("\nIt was not started, and no backup was made.")
        return 1
    heading("Session")
    live.begin()
    await live.run(ticks, pause)
    print("  " + (f"stopped: {live.stopped_by.message}" if live.stopped_by else "the end"))
    heading("Afterwards")
    before = live.end()["broker"]
    print(f"  cash before {before['cash']:.2f}, after {live.broker.cash:.2f}; both are on the board:")
    for kind in ("pre_session", "pre_restore"):
        print(f"  {BackupManager().list_backups(kind)[0].backup_id}")
    told = client.alert_list(metric_name="session_drawdown", limit=2)["items"]
    for alert in reversed(told):
        print(f"  alert {alert['id']}, {alert['state']}: {alert['message']}")
    return 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ticks", type=int, default=30, help="at most so many (default 30)")
    parser.add_argument("--pause", type=float, default=0.3, help="seconds between ticks (default 0.3)")
    parser.add_argument("--exchange-down", action="store_true", help="the exchange fails from the beginning")
    arguments = parser.parse_args()
    client = board()
    with EmulatedExchange() as exchange:
        exchange.control(fail=arguments.exchange_down)
        try:
            status = asyncio.run(session(client, exchange, arguments.ticks, arguments.pause))
        finally:
            client.check_delete("exchange")  # that exchange is gone
    sys.exit(status)


if __name__ == "__main__":
    main()
