"""Sends what was counted here, each report until the server has it."""

from __future__ import annotations

import logging
import os
import threading
from functools import partial
from typing import TYPE_CHECKING

from .breakers import MAX_REPORTS, BreakerReplica, Report
from .calls import encode
from .errors import FuseboardError
from .following import Follower
from .steps import Steps, until
from .transport import Request

if TYPE_CHECKING:
    from .board import Board

MAX_ITEMS = 1000
"""The most reports of one request."""

logger = logging.getLogger("fuseboard")


class Reporter:
    """The outcomes of these breakers. The session tells the server whose numbers its reports have."""

    def __init__(self, board: Board, breakers: dict[str, BreakerReplica], follower: Follower) -> None:
        self._session = os.urandom(8).hex()
        self._board = board
        self._breakers = breakers
        self._follower = follower
        self._sending = threading.Lock()
        self._flight: list[Report] = []

    @property
    def is_busy(self) -> bool:
        """Whether a report is on its way."""
        return bool(self._flight)

    def report(self, patience: float) -> Steps[None]:
        """Send what was counted, and wait until the server has it. Never raises but for what ends the
        caller."""
        if not (yield from until(partial(self._sending.acquire, blocking=False), patience)):
            return
        try:
            while not self._board.presence.away:
                # what is sent again was counted before the rest
                again = self.is_busy
                self._collect()
                if not self._flight:
                    return
                more = yield from self._send_flight()
                if not more and (self.is_busy or not again):
                    return
        finally:
            self._sending.release()

    def _collect(self) -> None:
        if self._flight:
            return
        for breaker in list(self._breakers.values()):
            if len(self._flight) >= MAX_ITEMS:
                return
            self._flight += breaker.reports(min(MAX_REPORTS, MAX_ITEMS - len(self._flight)))

    def _send_flight(self) -> Steps[bool]:
        """One request; whether it was answered and there is more to send."""
        flight = self._flight
        body = {
            "client": self._board.client,
            "session": self._session,
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
            report.of.answered(report, told, self._follower.fresh_until)
        return len(flight) >= MAX_ITEMS
