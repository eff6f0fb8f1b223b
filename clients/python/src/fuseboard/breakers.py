"""What this process knows of the breakers that it guards calls with, and what it has counted of them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from .local import LocalBreaker
from .spans import ALWAYS, CLOSED_DOOR, NEVER, Run, Span, clock
from .specs import CircuitBreakerConfig

PASSING = ("closed", "metrics_only")
SHUT = ("open", "forced_open")
MAX_REPORTS = 100


class Report:
    """Outcomes on their way to the server. Its number makes it count once, however often it is sent."""

    __slots__ = ("error", "generation", "of", "rejected", "runs", "sequence", "tripped")

    def __init__(
        self, of: BreakerReplica, sequence: int, span: Span, runs: list[Run], rejected: int, tripped: bool
    ) -> None:
        self.of = of
        self.sequence = sequence
        self.generation = span.generation
        self.runs = runs
        self.rejected = rejected
        self.error = span.error
        self.tripped = tripped
        span.error = None

    def item(self) -> dict[str, Any]:
        """Its form on the wire."""
        item: dict[str, Any] = {
            "breaker": self.of.name,
            "generation": self.generation,
            "sequence": self.sequence,
            "runs": [run.report() for run in self.runs],
        }
        if self.rejected:
            item["rejected"] = self.rejected
        if self.error is not None:
            item["error"] = self.error
        return item


class BreakerReplica:
    """One breaker, as the server told it last.

    While it is closed, calls are admitted through ``span``. A process that sees as many failures in a row
    as open the breaker takes it to be open at once, and the server's answer to the report of them is what
    counts then.
    """

    def __init__(self, config: CircuitBreakerConfig, local: LocalBreaker, hurry: Callable[[], None]) -> None:
        self.name = config.name
        self.span: Span = CLOSED_DOOR
        self.state: str | None = None
        self.generation = 0
        self.known = False
        self._declared = config
        self._local = local
        self._hurry = hurry
        self._lock = threading.RLock()
        self._threshold: float = ALWAYS
        self._slow_after = ALWAYS
        self._timeout = config.timeout_seconds
        self._open_until = NEVER
        self._tripped = False
        self._sequence = 0
        self._rejected = 0
        # generations that are over and have something left to report
        self._old: deque[Span] = deque(maxlen=16)

    # what the server says

    def hear(self, told: dict[str, Any], fresh_until: float, *, is_snapshot: bool = False) -> None:
        """All of it, from the stream."""
        with self._lock:
            generation = int(told.get("generation") or 0)
            state = told.get("state")
            if not is_snapshot and state is not None and generation < self.generation:
                return
            config = told.get("config")
            if isinstance(config, dict):
                self._configure(config)
            # a trip that the server has not heard of yet is not undone by what it said before
            if self._tripped and state in PASSING and generation == self.generation and not is_snapshot:
                return
            self._enter(state, generation, told.get("retry_after_seconds"), fresh_until)
            self.known = True

    def answered(self, report: Report, answer: dict[str, Any], fresh_until: float) -> None:
        """How the breaker was after it took a report."""
        with self._lock:
            state, generation = answer.get("breaker_state"), int(answer.get("generation") or 0)
            if state is None:
                return
            undone = report.tripped and self._tripped and generation == self.generation
            if generation > self.generation or undone:
                self._enter(state, generation, answer.get("retry_after_seconds"), fresh_until)

    def _configure(self, config: dict[str, Any]) -> None:
        threshold = int(config.get("failure_threshold") or self._declared.failure_threshold)
        self._timeout = float(config.get("timeout_seconds") or self._declared.timeout_seconds)
        self._threshold = threshold if int(config.get("min_reporters") or 1) <= 1 else ALWAYS
        window = config.get("window")
        slow = window.get("slow_call_seconds") if isinstance(window, dict) else None
        self._slow_after = float(slow) if slow else ALWAYS
        self.span.slow_after = self._slow_after if self.span is not CLOSED_DOOR else ALWAYS
        most = int(config.get("half_open_max_calls") or self._declared.half_open_max_calls)
        self._local.adopt(threshold, self._timeout, most)

    def _enter(self, state: str | None, generation: int, retry_after: object, fresh_until: float) -> None:
        changed = (state, generation) != (self.state, self.generation) or self._tripped
        self.state, self.generation, self._tripped = state, generation, False
        wait = float(retry_after) if isinstance(retry_after, (int, float)) else None
        if state in SHUT:
            self._open_until = ALWAYS if wait is None else clock() + wait
        if changed:
            self._local.follow(state or "closed", wait)
        if state not in PASSING:
            self._shut()
            return
        if self.span is CLOSED_DOOR or self.span.generation != generation:
            self._shut()
            self.span = Span(generation, self._slow_after, self._failed)
        self.span.fresh = fresh_until

    def _shut(self) -> None:
        span, self.span = self.span, CLOSED_DOOR
        if span is not CLOSED_DOOR:
            span.fresh = NEVER
            self._old.append(span)

    def heard(self, fresh_until: float) -> None:
        """A sign of life: what is known is known for longer."""
        with self._lock:
            if self.span is not CLOSED_DOOR and self.state in PASSING and not self._tripped:
                self.span.fresh = fresh_until

    def lost(self) -> None:
        """The server is away: nobody is admitted by what it said."""
        with self._lock:
            self.known = False
            if self.span is not CLOSED_DOOR:
                self.span.fresh = NEVER
                if not self._tripped:
                    self._local.goes_on(self.span.failures)

    def close_door(self) -> None:
        """For good. Takes no lock: in the child of a fork it may be held."""
        self.known = False
        self.span.fresh = NEVER
        self.span = CLOSED_DOOR

    # what happens here

    def refuses(self) -> float | None:
        """How long it will surely refuse; ``None`` if it may admit, or if only the server knows."""
        if not (self._tripped or self.state in SHUT):
            return None
        left = self._open_until - clock()
        return left if left > 0 else None

    @property
    def shown(self) -> str:
        """The state as a caller is told."""
        return self.state if self.state is not None and not self._tripped else "open"

    def reject(self) -> None:
        """A call was turned away here."""
        with self._lock:
            self._rejected += 1

    def alone(self, outcome: str, seconds: float, error: str | None) -> None:
        """An outcome of a call that was admitted while the server is away, and the local breaker closed."""
        span = self.span
        if span is not CLOSED_DOOR:
            span.ended(outcome, seconds, error)

    def recovered_alone(self) -> None:
        """The local breaker has closed again: what opened it is over."""
        if self.span is not CLOSED_DOOR:
            self.span.forget()

    def _failed(self, span: Span) -> None:
        if span.failures < self._threshold:
            return
        with self._lock:
            if span is self.span and span.fresh > NEVER and self.state == "closed" and not self._tripped:
                self._tripped = True
                span.fresh = NEVER
                self._open_until = clock() + self._timeout
                self._local.follow("open", self._timeout)
        self._hurry()

    # what is to be reported

    def reports(self, most: int = MAX_REPORTS) -> list[Report]:
        """What has happened since the last time."""
        with self._lock:
            made: list[Report] = []
            for span in (*self._old, self.span):
                while span is not CLOSED_DOOR and len(made) < most and (runs := span.collect()):
                    made.append(self._report(span, runs))
            if len(made) < most:
                self._old.clear()
            if self._rejected and len(made) < most:
                made.append(self._report(self.span, []))
            return made

    def _report(self, span: Span, runs: list[Run]) -> Report:
        self._sequence += 1
        rejected, self._rejected = self._rejected, 0
        tripped = self._tripped and span is self.span
        return Report(self, self._sequence, span, runs, rejected, tripped)
