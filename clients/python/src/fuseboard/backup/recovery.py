"""Takes backups back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..errors import FuseboardError
from .documents import checked
from .manager import BackupInfo, BackupManager, _client, absent

T = TypeVar("T")


class RecoveryError(FuseboardError):
    """A backup was not taken back: it is not there, damaged, or the server is away. See ``code``."""


class RecoveryManager:
    """Takes backups back, on the board's record. Every failure is a ``RecoveryError``."""

    def __init__(self, backup_manager: BackupManager | None = None) -> None:
        self.backup_manager = backup_manager or BackupManager()

    def restore_backup(
        self,
        backup_id: str,
        *,
        reason: str | None = None,
        current: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """The documents, all of them found whole. ``current`` is stored first, as type ``pre_restore``."""
        state = None if current is None else checked(current)
        told = _recovering(lambda: _client().backup_restore(backup_id, current=state, reason=reason))
        return dict(told["data"])

    def verify_backup(self, backup_id: str) -> bool:
        """Whether every byte is what was stored; of a backup that is not there, false.

        ``RecoveryError`` if that could not be found out.
        """
        try:
            return _recovering(lambda: _client().backup_verify(backup_id))["valid"] is True
        except RecoveryError as error:
            if absent(error):
                return False
            raise

    def get_latest_backup(self, backup_type: str | None = None) -> BackupInfo | None:
        """The newest, or the newest of a type; ``None`` if there is none."""
        try:
            return BackupInfo.of(_recovering(lambda: _client().backup_latest(backup_type=backup_type)))
        except RecoveryError as error:
            if error.status == 404:
                return None
            raise

    def restore_latest_backup(
        self, backup_type: str | None = None, *, reason: str | None = None
    ) -> dict[str, Any]:
        """The documents of the newest."""
        latest = self.get_latest_backup(backup_type)
        if latest is None:
            kind = "" if backup_type is None else f" of type {backup_type!r}"
            raise RecoveryError(f"there is no backup{kind}", status=404, code="not_found")
        return self.restore_backup(latest.backup_id, reason=reason)


def _recovering(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except FuseboardError as error:
        raise recovery_error(error) from error


def recovery_error(error: FuseboardError) -> RecoveryError:
    """The same, as a failure to take a backup back."""
    return RecoveryError(
        str(error),
        status=error.status,
        code=error.code,
        detail=error.detail,
        errors=error.errors,
        retry_after_seconds=error.retry_after_seconds,
    )
