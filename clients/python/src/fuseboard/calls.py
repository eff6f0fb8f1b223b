"""What a guarded call asks for, and what it is given."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from .local import LocalBreaker
from .spans import Span
from .specs import CircuitBreakerConfig, RateLimiterConfig

GUARDED_PATIENCE_SECONDS = 5.0
"""The longest slot that a limiter may give ahead of a breaker, whose answer should not be older than this
when the call starts."""

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


class Refused(Exception):
    """The breaker admits no call."""

    def __init__(self, breaker: str, state: str, retry_after: float | None) -> None:
        super().__init__(breaker, state, retry_after)
        self.breaker = breaker
        self.state = state
        self.retry_after = retry_after


class Ask:
    """What one kind of guarded call asks for: a breaker and the limiters in front of it."""

    __slots__ = ("_head", "breaker", "declaration", "in_flight_counts", "keys", "limiters")

    def __init__(self, breaker: CircuitBreakerConfig, limiters: Iterable[RateLimiterConfig] = ()) -> None:
        self.breaker = breaker
        self.limiters = tuple(limiters)
        self.keys = frozenset(
            [("breaker", breaker.name), *(("limiter", limiter.name) for limiter in self.limiters)]
        )
        config: dict[str, Any] = {"breaker": breaker.declaration()}
        if self.limiters:
            config["limiters"] = {limiter.name: limiter.declaration() for limiter in self.limiters}
        self.declaration = encode(config)
        self._head: tuple[str, str] = ("", "")
        # set once a limiter turns out to count calls in flight: others wait for our outcomes
        self.in_flight_counts = False

    def head(self, client: str) -> str:
        """The part of the request's body that never changes, without the closing brace."""
        known, head = self._head
        if known != client:
            body: dict[str, Any] = {"breaker": self.breaker.name, "client": client}
            if self.limiters:
                body["limiters"] = [{"name": limiter.name, "tokens": 1} for limiter in self.limiters]
                body["max_wait_seconds"] = GUARDED_PATIENCE_SECONDS
            head = encode(body)[:-1]
            self._head = (client, head)
        return head


class Permit:
    """Leave for one call. Its outcome must be reported."""

    __slots__ = ("breaker", "call_id", "held", "local", "span", "urgent")

    def __init__(
        self,
        breaker: LocalBreaker,
        call_id: str | None,
        local: int | None,
        urgent: bool = False,
        span: Span | None = None,
        held: tuple[str, ...] = (),
    ) -> None:
        self.breaker = breaker
        self.call_id = call_id
        self.local = local
        self.urgent = urgent
        # admitted by this process, by what the server had told
        self.span = span
        # places among the calls in flight that this process gave while the server was away
        self.held = held


class Grant:
    """What a limiter said; ``lease_id`` if it must be told when the call has ended."""

    __slots__ = ("allowed", "lease_id")

    def __init__(self, allowed: bool, lease_id: str | None) -> None:
        self.allowed = allowed
        self.lease_id = lease_id
