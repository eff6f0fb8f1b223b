"""Checks, health, gates, heartbeats, metrics, thresholds, alerts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .core import Core, Json, Spec, at, given, listed, matching, once, segment

Names = str | Iterable[str]
Labels = str | Mapping[str, str]


class WatchOperations(Core):
    """What watches how things are."""

    def check_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a check's configuration."""
        return self._json("PUT", at("checks", name), dict(spec), headers=matching(if_match, if_none_match))

    def check_get(self, name: str) -> Json:
        """One check: what it shows, its last result, its configuration."""
        return self._json("GET", at("checks", name))

    def check_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of checks."""
        return self._page("/v1/checks", limit, cursor)

    def check_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a check with its results."""
        self.request("DELETE", at("checks", name), headers=matching(if_match))

    def check_results(self, name: str, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of a check's results, newest first."""
        return self._page(at("checks", name, "results"), limit, cursor)

    def check_result_push(
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
        return self._json("POST", at("checks", name, "results"), body, headers=once(idempotency_key))

    def health_get(
        self, *, checks: Names | None = None, labels: Labels | None = None, status: Names | None = None
    ) -> Json:
        """How the checks are, from the server's memory."""
        query = {"checks": listed(checks), "labels": listed(labels), "status": listed(status)}
        return self._json("GET", "/v1/health", query=query)

    def health_run(
        self, *, checks: Iterable[str] | None = None, timeout_seconds: float | None = None
    ) -> Json:
        """Run what the board runs of these checks now, and report on all of them."""
        body = given(checks=None if checks is None else list(checks), timeout_seconds=timeout_seconds)
        return self._json("POST", "/v1/health/run", body)

    def health_json(self) -> Json:
        """``application/health+json``; ``FuseboardUnavailable`` with status 503 while all of it is red."""
        return self._json("GET", "/health")

    def ping_get(self, check: str) -> Any:
        """A heartbeat."""
        return self.request("GET", f"/ping/{segment(check)}")

    def ping_post(self, check: str) -> Any:
        """A heartbeat."""
        return self.request("POST", f"/ping/{segment(check)}")

    def ping_signal_get(self, check: str, signal: str) -> Any:
        """A heartbeat that says ``start``, ``fail`` or an exit status."""
        return self.request("GET", f"/ping/{segment(check)}/{segment(signal)}")

    def ping_signal_post(self, check: str, signal: str) -> Any:
        """A heartbeat that says ``start``, ``fail`` or an exit status."""
        return self.request("POST", f"/ping/{segment(check)}/{segment(signal)}")

    def gate_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a gate."""
        return self._json("PUT", at("gates", name), dict(spec), headers=matching(if_match, if_none_match))

    def gate_get(self, name: str) -> Json:
        """One gate."""
        return self._json("GET", at("gates", name))

    def gate_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of gates."""
        return self._page("/v1/gates", limit, cursor)

    def gate_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a gate."""
        self.request("DELETE", at("gates", name), headers=matching(if_match))

    def gate_evaluate(self, name: str) -> Json:
        """May I go? Look at ``allowed`` and ``blocking``."""
        return self._json("POST", at("gates", name, "evaluate"))

    def gate_evaluate_ad_hoc(self, spec: Spec) -> Json:
        """The same for a gate that is not stored."""
        return self._json("POST", "/v1/gates/evaluate", dict(spec))

    def metrics_push(
        self, samples: list[Json], *, client: str | None = None, idempotency_key: str | None = None
    ) -> Json:
        """Push samples; each counts or is rejected for itself."""
        body = given(samples=samples, client=client or self._settings.client)
        return self._json("POST", "/v1/metrics", body, headers=once(idempotency_key))

    def metrics_view(self, *, name: str | None = None, prefix: str | None = None) -> Json:
        """All that was pushed, by series."""
        return self._json("GET", "/v1/metrics", query={"name": name, "prefix": prefix})

    def metric_get(self, name: str) -> Json:
        """One metric with its series."""
        return self._json("GET", at("metrics", name))

    def metric_delete(self, name: str) -> None:
        """Delete a metric with all its series."""
        self.request("DELETE", at("metrics", name))

    def metrics(self) -> Any:
        """The page for Prometheus, as text."""
        return self.request("GET", "/metrics")

    def threshold_create(self, spec: Spec) -> Json:
        """Declare a threshold; the one that is there if the same definition was declared before."""
        return self._json("POST", "/v1/thresholds", dict(spec))

    def threshold_put(
        self, id: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a threshold under an id of your own."""
        return self._json("PUT", at("thresholds", id), dict(spec), headers=matching(if_match, if_none_match))

    def threshold_get(self, id: str) -> Json:
        """One threshold."""
        return self._json("GET", at("thresholds", id))

    def threshold_list(
        self,
        *,
        metric_name: str | None = None,
        level: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of thresholds."""
        return self._page("/v1/thresholds", limit, cursor, metric_name=metric_name, level=level)

    def threshold_delete(self, id: str, *, if_match: str | None = None) -> None:
        """Delete a threshold and resolve its alerts."""
        self.request("DELETE", at("thresholds", id), headers=matching(if_match))

    def alert_check(self, metric_name: str, value: float, *, labels: Mapping[str, str] | None = None) -> Json:
        """The alerts that a value is reason for."""
        body = given(metric_name=metric_name, value=value, labels=None if labels is None else dict(labels))
        return self._json("POST", "/v1/alerts/check", body)

    def alert_list(
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
        return self._page(
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

    def alert_clear(
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
        return self._json("DELETE", "/v1/alerts", query=query)

    def alert_get(self, id: int) -> Json:
        """One alert."""
        return self._json("GET", at("alerts", id))

    def alert_delete(self, id: int) -> None:
        """Delete an alert that is over."""
        self.request("DELETE", at("alerts", id))

    def alert_event_list(self, id: int, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of what happened to an alert."""
        return self._page(at("alerts", id, "events"), limit, cursor)

    def alert_acknowledge(self, id: int, *, comment: str | None = None, actor: str | None = None) -> Json:
        """Note that somebody has seen an alert."""
        return self._json("POST", at("alerts", id, "acknowledge"), given(comment=comment, actor=actor))
