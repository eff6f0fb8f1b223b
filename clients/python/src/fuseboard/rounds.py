"""What the background thread does in each of its rounds."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Protocol

from .answers import answered
from .calls import encode
from .errors import FuseboardError, FuseboardUnavailable
from .steps import Steps
from .transport import Request
from .wire import Response

if TYPE_CHECKING:
    from .board import Board

DOZE_SECONDS = 0.5

logger = logging.getLogger("fuseboard")


class Chore(Protocol):
    """What the courier does beside outcomes, for the default board."""

    def round(self, board: Board, last: bool) -> bool:
        """Do what is due, or all if it is the last time; whether something is left."""

    def pending(self) -> bool:
        """Whether something waits to be done."""


chores: list[Chore] = []


class Rounds:
    """A board's duties, for its courier."""

    def __init__(self, board: Board) -> None:
        self._board = board
        # what was spent alone and is being told, with the key under which it counts once
        self._spends: tuple[str, bytes] | None = None

    def duties(self) -> bool:
        """Probe a server that is away; else send outcomes, what cancelled callers held, and the rest."""
        board = self._board
        board.transport.finish_orphans()
        if board.presence.away:
            if board.presence.probe_in() <= 0:
                self._probe()
            self._chores()
            return True
        busy = bool(board.outbox) or board.replica.is_busy
        if busy or board.replica.is_followed:
            self._quietly(board.report(0.0))
            self._quietly(board.replica.leases.renew())
        self._quietly(board.release_rest())
        return self._chores() or busy

    def pending(self) -> bool:
        """Whether the courier has something to do."""
        return bool(self._board.outbox) or (
            self._board.is_default and any(chore.pending() for chore in chores)
        )

    def doze(self) -> float | None:
        """In local mode nobody rings for a success: it is looked for now and then."""
        return DOZE_SECONDS if self._board.replica.is_followed else None

    def _chores(self) -> bool:
        board = self._board
        left = [chore.round(board, False) for chore in chores] if board.is_default else []
        return any(left)

    def last(self) -> None:
        """Before the end: outcomes and all chores, as far as the server lets."""
        board = self._board
        board.transport.finish_orphans()
        if board.outbox or board.replica.is_followed:
            self._quietly(board.report())
        if board.replica.is_followed:
            self._quietly(board.replica.leases.renew(last=True))
        for chore in chores if board.is_default else ():
            try:
                chore.round(board, True)
            except FuseboardError as error:
                logger.debug("fuseboard: %s", error)

    def _probe(self) -> None:
        presence = self._board.presence
        try:
            self._ask(Request("GET", "/livez"))
            # before anybody is granted anything anew
            self._tell_spends()
        except FuseboardUnavailable:
            presence.still_away()
            return
        presence.back()
        logger.warning("fuseboard: the server is back")

    def _tell_spends(self) -> None:
        """What was spent without the server, so that it counts there."""
        for _ in range(3):
            if self._spends is None:
                spent = self._board.alone.take_spent()
                if not spent:
                    return
                items = [{"limiter": name, "spent_tokens": tokens} for name, tokens in spent.items()]
                body = encode({"client": self._board.client, "items": items[:1000]})
                self._spends = (os.urandom(16).hex(), body.encode("ascii"))
            key, payload = self._spends
            self._ask(Request("POST", "/v1/leases", payload, headers={"idempotency-key": key}))
            self._spends = None

    def _ask(self, request: Request) -> Response:
        return answered(self._board.transport.request(request))

    def _quietly(self, steps: Steps[None]) -> None:
        try:
            self._board.run(steps)
        except FuseboardError as error:
            logger.debug("fuseboard: %s", error)
