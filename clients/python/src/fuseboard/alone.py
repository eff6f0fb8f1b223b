"""How this process decides while the server is away."""

from __future__ import annotations

import math
import time
from typing import Any

from .calls import Ask, Permit, Refused
from .leases import lease_seconds
from .local import LocalBreaker, LocalBucket
from .presence import Presence
from .settings import OnUnavailable, Settings
from .specs import CircuitBreakerConfig, RateLimiterConfig
from .steps import Sleep, Steps


class Alone:
    """This process's own breakers, and its shares of limiters."""

    def __init__(self, settings: Settings, presence: Presence) -> None:
        self.shares: dict[str, float] = {}
        self._limiters: dict[str, dict[str, Any]] = {}
        self._promised: dict[str, float] = {}
        self._settings = settings
        self._presence = presence
        self._breakers: dict[str, LocalBreaker] = {}
        self._buckets: dict[str, LocalBucket] = {}

    def begin(self, ask: Ask) -> Steps[Permit | None]:
        """A permit, or ``Refused`` by an open breaker; ``None`` if the server came back meanwhile."""
        local = self.breaker(ask.breaker)
        open_to_all = self.policy(ask.breaker) == "allow"
        left = None if open_to_all else local.refuses()
        if left is not None:
            raise Refused(ask.breaker.name, "open", left)
        for limiter in ask.limiters:
            if not (yield from self.wait(limiter, 1.0, None)):
                return None
        if open_to_all:
            return Permit(local, None, None)
        permit, left = local.admit()
        if permit is None:
            raise Refused(ask.breaker.name, local.state, left)
        return Permit(local, None, permit)

    def wait(self, limiter: RateLimiterConfig, tokens: float, patience: float | None) -> Steps[bool | None]:
        """Tokens of the local share; ``None`` if the server came back before they were due."""
        if self.policy(limiter) == "allow":
            self._bucket(limiter).note(tokens)
            return True
        bucket = self._bucket(limiter)
        wait = bucket.reserve(tokens, float("inf") if patience is None else patience)
        if wait is None:
            return False
        due = time.monotonic() + wait
        while (left := due - time.monotonic()) > 0:
            if not self._presence.away:
                bucket.give_back(tokens)
                return None
            yield Sleep(min(left, 0.5))
        return True

    def policy(self, config: CircuitBreakerConfig | RateLimiterConfig) -> OnUnavailable:
        """What is to be done about it while the server is away."""
        return config.on_unavailable or self._settings.on_unavailable

    def begin_afresh(self) -> None:
        """The server has just gone: what it granted last may still be running."""
        self._buckets.clear()

    def breaker(self, config: CircuitBreakerConfig) -> LocalBreaker:
        """This process's own breaker of that name."""
        breaker = self._breakers.get(config.name)
        if breaker is None:
            breaker = self._breakers.setdefault(config.name, LocalBreaker(config))
        return breaker

    def _bucket(self, limiter: RateLimiterConfig) -> LocalBucket:
        bucket = self._buckets.get(limiter.name)
        if bucket is None:
            bucket = self._buckets.setdefault(limiter.name, self._made_bucket(limiter))
        return bucket

    def _made_bucket(self, limiter: RateLimiterConfig) -> LocalBucket:
        name = limiter.name
        promised = max(0.0, self._promised.get(name, 0.0) - time.monotonic())
        told = self._limiters.get(name)
        window = _window(told) if told is not None else None
        if window is not None:
            rate, period, lease = window
            # what was granted or leased until now may count for so long
            return LocalBucket(rate, 1.0, quiet=max(promised, lease) + period, memory=period)
        share = self.shares.get(name)
        memory = limiter.burst / limiter.requests_per_second
        if share is not None:
            return LocalBucket(share, 1.0, quiet=promised, memory=memory)
        peers = self._settings.fallback_peers
        burst = max(1.0, limiter.burst / peers)
        bucket = LocalBucket(limiter.requests_per_second / peers, burst, memory=memory)
        bucket.give_back(bucket.burst)
        return bucket

    def take_spent(self) -> dict[str, float]:
        """What was spent of each limiter and still counts; each token is told once."""
        spent = {name: bucket.take_spent() for name, bucket in list(self._buckets.items())}
        return {name: tokens for name, tokens in spent.items() if tokens > 0}

    def promise(self, name: str, wait: float) -> None:
        """The server gave a slot ahead, which will be used whatever happens to the server."""
        self._promised[name] = max(self._promised.get(name, 0.0), time.monotonic() + wait)

    def learn_limiter(self, name: str, told: dict[str, Any]) -> None:
        """All that the server says of a limiter."""
        self._limiters[name] = told
        self.learn_share(name, told.get("fallback_share"))

    def learn_share(self, name: str, share: object) -> None:
        """What the server says is this client's part of a limiter."""
        if isinstance(share, (int, float)) and share > 0:
            self.shares[name] = float(share)


def _window(told: dict[str, Any]) -> tuple[float, float, float] | None:
    """For a limit that no window may exceed: this client's rate, the window, and how long leases may be
    used."""
    config = told.get("config")
    if told.get("algorithm") not in ("sliding_window", "fixed_window") or not isinstance(config, dict):
        return None
    limit, period = int(config["limit"]), float(config["period_seconds"])
    clients = max(1, int(told.get("live_clients") or 1))
    part = limit // clients
    # evenly spaced, a little slower: then no window has more than the whole parts of all clients
    rate = part / period if part else 1.0 / (period * math.ceil(clients / limit))
    return rate * (1 - 1e-6), period, lease_seconds(config)
