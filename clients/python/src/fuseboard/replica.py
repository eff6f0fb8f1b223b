"""Local mode: what this process knows of the board, by which it decides without asking."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .breakers import PASSING, BreakerReplica
from .calls import Ask, Permit, Refused
from .following import Follower
from .leases import LeasedLimiter, Leases
from .reporting import Reporter
from .spans import ALWAYS, CLOSED_DOOR, NEVER, Span, clock
from .specs import RateLimiterConfig
from .taps import NO_LIMIT, Tap

if TYPE_CHECKING:
    from .board import Board


class Cell:
    """Where a guarded function finds what it is admitted through."""

    __slots__ = ("span", "tap")

    def __init__(self) -> None:
        self.span: Span = CLOSED_DOOR
        self.tap: Tap = NO_LIMIT


class Replica:
    """The breakers and limiters of one board that calls of this process were decided by."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._breakers: dict[str, BreakerReplica] = {}
        self._limiters: dict[str, LeasedLimiter] = {}
        self._lock = threading.Lock()
        self.follower = Follower(board, self._breakers, self._limiters)
        self.reporter = Reporter(board, self._breakers, self.follower)
        self.leases = Leases(board, self._limiters)

    # decisions

    def admit(self, ask: Ask, cell: Cell | None = None) -> Permit | None:
        """A permit, or ``Refused`` by a breaker that is open; ``None`` if the server is to be asked."""
        breaker = self._breakers.get(ask.breaker.name)
        if breaker is None or any(limiter.name not in self._limiters for limiter in ask.limiters):
            breaker = self._follow(ask)
        if cell is not None:
            self._attach(cell, ask, breaker)
        if self._board.presence.away or not breaker.known:
            return None
        left = breaker.refuses()
        if left is not None:
            breaker.reject()
            raise Refused(ask.breaker.name, breaker.shown, None if left == ALWAYS else left)
        span = breaker.span
        if breaker.state == "disabled":
            now, span = clock(), Span(0)
            if now >= self.follower.fresh_until:
                self.follower.silent()
                return None
        else:
            now = clock()
            if now >= span.fresh:
                if breaker.state in PASSING and span.fresh > NEVER:
                    self.follower.silent()
                return None
        if not self._take(ask.limiters, now):
            return None
        return Permit(self._board.alone.breaker(ask.breaker), None, None, span=span)

    def take(self, limiter: RateLimiterConfig, cell: Cell | None = None) -> bool:
        """One token of what was leased."""
        if limiter.name not in self._limiters:
            self._follow_limiters((limiter,))
        if cell is not None:
            cell.tap = self._limiters[limiter.name].tap
        return not self._board.presence.away and self._take((limiter,), clock())

    def _take(self, limiters: tuple[RateLimiterConfig, ...], now: float) -> bool:
        taken: list[tuple[Tap, float]] = []
        for limiter in limiters:
            leased = self._limiters[limiter.name]
            token = leased.tap.take_one()
            if token <= now:
                for tap, unused in taken:
                    tap.give_back(unused)
                if leased.may_lease:
                    leased.tap.misses += 1
                    if leased.may_ask(now):
                        self._board.courier.wake()
                return False
            taken.append((leased.tap, token))
        return True

    def _attach(self, cell: Cell, ask: Ask, breaker: BreakerReplica) -> None:
        """From here on calls are admitted without coming here, while that may be."""
        if len(ask.limiters) > 1 or not breaker.known:
            return
        tap = self._limiters[ask.limiters[0].name].tap if ask.limiters else NO_LIMIT
        # in this order: the breaker's door may be open, the tokens of another limiter may not be spent
        cell.span, cell.tap, cell.span = CLOSED_DOOR, tap, breaker.span

    # what is followed

    def _follow(self, ask: Ask) -> BreakerReplica:
        self._follow_limiters(ask.limiters)
        name = ask.breaker.name
        with self._lock:
            breaker = self._breakers.get(name)
            if breaker is None:
                local = self._board.alone.breaker(ask.breaker)
                breaker = BreakerReplica(ask.breaker, local, self._board.courier.wake)
                self._breakers[name] = breaker
        self.follower.interest_grew()
        return breaker

    def _follow_limiters(self, limiters: tuple[RateLimiterConfig, ...]) -> None:
        with self._lock:
            for limiter in limiters:
                if limiter.name not in self._limiters:
                    self._limiters[limiter.name] = LeasedLimiter(limiter)
        self.follower.interest_grew()

    @property
    def is_followed(self) -> bool:
        """Whether anything is decided by it."""
        return self.follower.is_running

    @property
    def is_busy(self) -> bool:
        """Whether reports or leases are to be looked after."""
        return self.reporter.is_busy or self.leases.is_busy

    def breaker(self, name: str) -> BreakerReplica | None:
        """The breaker of that name, if calls were decided by it."""
        return self._breakers.get(name)

    # the end of it

    def lost(self) -> None:
        """The server is away: nothing is decided by what it said."""
        for breaker in list(self._breakers.values()):
            breaker.lost()
        for leased in list(self._limiters.values()):
            leased.lost()
        self.follower.interrupt()

    def abandon(self) -> None:
        """In the child of a fork: nobody is admitted by it any more."""
        self.follower.abandon()
        self._close_doors()
        for leased in list(self._limiters.values()):
            leased.tap.shut()

    def stop(self) -> None:
        """The board is closed."""
        self.follower.stop()
        self._close_doors()

    def _close_doors(self) -> None:
        for breaker in list(self._breakers.values()):
            breaker.close_door()
