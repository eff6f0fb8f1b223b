"""A broker that trades with play money at the prices of the emulated exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class PaperBroker:
    """Cash and positions, and how far their worth has fallen from its best."""

    cash: float = 100_000.0
    positions: dict[str, float] = field(default_factory=dict)
    best: float = 0.0

    def buy(self, symbol: str, price: float, share_of_cash: float) -> float:
        """Spend so much of the cash; the amount bought."""
        amount = self.cash * share_of_cash / price
        self.cash -= amount * price
        self.positions[symbol] = self.positions.get(symbol, 0.0) + amount
        return amount

    def sell_all(self, prices: dict[str, float]) -> None:
        """Back to cash."""
        self.cash = self.worth(prices)
        self.positions.clear()

    def worth(self, prices: dict[str, float]) -> float:
        """All of it."""
        return self.cash + sum(amount * prices[symbol] for symbol, amount in self.positions.items())

    def drawdown(self, prices: dict[str, float]) -> float:
        """0.1: a tenth below the best so far."""
        worth = self.worth(prices)
        self.best = max(self.best, worth)
        return 1 - worth / self.best

    def state(self) -> dict[str, Any]:
        """What a backup has to have."""
        return {"cash": self.cash, "positions": dict(self.positions)}
