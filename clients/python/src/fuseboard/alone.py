"""How this process decides while the server is away."""

from __future__ import annotations

import itertools
import time
from typing import Any

from .calls import Ask, Permit, Refused
from .local import LocalBreaker
from .presence import Presence
from .settings import OnUnavailable, Settings
from .shares import Shares
from .specs import CircuitBreakerConfig, RateLimiterConfig
from .steps import Sleep, Steps

LOOK_SECONDS = 0.5
"""How long a caller sleeps at most before it looks whether the server is back."""


class Alone:
    """This process's own breakers, and its shares of limiters."""

    def __init__(self, settings: Settings, presence: Presence) -> None:
        self.shares = Shares(settings.fallback_peers)
        self._settings = settings
        self._presence = presence
        self._breakers: dict[str, LocalBreaker] = {}
        self._entered: dict[str, tuple[str, Any]] = {}
        self._ids = itertools.count(1)

    def begin(self, ask: Ask) -> Steps[Permit | None]:
        """A permit, or ``Refused`` by an open breaker; ``None`` if the server came back meanwhile."""
        local = self.breaker(ask.breaker)
        open_to_all = self.policy(ask.breaker) == "allow"
        left = None if open_to_all else local.refuses()
        if left is not None:
            raise Refused(ask.breaker.name, "open", left)
        held: list[str] = []
        permit: Permit | None = None
        try:
            for limiter in ask.limiters:
                got = yield from self.wait(limiter, 1.0, None)
                if not got:
                    return None
                held += [got] if isinstance(got, str) else []
            if open_to_all:
                permit = Permit(local, None, None, held=tuple(held))
                return permit
            admitted, left = local.admit()
            if admitted is None:
                raise Refused(ask.breaker.name, local.state, left)
            permit = Permit(local, None, admitted, held=tuple(held))
            return permit
        finally:
            if permit is None:
                for place in held:
                    self.ended(place)

    def wait(
        self, limiter: RateLimiterConfig, tokens: float, patience: float | None
    ) -> Steps[bool | str | None]:
        """Tokens of the local share, or the name of a place among the calls in flight; ``None`` if the server
        came back before they were due."""
        name = limiter.name
        permits = self.shares.permits_of(name)
        bucket = self.shares.bucket_of(limiter) if permits is None or self.shares.has_rate(name) else None
        if self.policy(limiter) == "allow":
            self.shares.bucket_of(limiter).note(tokens)
            return True
        end = time.monotonic() + (float("inf") if patience is None else patience)
        if bucket is not None:
            wait = bucket.reserve(tokens, max(0.0, end - time.monotonic()))
            if wait is None:
                return False
            due, used = time.monotonic() + wait, False
            try:
                while not used:
                    if not self._presence.away:
                        return None
                    if self.shares.is_over(name, bucket):
                        # it was there, and is away again
                        rest = None if patience is None else max(0.0, end - time.monotonic())
                        return (yield from self.wait(limiter, tokens, rest))
                    left = due - time.monotonic()
                    if left <= 0 and bucket.spend(tokens):
                        used = True
                    elif left <= 0 and time.monotonic() >= end:
                        return False
                    else:
                        yield Sleep(min(max(left, 0.002), LOOK_SECONDS))
            finally:
                if not used:
                    bucket.give_back(tokens)
        if permits is None:
            return True
        while (left := permits.enter()) > 0:
            if not self._presence.away:
                return None
            if time.monotonic() + left > end:
                return False
            yield Sleep(min(left, LOOK_SECONDS))
            permits = self.shares.permits_of(name) or permits
        place = f"alone-{next(self._ids)}"
        self._entered[place] = (name, permits)
        return place

    def ended(self, place: str) -> tuple[str, str] | None:
        """A call that was let go here has ended; the limiter and its lease, if that is over with it."""
        entered = self._entered.pop(place, None)
        if entered is None:
            return None
        limiter, permits = entered
        lease = permits.leave()
        return None if lease is None else (limiter, lease)

    def policy(self, config: CircuitBreakerConfig | RateLimiterConfig) -> OnUnavailable:
        """What is to be done about it while the server is away."""
        return config.on_unavailable or self._settings.on_unavailable

    def breaker(self, config: CircuitBreakerConfig) -> LocalBreaker:
        """This process's own breaker of that name."""
        breaker = self._breakers.get(config.name)
        if breaker is None:
            breaker = self._breakers.setdefault(config.name, LocalBreaker(config))
        return breaker
