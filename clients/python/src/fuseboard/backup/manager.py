"""Makes and finds backups on the board."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..access import plain_client
from ..client import Client
from ..errors import FuseboardError
from ..times import now, parsed
from .documents import checked

TIMEOUT_SECONDS = 60.0
"""How long the board may take: a backup is on disk when it is answered, and may be large."""

logger = logging.getLogger("fuseboard")

_declared: set[tuple[str, str]] = set()


@dataclass
class BackupConfig:
    """``retention_days`` holds for each type that this process backs up and the board has no rules for yet.

    The board compresses every backup, whatever ``compress`` says.
    """

    compress: bool = True
    retention_days: float = 30

    def __post_init__(self) -> None:
        if not 0 < self.retention_days <= 36_500:
            raise ValueError("retention_days must be more than 0 and at most 36500")


@dataclass(frozen=True)
class BackupInfo:
    """What is known of a backup."""

    backup_id: str
    timestamp: datetime
    backup_type: str
    size_bytes: int
    compressed: bool
    files: list[str]
    labels: dict[str, str] = field(default_factory=dict)
    sha256: str = ""
    verified_at: datetime | None = None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> BackupInfo:
        """The board's word."""
        return cls(
            backup_id=told["backup_id"],
            timestamp=parsed(told.get("timestamp")) or now(),
            backup_type=told["backup_type"],
            size_bytes=told["size_bytes"],
            compressed=bool(told.get("compressed")),
            files=list(told.get("files") or []),
            labels=dict(told.get("labels") or {}),
            sha256=told.get("sha256") or "",
            verified_at=parsed(told.get("verified_at")),
        )


class Retention:
    """Declares the rules of a configuration, once per type and server. The backup is made by then: what goes
    wrong is told, not raised."""

    def __init__(self, config: BackupConfig | None) -> None:
        self._config = config

    def due(self, url: str, backup_type: str) -> dict[str, Any] | None:
        """The rules, if they are to be declared."""
        if self._config is None or (url, backup_type) in _declared:
            return None
        return {"retention_days": self._config.retention_days}

    def declared(self, url: str, backup_type: str) -> None:
        """The board has them."""
        _declared.add((url, backup_type))

    def refused(self, url: str, backup_type: str, error: FuseboardError) -> None:
        """The board has others, which stay, or does not take these."""
        if error.status == 412:
            self.declared(url, backup_type)
        else:
            logger.warning("fuseboard: no retention for backups of type %s: %s", backup_type, error)


class BackupManager:
    """Backups on the board. Nothing is kept here: while it is away, all raises ``FuseboardUnavailable``.

    Without a configuration it declares no retention: the board's own rules hold.
    """

    def __init__(self, config: BackupConfig | None = None) -> None:
        self.config = config or BackupConfig()
        self._retention = Retention(config)

    def create_backup(
        self,
        data: Mapping[str, Any],
        backup_type: str = "manual",
        *,
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Store the documents; the backup's id, once they are on disk.

        ``TypeError`` or ``ValueError`` that names the place for what is not JSON: what comes back must be
        what was given.
        """
        documents = checked(data)
        made = _client().backup_create(
            documents, backup_type=backup_type, labels=labels, idempotency_key=uuid.uuid4().hex
        )
        self._declare_retention(backup_type)
        return str(made["backup_id"])

    def load_backup(self, backup_id: str) -> dict[str, Any]:
        """The documents of a backup."""
        return _client().backup_data(backup_id)

    def get_backup(self, backup_id: str) -> BackupInfo:
        """What is known of a backup."""
        return BackupInfo.of(_client().backup_get(backup_id))

    def list_backups(self, backup_type: str | None = None) -> list[BackupInfo]:
        """All backups, or all of a type, newest first."""
        client = _client()
        found: list[BackupInfo] = []
        cursor: str | None = None
        while True:
            page = client.backup_list(backup_type=backup_type, limit=1000, cursor=cursor)
            found += map(BackupInfo.of, page["items"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return found

    def delete_backup(self, backup_id: str) -> bool:
        """Delete a backup; whether there was one."""
        try:
            _client().backup_delete(backup_id)
        except FuseboardError as error:
            if absent(error):
                return False
            raise
        return True

    def _declare_retention(self, backup_type: str) -> None:
        client = _client()
        url = client._settings.url
        rules = self._retention.due(url, backup_type)
        if rules is None:
            return
        try:
            client.retention_put(backup_type, rules, if_none_match="*")
        except FuseboardError as error:
            self._retention.refused(url, backup_type, error)
        else:
            self._retention.declared(url, backup_type)


def _client() -> Client:
    return plain_client(TIMEOUT_SECONDS)


def absent(error: FuseboardError) -> bool:
    """Whether there is no such backup; nor can there be if the id is none."""
    return error.status == 404 or any(field.get("field") == "id" for field in error.errors)
