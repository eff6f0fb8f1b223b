"""Outcomes on their way to the server. They ride along with the next call, or leave with the courier."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

MAX_WAITING = 10_000
MAX_BATCH = 256
MAX_TRIES = 3


class Outcome:
    """How one permitted call ended."""

    __slots__ = ("call_id", "duration_seconds", "error", "outcome", "tries")

    def __init__(self, call_id: str, outcome: str, duration_seconds: float, error: str | None) -> None:
        self.call_id = call_id
        self.outcome = outcome
        self.duration_seconds = duration_seconds
        self.error = error
        self.tries = 0

    def item(self) -> dict[str, Any]:
        """Its form on the wire."""
        item: dict[str, Any] = {
            "call_id": self.call_id,
            "outcome": self.outcome,
            "duration_seconds": self.duration_seconds,
        }
        if self.error is not None:
            item["error"] = self.error
        return item


class Flight:
    """Outcomes that were sent and are not answered yet."""

    __slots__ = ("outcomes", "thread")

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.thread = threading.get_ident()


class Outbox:
    """A bounded queue without a lock: it is used from finalisers and from every thread.

    When it is full the oldest are dropped; their permits then end with their leases.
    """

    def __init__(self) -> None:
        self._waiting: deque[Outcome] = deque(maxlen=MAX_WAITING)
        self._flights: set[Flight] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def add(self, outcome: Outcome) -> None:
        """To be sent soon."""
        self._waiting.append(outcome)

    def take(self, limit: int = MAX_BATCH) -> Flight | None:
        """What is to be sent now; give it to ``landed`` or ``put_back`` afterwards."""
        if not self._waiting:
            return None
        flight = Flight()
        # in the air before the first leaves the queue: nobody sees it in neither place
        self._flights.add(flight)
        taken = flight.outcomes
        while len(taken) < limit:
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                break
        if not taken:
            self._flights.discard(flight)
            return None
        return flight

    def landed(self, flight: Flight | None) -> None:
        """The server has them."""
        if flight is not None:
            self._flights.discard(flight)

    def put_back(self, flight: Flight | None) -> None:
        """The server may not have them. Sent again, they are recognised as duplicates if it does."""
        if flight is None:
            return
        for outcome in reversed(flight.outcomes):
            outcome.tries += 1
            if outcome.tries < MAX_TRIES and len(self._waiting) < MAX_WAITING:
                self._waiting.appendleft(outcome)
        self._flights.discard(flight)

    def in_the_air(self) -> set[Flight]:
        """Flights of other threads. This thread's own cannot land while it waits for them."""
        me = threading.get_ident()
        return {flight for flight in self._flights.copy() if flight.thread != me}

    def still_in_the_air(self, flights: set[Flight]) -> bool:
        """Whether one of them has not landed."""
        return not flights.isdisjoint(self._flights)
