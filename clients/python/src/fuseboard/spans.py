"""What this process counts of a breaker while it admits calls by itself.

Everything that a call touches is in slots and is used without a lock. Successes are counted by an iterator,
whose steps are atomic; whatever is not a plain success takes a lock, since its place in the order matters.
"""

from __future__ import annotations

import functools
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

NEVER = float("-inf")
ALWAYS = float("inf")
MAX_RUNS = 1000
"""The most runs of one report."""
MAX_WAITING_RUNS = 5000
"""The most runs that wait; of more, the oldest are dropped."""

clock: Callable[[], float] = time.monotonic
if hasattr(time, "CLOCK_BOOTTIME"):
    # counts on in suspend, as the server's clock does: no lease outlives it by sleeping
    clock = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class Run:
    """Equal outcomes, one after another."""

    __slots__ = ("count", "outcome", "seconds", "slow")

    def __init__(self, outcome: str, count: int, slow: int, seconds: float) -> None:
        self.outcome = outcome
        self.count = count
        self.slow = slow
        self.seconds = seconds

    def report(self) -> dict[str, Any]:
        """Its form on the wire."""
        item: dict[str, Any] = {"outcome": self.outcome, "count": self.count}
        if self.slow:
            item["slow"] = self.slow
        if self.seconds > 0:
            item["duration_seconds"] = round(self.seconds, 6)
        return item


class Span:
    """One generation of a breaker.

    Calls may be admitted before ``fresh``, which moves on while the server is heard of, and lies behind
    once they may not. ``ok()`` counts a success that took less than ``slow_after``, ``busy`` sums their
    time.
    """

    __slots__ = ("_lock", "_reads", "_runs", "_taken", "busy", "error", "failures", "fresh", "generation",
                 "ok", "on_failure", "slow_after")  # fmt: skip

    def __init__(
        self, generation: int, slow_after: float = ALWAYS, on_failure: Callable[[Span], None] | None = None
    ) -> None:
        self.fresh = NEVER
        self.generation = generation
        self.slow_after = slow_after
        self.ok = itertools.count().__next__
        self.busy = 0.0
        self.failures = 0
        self.error: str | None = None
        self.on_failure = on_failure
        self._reads = 0
        self._taken = 0
        self._runs: deque[Run] = deque(maxlen=MAX_WAITING_RUNS)
        # a coroutine may be finalised, and report, inside any allocation
        self._lock = threading.RLock()

    def ended(self, outcome: str, seconds: float, error: str | None = None) -> None:
        """A call that was no quick success."""
        with self._lock:
            self._take_successes()
            slow = int(seconds >= self.slow_after and outcome != "ignored")
            self._append(outcome, 1, slow, seconds)
            if outcome == "success":
                self.failures = 0
            elif outcome == "failure":
                self.failures += 1
                self.error = error
        if outcome == "failure" and self.on_failure is not None:
            self.on_failure(self)

    def collect(self) -> list[Run]:
        """What has happened since the last time, as much of it as fits into one report."""
        with self._lock:
            self._take_successes()
            runs = self._runs
            return [runs.popleft() for _ in range(min(len(runs), MAX_RUNS))]

    def forget(self) -> None:
        """Nothing of this is of interest any more."""
        with self._lock:
            self._take_successes()
            self._runs.clear()
            self.failures = 0

    def _take_successes(self) -> None:
        count = self.ok() - self._reads
        self._reads += 1
        fresh = count - self._taken
        if fresh > 0:
            self._taken = count
            busy, self.busy = self.busy, 0.0
            self.failures = 0
            self._append("success", fresh, 0, busy)

    def _append(self, outcome: str, count: int, slow: int, seconds: float) -> None:
        last = self._runs[-1] if self._runs else None
        # the slow ones of a run count last
        if last is not None and last.outcome == outcome and (slow or not last.slow):
            last.count += count
            last.slow += slow
            last.seconds += seconds
        else:
            self._runs.append(Run(outcome, count, slow, seconds))


CLOSED_DOOR = Span(0)
"""Stands where nobody may be admitted without asking."""
