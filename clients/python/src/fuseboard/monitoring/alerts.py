"""The alerts that values are reason for, by thresholds that all processes share."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import math
import os
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from ..access import reach
from ..board import Board
from ..client import Client
from ..current import board
from ..errors import FuseboardError, FuseboardUnavailable
from ..rounds import chores
from ..times import now
from .thresholds import Alert, AlertThreshold

MOST_RECENT = 1000

logger = logging.getLogger("fuseboard")


Handler = Callable[[Alert], Any]


class AlertManager:
    """Thresholds and alerts of the board, and handlers of this process.

    While the server is away, ``check_metric`` goes by the thresholds that this process has added.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thresholds: dict[AlertThreshold, None] = {}
        self._declared: set[tuple[str, AlertThreshold]] = set()
        self._handlers: list[Handler] = []
        self._recent: deque[Alert] = deque(maxlen=MOST_RECENT)
        self._cleared: tuple[datetime, int | None] | None = None
        self._running: set[asyncio.Future[Any]] = set()

    def add_threshold(self, threshold: AlertThreshold) -> None:
        """Watch a metric, for everyone. The same again, by whatever process, is the same threshold.

        While the server is away it holds here, and is declared when the server is back.
        ``FuseboardError`` if the server refuses it.
        """
        self.remember(threshold)
        try:
            self._declare(threshold)
        except FuseboardUnavailable:
            board().expect_work()
            board().courier.wake()
        except FuseboardError:
            self.forget(threshold)
            raise

    def add_handler(self, handler: Handler) -> None:
        """Call it with each alert that ``check_metric`` finds. It may be a coroutine function."""
        if not callable(handler):
            raise TypeError("a handler must be callable")
        with self._lock:
            if handler not in self._handlers:
                self._handlers.append(handler)

    def remove_handler(self, handler: Handler) -> None:
        """Call it no more."""
        with self._lock:
            if handler in self._handlers:
                self._handlers.remove(handler)

    def check_metric(self, metric_name: str, value: float) -> list[Alert]:
        """The alerts that a value is reason for, new and going on; handlers are called with each.

        Does not raise while the server is away: then, and for values that JSON does not know (infinity), the
        thresholds of this process decide.
        """
        value = float(value)
        alerts = self._ask(metric_name, value) if math.isfinite(value) else None
        if alerts is None:
            alerts = self.decide(metric_name, value)
        for alert, handler in self.noticed(alerts):
            self._call(handler, alert)
        return alerts

    def get_recent_alerts(self, count: int = 10) -> list[Alert]:
        """The newest on the board, newest first; while it is away, those that this process has seen."""
        if count <= 0:
            return []
        try:
            return self._listed(count)
        except FuseboardUnavailable:
            return self.seen_here(count)

    def clear_alerts(self) -> None:
        """Show this process no alerts from before. The board and other processes keep them."""
        newest: int | None = None
        with contextlib.suppress(FuseboardUnavailable):
            items = reach(lambda client: client.alert_list(limit=1))["items"]
            newest = items[0]["id"] if items else 0
        self.forget_alerts(newest)

    # what this process knows: ``AsyncAlertManager`` shares it

    def remember(self, threshold: AlertThreshold) -> None:
        """One that holds here, too."""
        if not isinstance(threshold, AlertThreshold):
            raise TypeError("not an AlertThreshold")
        with self._lock:
            self._thresholds.setdefault(threshold)

    def forget(self, threshold: AlertThreshold) -> None:
        """The board does not take it."""
        with self._lock:
            self._thresholds.pop(threshold, None)

    def noticed(self, alerts: list[Alert]) -> list[tuple[Alert, Handler]]:
        """Keep the alerts; which handlers are to be called."""
        with self._lock:
            self._recent.extend(alerts)
            return [(alert, handler) for alert in alerts for handler in self._handlers]

    def seen_here(self, count: int) -> list[Alert]:
        """The newest that this process has seen."""
        with self._lock:
            return list(self._recent)[: -count - 1 : -1]

    def forget_alerts(self, newest: int | None) -> None:
        """Up to that one, or if nobody knows it, up to now."""
        with self._lock:
            self._recent.clear()
            self._cleared = (now(), newest)

    # the board

    def _ask(self, metric_name: str, value: float) -> list[Alert] | None:
        """``None`` if the server is away."""
        try:
            self._declare_rest()
            told = reach(lambda client: client.alert_check(metric_name, value))
        except FuseboardUnavailable:
            self.declare_again()
            return None
        return [Alert.of(alert) for alert in told["alerts"]]

    def decide(self, metric_name: str, value: float) -> list[Alert]:
        """The alerts by the thresholds of this process."""
        with self._lock:
            known = list(self._thresholds)
        found = []
        for threshold in known:
            if threshold.metric_name == metric_name and threshold.breached_by(value):
                details = {
                    "metric_name": metric_name,
                    "value": value,
                    "threshold": threshold.threshold,
                    "comparison": threshold.comparison,
                }
                found.append(Alert(threshold.level, threshold.message(value), now(), "local", details))
        return found

    def _listed(self, count: int) -> list[Alert]:
        found: list[Alert] = []
        cursor: str | None = None
        while True:
            page = reach(partial(Client.alert_list, limit=min(count, 1000), cursor=cursor))
            for alert in map(Alert.of, page["items"]):
                if self.is_cleared(alert):
                    return found
                found.append(alert)
                if len(found) == count:
                    return found
            cursor = page.get("next_cursor")
            if cursor is None:
                return found

    def is_cleared(self, alert: Alert) -> bool:
        """Whether it is from before alerts were cleared."""
        if self._cleared is None:
            return False
        at, newest = self._cleared
        if newest is None or alert.id is None:
            return alert.timestamp <= at
        return alert.id <= newest

    def _declare(self, threshold: AlertThreshold) -> None:
        key = (board().settings.url, threshold)
        if key not in self._declared:
            reach(lambda client: client.threshold_create(threshold.spec()))
            self.declared(threshold)

    def declared(self, threshold: AlertThreshold) -> None:
        """The board has it."""
        self._declared.add((board().settings.url, threshold))

    def declare_again(self) -> None:
        """The server may come back with another database; declaring again is harmless."""
        self._declared.clear()

    def refused(self, threshold: AlertThreshold, error: FuseboardError) -> None:
        """The board has heard of it, and does not take it."""
        logger.warning("fuseboard: the board refuses a threshold of %s: %s", threshold.metric_name, error)
        self.declared(threshold)

    def _declare_rest(self) -> None:
        """Those that were added while the server was away; ``FuseboardUnavailable`` if it still is."""
        for threshold in self.undeclared():
            try:
                self._declare(threshold)
            except FuseboardUnavailable:
                raise
            except FuseboardError as error:
                self.refused(threshold, error)

    def undeclared(self) -> list[AlertThreshold]:
        """Those that the board has not heard of."""
        url = board().settings.url
        with self._lock:
            return [threshold for threshold in self._thresholds if (url, threshold) not in self._declared]

    # the courier

    def round(self, board: Board, last: bool) -> bool:
        """Declare what the server missed while it was away."""
        if not self._thresholds or board.presence.away or not self.undeclared():
            return False
        with contextlib.suppress(FuseboardUnavailable):
            self._declare_rest()
        return False

    def pending(self) -> bool:
        """Never: while the server is away the courier is awake anyway."""
        return False

    # handlers

    def _call(self, handler: Handler, alert: Alert) -> None:
        try:
            result = handler(alert)
            if inspect.isawaitable(result):
                self._await(result)
        except Exception:
            logger.exception("fuseboard: a handler of alerts failed")

    def _await(self, result: Any) -> None:
        async def finish() -> None:
            try:
                await result
            except Exception:
                logger.exception("fuseboard: a handler of alerts failed")

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(finish())
            return
        task = loop.create_task(finish())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._running = set()


_manager = AlertManager()
chores.append(_manager)

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_manager._after_fork)


def get_alert_manager() -> AlertManager:
    """The process's alert manager."""
    return _manager
