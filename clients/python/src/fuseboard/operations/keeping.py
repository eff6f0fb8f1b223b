"""Backups, retention, schedules, events, tokens, the board as a whole, probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .core import Core, Json, Spec, at, given, listed, matching, once, segment


class KeepOperations(Core):
    """What keeps and runs things."""

    def backup_create(
        self,
        data: Spec,
        *,
        backup_type: str = "manual",
        labels: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Store documents: each key of ``data`` is one."""
        body = given(backup_type=backup_type, labels=None if labels is None else dict(labels))
        body["data"] = dict(data)
        return self._json("POST", "/v1/backups", body, headers=once(idempotency_key))

    def backup_get(self, id: str) -> Json:
        """What is known of a backup."""
        return self._json("GET", at("backups", id))

    def backup_list(
        self,
        *,
        backup_type: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        since: str | None = None,
        until: str | None = None,
        verified: bool | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of backups, newest first."""
        return self._page(
            "/v1/backups",
            limit,
            cursor,
            backup_type=backup_type,
            labels=listed(labels),
            since=since,
            until=until,
            verified=verified,
        )

    def backup_latest(
        self,
        *,
        backup_type: str | None = None,
        labels: str | Mapping[str, str] | None = None,
        verified: bool | None = None,
    ) -> Json:
        """The newest backup; ``FuseboardError`` with status 404 if there is none."""
        query = {"backup_type": backup_type, "labels": listed(labels), "verified": verified}
        return self._json("GET", "/v1/backups/latest", query=query)

    def backup_delete(self, id: str) -> None:
        """Delete a backup."""
        self.request("DELETE", at("backups", id))

    def backup_data(self, id: str) -> Json:
        """All documents of a backup."""
        return self._json("GET", at("backups", id, "data"))

    def backup_document(self, id: str, key: str) -> Any:
        """One document of a backup."""
        return self.request("GET", at("backups", id, "data", key))

    def backup_verify(self, id: str) -> Json:
        """Read the whole backup and compare it with its hashes."""
        return self._json("POST", at("backups", id, "verify"))

    def backup_restore(
        self,
        id: str,
        *,
        current: Spec | None = None,
        reason: str | None = None,
        client: str | None = None,
    ) -> Json:
        """Take a backup back, on record; ``current`` is stored before."""
        body = given(
            current=None if current is None else dict(current),
            reason=reason,
            client=client or self._settings.client,
        )
        return self._json("POST", at("backups", id, "restore"), body)

    def restore_list(self, id: str, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of a backup's restores."""
        return self._page(at("backups", id, "restores"), limit, cursor)

    def backup_diff(self, id: str, against: str) -> Any:
        """What changed between two backups, as JSON Patch."""
        return self.request("GET", at("backups", id, "diff"), query={"against": against})

    def backup_diff_with(self, id: str, data: Spec) -> Any:
        """What changed between a backup and documents, as JSON Patch."""
        return self.request("POST", at("backups", id, "diff"), dict(data))

    def backup_pin(self, id: str) -> Json:
        """Never delete it."""
        return self._json("PUT", at("backups", id, "pin"))

    def backup_unpin(self, id: str) -> Json:
        """It may be deleted again."""
        return self._json("DELETE", at("backups", id, "pin"))

    def backups_prune(self, *, dry_run: bool | None = None, backup_type: str | None = None) -> Json:
        """Delete what no rule keeps, or tell what would be deleted."""
        return self._json("POST", "/v1/backups/prune", given(dry_run=dry_run, backup_type=backup_type))

    def retention_put(
        self, backup_type: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Say which backups of a type stay."""
        return self._json(
            "PUT", at("retention", backup_type), dict(spec), headers=matching(if_match, if_none_match)
        )

    def retention_get(self, backup_type: str) -> Json:
        """Which backups of a type stay."""
        return self._json("GET", at("retention", backup_type))

    def retention_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of retention policies."""
        return self._page("/v1/retention", limit, cursor)

    def retention_delete(self, backup_type: str, *, if_match: str | None = None) -> None:
        """Delete the policy of a type."""
        self.request("DELETE", at("retention", backup_type), headers=matching(if_match))

    def schedule_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a schedule."""
        return self._json("PUT", at("schedules", name), dict(spec), headers=matching(if_match, if_none_match))

    def schedule_get(self, name: str) -> Json:
        """One schedule."""
        return self._json("GET", at("schedules", name))

    def schedule_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of schedules."""
        return self._page("/v1/schedules", limit, cursor)

    def schedule_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Delete a schedule."""
        self.request("DELETE", at("schedules", name), headers=matching(if_match))

    def schedule_run(
        self, name: str, *, wait_seconds: float | None = None, idempotency_key: str | None = None
    ) -> Json:
        """Run it now, and wait for the end for so long."""
        return self._json(
            "POST",
            at("schedules", name, "run"),
            {},
            query={"wait_seconds": wait_seconds},
            headers=once(idempotency_key),
        )

    def run_list(
        self,
        name: str,
        *,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Json:
        """A page of a schedule's runs."""
        return self._page(at("schedules", name, "runs"), limit, cursor, status=status)

    def run_get(self, name: str, id: int) -> Json:
        """One run."""
        return self._json("GET", at("schedules", name, "runs", id))

    def event_list(self, **query: Any) -> Json:
        """A page of events."""
        return self._json("GET", "/v1/events", query=query)

    def token_list(self) -> Json:
        """The tokens, without their secrets."""
        return self._json("GET", "/v1/tokens")

    def token_self(self) -> Json:
        """Who asks, and what that allows."""
        return self._json("GET", "/v1/tokens/self")

    def token_create(self, spec: Spec) -> Json:
        """Make a token; the answer alone has its secret."""
        return self._json("POST", "/v1/tokens", dict(spec))

    def token_revoke(self, id: str) -> None:
        """A token is worth nothing any more."""
        self.request("DELETE", at("tokens", id))

    def board_export(self) -> Json:
        """All that is declared on the board."""
        return self._json("GET", "/v1/board")

    def livez(self) -> Any:
        """Whether the process runs."""
        return self.request("GET", "/livez")

    def livez_check(self, check: str) -> Any:
        """One part of it."""
        return self.request("GET", f"/livez/{segment(check)}")

    def readyz(self) -> Any:
        """Whether it takes requests."""
        return self.request("GET", "/readyz")

    def readyz_check(self, check: str) -> Any:
        """One part of it."""
        return self.request("GET", f"/readyz/{segment(check)}")

    def healthz(self) -> Any:
        """Both of them."""
        return self.request("GET", "/healthz")

    def healthz_check(self, check: str) -> Any:
        """One part of it."""
        return self.request("GET", f"/healthz/{segment(check)}")
