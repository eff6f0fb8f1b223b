"""What a fault may touch."""

from __future__ import annotations

import pathlib
import random
import time
from collections.abc import Callable

from board import Board
from fleet import Fleet
from proxy import Proxy

Fault = Callable[["Scene"], str]


class Scene:
    """Everything that a fault may touch."""

    def __init__(self, board: Board, proxy: Proxy, fleet: Fleet, rng: random.Random) -> None:
        self.board, self.proxy, self.fleet, self.rng = board, proxy, fleet, rng
        self.clock: pathlib.Path | None = None

    def wait(self, least: float, most: float) -> float:
        seconds = self.rng.uniform(least, most)
        time.sleep(seconds)
        return seconds
