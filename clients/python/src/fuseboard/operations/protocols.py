"""Pushgateway's and Alertmanager's protocols, for those who need no client of theirs."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

from .core import Core, Json, Spec, segment

Labels = Mapping[str, str]
TEXT = {"content-type": "text/plain; version=0.0.4"}


class ProtocolOperations(Core):
    """Groups of pushed metrics, in Prometheus' text; alerts and silences as Alertmanager has them."""

    # groups of metrics

    def push_group_put(self, job: str, text: str, labels: Labels | None = None) -> None:
        """Replace a group."""
        self.request("PUT", "/metrics" + group(job, labels), text.encode(), headers=TEXT)

    def push_group_post(self, job: str, text: str, labels: Labels | None = None) -> None:
        """Replace metrics of the same names in a group."""
        self.request("POST", "/metrics" + group(job, labels), text.encode(), headers=TEXT)

    def push_group_delete(self, job: str, labels: Labels | None = None) -> None:
        """Delete a group."""
        self.request("DELETE", "/metrics" + group(job, labels))

    def push_group_ttl_put(self, seconds: int, job: str, text: str, labels: Labels | None = None) -> None:
        """Replace a group that goes so long after its last push."""
        self.request("PUT", f"/ttl/{seconds}/metrics" + group(job, labels), text.encode(), headers=TEXT)

    def push_group_ttl_post(self, seconds: int, job: str, text: str, labels: Labels | None = None) -> None:
        """Replace metrics of the same names in a group that goes so long after its last push."""
        self.request("POST", f"/ttl/{seconds}/metrics" + group(job, labels), text.encode(), headers=TEXT)

    def push_group_ttl_delete(self, seconds: int, job: str, labels: Labels | None = None) -> None:
        """Delete a group."""
        self.request("DELETE", f"/ttl/{seconds}/metrics" + group(job, labels))

    def push_totals_put(
        self, job: str, text: str, labels: Labels | None = None, *, client: str | None = None
    ) -> None:
        """Replace what a pusher adds to a group's sums."""
        path = "/agg/metrics" + group(job, labels)
        self.request("PUT", path, text.encode(), query={"client": client}, headers=TEXT)

    def push_totals_post(
        self, job: str, text: str, labels: Labels | None = None, *, client: str | None = None
    ) -> None:
        """Replace what a pusher adds to a group's sums, for metrics of the same names."""
        path = "/agg/metrics" + group(job, labels)
        self.request("POST", path, text.encode(), query={"client": client}, headers=TEXT)

    def push_totals_delete(
        self, job: str, labels: Labels | None = None, *, client: str | None = None
    ) -> None:
        """Delete a group of sums, or forget one pusher, whose counts stay in them."""
        self.request("DELETE", "/agg/metrics" + group(job, labels), query={"client": client})

    def push_totals_ttl_put(
        self, seconds: int, job: str, text: str, labels: Labels | None = None, *, client: str | None = None
    ) -> None:
        """Replace what a pusher adds to the sums of a group that goes so long after its last push."""
        path = f"/ttl/{seconds}/agg/metrics" + group(job, labels)
        self.request("PUT", path, text.encode(), query={"client": client}, headers=TEXT)

    def push_totals_ttl_post(
        self, seconds: int, job: str, text: str, labels: Labels | None = None, *, client: str | None = None
    ) -> None:
        """The same for metrics of the same names."""
        path = f"/ttl/{seconds}/agg/metrics" + group(job, labels)
        self.request("POST", path, text.encode(), query={"client": client}, headers=TEXT)

    def push_totals_ttl_delete(
        self, seconds: int, job: str, labels: Labels | None = None, *, client: str | None = None
    ) -> None:
        """Delete a group of sums, or forget one pusher, whose counts stay in them."""
        path = f"/ttl/{seconds}/agg/metrics" + group(job, labels)
        self.request("DELETE", path, query={"client": client})

    def push_groups_list(self) -> Json:
        """All groups, as Pushgateway lists them."""
        return self._json("GET", "/api/v1/metrics")

    def push_groups_status(self) -> Json:
        """What Pushgateway says of itself."""
        return self._json("GET", "/api/v1/status")

    def push_groups_wipe(self) -> None:
        """Delete all groups."""
        self.request("PUT", "/api/v1/admin/wipe")

    # Alertmanager

    def alertmanager_alerts(self, **filters: Any) -> list[Json]:
        """What fires: ``filter`` (one matcher), ``receiver``, ``active``, ``silenced``, ``inhibited``."""
        return self._list("/api/v2/alerts", filters)

    def alertmanager_alerts_post(self, alerts: list[Json]) -> None:
        """Alerts from outside."""
        self.request("POST", "/api/v2/alerts", alerts)

    def alertmanager_groups(self, **filters: Any) -> list[Json]:
        """What fires, as it is told together."""
        return self._list("/api/v2/alerts/groups", filters)

    def alertmanager_receivers(self) -> list[Json]:
        """The names of receivers."""
        return self._list("/api/v2/receivers", {})

    def alertmanager_status(self) -> Json:
        """Version and uptime."""
        return self._json("GET", "/api/v2/status")

    def alertmanager_healthy(self) -> str:
        """Whether the server lives."""
        return str(self.request("GET", "/-/healthy"))

    def alertmanager_ready(self) -> str:
        """Whether the server is ready."""
        return str(self.request("GET", "/-/ready"))

    def alertmanager_silences(self, **filters: Any) -> list[Json]:
        """Silences, over ones too: ``filter`` (one matcher)."""
        return self._list("/api/v2/silences", filters)

    def alertmanager_silences_post(self, spec: Spec) -> Json:
        """Create a silence, or change that whose ``id`` it has."""
        return self._json("POST", "/api/v2/silences", dict(spec))

    def alertmanager_silence(self, id: str) -> Json:
        """One silence."""
        return self._json("GET", "/api/v2/silence/" + segment(id))

    def alertmanager_silence_delete(self, id: str) -> None:
        """End a silence."""
        self.request("DELETE", "/api/v2/silence/" + segment(id))


def group(job: str, labels: Labels | None) -> str:
    """The path of a group. A value with a slash in it, or none, needs base64."""
    parts = [("job", job), *(labels or {}).items()]
    return "".join(
        f"/{name}/{segment(value)}"
        if value and "/" not in value
        else f"/{name}@base64/{urlsafe_b64encode(value.encode()).decode() or '='}"
        for name, value in parts
    )
