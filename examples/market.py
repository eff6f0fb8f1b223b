"""The strategies and prices of the backtest examples: real prices that come with the package ``backtesting``."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import pandas as pd
from backtesting import Backtest, Strategy
from backtesting.lib import crossover
from backtesting.test import BTCUSD, EURUSD, GOOG, SMA

MARKETS: dict[str, pd.DataFrame] = {"GOOG": GOOG, "EURUSD": EURUSD, "BTCUSD": BTCUSD}


class SmaCross(Strategy):  # type: ignore[misc]
    """In the market while the fast moving average is above the slow one."""

    name = "sma_cross"
    fast, slow = 10, 30

    def init(self) -> None:
        """The two averages."""
        self.fast_average = self.I(SMA, self.data.Close, self.fast)
        self.slow_average = self.I(SMA, self.data.Close, self.slow)

    def next(self) -> None:
        """A bar later."""
        if crossover(self.fast_average, self.slow_average):
            self.buy()
        elif crossover(self.slow_average, self.fast_average):
            self.position.close()


@dataclass
class Result:
    """What the integrations look at."""

    sharpe_ratio: float
    total_return: float
    max_drawdown: float
    trades: int
    equity: pd.Series


class BacktestEngine:
    """``backtesting.Backtest`` with the names of the integrations."""

    def run(self, strategy: type[Strategy], data: pd.DataFrame) -> Result:
        """One strategy on one market. Raises what ``backtesting`` raises on prices that are none."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # trades that are open at the end, and their like
            test = Backtest(data, strategy, cash=1_000_000, commission=0.0002, finalize_trades=True)
            told: Any = test.run()
        return Result(
            sharpe_ratio=float(told["Sharpe Ratio"]),
            total_return=float(told["Return [%]"]) / 100,
            max_drawdown=float(told["Max. Drawdown [%]"]) / 100,
            trades=int(told["# Trades"]),
            equity=told["_equity_curve"]["Equity"],
        )


def faults(data: pd.DataFrame) -> list[str]:
    """What is wrong with prices."""
    found = []
    if data[["Open", "High", "Low", "Close"]].isna().any().any():
        found.append(f"{int(data.Close.isna().sum())} bars without a price")
    if (data[["Open", "High", "Low", "Close"]] <= 0).any().any():
        found.append("prices that are not positive")
    if not data.index.is_monotonic_increasing or data.index.has_duplicates:
        found.append("bars out of order")
    return found
