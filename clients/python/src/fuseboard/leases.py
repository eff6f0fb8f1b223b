"""How many tokens are leased, when, and when they go back."""

from __future__ import annotations

import math
import threading
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from .calls import encode
from .spans import NEVER, clock
from .specs import RateLimiterConfig
from .steps import Steps, until
from .taps import Lease, Tap
from .transport import Request

if TYPE_CHECKING:
    from .board import Board

LEASE_SECONDS = 1.0
"""For how long tokens are leased, unless the limiter's period asks for less."""
AHEAD_SECONDS = 0.15
"""A lease is renewed when what is left would last no longer than that."""
IDLE_SECONDS = 0.3
"""What was not used for so long goes back."""
GAP_SECONDS = 0.004
"""The least time between two wishes for the same limiter."""
MAX_LEASE = 2_000_000
MAX_LIMITERS = 1000
"""The most limiters of one request."""
MAX_RELEASES = 100
"""The most leases that wait to go back; of more, some end by themselves."""


def lease_seconds(config: dict[str, Any]) -> float:
    """For how long tokens of a limiter with this configuration are leased."""
    seconds, period, own = LEASE_SECONDS, config.get("period_seconds"), config.get("lease_seconds")
    if isinstance(period, (int, float)):
        # in a window tokens count until the lease ends and a period after
        seconds = min(seconds, max(period / 5, 0.05))
    return min(seconds, float(own)) if isinstance(own, (int, float)) else seconds


class Renewal:
    """What one limiter is asked for."""

    __slots__ = ("of", "releases", "sent_at", "wanted")

    def __init__(self, of: LeasedLimiter, releases: list[tuple[str, int]], wanted: int) -> None:
        self.of = of
        self.releases = releases
        self.wanted = wanted
        self.sent_at = clock()

    def item(self) -> dict[str, Any]:
        """Its form on the wire."""
        item: dict[str, Any] = {"limiter": self.of.config.name}
        if self.releases:
            item["release"] = [
                {"lease_id": lease_id, "unused_tokens": unused} for lease_id, unused in self.releases
            ]
        if self.wanted:
            item["tokens"] = self.wanted
            item["lease_seconds"] = self.of.lease_seconds
        return item


class LeasedLimiter:
    """One limiter whose tokens this process spends by itself, as far as it has leased them."""

    def __init__(self, config: RateLimiterConfig) -> None:
        self.config = config
        self.tap = Tap(config.name)
        self.lease_seconds = LEASE_SECONDS
        self.may_lease = True
        self._releases: deque[tuple[str, int]] = deque(maxlen=MAX_RELEASES)
        self._rate = 0.0
        self._used = 0
        self._misses = 0
        self._looked_at = clock()
        self._used_at = NEVER
        self._not_before = NEVER

    def learn(self, told: dict[str, Any]) -> None:
        """What the server says of the limiter."""
        algorithm, config = told.get("algorithm"), told.get("config")
        # permits of calls in flight end with their calls: each is asked for
        self.may_lease = algorithm != "concurrency"
        self.lease_seconds = lease_seconds(config if isinstance(config, dict) else {})
        blocked = told.get("blocked_seconds")
        if isinstance(blocked, (int, float)) and blocked > 0:
            self._not_before = clock() + blocked
            self.give_up()
        elif not self.may_lease:
            self.give_up()

    def give_up(self) -> None:
        """Spend nothing more of what was leased; it goes back with the next renewal."""
        before = self.tap.turn(None)
        if before is not None:
            self._releases.append(before)

    def lost(self) -> None:
        """The server is away. What was leased is counted there until it ends."""
        self.give_up()
        self._not_before = NEVER

    def may_ask(self, now: float) -> bool:
        """Whether there is a chance to be given something."""
        return now >= self._not_before

    @property
    def is_active(self) -> bool:
        """Whether there is something to look after."""
        return bool(self._releases) or self.tap.lease is not None or self.tap.misses > self._misses

    def next(self, last: bool = False) -> Renewal | None:
        """What to ask for now, if anything."""
        now = clock()
        self._measure(now)
        lease = self.tap.lease
        if last or (lease is not None and now - self._used_at > IDLE_SECONDS):
            self.give_up()
            return self._renewal(0)
        missed = self.tap.misses > self._misses
        if not (missed or lease is not None) or now < self._not_before or not self.may_lease:
            if self.tap.lease is not None and now >= self.tap.lease.deadline:
                self.give_up()
            self._misses = self.tap.misses
            return self._renewal(0)
        if lease is not None and not self._runs_out(lease, now):
            return self._renewal(0)
        self._misses = self.tap.misses
        self._not_before = now + GAP_SECONDS
        return self._renewal(self._wanted())

    def answered(self, renewal: Renewal, answer: dict[str, Any]) -> None:
        """What the server gave."""
        told = answer.get("lease")
        if not isinstance(told, dict):
            return
        if answer.get("algorithm") == "concurrency":
            self.may_lease = False
            if told.get("lease_id"):
                self._releases.append((str(told["lease_id"]), 0))
            return
        now = clock()
        size = min(int(told.get("tokens") or 0), MAX_LEASE)
        span = float(told.get("expires_in_seconds") or 0.0)
        if not told.get("allowed") or size < 1:
            if told.get("lease_id"):
                self._releases.append((str(told["lease_id"]), size))
            self._not_before = now + max(float(told.get("retry_after_seconds") or 0.0), 0.05)
            return
        # from before it was asked for, so that it does not end later here than there
        lease = Lease(str(told["lease_id"]), size, renewal.sent_at + span)
        before = self.tap.turn(lease)
        if before is not None:
            self._releases.append(before)
        self._used_at = max(self._used_at, now)

    def put_back(self, renewal: Renewal) -> None:
        """It was not answered: what goes back goes with the next one."""
        self._releases.extendleft(reversed(renewal.releases))

    def _renewal(self, wanted: int) -> Renewal | None:
        releases: list[tuple[str, int]] = []
        # one by one: the stream's thread may give back meanwhile
        while self._releases and len(releases) < MAX_RELEASES:
            releases.append(self._releases.popleft())
        return Renewal(self, releases, wanted) if wanted or releases else None

    def _measure(self, now: float) -> None:
        used = self.tap.used() + self.tap.misses
        span = now - self._looked_at
        if used > self._used:
            self._used_at = now
        if span >= 0.01:
            rate = (used - self._used) / span
            # up at once, down slowly: running out costs a round trip, too much only comes back
            self._rate = rate if rate > self._rate else self._rate * 0.8 + rate * 0.2
            self._used, self._looked_at = used, now

    def _runs_out(self, lease: Lease, now: float) -> bool:
        left = lease.deadline - now
        ahead = min(AHEAD_SECONDS, self.lease_seconds / 2)
        return left < ahead or lease.left < self._rate * ahead or lease.left == 0

    def _wanted(self) -> int:
        return max(1, min(math.ceil(self._rate * self.lease_seconds * 1.25), MAX_LEASE))


class Leases:
    """Leases tokens of these limiters ahead of their use, and gives back what is not used."""

    def __init__(self, board: Board, limiters: dict[str, LeasedLimiter]) -> None:
        self._board = board
        self._limiters = limiters
        self._renewing = threading.Lock()
        self._ended = False

    @property
    def is_busy(self) -> bool:
        """Whether leases are to be looked after."""
        return any(leased.is_active for leased in list(self._limiters.values()))

    def renew(self, last: bool = False) -> Steps[None]:
        """Ask for the tokens that will be needed, and give back those that will not; at the end all."""
        self._ended = self._ended or last
        patience = self._board.settings.timeout if last else 0.0
        if not (yield from until(partial(self._renewing.acquire, blocking=False), patience)):
            return
        try:
            # what is given back by an answer goes with another request
            while (yield from self._renew()) and self._ended:
                pass
        finally:
            self._renewing.release()

    def _renew(self) -> Steps[bool]:
        """One request; whether it was answered."""
        if self._board.presence.away:
            return False
        renewals: list[Renewal] = []
        for leased in list(self._limiters.values())[:MAX_LIMITERS]:
            renewal = leased.next(self._ended)
            if renewal is not None:
                renewals.append(renewal)
        if not renewals:
            return False
        body = {"client": self._board.client, "items": [renewal.item() for renewal in renewals]}
        request = Request("POST", "/v1/leases", encode(body).encode("ascii"))
        answer = None
        try:
            answer = yield from self._board.send(request)
        finally:
            if answer is None:
                for renewal in renewals:
                    renewal.of.put_back(renewal)
        if answer is None:
            return False
        for renewal, told in zip(renewals, answer.get("items") or (), strict=False):
            renewal.of.answered(renewal, told)
        return True
