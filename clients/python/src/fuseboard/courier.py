"""The one background thread of a process: sends what callers need not wait for."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol

FLUSH_SECONDS = 0.05
IDLE_ROUNDS = 20

logger = logging.getLogger("fuseboard")


def started(target: Callable[[], None], name: str) -> threading.Thread | None:
    """A daemon thread that runs; ``None`` while the interpreter is shutting down."""
    thread = threading.Thread(target=target, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        return None
    return thread


class Duties(Protocol):
    """What there is to do. Each is bounded in time and may fail."""

    def duties(self) -> bool:
        """Do what is due; whether there was anything, or will be soon."""

    def pending(self) -> bool:
        """Whether something waits to be done."""

    def doze(self) -> float | None:
        """How long to sleep when nothing is; ``None`` until somebody wakes it."""


class Courier:
    """Runs the duties every 50 ms while there are any, at once when it is woken, and sleeps otherwise.

    ``wake`` may be called from finalisers: ``SimpleQueue.put`` is re-entrant.
    """

    def __init__(self, duties: Duties) -> None:
        self.idle = True
        self._duties = duties
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False

    def ensure_running(self) -> None:
        """Start the thread once. Called on the way into a guarded call, never in a finaliser."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None and not self._stopped:
                self._thread = started(self._run, "fuseboard-courier")

    def wake(self) -> None:
        """There is something to do."""
        self._bell.put(None)

    def stop(self) -> None:
        """End the thread after its current round."""
        self._stopped = True
        self.wake()

    def _run(self) -> None:
        quiet = 0
        self.idle = False
        while not self._stopped:
            try:
                busy = self._duties.duties()
            except Exception:
                busy = True
                logger.exception("fuseboard: a background step failed")
                time.sleep(0.5)
            quiet = 0 if busy else quiet + 1
            if quiet < IDLE_ROUNDS:
                self._rest(FLUSH_SECONDS)
                continue
            self.idle = True
            # what was added between the last round and this line has not rung; look once more
            woken = self._duties.pending() or self._rest(self._duties.doze())
            self.idle = False
            self._drain()
            quiet = 0 if woken else IDLE_ROUNDS

    def _rest(self, seconds: float | None) -> bool:
        """Sleep; whether somebody rang."""
        try:
            self._bell.get(timeout=seconds)
        except Empty:
            return False
        self._drain()
        return True

    def _drain(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._bell.get_nowait()
