"""This process's shares of limiters, which it spends while the server is away."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from .leases import lease_seconds
from .local import MAX_SPENDS, LocalBucket, LocalPermits
from .specs import RateLimiterConfig

UNEVEN = 1 - 1e-6
"""A little slower than even: then no window has more than the whole parts of all clients."""


class Shares:
    """What the server said this client may spend of each limiter, and what it has spent."""

    def __init__(self, peers: int) -> None:
        self.rates: dict[str, float] = {}
        self.permits: dict[str, float] = {}
        self._peers = peers
        # how long to keep still after the loss, and when that was said
        self._pauses: dict[str, tuple[float, float]] = {}
        self._only_promises: set[str] = set()
        self._limiters: dict[str, dict[str, Any]] = {}
        self._promised: dict[str, float] = {}
        self._buckets: dict[str, LocalBucket] = {}
        self._in_flight: dict[str, LocalPermits] = {}
        self._untold: list[tuple[str, tuple[float, float]]] = []
        # re-entrant: a coroutine may be finalised, and leave, inside any allocation
        self._lock = threading.RLock()
        self._paused = False

    # what the server said

    def promise(self, name: str, wait: float) -> None:
        """It gave a slot ahead, which will be used whatever happens to the server."""
        self._promised[name] = max(self._promised.get(name, 0.0), time.monotonic() + wait)

    def learn_limiter(self, name: str, told: dict[str, Any]) -> None:
        """All of a limiter."""
        self._limiters[name] = told
        share = told.get("fallback_share")
        if told.get("algorithm") == "concurrency":
            self._learn(self.permits, name, share)
        else:
            self._learn(self.rates, name, share)

    def learn_call(self, name: str, decision: dict[str, Any]) -> None:
        """What an answer to a call says of the limiters that it named."""
        self._learn(self.rates, name, decision.get("fallback_share"))
        self._learn(self.permits, name, decision.get("fallback_permits"))
        self._learn_pause(name, decision.get("fallback_after_seconds"))

    def learn_acquired(self, name: str, answer: dict[str, Any]) -> None:
        """What an answer says of the one limiter that was asked."""
        in_flight = answer.get("lease_id") is not None or answer.get("reason") == "concurrency_full"
        self._learn(self.permits if in_flight else self.rates, name, answer.get("fallback_share"))
        self._learn_pause(name, answer.get("fallback_after_seconds"))

    def _learn_pause(self, name: str, told: object) -> None:
        pause = float(told) if isinstance(told, (int, float)) else 0.0
        if pause == 0.0:
            # it has no span of its own to wait for: what it tells are promises, which pass
            self._only_promises.add(name)
        self._pauses[name] = (pause, time.monotonic())

    @staticmethod
    def _learn(shares: dict[str, float], name: str, share: object) -> None:
        if isinstance(share, (int, float)) and share > 0:
            shares[name] = float(share)

    # what is spent

    def begin_afresh(self) -> None:
        """The server has just gone: what it granted last may still be running."""
        with self._lock:
            for name, bucket in self._buckets.items():
                self._untold += [(name, spend) for spend in bucket.take_spent()]
            self._buckets.clear()
            self._in_flight.clear()
            self._paused = False

    def has_rate(self, name: str) -> bool:
        """Whether there is a limit on how often."""
        return name in self.rates

    def bucket_of(self, limiter: RateLimiterConfig) -> LocalBucket:
        """The tokens of this process."""
        with self._lock:
            bucket = self._buckets.get(limiter.name)
            if bucket is None:
                bucket = self._buckets[limiter.name] = self._made_bucket(limiter)
                bucket.pause(self._paused)
            return bucket

    def is_over(self, name: str, bucket: LocalBucket) -> bool:
        """Whether that belongs to an absence that is over."""
        return self._buckets.get(name) is not bucket

    def permits_of(self, name: str) -> LocalPermits | None:
        """The calls in flight of this process, if the limiter counts those."""
        share = self.permits.get(name)
        if share is None:
            return None
        with self._lock:
            permits = self._in_flight.get(name)
            if permits is None:
                config = self._limiters.get(name, {}).get("config")
                lease = config.get("lease_seconds") if isinstance(config, dict) else None
                quiet = max(self._quiet(name), float(lease or 0.0))
                permits = self._in_flight[name] = LocalPermits(max(1, int(share)), quiet=quiet)
                permits.pause(self._paused)
            return permits

    def _quiet(self, name: str) -> float:
        now = time.monotonic()
        pause, told_at = self._pauses.get(name, (0.0, now))
        if name in self._only_promises:
            pause -= now - told_at
        return max(self._promised_for(name), pause)

    def _promised_for(self, name: str) -> float:
        """How long until all slots that the server gave ahead are used."""
        return max(0.0, self._promised.get(name, 0.0) - time.monotonic())

    def _made_bucket(self, limiter: RateLimiterConfig) -> LocalBucket:
        name = limiter.name
        quiet, told = self._quiet(name), self._limiters.get(name)
        share = self.rates.get(name)
        if told is not None and share is not None:
            config = told.get("config")
            config = config if isinstance(config, dict) else {}
            clients = max(1, int(told.get("live_clients") or 1))
            window = told.get("algorithm") in ("sliding_window", "fixed_window")
            # what is leased or promised may be spent until then, and counts in a window after
            spent = max(lease_seconds(config), self._promised_for(name))
            quiet = max(quiet, spent)
            if window:
                limit, period = int(config["limit"]), float(config["period_seconds"])
                part = limit // clients
                share = part / period if part else 1.0 / (period * math.ceil(clients / limit))
                quiet = max(quiet, spent + period)
        if share is not None:
            return LocalBucket(share * UNEVEN, 1.0, quiet=quiet)
        burst = max(1.0, limiter.burst / self._peers)
        bucket = LocalBucket(limiter.requests_per_second / self._peers, burst)
        bucket.give_back(bucket.burst)
        return bucket

    # telling it

    def pause(self, paused: bool) -> None:
        """While the server is being told, nothing is spent: else it would give to others what is."""
        with self._lock:
            self._paused = paused
            for bucket in self._buckets.values():
                bucket.pause(paused)
            for permits in self._in_flight.values():
                permits.pause(paused)

    def take_spent(self) -> dict[str, list[tuple[float, float]]]:
        """What was spent of each limiter: when, and how much. Each token is told once."""
        spent: dict[str, list[tuple[float, float]]] = {}
        with self._lock:
            untold, self._untold = self._untold, []
            for name, spend in untold:
                spent.setdefault(name, []).append(spend)
            for name, bucket in self._buckets.items():
                spends = bucket.take_spent()
                if spends:
                    spent.setdefault(name, []).extend(spends)
        return {name: spends[-MAX_SPENDS:] for name, spends in spent.items()}

    def in_flight(self) -> dict[str, LocalPermits]:
        """The limiters of which calls are in flight that the server does not know of."""
        with self._lock:
            return {name: permits for name, permits in self._in_flight.items() if permits.running}
