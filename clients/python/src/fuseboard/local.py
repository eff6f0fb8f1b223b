"""What decides while the server is away: the same rules in this process alone.

Both classes lock re-entrantly, because a coroutine may be finalised, and report, inside any allocation.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable

from .specs import CircuitBreakerConfig

Clock = Callable[[], float]


class LocalBreaker:
    """The seed's rule, starting from what the server last said about the shared breaker."""

    def __init__(self, config: CircuitBreakerConfig, clock: Clock = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.RLock()
        self._failures = 0
        self._open_until: float | None = None
        self._trials = 0
        self._epoch = 0

    @property
    def name(self) -> str:
        """Its name on the board."""
        return self._config.name

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half_open``."""
        with self._lock:
            if self._open_until is None:
                return "closed"
            return "open" if self._clock() < self._open_until else "half_open"

    @property
    def failures(self) -> int:
        """Consecutive failures of this process."""
        return self._failures

    def follow(self, state: str, retry_after: float | None) -> None:
        """Remember what the server said; it wins over what was decided here."""
        shut = state in ("open", "forced_open")
        if not shut and self._open_until is None:
            return
        with self._lock:
            self._trials = 0
            self._epoch += 1
            if shut:
                wait = self._config.timeout_seconds if retry_after is None else retry_after
                self._open_until = self._clock() + wait
            elif state == "half_open":
                self._open_until = self._clock()
            else:
                self._open_until = None
                self._failures = 0

    def adopt(self, failure_threshold: int, timeout_seconds: float, half_open_max_calls: int) -> None:
        """The configuration that the server has, which need not be that of the decorator."""
        self._config = dataclasses.replace(
            self._config,
            failure_threshold=failure_threshold,
            timeout_seconds=timeout_seconds,
            half_open_max_calls=half_open_max_calls,
        )

    def goes_on(self, failures: int) -> None:
        """It was closed when the server was heard of last, and this process had seen so many failures in
        a row."""
        with self._lock:
            self._failures = failures
            self._open_until = None
            self._trials = 0
            self._epoch += 1

    def tally(self, outcome: str) -> None:
        """Count an outcome that the server decides about, so that its loss finds the count right."""
        if outcome == "failure":
            self._failures += 1
        elif outcome == "success":
            self._failures = 0

    def admit(self) -> tuple[int | None, float]:
        """A permit, to be given back with the outcome, or ``None`` and the time to wait."""
        with self._lock:
            if self._open_until is None:
                return self._epoch, 0.0
            left = self._open_until - self._clock()
            if left > 0:
                return None, left
            if self._trials >= self._config.half_open_max_calls:
                return None, 1.0
            self._trials += 1
            return self._epoch, 0.0

    def refuses(self) -> float | None:
        """How long it will surely refuse; ``None`` if it may admit."""
        with self._lock:
            left = 0.0 if self._open_until is None else self._open_until - self._clock()
            return left if left > 0 else None

    def settle(self, permit: int, outcome: str) -> str:
        """The outcome of an admitted call. One of an earlier state moves nothing.

        What it was: ``counted`` in a closed breaker, ``recovered`` if it closed it, ``trial`` or ``stale``.
        """
        with self._lock:
            if permit != self._epoch:
                return "stale"
            half_open = self._open_until is not None
            if half_open:
                self._trials = max(0, self._trials - 1)
            if outcome == "success":
                self._failures = 0
                if half_open:
                    self._open_until = None
                    self._trials = 0
                    self._epoch += 1
                    return "recovered"
            elif outcome == "failure":
                self._failures += 1
                if half_open or self._failures >= self._config.failure_threshold:
                    self._open_until = self._clock() + self._config.timeout_seconds
                    self._trials = 0
                    self._epoch += 1
            return "trial" if half_open else "counted"

    def reset(self) -> None:
        """Closed, and nothing counted."""
        with self._lock:
            self._failures = 0
            self._open_until = None
            self._trials = 0
            self._epoch += 1


MAX_SPENDS = 10_000


class LocalBucket:
    """A token bucket that is empty when it is made: what the server granted last may still be running.

    ``quiet`` seconds pass before it begins to fill. Remembers when tokens were spent, for the server to
    count them.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        clock: Clock = time.monotonic,
        *,
        quiet: float = 0.0,
        memory: float = 0.0,
    ) -> None:
        self.rate = rate
        self.burst = burst
        self.memory = memory
        self._clock = clock
        self._lock = threading.RLock()
        self._tokens = 0.0
        self._at = clock() + quiet
        self._spends: deque[tuple[float, float]] = deque(maxlen=MAX_SPENDS)

    def reserve(self, tokens: float, patience: float) -> float | None:
        """Take tokens that are there after the returned wait; ``None`` if that is beyond the patience."""
        with self._lock:
            now = self._clock()
            if now > self._at:
                self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
                self._at = now
            missing = max(0.0, tokens - self._tokens)
            wait = missing / self.rate + max(0.0, self._at - now) if missing > 0 else 0.0
            if wait > patience:
                return None
            self._tokens -= tokens
            self._spends.append((now + wait, tokens))
            return wait

    def give_back(self, tokens: float) -> None:
        """Tokens that were reserved and not used."""
        with self._lock:
            self._tokens = min(self.burst, self._tokens + tokens)
            for i in range(len(self._spends) - 1, -1, -1):
                if self._spends[i][1] == tokens:
                    del self._spends[i]
                    break

    def note(self, tokens: float) -> None:
        """Tokens that are spent whether they are there or not."""
        with self._lock:
            self._spends.append((self._clock(), tokens))

    def take_spent(self) -> float:
        """Tokens that were spent lately enough to count still, each told once."""
        with self._lock:
            since = self._clock() - self.memory
            spent = sum(tokens for at, tokens in self._spends if at > since)
            self._spends.clear()
            return spent
