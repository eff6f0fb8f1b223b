"""Who is told of alerts, when and how."""

from __future__ import annotations

from .core import Core, Json, Spec, at, matching, once


class NotificationOperations(Core):
    """Receivers, routes, silences, maintenance windows, notifications."""

    def receiver_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a receiver."""
        return self._json("PUT", at("receivers", name), dict(spec), headers=matching(if_match, if_none_match))

    def receiver_get(self, name: str) -> Json:
        """One receiver."""
        return self._json("GET", at("receivers", name))

    def receiver_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of receivers."""
        return self._page("/v1/receivers", limit, cursor)

    def receiver_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a receiver."""
        self.request("DELETE", at("receivers", name), headers=matching(if_match))

    def receiver_test(self, name: str) -> Json:
        """Send it something now, and tell what came of it."""
        return self._json("POST", at("receivers", name, "test"), {})

    def route_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a route."""
        return self._json("PUT", at("routes", name), dict(spec), headers=matching(if_match, if_none_match))

    def route_get(self, name: str) -> Json:
        """One route."""
        return self._json("GET", at("routes", name))

    def route_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of routes."""
        return self._page("/v1/routes", limit, cursor)

    def route_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a route."""
        self.request("DELETE", at("routes", name), headers=matching(if_match))

    def silence_create(self, spec: Spec, *, idempotency_key: str | None = None) -> Json:
        """Say nothing of some alerts for a while."""
        return self._json("POST", "/v1/silences", dict(spec), headers=once(idempotency_key))

    def silence_get(self, id: str) -> Json:
        """One silence."""
        return self._json("GET", at("silences", id))

    def silence_list(
        self, *, state: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Json:
        """A page of silences, newest first."""
        return self._page("/v1/silences", limit, cursor, state=state)

    def silence_delete(self, id: str) -> None:
        """End a silence."""
        self.request("DELETE", at("silences", id))

    def maintenance_window_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a maintenance window."""
        return self._json(
            "PUT", at("maintenance-windows", name), dict(spec), headers=matching(if_match, if_none_match)
        )

    def maintenance_window_get(self, name: str) -> Json:
        """One maintenance window."""
        return self._json("GET", at("maintenance-windows", name))

    def maintenance_window_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of maintenance windows."""
        return self._page("/v1/maintenance-windows", limit, cursor)

    def maintenance_window_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a maintenance window."""
        self.request("DELETE", at("maintenance-windows", name), headers=matching(if_match))

    def notification_list(
        self,
        *,
        state: str | None = None,
        receiver: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of notifications, newest first."""
        return self._page("/v1/notifications", limit, cursor, state=state, receiver=receiver)

    def notification_get(self, id: int) -> Json:
        """One notification with its attempts."""
        return self._json("GET", at("notifications", id))

    def notification_retry(self, id: int) -> Json:
        """Try a notification again."""
        return self._json("POST", at("notifications", id, "retry"), {})
