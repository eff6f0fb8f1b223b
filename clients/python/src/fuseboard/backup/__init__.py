"""Backups of a process's state, kept and verified by the board."""

from .manager import BackupConfig, BackupInfo, BackupManager
from .recovery import RecoveryError, RecoveryManager

__all__ = ["BackupConfig", "BackupInfo", "BackupManager", "RecoveryError", "RecoveryManager"]
