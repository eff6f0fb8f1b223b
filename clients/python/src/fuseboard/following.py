"""Follows the server's stream of changes, so that what this process knows stays true."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .breakers import BreakerReplica
from .courier import started
from .errors import FuseboardError, FuseboardUnavailable
from .leases import LeasedLimiter
from .spans import NEVER, clock
from .stream import EventStream
from .transport import HttpTransport, unavailable
from .wire import ProtocolError

if TYPE_CHECKING:
    from .board import Board

MAX_PATH = 48 * 1024
"""The longest path of the stream's request: what does not fit is asked for, call by call."""
MAX_NAMES = 1000
"""The most breakers, and the most limiters, that the server takes for one stream."""
AGAIN_SECONDS = 0.05
REFUSED_SECONDS = 2.0
"""How long to wait after the server refused the stream, as with a wrong token."""

logger = logging.getLogger("fuseboard")


class Follower:
    """The thread that hears of changes of these breakers and limiters, to which others are added."""

    def __init__(
        self, board: Board, breakers: dict[str, BreakerReplica], limiters: dict[str, LeasedLimiter]
    ) -> None:
        self._board = board
        self._breakers = breakers
        self._limiters = limiters
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stream: EventStream | None = None
        self._asked = ""
        self._bell = threading.Event()
        self._heard_at = NEVER
        self._stopped = False

    @property
    def is_running(self) -> bool:
        """Whether anything was followed yet."""
        return self._thread is not None

    @property
    def fresh_until(self) -> float:
        """Until when what is known may be gone by."""
        return self._heard_at + self._board.settings.stale_after

    def silent(self) -> None:
        """Nothing was heard for too long: it is as if the server were away."""
        self._board.found_away(unavailable(self._board.settings.url, "the stream of changes is silent"))

    def interest_grew(self) -> None:
        """There are names that the stream does not know."""
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = started(self._run, "fuseboard-replica")
                return
        if self._path() != self._asked:  # it is the same if there is no room for more names
            self._bell.set()
            self.interrupt()

    def interrupt(self) -> None:
        """End the stream that is open; the thread begins another when it may."""
        stream = self._stream
        if stream is not None:
            stream.close()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._bell.set()
        self.interrupt()

    def abandon(self) -> None:
        """In the child of a fork, which has no such thread. Takes no lock: it may be held."""
        self._stopped = True
        stream = self._stream
        if stream is not None:
            stream.abandon()

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
                    self.silent()
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
        self._asked = self._path()
        stream = EventStream(transport, self._asked, self._board.settings.stale_after)
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
        for key, names in (("limiters", list(self._limiters)), ("breakers", list(self._breakers))):
            part = f"&{key}="
            for name in names[:MAX_NAMES]:
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
            self._board.alone.shares.learn_limiter(name, told)

    def _forget_all(self) -> None:
        for breaker in list(self._breakers.values()):
            breaker.lost()
