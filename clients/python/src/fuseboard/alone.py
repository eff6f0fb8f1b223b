"""How this process decides while the server is away."""

from __future__ import annotations

import time

from .calls import Ask, Permit, Refused
from .local import LocalBreaker, LocalBucket
from .presence import Presence
from .settings import Settings
from .specs import CircuitBreakerConfig, RateLimiterConfig
from .steps import Sleep, Steps


class Alone:
    """This process's own breakers, and its shares of limiters."""

    def __init__(self, settings: Settings, presence: Presence) -> None:
        self.shares: dict[str, float] = {}
        self._settings = settings
        self._presence = presence
        self._breakers: dict[str, LocalBreaker] = {}
        self._buckets: dict[str, LocalBucket] = {}

    def begin(self, ask: Ask) -> Steps[Permit | None]:
        """A permit, or ``Refused`` by an open breaker; ``None`` if the server came back meanwhile."""
        local = self.breaker(ask.breaker)
        left = local.refuses()
        if left is not None:
            raise Refused(ask.breaker.name, "open", left)
        for limiter in ask.limiters:
            if not (yield from self.wait(limiter, 1.0, None)):
                return None
        permit, left = local.admit()
        if permit is None:
            raise Refused(ask.breaker.name, local.state, left)
        return Permit(local, None, permit)

    def wait(self, limiter: RateLimiterConfig, tokens: float, patience: float | None) -> Steps[bool | None]:
        """Tokens of the local share; ``None`` if the server came back before they were due."""
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
            share = self.shares.get(limiter.name)
            if share is None:
                peers = self._settings.fallback_peers
                bucket = LocalBucket(limiter.requests_per_second / peers, max(1.0, limiter.burst / peers))
                bucket.give_back(bucket.burst)
            else:
                bucket = LocalBucket(share, 1.0)
            bucket = self._buckets.setdefault(limiter.name, bucket)
        return bucket

    def learn_share(self, name: str, share: object) -> None:
        """What the server says is this client's part of a limiter."""
        if isinstance(share, (int, float)) and share > 0:
            self.shares[name] = float(share)
