"""What the background thread does in each of its rounds."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING, Any, Protocol

from .answers import answered, fields
from .calls import encode
from .errors import FuseboardError, FuseboardUnavailable
from .steps import Steps
from .transport import Request
from .wire import Response

if TYPE_CHECKING:
    from .board import Board

DOZE_SECONDS = 0.5
MAX_ITEMS = 10
"""The most limiters that are told of in one request: each may have a thousand entries."""

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
        # what was spent alone and is being told, with the keys under which it counts once
        self._spends: list[tuple[str, bytes]] = []

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
        presence, shares = self._board.presence, self._board.alone.shares
        try:
            self._ask(Request("GET", "/livez"))
            shares.pause(True)
            # before anybody is granted anything anew
            self._tell_spends()
        except FuseboardUnavailable:
            shares.pause(False)
            presence.still_away()
            return
        except BaseException:
            shares.pause(False)
            raise
        presence.back()
        logger.warning("fuseboard: the server is back")

    def _tell_spends(self) -> None:
        """What was spent without the server, so that it counts there."""
        shares = self._board.alone.shares
        if not self._spends:
            now = time.monotonic()
            running = shares.in_flight()
            items: list[dict[str, Any]] = [
                {"limiter": name, "spent": [_spent(now - at, tokens) for at, tokens in spends]}
                for name, spends in shares.take_spent().items()
            ]
            items += [
                {"limiter": name, "tokens": permits.running, "min_tokens": permits.running}
                for name, permits in running.items()
            ]
            for start in range(0, len(items), MAX_ITEMS):
                body = encode({"client": self._board.client, "items": items[start : start + MAX_ITEMS]})
                self._spends.append((os.urandom(16).hex(), body.encode("ascii")))
        while self._spends:
            key, payload = self._spends[0]
            answer = fields(
                self._ask(Request("POST", "/v1/leases", payload, headers={"idempotency-key": key}))
            )
            self._spends.pop(0)
            self._hand_over(answer)

    def _hand_over(self, answer: dict[str, Any]) -> None:
        """Calls that are in flight are the server's from now on, until they end."""
        running = self._board.alone.shares.in_flight()
        for told in answer.get("items") or ():
            lease = told.get("lease") or {}
            name = str(told.get("limiter"))
            if not lease.get("lease_id"):
                continue
            permits = running.get(name)
            over = lease["lease_id"] if permits is None else permits.hand_over(str(lease["lease_id"]))
            if over is not None:
                self._board.release_later(name, over)

    def _ask(self, request: Request) -> Response:
        return answered(self._board.transport.request(request))

    def _quietly(self, steps: Steps[None]) -> None:
        try:
            self._board.run(steps)
        except FuseboardError as error:
            logger.debug("fuseboard: %s", error)


def _spent(seconds: float, tokens: float) -> dict[str, float]:
    return {"tokens": round(tokens, 6), "seconds_ago": round(max(0.0, seconds), 6)}
