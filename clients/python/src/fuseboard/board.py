"""The decisions of guarded calls: by the server while it is there, in this process while it is not.

Every decision is written once, as ``Steps``; ``run`` carries them out for threads and ``run_async`` for
coroutines. Nothing here knows about decorators.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import random
import sys
import weakref
from collections import deque
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from .alone import Alone
from .answers import UNKNOWN, answered, fields, not_found
from .calls import Ask, Grant, Permit, Refused, encode
from .courier import Courier
from .errors import FuseboardError, FuseboardUnavailable
from .operations.core import at
from .outbox import MAX_WAITING, Flight, Outbox, Outcome
from .presence import Presence
from .replica import Cell, Replica
from .rounds import Rounds
from .settings import Settings, client_id
from .specs import CircuitBreakerConfig, RateLimiterConfig
from .steps import Sleep, Steps, run, run_async, until
from .transport import HttpTransport, Request, Transport
from .wire import Response

PATIENCE_SECONDS = 30.0
"""The longest slot that a limiter may give ahead; beyond it the caller asks again later."""
ORDER_SECONDS = 0.05
"""How long a failure waits for the outcomes that other threads sent before it."""
READ_SECONDS = 1.0
"""How long reading a state waits for the outcomes that other threads sent before it."""

logger = logging.getLogger("fuseboard")

T = TypeVar("T")


class Gated(FuseboardUnavailable):
    """The server is known to be away: nothing was asked."""


class Board:
    """One process's view of the server."""

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.settings = settings
        self.client = settings.client or client_id()
        self.transport: Transport = transport or HttpTransport(settings)
        self.is_default = False
        self._start_afresh()
        atexit.register(_at_the_end, weakref.ref(self))
        _boards.add(self)

    def _start_afresh(self) -> None:
        self.outbox = Outbox()
        self.presence = Presence()
        self.alone = Alone(self.settings, self.presence)
        self.replica = Replica(self)
        self.rounds = Rounds(self)
        self.courier = Courier(self.rounds)
        self._ready = False
        self._declared: set[tuple[str, str]] = set()
        self._releases: deque[tuple[str, str]] = deque(maxlen=MAX_WAITING)
        if isinstance(self.transport, HttpTransport):
            self.transport.gate = self._gate
            self.transport.on_orphan = self.courier.wake

    def after_fork(self) -> None:
        """In the child: another client, with nothing pending and nothing known."""
        self.replica.abandon()
        if self.settings.client is None:
            self.client = client_id()
        self._start_afresh()

    def close(self) -> None:
        """Send what is pending, then end the background thread and the connections."""
        self.flush()
        self.rounds.last()
        self.replica.stop()
        self.is_default = False
        self.courier.stop()
        self.transport.close()

    def run(self, steps: Steps[T]) -> T:
        """Carry out the steps, blocking."""
        return run(self.transport, steps)

    def run_async(self, steps: Steps[T]) -> Coroutine[Any, Any, T]:
        """Carry out the steps without blocking the event loop."""
        return run_async(self.transport, steps)

    # a breaker, with the limiters in front of it

    def decides_alone(self, *configs: CircuitBreakerConfig | RateLimiterConfig) -> bool:
        """Whether calls of these are decided without asking: all of them must be."""
        mode = self.settings.mode
        return all((config.mode or mode) == "local" for config in configs)

    def admit(self, ask: Ask, cell: Cell | None = None) -> Permit | None:
        """A permit by what is known here, ``Refused`` likewise; ``None`` if the server is to be asked."""
        if not self.decides_alone(ask.breaker, *ask.limiters):
            return None
        if not self._ready:
            self._get_ready()
        return self.replica.admit(ask, cell)

    def take(self, limiter: RateLimiterConfig, cell: Cell | None = None) -> bool:
        """A token that was leased; if there is none the server is to be asked."""
        if not self.decides_alone(limiter):
            return False
        if not self._ready:
            self._get_ready()
        return self.replica.take(limiter, cell)

    def begin(self, ask: Ask) -> Steps[Permit]:
        """A permit for one call, after the wait that the limiters impose; ``Refused`` by an open breaker."""
        if not self._ready:
            self._get_ready()
        declare = not ask.keys <= self._declared
        refusals = 0
        while True:
            if self.presence.away:
                self._gate_if_denied(ask.breaker, *ask.limiters)
                permit = yield from self.alone.begin(ask)
                if permit is not None:
                    return permit
            flight = self.outbox.take()
            request = Request("POST", "/v1/calls", self._call(ask, declare, flight), late=self._too_late)
            decision = yield from self.send(request, flight)
            if decision is None:
                continue
            if decision is UNKNOWN:
                if declare:
                    raise not_found(ask.breaker.name)
                self._declared -= ask.keys
                declare = True
                continue
            self._declared |= ask.keys
            for limiter in ask.limiters:
                self.alone.shares.learn_call(limiter.name, decision)
            if decision.get("allowed"):
                return (yield from self._permit(ask, decision))
            retry_after = decision.get("retry_after_seconds")
            reason = decision.get("reason")
            if reason == "concurrency_full":
                ask.in_flight_counts = True
            if reason not in ("rate_limited", "concurrency_full"):
                state = decision.get("breaker_state") or "open"
                self.alone.breaker(ask.breaker).follow(state, retry_after)
                raise Refused(decision.get("denied_by") or ask.breaker.name, state, retry_after)
            refusals += 1
            yield Sleep(_pause(reason, retry_after, refusals))

    def _permit(self, ask: Ask, decision: dict[str, Any]) -> Steps[Permit]:
        """What was granted, once it is due."""
        local = self.alone.breaker(ask.breaker)
        state = decision.get("breaker_state") or "closed"
        local.follow(state, None)
        urgent = state != "closed" or ask.in_flight_counts
        permit = Permit(local, decision.get("call_id"), None, urgent)
        wait = decision.get("wait_seconds") or 0.0
        if wait > 0:
            for limiter in ask.limiters:
                self.alone.shares.promise(limiter.name, wait)
            try:
                yield Sleep(wait)
            except BaseException:
                self.note(permit, "ignored", 0.0)
                raise
        return permit

    def _call(self, ask: Ask, declare: bool, flight: Flight | None) -> bytes:
        body = ask.head(self.client)
        if declare:
            body += ',"config":' + ask.declaration
        if flight is not None:
            body += ',"outcomes":' + encode([outcome.item() for outcome in flight.outcomes])
        return (body + "}").encode("ascii")

    def _too_late(self, response: Response) -> None:
        """The caller was cancelled while it asked: what it was given goes back."""
        with contextlib.suppress(FuseboardError):
            decision = fields(response)
            call_id = decision.get("call_id")
            if decision.get("allowed") and isinstance(call_id, str):
                self._post(Outcome(call_id, "ignored", 0.0, None))

    def note(self, permit: Permit, outcome: str, seconds: float, error: str | None = None) -> bool:
        """Record an outcome without waiting; whether it should be sent at once. Safe in finalisers."""
        if permit.span is not None:
            permit.span.ended(outcome, seconds, error)
            return False
        for place in permit.held:
            self._leave(place)
        if permit.local is not None:
            was = permit.breaker.settle(permit.local, outcome)
            replica = self.replica.breaker(permit.breaker.name)
            if replica is not None and was == "counted":
                replica.alone(outcome, seconds, error)
            elif replica is not None and was == "recovered":
                replica.recovered_alone()
            return False
        permit.breaker.tally(outcome)
        if permit.call_id is None:
            return False
        self._post(Outcome(permit.call_id, outcome, seconds, error))
        return permit.urgent or outcome == "failure"

    def _post(self, outcome: Outcome) -> None:
        self.outbox.add(outcome)
        if self.courier.idle:
            self.courier.wake()

    # a limiter alone

    def acquire(
        self, limiter: RateLimiterConfig, tokens: float = 1.0, patience: float | None = None
    ) -> Steps[Grant]:
        """Tokens, waited for up to the patience, or as long as it takes without one."""
        if not self._ready:
            self._get_ready()
        key = ("limiter", limiter.name)
        declare = key not in self._declared
        refusals = 0
        path = at("limiters", limiter.name, "acquire")
        while True:
            if self.presence.away:
                self._gate_if_denied(limiter)
                got = yield from self.alone.wait(limiter, tokens, patience)
                if got is not None:
                    return Grant(bool(got), got if isinstance(got, str) else None)
            body: dict[str, Any] = {
                "tokens": int(tokens) if tokens == int(tokens) else tokens,
                "max_wait_seconds": PATIENCE_SECONDS if patience is None else patience,
                "client": self.client,
            }
            if declare:
                body["config"] = limiter.declaration()
            late = partial(self._grant_too_late, limiter.name)
            decision = yield from self.send(Request("POST", path, encode(body).encode("ascii"), late=late))
            if decision is None:
                continue
            if decision is UNKNOWN:
                if declare:
                    raise not_found(limiter.name)
                self._declared.discard(key)
                declare = True
                continue
            self._declared.add(key)
            self.alone.shares.learn_acquired(limiter.name, decision)
            if decision.get("allowed"):
                wait = decision.get("wait_seconds") or 0.0
                if wait > 0:
                    self.alone.shares.promise(limiter.name, wait)
                    yield Sleep(wait)
                return Grant(True, decision.get("lease_id"))
            if patience is not None:
                return Grant(False, None)
            refusals += 1
            yield Sleep(_pause(decision.get("reason"), decision.get("retry_after_seconds"), refusals))

    def _grant_too_late(self, limiter: str, response: Response) -> None:
        """The caller was cancelled while it asked: it is in flight no longer."""
        with contextlib.suppress(FuseboardError):
            lease_id = fields(response).get("lease_id")
            if isinstance(lease_id, str):
                self.release_later(limiter, lease_id)

    def release(self, limiter: str, lease_id: str) -> Steps[None]:
        """End a permit of a limiter that counts calls in flight."""
        if self._leave(lease_id):
            return
        body = encode({"lease_id": lease_id}).encode("ascii")
        try:
            yield from self.send(Request("POST", at("limiters", limiter, "release"), body))
        except FuseboardError as error:
            logger.debug("fuseboard: a permit was not released: %s", error)

    def release_later(self, limiter: str, lease_id: str) -> None:
        """The same without waiting. Safe in finalisers."""
        if not self._leave(lease_id):
            self._releases.append((limiter, lease_id))
            self.courier.wake()

    def _leave(self, place: str) -> bool:
        """Give up a place among the calls in flight; whether this process had given it."""
        known = place.startswith("alone-")
        over = self.alone.ended(place) if known else None
        if over is not None:
            self._releases.append(over)
            self.courier.wake()
        return known

    def release_rest(self) -> Steps[None]:
        """What was left for later."""
        while self._releases:
            yield from self.release(*self._releases.popleft())

    # the server, and its absence

    def send(self, request: Request, flight: Flight | None = None) -> Steps[dict[str, Any] | None]:
        """The fields of an answer, ``UNKNOWN`` for a 404; ``None`` after the server was found away."""
        try:
            answer = yield request
            assert isinstance(answer, Response)
            told = UNKNOWN if answered(answer).status == 404 else fields(answer)
        except FuseboardUnavailable as error:
            self.outbox.put_back(flight)
            self.found_away(error)
            return None
        except BaseException:
            self.outbox.put_back(flight)
            raise
        if told is UNKNOWN:
            self.outbox.put_back(flight)
        else:
            self.outbox.landed(flight)
        return told

    def expect_answer(self) -> None:
        """Before a plain client asks: ``FuseboardUnavailable`` while the server is known to be away."""
        self.expect_work()
        self._gate()

    def expect_work(self) -> None:
        """Something is left to the courier: it must be there."""
        if not self._ready:
            self._get_ready()

    def found_away(self, error: FuseboardUnavailable) -> None:
        """Something got no answer: from now on this process decides by itself."""
        if not isinstance(error, Gated) and self.presence.lost(error.retry_after_seconds):
            logger.warning("fuseboard: the server is away, deciding locally: %s", error)
            self.alone.shares.begin_afresh()
            self.replica.lost()
            self.courier.wake()

    def _gate(self) -> None:
        if self.presence.away:
            raise Gated("the server is away")

    def _gate_if_denied(self, *configs: CircuitBreakerConfig | RateLimiterConfig) -> None:
        if any(self.alone.policy(config) in ("deny", "raise") for config in configs):
            self._gate()

    def _get_ready(self) -> None:
        self._ready = True
        self.courier.ensure_running()
        util = sys.modules.get("multiprocessing.util")
        parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
        if util is not None and parent is not None and parent() is not None:
            # a child of multiprocessing ends without running atexit
            util.Finalize(None, _at_the_end, args=(weakref.ref(self),), exitpriority=10)

    # outcomes

    def report(self, patience: float = ORDER_SECONDS) -> Steps[None]:
        """Send the pending outcomes and wait until the server has them. Never raises.

        Those that other threads are sending are waited for with some patience, so that a success that is on
        its way does not arrive after a later failure and reset the count.
        """
        if self.presence.away:
            return
        yield from self._landing(patience)
        while (flight := self.outbox.take()) is not None:
            body = encode({"items": [outcome.item() for outcome in flight.outcomes]}).encode("ascii")
            try:
                answer = yield from self.send(Request("POST", "/v1/outcomes", body), flight)
            except FuseboardError as error:
                logger.warning("fuseboard: outcomes were refused: %s", error)
                return
            if answer is None or answer is UNKNOWN:
                return
        if self.replica.is_followed:
            yield from self.replica.reporter.report(patience)

    def _landing(self, patience: float) -> Steps[None]:
        """Wait for what other threads are sending."""
        flights = self.outbox.in_the_air()
        yield from until(lambda: not self.outbox.still_in_the_air(flights), patience)

    def flush(self) -> None:
        """Send the pending outcomes now, blocking."""
        self.run(self.report())

    # reading and resetting

    def read(self, path: str) -> Steps[dict[str, Any] | None]:
        """A resource after this process's own outcomes; ``None`` while unknown to the server.

        ``FuseboardUnavailable`` if the server is away.
        """
        return (yield from self._ask("GET", path))

    def reset(self, config: CircuitBreakerConfig) -> Steps[dict[str, Any] | None]:
        """Close a breaker for everyone; ``None`` if the server has none of that name."""
        self.alone.breaker(config).reset()
        told = yield from self._ask("POST", at("breakers", config.name, "reset"))
        replica = self.replica.breaker(config.name)
        if replica is not None and told is not None:
            replica.hear(told, self.replica.follower.fresh_until)
        return told

    def _ask(self, method: str, path: str) -> Steps[dict[str, Any] | None]:
        if not self._ready:
            self._get_ready()
        yield from self.report(READ_SECONDS)
        # the courier may have taken the last ones just before this thread could
        yield from self._landing(READ_SECONDS)
        self._gate()
        body = b"{}" if method == "POST" else None
        try:
            answer = yield Request(method, path, body)
        except FuseboardUnavailable as error:
            self.found_away(error)
            raise
        assert isinstance(answer, Response)
        if answer.status == 404:
            return None
        return fields(answer)


def _pause(reason: object, retry_after: float | None, refusals: int) -> float:
    """How long to wait before asking a limiter again."""
    if reason == "concurrency_full":
        # whoever is inside may leave at any time; retry_after is only when their permits end by themselves
        pause = min(0.01 * 2.0 ** min(refusals, 6), retry_after or PATIENCE_SECONDS) * random.uniform(
            0.5, 1.0
        )
    else:
        pause = retry_after or 0.05
    return min(max(pause, 0.005), PATIENCE_SECONDS)


def _at_the_end(board: weakref.ref[Board]) -> None:
    living = board()
    if living is not None:
        living.rounds.last()


_boards: weakref.WeakSet[Board] = weakref.WeakSet()
