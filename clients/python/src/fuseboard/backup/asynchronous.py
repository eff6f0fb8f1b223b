"""The same for coroutines: backups are made, found and taken back without blocking the event loop."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from ..access import plain_client_async
from ..client_async import AsyncClient
from ..errors import FuseboardError
from .documents import checked
from .manager import TIMEOUT_SECONDS, BackupConfig, BackupInfo, Retention, absent
from .recovery import RecoveryError, recovery_error

T = TypeVar("T")


class AsyncBackupManager:
    """``BackupManager`` for coroutines."""

    def __init__(self, config: BackupConfig | None = None) -> None:
        self.config = config or BackupConfig()
        self._retention = Retention(config)

    async def create_backup(
        self,
        data: Mapping[str, Any],
        backup_type: str = "manual",
        *,
        labels: Mapping[str, str] | None = None,
    ) -> str:
        """Store the documents; the backup's id, once they are on disk.

        ``TypeError`` or ``ValueError`` that names the place for what is not JSON.
        """
        documents, client = checked(data), _client()
        made = await client.backup_create(
            documents, backup_type=backup_type, labels=labels, idempotency_key=uuid.uuid4().hex
        )
        rules = self._retention.due(client._settings.url, backup_type)
        if rules is not None:
            try:
                await client.retention_put(backup_type, rules, if_none_match="*")
            except FuseboardError as error:
                self._retention.refused(client._settings.url, backup_type, error)
            else:
                self._retention.declared(client._settings.url, backup_type)
        return str(made["backup_id"])

    async def load_backup(self, backup_id: str) -> dict[str, Any]:
        """The documents of a backup."""
        return await _client().backup_data(backup_id)

    async def get_backup(self, backup_id: str) -> BackupInfo:
        """What is known of a backup."""
        return BackupInfo.of(await _client().backup_get(backup_id))

    async def list_backups(self, backup_type: str | None = None) -> list[BackupInfo]:
        """All backups, or all of a type, newest first."""
        client = _client()
        found: list[BackupInfo] = []
        cursor: str | None = None
        while True:
            page = await client.backup_list(backup_type=backup_type, limit=1000, cursor=cursor)
            found += map(BackupInfo.of, page["items"])
            cursor = page.get("next_cursor")
            if cursor is None:
                return found

    async def delete_backup(self, backup_id: str) -> bool:
        """Delete a backup; whether there was one."""
        try:
            await _client().backup_delete(backup_id)
        except FuseboardError as error:
            if absent(error):
                return False
            raise
        return True


class AsyncRecoveryManager:
    """``RecoveryManager`` for coroutines. Every failure is a ``RecoveryError``."""

    def __init__(self, backup_manager: AsyncBackupManager | None = None) -> None:
        self.backup_manager = backup_manager or AsyncBackupManager()

    async def restore_backup(
        self,
        backup_id: str,
        *,
        reason: str | None = None,
        current: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The documents, all of them found whole. ``current`` is stored first, as type ``pre_restore``."""
        state = None if current is None else checked(current)
        told = await _recovering(_client().backup_restore(backup_id, current=state, reason=reason))
        return dict(told["data"])

    async def verify_backup(self, backup_id: str) -> bool:
        """Whether every byte is what was stored; of a backup that is not there, false.

        ``RecoveryError`` if that could not be found out.
        """
        try:
            return (await _recovering(_client().backup_verify(backup_id)))["valid"] is True
        except RecoveryError as error:
            if absent(error):
                return False
            raise

    async def get_latest_backup(self, backup_type: str | None = None) -> BackupInfo | None:
        """The newest, or the newest of a type; ``None`` if there is none."""
        try:
            return BackupInfo.of(await _recovering(_client().backup_latest(backup_type=backup_type)))
        except RecoveryError as error:
            if error.status == 404:
                return None
            raise

    async def restore_latest_backup(
        self, backup_type: str | None = None, *, reason: str | None = None
    ) -> dict[str, Any]:
        """The documents of the newest."""
        latest = await self.get_latest_backup(backup_type)
        if latest is None:
            kind = "" if backup_type is None else f" of type {backup_type!r}"
            raise RecoveryError(f"there is no backup{kind}", status=404, code="not_found")
        return await self.restore_backup(latest.backup_id, reason=reason)


def _client() -> AsyncClient:
    return plain_client_async(TIMEOUT_SECONDS)


async def _recovering(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except FuseboardError as error:
        raise recovery_error(error) from error
