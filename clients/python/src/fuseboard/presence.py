"""Whether the server is there: the client's own little breaker."""

from __future__ import annotations

import threading
import time

PROBE_SECONDS = 1.0
PROBE_SECONDS_MAX = 5.0


class Presence:
    """Callers read ``away``; only the courier asks a server that is away whether it is back.

    A server that answers probes but fails calls would cost one caller a timeout per probe, so each loss
    soon after a return doubles the time until the next probe.
    """

    def __init__(self) -> None:
        self.away = False
        self._lock = threading.Lock()
        self._probe_at = 0.0
        self._back_at = 0.0
        self._interval = PROBE_SECONDS

    def lost(self, retry_after: float | None = None) -> bool:
        """A call got no answer. Whether that is news."""
        with self._lock:
            now = time.monotonic()
            news = not self.away
            if news:
                relapse = now - self._back_at < 2 * self._interval
                self._interval = min(self._interval * 2, PROBE_SECONDS_MAX) if relapse else PROBE_SECONDS
                self.away = True
                wait = max(self._interval, min(retry_after or 0.0, PROBE_SECONDS_MAX))
                self._probe_at = now + wait
            return news

    def probe_in(self) -> float:
        """Seconds until the next probe."""
        return max(0.0, self._probe_at - time.monotonic())

    def still_away(self) -> None:
        """A probe failed."""
        self._probe_at = time.monotonic() + self._interval

    def back(self) -> None:
        """A probe was answered."""
        with self._lock:
            self._back_at = time.monotonic()
            self.away = False
