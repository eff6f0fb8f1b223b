"""A backtest that first asks whether all is well: the seed's second integration, with the package `backtesting`.

Health checks run before it, a backup is made of what it is about to use, its duration becomes a metric of the board. With
--spoil the prices have holes: the check of the data turns red, and nothing runs.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.metadata
import sys
from typing import Any

import pandas as pd
from backtesting import Strategy

from fuseboard.backup import BackupManager, RecoveryManager
from fuseboard.health import HealthChecker, HealthStatus, health_check
from fuseboard.monitoring import get_logger, get_metrics_collector

from market import MARKETS, BacktestEngine, Result, SmaCross, faults
from scene import board, heading

logger = get_logger(__name__)
metrics = get_metrics_collector()

data: pd.DataFrame = MARKETS["GOOG"]


@health_check("backtest")
def backtest_is_there() -> tuple[str, str]:
    """The engine can be used."""
    return "green", f"backtesting {importlib.metadata.version('backtesting')}"


@health_check("risk")
def risk_of_the_data() -> tuple[HealthStatus, str, dict[str, Any]]:
    """The prices are prices."""
    found = faults(data)
    status = HealthStatus.RED if found else HealthStatus.GREEN
    return status, "; ".join(found) or f"{len(data)} bars without a fault", {"bars": len(data)}


async def run_backtest_with_health_checks(strategy: type[Strategy], prices: pd.DataFrame) -> Result | None:
    """``None`` if the health checks say no."""
    checker = HealthChecker(checks=["backtest", "risk"])
    results = await checker.run_all_checks()
    print(checker.format_results_cli(results))
    if checker.get_overall_status(results) == "red":
        logger.error("Health check failed - aborting backtest")
        return None

    parameters = {"fast": strategy.fast, "slow": strategy.slow}
    backup_id = BackupManager().create_backup(
        {"pre_backtest_state": {"strategy": strategy.name, "parameters": parameters}},
        backup_type="pre_backtest",
        labels={"strategy": strategy.name},
    )
    print(f"Backup: {backup_id}")
    with metrics.timer("backtest_duration"):
        try:
            result = BacktestEngine().run(strategy, prices)
        except Exception:
            metrics.increment("backtests_failed")
            logger.exception("Backtest failed, its state is in %s", backup_id)
            raise
    metrics.increment("backtests_completed")
    return result


def main() -> None:
    """The command line."""
    global data
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--market", choices=sorted(MARKETS), default="GOOG", help="which prices (default GOOG)")
    parser.add_argument("--spoil", action="store_true", help="take prices out of the data before")
    arguments = parser.parse_args()
    client = board()
    data = MARKETS[arguments.market]
    if arguments.spoil:
        data = data.copy()
        data.loc[data.index[10:14], "Close"] = float("nan")

    heading("Is all well?")
    result = asyncio.run(run_backtest_with_health_checks(SmaCross, data))
    if result is None:
        print("\nRed: the backtest was not run, and no backup was made.")
        sys.exit(1)

    heading(f"{SmaCross.name} on {arguments.market}")
    print(f"Trades {result.trades}, return {result.total_return:.1%}, Sharpe ratio {result.sharpe_ratio:.2f}")

    heading("What the board knows now")
    latest = RecoveryManager().get_latest_backup("pre_backtest")
    assert latest is not None
    print(
        f"Newest backup: {latest.backup_id}, {latest.size_bytes} bytes, whole: "
        f"{RecoveryManager().verify_backup(latest.backup_id)}"
    )
    metrics.flush()
    seen = client.metrics_view(prefix="backtest")
    print(f"Backtests completed, by all processes: {seen['counters']['backtests_completed']:.0f}")
    print(f"Mean duration: {seen['timers']['backtest_duration']['mean']:.2f} s")


if __name__ == "__main__":
    main()
