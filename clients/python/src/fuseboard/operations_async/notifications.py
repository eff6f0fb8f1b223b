# Made by tools/async_from_sync.py. Edit the synchronous form.
"""Who is told of alerts, when and how."""

from __future__ import annotations

from ..operations.core import Json, Spec, at, matching, once
from .core import Core


class NotificationOperations(Core):
    """Receivers, routes, silences, maintenance windows, notifications."""

    async def receiver_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a receiver."""
        return await self._json("PUT", at("receivers", name), dict(spec), headers=matching(if_match, if_none_match))

    async def receiver_get(self, name: str) -> Json:
        """One receiver."""
        return await self._json("GET", at("receivers", name))

    async def receiver_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of receivers."""
        return await self._page("/v1/receivers", limit, cursor)

    async def receiver_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a receiver."""
        await self.request("DELETE", at("receivers", name), headers=matching(if_match))

    async def receiver_test(self, name: str) -> Json:
        """Send it something now, and tell what came of it."""
        return await self._json("POST", at("receivers", name, "test"), {})

    async def route_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a route."""
        return await self._json("PUT", at("routes", name), dict(spec), headers=matching(if_match, if_none_match))

    async def route_get(self, name: str) -> Json:
        """One route."""
        return await self._json("GET", at("routes", name))

    async def route_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of routes."""
        return await self._page("/v1/routes", limit, cursor)

    async def route_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a route."""
        await self.request("DELETE", at("routes", name), headers=matching(if_match))

    async def silence_create(self, spec: Spec, *, idempotency_key: str | None = None) -> Json:
        """Say nothing of some alerts for a while."""
        return await self._json("POST", "/v1/silences", dict(spec), headers=once(idempotency_key))

    async def silence_get(self, id: str) -> Json:
        """One silence."""
        return await self._json("GET", at("silences", id))

    async def silence_list(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Json:
        """A page of silences, newest first."""
        return await self._page("/v1/silences", limit, cursor, state=state)

    async def silence_delete(self, id: str) -> None:
        """End a silence."""
        await self.request("DELETE", at("silences", id))

    async def maintenance_window_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a maintenance window."""
        return await self._json(
            "PUT", at("maintenance-windows", name), dict(spec), headers=matching(if_match, if_none_match)
        )

    async def maintenance_window_get(self, name: str) -> Json:
        """One maintenance window."""
        return await self._json("GET", at("maintenance-windows", name))

    async def maintenance_window_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of maintenance windows."""
        return await self._page("/v1/maintenance-windows", limit, cursor)

    async def maintenance_window_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a maintenance window."""
        await self.request("DELETE", at("maintenance-windows", name), headers=matching(if_match))

    async def notification_list(
        self,
        *,
        state: str | None = None,
        receiver: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of notifications, newest first."""
        return await self._page("/v1/notifications", limit, cursor, state=state, receiver=receiver)

    async def notification_get(self, id: int) -> Json:
        """One notification with its attempts."""
        return await self._json("GET", at("notifications", id))

    async def notification_retry(self, id: int) -> Json:
        """Try a notification again."""
        return await self._json("POST", at("notifications", id, "retry"), {})
