# Made by tools/async_from_sync.py. Edit the synchronous form.
"""Checks, health, gates, heartbeats, metrics, thresholds, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..operations.core import Json, Spec, at, given, listed, matching, once, segment
from .core import Core

Names = str | Iterable[str]
Labels = str | Mapping[str, str]


class WatchOperations(Core):
    """What watches how things are."""

    async def check_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a check's configuration."""
        return await self._json("PUT", at("checks", name), dict(spec), headers=matching(if_match, if_none_match))

    async def check_get(self, name: str) -> Json:
        """One check: what it shows, its last result, its configuration."""
        return await self._json("GET", at("checks", name))

    async def check_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of checks."""
        return await self._page("/v1/checks", limit, cursor)

    async def check_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a check with its results."""
        await self.request("DELETE", at("checks", name), headers=matching(if_match))

    async def check_results(self, name: str, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of a check's results, newest first."""
        return await self._page(at("checks", name, "results"), limit, cursor)

    async def check_result_push(
        self,
        name: str,
        status: str,
        *,
        message: str | None = None,
        details: Spec | None = None,
        error: str | None = None,
        duration_seconds: float | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Send a result to a check of kind ``push``, which is created if there is none."""
        body = given(
            status=status,
            message=message,
            details=None if details is None else dict(details),
            error=error,
            duration_seconds=duration_seconds,
        )
        return await self._json("POST", at("checks", name, "results"), body, headers=once(idempotency_key))

    async def health_get(
        self, *, checks: Names | None = None, labels: Labels | None = None, status: Names | None = None
    ) -> Json:
        """How the checks are, from the server's memory."""
        query = {"checks": listed(checks), "labels": listed(labels), "status": listed(status)}
        return await self._json("GET", "/v1/health", query=query)

    async def health_run(
        self, *, checks: Iterable[str] | None = None, timeout_seconds: float | None = None
    ) -> Json:
        """Run what the board runs of these checks now, and report on all of them."""
        body = given(checks=None if checks is None else list(checks), timeout_seconds=timeout_seconds)
        return await self._json("POST", "/v1/health/run", body)

    async def health_json(self) -> Json:
        """``application/health+json``; ``FuseboardUnavailable`` with status 503 while all of it is red."""
        return await self._json("GET", "/health")

    async def ping_get(self, check: str) -> Any:
        """A heartbeat."""
        return await self.request("GET", f"/ping/{segment(check)}")

    async def ping_post(self, check: str) -> Any:
        """A heartbeat."""
        return await self.request("POST", f"/ping/{segment(check)}")

    async def ping_signal_get(self, check: str, signal: str) -> Any:
        """A heartbeat that says ``start``, ``fail`` or an exit status."""
        return await self.request("GET", f"/ping/{segment(check)}/{segment(signal)}")

    async def ping_signal_post(self, check: str, signal: str) -> Any:
        """A heartbeat that says ``start``, ``fail`` or an exit status."""
        return await self.request("POST", f"/ping/{segment(check)}/{segment(signal)}")

    async def gate_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a gate."""
        return await self._json("PUT", at("gates", name), dict(spec), headers=matching(if_match, if_none_match))

    async def gate_get(self, name: str) -> Json:
        """One gate."""
        return await self._json("GET", at("gates", name))

    async def gate_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of gates."""
        return await self._page("/v1/gates", limit, cursor)

    async def gate_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a gate."""
        await self.request("DELETE", at("gates", name), headers=matching(if_match))

    async def gate_evaluate(self, name: str) -> Json:
        """May I go? Look at ``allowed`` and ``blocking``."""
        return await self._json("POST", at("gates", name, "evaluate"))

    async def gate_evaluate_ad_hoc(self, spec: Spec) -> Json:
        """The same for a gate that is not stored."""
        return await self._json("POST", "/v1/gates/evaluate", dict(spec))

    async def metrics_push(
        self, samples: list[Json], *, client: str | None = None, idempotency_key: str | None = None
    ) -> Json:
        """Push samples; each counts or is rejected for itself."""
        body = given(samples=samples, client=client or self._settings.client)
        return await self._json("POST", "/v1/metrics", body, headers=once(idempotency_key))

    async def metrics_view(self, *, name: str | None = None, prefix: str | None = None) -> Json:
        """All that was pushed, by series."""
        return await self._json("GET", "/v1/metrics", query={"name": name, "prefix": prefix})

    async def metric_get(self, name: str) -> Json:
        """One metric with its series."""
        return await self._json("GET", at("metrics", name))

    async def metric_delete(self, name: str) -> None:
        """Delete a metric with all its series."""
        await self.request("DELETE", at("metrics", name))

    async def metrics(self) -> Any:
        """The page for Prometheus, as text."""
        return await self.request("GET", "/metrics")

    async def threshold_create(self, spec: Spec) -> Json:
        """Declare a threshold; the one that is there if the same definition was declared before."""
        return await self._json("POST", "/v1/thresholds", dict(spec))

    async def threshold_put(
        self, id: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a threshold under an id of your own."""
        return await self._json("PUT", at("thresholds", id), dict(spec), headers=matching(if_match, if_none_match))

    async def threshold_get(self, id: str) -> Json:
        """One threshold."""
        return await self._json("GET", at("thresholds", id))

    async def threshold_list(
        self,
        *,
        metric_name: str | None = None,
        level: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of thresholds."""
        return await self._page("/v1/thresholds", limit, cursor, metric_name=metric_name, level=level)

    async def threshold_delete(self, id: str, *, if_match: str | None = None) -> None:
        """Delete a threshold and resolve its alerts."""
        await self.request("DELETE", at("thresholds", id), headers=matching(if_match))

    async def alert_check(self, metric_name: str, value: float, *, labels: Mapping[str, str] | None = None) -> Json:
        """The alerts that a value is reason for."""
        body = given(metric_name=metric_name, value=value, labels=None if labels is None else dict(labels))
        return await self._json("POST", "/v1/alerts/check", body)

    async def alert_list(
        self,
        *,
        metric_name: str | None = None,
        threshold_id: str | None = None,
        state: str | None = None,
        level: str | None = None,
        since: str | None = None,
        until: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of alerts, newest first."""
        return await self._page(
            "/v1/alerts",
            limit,
            cursor,
            metric_name=metric_name,
            threshold_id=threshold_id,
            state=state,
            level=level,
            since=since,
            until=until,
        )

    async def alert_clear(
        self,
        *,
        metric_name: str | None = None,
        threshold_id: str | None = None,
        level: str | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> Json:
        """Delete alerts that are over, for everyone."""
        query = given(
            metric_name=metric_name, threshold_id=threshold_id, level=level, since=since, until=until
        )
        return await self._json("DELETE", "/v1/alerts", query=query)

    async def alert_get(self, id: int) -> Json:
        """One alert."""
        return await self._json("GET", at("alerts", id))

    async def alert_delete(self, id: int) -> None:
        """Delete an alert that is over."""
        await self.request("DELETE", at("alerts", id))

    async def alert_event_list(self, id: int, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of what happened to an alert."""
        return await self._page(at("alerts", id, "events"), limit, cursor)

    async def alert_acknowledge(self, id: int, *, comment: str | None = None, actor: str | None = None) -> Json:
        """Note that somebody has seen an alert."""
        return await self._json("POST", at("alerts", id, "acknowledge"), given(comment=comment, actor=actor))
