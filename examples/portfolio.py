"""A portfolio whose drawdown and Sharpe ratio raise alerts: the seed's third integration, with the package `backtesting`.

Three markets, equal weights. The results become gauges of the board, and thresholds, which all processes share, turn them into
alerts: for the handlers here, and for whoever asks the board.
"""

from __future__ import annotations

import argparse

import pandas as pd

from fuseboard.monitoring import (
    Alert,
    AlertLevel,
    AlertThreshold,
    get_alert_manager,
    get_logger,
    get_metrics_collector,
)

from market import MARKETS, BacktestEngine, SmaCross
from scene import board, heading

logger = get_logger(__name__)
metrics = get_metrics_collector()
alerts = get_alert_manager()


class Portfolio:
    """Equal parts of the strategy in several markets."""

    def run_backtest(self, markets: list[str]) -> tuple[float, float, float]:
        """Sharpe ratio of the mean of the markets' ratios, return and drawdown of equal parts."""
        results = {market: BacktestEngine().run(SmaCross, MARKETS[market]) for market in markets}
        for market, result in results.items():
            print(f"  {market:8} return {result.total_return:8.1%}  drawdown {result.max_drawdown:8.1%}")
        # The markets have different calendars: bars are taken side by side, each curve stretched over a thousand steps.
        steps = pd.DataFrame({market: stretched(result.equity) for market, result in results.items()}).mean(axis="columns")
        drawdown = float((steps / steps.cummax() - 1).min())
        sharpe = sum(result.sharpe_ratio for result in results.values()) / len(results)
        return sharpe, float(steps.iloc[-1] / steps.iloc[0] - 1), drawdown


def stretched(equity: pd.Series, steps: int = 1000) -> list[float]:
    """The curve, from 1, at so many places."""
    return [float(equity.iloc[step * (len(equity) - 1) // (steps - 1)] / equity.iloc[0]) for step in range(steps)]


class MonitoredPortfolio:
    """A portfolio with gauges and thresholds."""

    def __init__(self) -> None:
        self.portfolio = Portfolio()
        alerts.add_threshold(
            AlertThreshold(
                metric_name="portfolio_drawdown",
                threshold=0.15,
                level=AlertLevel.WARNING,
                comparison=">",
                message_template="Portfolio drawdown too high: {value:.2%}",
            )
        )
        alerts.add_threshold(
            AlertThreshold(
                metric_name="portfolio_sharpe",
                threshold=1.0,
                level=AlertLevel.WARNING,
                comparison="<",
                message_template="Sharpe ratio too low: {value:.2f}",
            )
        )
        alerts.add_handler(self.told)

    @staticmethod
    def told(alert: Alert) -> None:
        """What a handler gets; it could stop trading."""
        print(f"  [{alert.level}] {alert.message}")

    def run_backtest_monitored(self, markets: list[str]) -> None:
        """Run, measure, look at the thresholds."""
        heading("Backtest")
        with metrics.timer("portfolio_backtest_duration"):
            sharpe, total_return, drawdown = self.portfolio.run_backtest(markets)
        metrics.set_gauge("portfolio_sharpe", sharpe)
        metrics.set_gauge("portfolio_return", total_return)
        metrics.set_gauge("portfolio_drawdown", abs(drawdown))
        print(f"  together return {total_return:8.1%}  drawdown {drawdown:8.1%}  Sharpe ratio {sharpe:.2f}")
        heading("Alerts that the handler got")
        alerts.check_metric("portfolio_drawdown", abs(drawdown))
        alerts.check_metric("portfolio_sharpe", sharpe)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("markets", nargs="*", help=f"of {', '.join(MARKETS)} (default all)")
    arguments = parser.parse_args()
    for market in arguments.markets:
        if market not in MARKETS:
            parser.error(f"there is no market {market}")
    client = board()
    MonitoredPortfolio().run_backtest_monitored(arguments.markets or list(MARKETS))
    metrics.flush()

    heading("What any other process sees on the board")
    for name, value in sorted(client.metrics_view(prefix="portfolio")["gauges"].items()):
        print(f"  {name} {value:.4f}")
    firing = [alert for alert in client.alert_list(state="firing")["items"] if "portfolio" in alert["metric_name"]]
    for alert in firing:
        print(f"  firing since {alert['started_at']}: {alert['message']}")
    if not firing:
        print("  no alert is firing")


if __name__ == "__main__":
    main()
