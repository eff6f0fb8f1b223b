"""Alerts for coroutines."""

from __future__ import annotations

import contextlib
import inspect
import math

from ..access import reach_async
from ..client_async import AsyncClient
from ..current import board
from ..errors import FuseboardError, FuseboardUnavailable
from ..operations.core import Json
from .alerts import AlertManager, Handler, get_alert_manager, logger
from .thresholds import Alert, AlertThreshold


class AsyncAlertManager:
    """``AlertManager`` for coroutines: the same thresholds, handlers and alerts, by default the process's.

    Handlers that are coroutine functions are awaited.
    """

    def __init__(self, manager: AlertManager | None = None) -> None:
        self._shared = manager or get_alert_manager()

    async def add_threshold(self, threshold: AlertThreshold) -> None:
        """Watch a metric, for everyone. See ``AlertManager.add_threshold``."""
        shared = self._shared
        shared.remember(threshold)
        try:
            await self._declare(threshold)
        except FuseboardUnavailable:
            board().expect_work()
            board().courier.wake()
        except FuseboardError:
            shared.forget(threshold)
            raise

    def add_handler(self, handler: Handler) -> None:
        """Call it with each alert that ``check_metric`` finds. It may be a coroutine function."""
        self._shared.add_handler(handler)

    def remove_handler(self, handler: Handler) -> None:
        """Call it no more."""
        self._shared.remove_handler(handler)

    async def check_metric(self, metric_name: str, value: float) -> list[Alert]:
        """The alerts that a value is reason for; returns when the handlers have. See
        ``AlertManager.check_metric``."""
        value = float(value)
        alerts = await self._ask(metric_name, value) if math.isfinite(value) else None
        if alerts is None:
            alerts = self._shared.decide(metric_name, value)
        for alert, handler in self._shared.noticed(alerts):
            try:
                result = handler(alert)
                if inspect.isawaitable(result):
                    await result
            except Exception:
                logger.exception("fuseboard: a handler of alerts failed")
        return alerts

    async def get_recent_alerts(self, count: int = 10) -> list[Alert]:
        """The newest on the board, newest first; while it is away, those that this process has seen."""
        if count <= 0:
            return []
        found: list[Alert] = []
        cursor: str | None = None

        async def page(client: AsyncClient) -> Json:
            return await client.alert_list(limit=min(count, 1000), cursor=cursor)

        try:
            while True:
                told = await reach_async(page)
                for alert in map(Alert.of, told["items"]):
                    if self._shared.is_cleared(alert):
                        return found
                    found.append(alert)
                    if len(found) == count:
                        return found
                cursor = told.get("next_cursor")
                if cursor is None:
                    return found
        except FuseboardUnavailable:
            return self._shared.seen_here(count)

    async def clear_alerts(self) -> None:
        """Show this process no alerts from before. The board and other processes keep them."""
        newest: int | None = None
        with contextlib.suppress(FuseboardUnavailable):
            items = (await reach_async(lambda client: client.alert_list(limit=1)))["items"]
            newest = items[0]["id"] if items else 0
        self._shared.forget_alerts(newest)

    async def _ask(self, metric_name: str, value: float) -> list[Alert] | None:
        """``None`` if the server is away."""
        try:
            for threshold in self._shared.undeclared():
                try:
                    await self._declare(threshold)
                except FuseboardUnavailable:
                    raise
                except FuseboardError as error:
                    self._shared.refused(threshold, error)
            told = await reach_async(lambda client: client.alert_check(metric_name, value))
        except FuseboardUnavailable:
            self._shared.declare_again()
            return None
        return [Alert.of(alert) for alert in told["alerts"]]

    async def _declare(self, threshold: AlertThreshold) -> None:
        if threshold in self._shared.undeclared():
            await reach_async(lambda client: client.threshold_create(threshold.spec()))
            self._shared.declared(threshold)
