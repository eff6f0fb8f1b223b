"""The decisions of guarded calls: by the server while it is there, in this process while it is not.

Every decision is written once, as a generator that yields what it needs (``Request``, ``Sleep``); ``run``
drives it for threads and ``run_async`` for coroutines. Nothing here knows about decorators.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import random
import sys
import time
import weakref
from collections import deque
from collections.abc import Generator, Iterable
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from .courier import Courier
from .errors import FuseboardError, FuseboardUnavailable, problem
from .local import LocalBreaker, LocalBucket
from .outbox import MAX_WAITING, Flight, Outbox, Outcome
from .presence import Presence
from .settings import Settings, client_id
from .specs import CircuitBreakerConfig, RateLimiterConfig
from .transport import HttpTransport, Request, Transport
from .wire import ProtocolError, Response

PATIENCE_SECONDS = 30.0
"""The longest slot that a limiter may give ahead; beyond it the caller asks again later."""
GUARDED_PATIENCE_SECONDS = 5.0
"""The same where a breaker is asked too: its answer should not be older than this when the call starts."""
ORDER_SECONDS = 0.05
"""How long a failure waits for the outcomes that other threads sent before it."""
READ_SECONDS = 1.0
"""How long reading a state waits for the outcomes that other threads sent before it."""

logger = logging.getLogger("fuseboard")
encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode

UNKNOWN: dict[str, Any] = {}
"""Stands for the answer 404."""

T = TypeVar("T")


class Sleep:
    """Wait, in the way that suits the caller."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


Steps = Generator[Request | Sleep, Response | None, T]


class Gated(FuseboardUnavailable):
    """The server is known to be away: nothing was asked."""


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


class Chore(Protocol):
    """What the courier does beside outcomes, for the default board."""

    def round(self, board: Board, last: bool) -> bool:
        """Do what is due, or all if it is the last time; whether something is left."""

    def pending(self) -> bool:
        """Whether something waits to be done."""


chores: list[Chore] = []


class Permit:
    """Leave for one call. Its outcome must be reported."""

    __slots__ = ("breaker", "call_id", "local", "urgent")

    def __init__(
        self, breaker: LocalBreaker, call_id: str | None, local: int | None, urgent: bool = False
    ) -> None:
        self.breaker = breaker
        self.call_id = call_id
        self.local = local
        self.urgent = urgent


class Grant:
    """What a limiter said; ``lease_id`` if it must be told when the call has ended."""

    __slots__ = ("allowed", "lease_id")

    def __init__(self, allowed: bool, lease_id: str | None) -> None:
        self.allowed = allowed
        self.lease_id = lease_id


class Board:
    """One process's view of the server."""

    def __init__(self, settings: Settings, transport: Transport | None = None) -> None:
        self.settings = settings
        self.client = settings.client or client_id()
        self.transport: Transport = transport or HttpTransport(settings)
        self.is_default = False
        self._start_afresh()
        atexit.register(_last_flush, weakref.ref(self))
        _boards.add(self)

    def _start_afresh(self) -> None:
        self.outbox = Outbox()
        self.presence = Presence()
        self.courier = Courier(self)
        self._ready = False
        self._declared: set[tuple[str, str]] = set()
        self._breakers: dict[str, LocalBreaker] = {}
        self._buckets: dict[str, LocalBucket] = {}
        self._shares: dict[str, float] = {}
        self._releases: deque[tuple[str, str]] = deque(maxlen=MAX_WAITING)
        if isinstance(self.transport, HttpTransport):
            self.transport.gate = self._gate
            self.transport.on_orphan = self.courier.wake

    def after_fork(self) -> None:
        """In the child: another client, with nothing pending and nothing known."""
        if self.settings.client is None:
            self.client = client_id()
        self._start_afresh()

    def close(self) -> None:
        """Send what is pending, then end the background thread and the connections."""
        self.flush()
        self.last_chores()
        self.is_default = False
        self.courier.stop()
        self.transport.close()

    # drivers

    def run(self, steps: Steps[T]) -> T:
        """Carry out the steps, blocking."""
        request = self.transport.request
        try:
            step = next(steps)
            while True:
                if isinstance(step, Sleep):
                    time.sleep(step.seconds)
                    step = steps.send(None)
                    continue
                try:
                    response = request(step)
                except FuseboardUnavailable as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    async def run_async(self, steps: Steps[T]) -> T:
        """Carry out the steps without blocking the event loop."""
        request = self.transport.request_async
        try:
            step = next(steps)
            while True:
                if isinstance(step, Sleep):
                    await asyncio.sleep(step.seconds)
                    step = steps.send(None)
                    continue
                try:
                    response = await request(step)
                except FuseboardUnavailable as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(response)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        finally:
            steps.close()

    # a breaker, with the limiters in front of it

    def begin(self, ask: Ask) -> Steps[Permit]:
        """A permit for one call, after the wait that the limiters impose; ``Refused`` by an open breaker."""
        if not self._ready:
            self._get_ready()
        local = self._breaker(ask.breaker)
        declare = not ask.keys <= self._declared
        refusals = 0
        while True:
            if self.presence.away:
                self._gate_if_strict()
                permit = yield from self._begin_alone(ask, local)
                if permit is not None:
                    return permit
            flight = self.outbox.take()
            request = Request("POST", "/v1/calls", self._call(ask, declare, flight), late=self._too_late)
            decision = yield from self._send(request, flight)
            if decision is None:
                continue
            if decision is UNKNOWN:
                if declare:
                    raise _not_found(ask.breaker.name)
                self._declared -= ask.keys
                declare = True
                continue
            self._declared |= ask.keys
            for limiter in ask.limiters:
                self._learn_share(limiter.name, decision.get("fallback_share"))
            if decision.get("allowed"):
                state = decision.get("breaker_state") or "closed"
                local.follow(state, None)
                permit = Permit(
                    local, decision.get("call_id"), None, urgent=state != "closed" or ask.in_flight_counts
                )
                wait = decision.get("wait_seconds") or 0.0
                if wait > 0:
                    try:
                        yield Sleep(wait)
                    except BaseException:
                        self.note(permit, "ignored", 0.0)
                        raise
                return permit
            retry_after = decision.get("retry_after_seconds")
            reason = decision.get("reason")
            if reason == "concurrency_full":
                ask.in_flight_counts = True
            if reason not in ("rate_limited", "concurrency_full"):
                state = decision.get("breaker_state") or "open"
                local.follow(state, retry_after)
                raise Refused(decision.get("denied_by") or ask.breaker.name, state, retry_after)
            refusals += 1
            yield Sleep(_pause(reason, retry_after, refusals))

    def _call(self, ask: Ask, declare: bool, flight: Flight | None) -> bytes:
        body = ask.head(self.client)
        if declare:
            body += ',"config":' + ask.declaration
        if flight is not None:
            body += ',"outcomes":' + encode([outcome.item() for outcome in flight.outcomes])
        return (body + "}").encode("ascii")

    def _too_late(self, response: Response) -> None:
        """The caller was cancelled while it asked: what it was given goes back."""
        try:
            decision = _fields(response)
        except FuseboardError:
            return
        call_id = decision.get("call_id")
        if decision.get("allowed") and isinstance(call_id, str):
            self._post(Outcome(call_id, "ignored", 0.0, None))

    def _begin_alone(self, ask: Ask, local: LocalBreaker) -> Steps[Permit | None]:
        """The same decided here; ``None`` if the server came back meanwhile."""
        left = local.refuses()
        if left is not None:
            raise Refused(ask.breaker.name, "open", left)
        for limiter in ask.limiters:
            if not (yield from self._wait_alone(limiter, 1.0, None)):
                return None
        permit, left = local.admit()
        if permit is None:
            raise Refused(ask.breaker.name, local.state, left)
        return Permit(local, None, permit)

    def note(self, permit: Permit, outcome: str, seconds: float, error: str | None = None) -> bool:
        """Record an outcome without waiting; whether it should be sent at once. Safe in finalisers."""
        if permit.local is not None:
            permit.breaker.settle(permit.local, outcome)
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
        path = f"/v1/limiters/{_segment(limiter.name)}/acquire"
        while True:
            if self.presence.away:
                self._gate_if_strict()
                got = yield from self._wait_alone(limiter, tokens, patience)
                if got is not None:
                    return Grant(got, None)
            body: dict[str, Any] = {
                "tokens": int(tokens) if tokens == int(tokens) else tokens,
                "max_wait_seconds": PATIENCE_SECONDS if patience is None else patience,
                "client": self.client,
            }
            if declare:
                body["config"] = limiter.declaration()
            decision = yield from self._send(Request("POST", path, encode(body).encode("ascii")))
            if decision is None:
                continue
            if decision is UNKNOWN:
                if declare:
                    raise _not_found(limiter.name)
                self._declared.discard(key)
                declare = True
                continue
            self._declared.add(key)
            self._learn_share(limiter.name, decision.get("fallback_share"))
            if decision.get("allowed"):
                wait = decision.get("wait_seconds") or 0.0
                if wait > 0:
                    yield Sleep(wait)
                return Grant(True, decision.get("lease_id"))
            if patience is not None:
                return Grant(False, None)
            refusals += 1
            yield Sleep(_pause(decision.get("reason"), decision.get("retry_after_seconds"), refusals))

    def release(self, limiter: str, lease_id: str) -> Steps[None]:
        """End a permit of a limiter that counts calls in flight."""
        body = encode({"lease_id": lease_id}).encode("ascii")
        try:
            yield from self._send(Request("POST", f"/v1/limiters/{_segment(limiter)}/release", body))
        except FuseboardError as error:
            logger.debug("fuseboard: a permit was not released: %s", error)

    def release_later(self, limiter: str, lease_id: str) -> None:
        """The same without waiting. Safe in finalisers."""
        self._releases.append((limiter, lease_id))
        self.courier.wake()

    def _wait_alone(
        self, limiter: RateLimiterConfig, tokens: float, patience: float | None
    ) -> Steps[bool | None]:
        """Tokens of the local share; ``None`` if the server came back before they were due."""
        bucket = self._bucket(limiter)
        wait = bucket.reserve(tokens, float("inf") if patience is None else patience)
        if wait is None:
            return False
        due = time.monotonic() + wait
        while (left := due - time.monotonic()) > 0:
            if not self.presence.away:
                bucket.give_back(tokens)
                return None
            yield Sleep(min(left, 0.5))
        return True

    # the server, and its absence

    def _send(self, request: Request, flight: Flight | None = None) -> Steps[dict[str, Any] | None]:
        """The fields of an answer, ``UNKNOWN`` for a 404; ``None`` after the server was found away."""
        try:
            answer = yield request
            assert isinstance(answer, Response)
            if answer.status >= 500 or answer.status in (408, 429):
                error = problem(answer.status, answer.body, answer.header("retry-after"))
                raise FuseboardUnavailable(str(error), retry_after_seconds=error.retry_after_seconds)
            fields = UNKNOWN if answer.status == 404 else _fields(answer)
        except FuseboardUnavailable as error:
            self.outbox.put_back(flight)
            self._lost(error)
            return None
        except BaseException:
            self.outbox.put_back(flight)
            raise
        if fields is UNKNOWN:
            self.outbox.put_back(flight)
        else:
            self.outbox.landed(flight)
        return fields

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
            self._buckets.clear()
            self.courier.wake()

    def _lost(self, error: FuseboardUnavailable) -> None:
        self.found_away(error)
        if self.settings.on_unavailable == "raise":
            raise error

    def _gate(self) -> None:
        if self.presence.away:
            raise Gated("the server is away")

    def _gate_if_strict(self) -> None:
        if self.settings.on_unavailable == "raise":
            self._gate()

    def _get_ready(self) -> None:
        self._ready = True
        self.courier.ensure_running()
        util = sys.modules.get("multiprocessing.util")
        parent = getattr(sys.modules.get("multiprocessing.process"), "parent_process", None)
        if util is not None and parent is not None and parent() is not None:
            # a child of multiprocessing ends without running atexit
            util.Finalize(None, _last_flush, args=(weakref.ref(self),), exitpriority=10)

    def _breaker(self, config: CircuitBreakerConfig) -> LocalBreaker:
        breaker = self._breakers.get(config.name)
        if breaker is None:
            breaker = self._breakers.setdefault(config.name, LocalBreaker(config))
        return breaker

    def _bucket(self, limiter: RateLimiterConfig) -> LocalBucket:
        bucket = self._buckets.get(limiter.name)
        if bucket is None:
            share = self._shares.get(limiter.name)
            if share is None:
                peers = self.settings.fallback_peers
                bucket = LocalBucket(limiter.requests_per_second / peers, max(1.0, limiter.burst / peers))
                bucket.give_back(bucket.burst)
            else:
                bucket = LocalBucket(share, 1.0)
            bucket = self._buckets.setdefault(limiter.name, bucket)
        return bucket

    def _learn_share(self, name: str, share: object) -> None:
        if isinstance(share, (int, float)) and share > 0:
            self._shares[name] = float(share)

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
                answer = yield from self._send(Request("POST", "/v1/outcomes", body), flight)
            except FuseboardError as error:
                if not isinstance(error, FuseboardUnavailable):
                    logger.warning("fuseboard: outcomes were refused: %s", error)
                return
            if answer is None or answer is UNKNOWN:
                return

    def _landing(self, patience: float) -> Steps[None]:
        """Wait for what other threads are sending."""
        flights = self.outbox.in_the_air()
        until = time.monotonic() + patience
        while self.outbox.still_in_the_air(flights) and time.monotonic() < until:
            yield Sleep(0.0005)

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
        self._breaker(config).reset()
        return (yield from self._ask("POST", f"/v1/breakers/{_segment(config.name)}/reset"))

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
            self._lost(error)
            raise
        assert isinstance(answer, Response)
        if answer.status == 404:
            return None
        return _fields(answer)

    def local_breaker(self, config: CircuitBreakerConfig) -> LocalBreaker:
        """This process's own breaker of that name."""
        return self._breaker(config)

    # the courier's round

    def duties(self) -> bool:
        """Probe a server that is away; else send outcomes, what cancelled callers held, and the rest."""
        self.transport.finish_orphans()
        if self.presence.away:
            if self.presence.probe_in() <= 0:
                self._probe()
            self._chores()
            return True
        busy = bool(self.outbox)
        if busy:
            self._quietly(self.report(0.0))
        while self._releases:
            self._quietly(self.release(*self._releases.popleft()))
        return self._chores() or busy

    def pending(self) -> bool:
        """Whether the courier has something to do."""
        return bool(self.outbox) or (self.is_default and any(chore.pending() for chore in chores))

    def _chores(self) -> bool:
        left = [chore.round(self, False) for chore in chores] if self.is_default else []
        return any(left)

    def last_chores(self) -> None:
        """All of them, as far as the server lets."""
        for chore in chores if self.is_default else ():
            try:
                chore.round(self, True)
            except FuseboardError as error:
                logger.debug("fuseboard: %s", error)

    def _probe(self) -> None:
        try:
            self.transport.request(Request("GET", "/livez"))
        except FuseboardUnavailable:
            self.presence.still_away()
            return
        self.presence.back()
        logger.warning("fuseboard: the server is back")

    def _quietly(self, steps: Steps[None]) -> None:
        try:
            self.run(steps)
        except FuseboardError as error:
            logger.debug("fuseboard: %s", error)


def _fields(answer: Response) -> dict[str, Any]:
    """The JSON object of a 2xx answer."""
    if not 200 <= answer.status < 300:
        raise problem(answer.status, answer.body, answer.header("retry-after"))
    try:
        value = answer.json()
    except ProtocolError as error:
        raise FuseboardUnavailable(f"not an answer of Fuseboard: {error}", status=answer.status) from None
    if not isinstance(value, dict):
        raise FuseboardUnavailable("not an answer of Fuseboard", status=answer.status)
    return value


def _not_found(name: str) -> FuseboardError:
    return FuseboardError(
        f"the server does not know {name!r} although it was declared; is this Fuseboard's address?",
        status=404,
        code="not_found",
    )


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


def _segment(name: str) -> str:
    return quote(name, safe=":")


def _last_flush(board: weakref.ref[Board]) -> None:
    living = board()
    if living is not None and living.outbox:
        living._quietly(living.report())
    if living is not None:
        living.last_chores()


_boards: weakref.WeakSet[Board] = weakref.WeakSet()
