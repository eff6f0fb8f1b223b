"""Backups of a process's state, kept and verified by the board."""

from .asynchronous import AsyncBackupManager, AsyncRecoveryManager
from .manager import BackupConfig, BackupInfo, BackupManager
from .recovery import RecoveryError, RecoveryManager

__all__ = [
    "AsyncBackupManager",
    "AsyncRecoveryManager",
    "BackupConfig",
    "BackupInfo",
    "BackupManager",
    "RecoveryError",
    "RecoveryManager",
]
