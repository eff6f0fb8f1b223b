"""Counts and times what a process does, and sends it in the background."""

from __future__ import annotations

import logging
import math
import os
import re
import threading
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from ..access import reach
from ..answers import answered, fields
from ..board import Board
from ..current import board
from ..errors import FuseboardUnavailable, problem
from ..plain import clean, text
from ..rounds import chores
from ..transport import Request
from ..wire import Response
from .numbers import Batch, Event, Kind, Number, Totals, Waiting

FLUSH_SECONDS = 1.0
REFUSED_SECONDS = 5.0
"""How long to wait after the server refused everything, as with a wrong token."""
MOST_EVENTS = 4096

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,199}")
logger = logging.getLogger("fuseboard")


class Timer:
    """Measures the block that it is around, however that ends."""

    __slots__ = ("_collector", "_labels", "_name", "_started")

    def __init__(self, collector: MetricsCollector, name: str, labels: Mapping[str, Any] | None) -> None:
        self._collector = collector
        self._name = name
        self._labels = labels
        self._started = 0.0

    def __enter__(self) -> Timer:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._collector.record_time(self._name, time.perf_counter() - self._started, labels=self._labels)


class MetricsCollector:
    """Metrics of this process, summed on the board with those of the others.

    Recording never waits and never raises for a name or a number: what the board would not take stays in the
    process's own totals and is told once in the log. A second after a measurement it is on its way.
    """

    def __init__(self) -> None:
        self._start_afresh()

    def _start_afresh(self) -> None:
        # appending is atomic, so recording is safe in every thread and in finalisers
        self._events: deque[Event] = deque()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._totals = Totals()
        self._waiting = Waiting()
        self._sealed: deque[Batch] = deque()
        self._due = math.inf
        self._told: set[tuple[str, str]] = set()

    # recording

    def increment(self, name: str, value: Number = 1, *, labels: Mapping[str, Any] | None = None) -> None:
        """Count. Over all processes the sum is kept."""
        self._record("counter" if value >= 0 or value != value else "decrement", name, abs(value), labels)

    def decrement(self, name: str, value: Number = 1, *, labels: Mapping[str, Any] | None = None) -> None:
        """Count back. A counter never falls on the board: it counts this as ``{name}_decrements``."""
        self._record("decrement" if value >= 0 or value != value else "counter", name, abs(value), labels)

    def set_gauge(self, name: str, value: Number, *, labels: Mapping[str, Any] | None = None) -> None:
        """How something stands now. Over all processes the last one stays."""
        self._record("gauge", name, value, labels)

    def record_time(self, name: str, seconds: float, *, labels: Mapping[str, Any] | None = None) -> None:
        """How long something took."""
        self._record("timer", name, seconds, labels)

    def timer(self, name: str, *, labels: Mapping[str, Any] | None = None) -> Timer:
        """Measure a ``with`` block."""
        return Timer(self, name, labels)

    def _record(self, kind: Kind, name: str, value: Number, labels: Mapping[str, Any] | None) -> None:
        if not isinstance(name, str):
            raise TypeError(f"a metric's name must be text, not {type(name).__qualname__}")
        if not isinstance(value, int):
            value = float(value)
        told = (
            () if not labels else tuple(sorted((clean(text(k)), clean(text(v))) for k, v in labels.items()))
        )
        self._events.append(Event(kind, name, told, value))
        on = board()
        on.expect_work()
        if on.courier.idle:
            on.courier.wake()
        # whoever holds the lock takes these as well; waiting for it could be forever in a finaliser
        if len(self._events) >= MOST_EVENTS and self._lock.acquire(blocking=False):
            try:
                self._take_in()
            finally:
                self._lock.release()

    def _take_in(self) -> None:
        """Add the events up. With the lock."""
        events = self._events
        while events:
            try:
                event = events.popleft()
            except IndexError:
                return
            why = self._refuse(event)
            if why is None or why.startswith("its name"):
                self._totals.add(event)
            if why is None and not self._waiting.add(event):
                why = "too many wait to be sent"
            if why is not None:
                self._tell(event.name, why)
            elif self._due == math.inf:
                self._due = time.monotonic() + FLUSH_SECONDS

    @staticmethod
    def _refuse(event: Event) -> str | None:
        try:
            finite = math.isfinite(event.value)
        except OverflowError:
            finite = False
        if not finite:
            return "its value is no finite number"
        if event.kind == "timer" and event.value < 0:
            return "its time is negative"
        if not _NAME.fullmatch(event.name):
            return "its name is none for the board: letters, digits, _ and :, at most 200"
        return None

    def _tell(self, name: str, why: str) -> None:
        if (name, why) not in self._told and len(self._told) < 1000:
            self._told.add((name, why))
            logger.warning("fuseboard: metric %.200r is not sent: %s", name, why)

    # showing

    def get_metrics(self, *, shared: bool = False) -> dict[str, dict[str, Any]]:
        """``counters``, ``gauges`` and ``timers`` of this process since it began.

        With ``shared`` those of all processes, as the board has them, with this one's included;
        ``FuseboardUnavailable`` while it is away.
        """
        if shared:
            if not self.flush():
                raise FuseboardUnavailable("the server is away: what this process measured is not there yet")
            view = reach(lambda client: client.metrics_view())
            return {kind: view[kind] for kind in ("counters", "gauges", "timers")}
        with self._lock:
            self._take_in()
            return self._totals.view()

    # sending

    def flush(self) -> bool:
        """Send what waits, now; whether all of it arrived."""
        on = board()
        on.expect_work()
        self.round(on, True)
        return not self.pending()

    def pending(self) -> bool:
        """Whether something is not on the board yet."""
        with self._lock:  # what is being sealed is in neither place
            return bool(self._events or self._sealed or len(self._waiting))

    def round(self, board: Board, last: bool) -> bool:
        """Send what is due, or all that can be; whether something waits."""
        if not self._sending.acquire(timeout=5 if last else 0.01):
            return True
        try:
            while (batch := self._next(board, last)) is not None:
                if not self._send(board, batch):
                    break
        finally:
            self._sending.release()
        return self.pending()

    def _next(self, board: Board, last: bool) -> Batch | None:
        with self._lock:
            self._take_in()
            if board.presence.away and not last:
                return None
            now = time.monotonic()
            if not self._sealed:
                if now < self._due and not last:
                    return None
                self._due = math.inf
                batch = self._waiting.seal(board.client)
                if batch is not None:
                    self._sealed.append(batch)
                if len(self._waiting):
                    self._due = now
            elif self._due != math.inf and now < self._due and not last:
                return None
            return self._sealed[0] if self._sealed else None

    def _send(self, board: Board, batch: Batch) -> bool:
        """Whether to go on with the next."""
        headers = {"idempotency-key": batch.key}
        try:
            request = Request("POST", "/v1/metrics", batch.body, headers=headers)
            answer = answered(board.transport.request(request))
            if answer.status == 409:
                raise FuseboardUnavailable(str(problem(answer.status, answer.body)))
            if answer.status < 300:
                self._landed(batch, answer)
        except FuseboardUnavailable as error:
            board.found_away(error)
            return False
        if answer.status in (401, 403, 404, 405):
            self._tell("*", f"the server refuses all: {problem(answer.status, answer.body)}")
            self._due = time.monotonic() + REFUSED_SECONDS
            return False
        with self._lock:
            self._sealed.popleft()
            if answer.status >= 300:
                # refused as a whole, so nothing of it counts: the rest is found without the one at fault
                halves = batch.halves(board.client)
                self._sealed.extendleft(reversed(halves))
                if not halves:
                    self._tell(batch.samples[0]["name"], str(problem(answer.status, answer.body)))
        return True

    def _landed(self, batch: Batch, answer: Response) -> None:
        told = fields(answer)
        if "accepted" not in told:
            raise FuseboardUnavailable("not an answer of Fuseboard")
        for refused in told.get("rejected") or ():
            sample = batch.samples[refused["index"]]
            self._tell(sample["name"], f"{refused.get('code')}: {refused.get('message')}")


_collector = MetricsCollector()
chores.append(_collector)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_collector._start_afresh)


def get_metrics_collector() -> MetricsCollector:
    """The process's collector. A forked child begins with nothing: its parent sends what it measured."""
    return _collector
