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


MAX_SPENDS = 1000
"""The most entries that say what was spent; of more, the oldest count as one."""


class LocalBucket:
    """A token bucket that is empty when it is made: what the server granted last may still be running.

    ``quiet`` seconds pass before it begins to fill. Remembers when tokens were spent, for the server to
    count them.
    """

    def __init__(
        self, rate: float, burst: float, clock: Clock = time.monotonic, *, quiet: float = 0.0
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._lock = threading.RLock()
        self._tokens = 0.0
        self._at = clock() + quiet
        self._paused = False
        self._spends: deque[tuple[float, float]] = deque()

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
            return wait

    def give_back(self, tokens: float) -> None:
        """Tokens that were reserved and not used."""
        with self._lock:
            self._tokens = min(self.burst, self._tokens + tokens)

    def spend(self, tokens: float) -> bool:
        """Use tokens that were reserved and are due; not while the server is being told."""
        with self._lock:
            if not self._paused:
                self.note(tokens)
            return not self._paused

    def note(self, tokens: float) -> None:
        """Tokens that are spent whether they are there or not."""
        with self._lock:
            self._spends.append((self._clock(), tokens))
            if len(self._spends) > MAX_SPENDS:
                _, oldest = self._spends.popleft()
                at, next_one = self._spends.popleft()
                self._spends.appendleft((at, oldest + next_one))

    def pause(self, paused: bool) -> None:
        """Whether the server is being told what was spent: until it knows, nothing more is."""
        with self._lock:
            self._paused = paused

    def take_spent(self) -> list[tuple[float, float]]:
        """What was spent: when, and how much. Each token is told once."""
        with self._lock:
            spent = list(self._spends)
            self._spends.clear()
            return spent


class LocalPermits:
    """So many calls in flight at once, after ``quiet`` seconds: until then what the server let go counts."""

    def __init__(self, permits: int, clock: Clock = time.monotonic, *, quiet: float = 0.0) -> None:
        self.permits = permits
        self.running = 0
        self._clock = clock
        self._lock = threading.RLock()
        self._from = clock() + quiet
        self._paused = False
        self._lease: str | None = None

    def enter(self) -> float:
        """0 if a call may go, and is in flight from now on; else how long to wait before the next try."""
        with self._lock:
            left = self._from - self._clock()
            if left > 0:
                return left
            if self._paused or self.running >= self.permits:
                return 0.01
            self.running += 1
            return 0.0

    def leave(self) -> str | None:
        """A call has ended. The server's lease, if that was the last of those that it was told of."""
        with self._lock:
            self.running = max(0, self.running - 1)
            return self._over()

    def pause(self, paused: bool) -> None:
        """Whether the server is being told how many run."""
        with self._lock:
            self._paused = paused

    def hand_over(self, lease: str) -> str | None:
        """From now on the server counts them, under that lease; it comes back if they are over already."""
        with self._lock:
            self._lease = lease
            return self._over()

    def _over(self) -> str | None:
        if self.running:
            return None
        lease, self._lease = self._lease, None
        return lease
