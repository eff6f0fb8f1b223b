"""Local mode: what this process knows of the board, by which it decides without asking.

A thread follows the server's stream of changes. Outcomes and leases are carried by the courier.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .breakers import PASSING, BreakerReplica, Report
from .calls import Ask, Permit, Refused, encode
from .errors import FuseboardError, FuseboardUnavailable
from .leases import LeasedLimiter, Renewal
from .spans import ALWAYS, CLOSED_DOOR, NEVER, Span, clock
from .specs import RateLimiterConfig
from .steps import Steps, until
from .stream import EventStream
from .taps import NO_LIMIT, Tap
from .transport import HttpTransport, Request, unavailable
from .wire import ProtocolError

if TYPE_CHECKING:
    from .board import Board

MAX_PATH = 48 * 1024
"""The longest path of the stream's request: what does not fit is asked for, call by call."""
MAX_ITEMS = 1000
AGAIN_SECONDS = 0.05
REFUSED_SECONDS = 2.0
"""How long to wait after the server refused the stream, as with a wrong token."""

logger = logging.getLogger("fuseboard")


class Cell:
    """Where a guarded function finds what it is admitted through."""

    __slots__ = ("span", "tap")

    def __init__(self) -> None:
        self.span: Span = CLOSED_DOOR
        self.tap: Tap = NO_LIMIT


class Replica:
    """The breakers and limiters of one board that calls of this process were decided by."""

    def __init__(self, board: Board) -> None:
        self.session = os.urandom(8).hex()
        self._board = board
        self._breakers: dict[str, BreakerReplica] = {}
        self._limiters: dict[str, LeasedLimiter] = {}
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._renewing = threading.Lock()
        self._ended = False
        self._flight: list[Report] = []
        self._thread: threading.Thread | None = None
        self._stream: EventStream | None = None
        self._bell = threading.Event()
        self._heard_at = NEVER
        self._stopped = False

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
            if now >= self.fresh_until:
                self._stale()
                return None
        else:
            now = clock()
            if now >= span.fresh:
                if breaker.state in PASSING and span.fresh > NEVER:
                    self._stale()
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

    @property
    def fresh_until(self) -> float:
        """Until when what is known may be gone by."""
        return self._heard_at + self._board.settings.stale_after

    def _stale(self) -> None:
        """Nothing was heard for too long: it is as if the server were away."""
        self._board.found_away(unavailable(self._board.settings.url, "the stream of changes is silent"))

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
        self._interest_grew()
        return breaker

    def _follow_limiters(self, limiters: tuple[RateLimiterConfig, ...]) -> None:
        with self._lock:
            for limiter in limiters:
                if limiter.name not in self._limiters:
                    self._limiters[limiter.name] = LeasedLimiter(limiter)
        self._interest_grew()

    def _interest_grew(self) -> None:
        with self._lock:
            if self._thread is None and not self._stopped:
                thread = threading.Thread(target=self._run, name="fuseboard-replica", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is shutting down
                    thread.start()
                    self._thread = thread
                return
            names = [*self._breakers, *self._limiters]
        if sum(map(len, names)) + len(names) > MAX_PATH or len(names) > MAX_ITEMS:
            return  # there is no room for it on the stream
        self._bell.set()
        stream = self._stream
        if stream is not None:
            stream.close()

    @property
    def is_followed(self) -> bool:
        """Whether anything is decided by it."""
        return self._thread is not None

    def breaker(self, name: str) -> BreakerReplica | None:
        """The breaker of that name, if calls were decided by it."""
        return self._breakers.get(name)

    # the stream

    def _run(self) -> None:
        while not self._stopped:
            pause = AGAIN_SECONDS
            try:
                if not self._board.presence.away:
                    self._bell.clear()
                    self._read_stream()
            except FuseboardUnavailable as error:
                logger.debug("fuseboard: %s", error)
            except FuseboardError as error:
                pause = REFUSED_SECONDS
                self._forget_all()
                logger.warning(
                    "fuseboard: the stream of changes was refused, each call is asked for: %s", error
                )
            except (OSError, ProtocolError) as error:
                if isinstance(error, TimeoutError) and not self._stopped:
                    self._stale()
                logger.debug("fuseboard: %s", error)
            except Exception:
                pause = REFUSED_SECONDS
                self._forget_all()
                logger.exception("fuseboard: the stream of changes could not be followed")
            if not self._bell.is_set() or pause > AGAIN_SECONDS:
                self._bell.wait(pause)
            elif not self._stopped:
                # names that are new tend to come together
                self._bell.clear()
                self._bell.wait(0.01)

    def _read_stream(self) -> None:
        transport = self._board.transport
        if not isinstance(transport, HttpTransport):
            raise FuseboardError("this transport has no streams")
        path = self._path()
        stream = EventStream(transport, path, self._board.settings.stale_after)
        try:
            stream.open()
        except (FuseboardUnavailable, OSError, ProtocolError) as error:
            if isinstance(error, FuseboardUnavailable) and error.status is None:
                self._board.found_away(error)
                raise
            # something is there and gives no stream, such as a proxy, or a server that has as many as it
            # takes: calls find out if it is more
            raise FuseboardError(f"no stream of changes: {error or type(error).__name__}") from error
        self._stream, heard = stream, False
        try:
            while not (self._stopped or self._board.presence.away or self._bell.is_set()):
                try:
                    events = stream.next()
                except TimeoutError as error:
                    if heard:
                        raise
                    raise FuseboardError("the stream of changes stays silent; is there a buffer?") from error
                heard = True
                self._heard_at = clock()
                fresh = self.fresh_until
                for kind, document in events:
                    self._hear(kind, document, fresh)
                for breaker in list(self._breakers.values()):
                    breaker.heard(fresh)
        finally:
            self._stream = None
            stream.close()

    def _path(self) -> str:
        path = f"/v1/replica?client={quote(self._board.client, safe='')}"
        with self._lock:
            wanted = {
                "limiters": list(self._limiters)[:MAX_ITEMS],
                "breakers": list(self._breakers)[:MAX_ITEMS],
            }
        for key, names in wanted.items():
            part = f"&{key}="
            for name in names:
                if len(path) + len(part) + len(name) < MAX_PATH:
                    part += name + ","
            path += part.rstrip(",")
        return path

    def _hear(self, kind: str, document: Any, fresh: float) -> None:
        if not isinstance(document, dict):
            raise ProtocolError("an event is no object")
        if kind == "snapshot":
            for told in document.get("breakers") or ():
                self._hear_breaker(told, fresh, is_snapshot=True)
            for told in document.get("limiters") or ():
                self._hear_limiter(told)
        elif kind == "breaker":
            self._hear_breaker(document, fresh, is_snapshot=False)
        elif kind == "limiter":
            self._hear_limiter(document)

    def _hear_breaker(self, told: dict[str, Any], fresh: float, *, is_snapshot: bool) -> None:
        breaker = self._breakers.get(str(told.get("name")))
        if breaker is not None:
            breaker.hear(told, fresh, is_snapshot=is_snapshot)

    def _hear_limiter(self, told: dict[str, Any]) -> None:
        name = str(told.get("name"))
        leased = self._limiters.get(name)
        if leased is not None:
            leased.learn(told)
            self._board.alone.learn_limiter(name, told)

    def _forget_all(self) -> None:
        for breaker in list(self._breakers.values()):
            breaker.lost()

    # outcomes and leases

    @property
    def is_busy(self) -> bool:
        """Whether leases are to be looked after."""
        return bool(self._flight) or any(leased.is_active for leased in list(self._limiters.values()))

    def report(self, patience: float) -> Steps[None]:
        """Send what was counted, and wait until the server has it. Never raises but for what ends the
        caller."""
        if not (yield from until(partial(self._sending.acquire, blocking=False), patience)):
            return
        try:
            while not self._board.presence.away:
                self._collect()
                if not self._flight:
                    return
                more = yield from self._send_flight()
                if not more:
                    return
        finally:
            self._sending.release()

    def _collect(self) -> None:
        if self._flight:
            return
        for breaker in list(self._breakers.values()):
            if len(self._flight) >= MAX_ITEMS:
                return
            self._flight += breaker.reports(min(100, MAX_ITEMS - len(self._flight)))

    def _send_flight(self) -> Steps[bool]:
        """One request; whether it was answered and there is more to send."""
        flight = self._flight
        body = {
            "client": self._board.client,
            "session": self.session,
            "items": [report.item() for report in flight],
        }
        request = Request("POST", "/v1/outcomes/aggregated", encode(body).encode("ascii"))
        try:
            answer = yield from self._board.send(request)
        except FuseboardError as error:
            # it will not be taken later, either
            logger.warning("fuseboard: outcomes were refused: %s", error)
            self._flight = []
            return False
        if answer is None:
            return False
        self._flight = []
        for report, told in zip(flight, answer.get("items") or (), strict=False):
            report.of.answered(report, told, self.fresh_until)
        return len(flight) >= MAX_ITEMS

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
        for leased in list(self._limiters.values())[:MAX_ITEMS]:
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

    # the end of it

    def lost(self) -> None:
        """The server is away: nothing is decided by what it said."""
        for breaker in list(self._breakers.values()):
            breaker.lost()
        for leased in list(self._limiters.values()):
            leased.lost()
        stream = self._stream
        if stream is not None:
            stream.close()

    def abandon(self) -> None:
        """In the child of a fork: nobody is admitted by it any more."""
        self._stopped = True
        stream = self._stream
        if stream is not None:
            stream.abandon()
        for breaker in list(self._breakers.values()):
            breaker.close_door()
        for leased in list(self._limiters.values()):
            leased.tap.shut()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        for breaker in list(self._breakers.values()):
            breaker.close_door()
        self._bell.set()
        stream = self._stream
        if stream is not None:
            stream.close()
