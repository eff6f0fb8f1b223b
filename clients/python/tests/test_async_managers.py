"""Backups, recovery and alerts for coroutines."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from test_backup import NO_BACKUP, STATE, damage

import fuseboard
from fuseboard import FuseboardUnavailable
from fuseboard.backup import (
    AsyncBackupManager,
    AsyncRecoveryManager,
    BackupConfig,
    BackupManager,
    RecoveryError,
)
from fuseboard.monitoring import Alert, AlertLevel, AlertManager, AlertThreshold, AsyncAlertManager

from conftest import Server, eventually, forget_board

pytestmark = pytest.mark.asyncio


async def test_backups_go_in_and_come_out(server: Server) -> None:
    manager = AsyncBackupManager()
    first, *others = await asyncio.gather(
        manager.create_backup(STATE, "pre_session", labels={"by": "me"}),
        *(manager.create_backup({"n": n}) for n in range(20)),
    )
    assert await manager.load_backup(first) == STATE
    info = await manager.get_backup(first)
    assert (info.backup_id, info.backup_type) == (first, "pre_session")
    assert await manager.list_backups("pre_session") == [info]
    assert {found.backup_id for found in await manager.list_backups()} == {first, *others}
    assert await asyncio.to_thread(BackupManager().load_backup, first) == STATE
    assert await manager.delete_backup(first) is True
    assert await manager.delete_backup(first) is False
    with pytest.raises(ValueError, match="nan"):
        await manager.create_backup({"nan": float("nan")})


async def test_lists_have_all_pages(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    manager = AsyncBackupManager()
    made = {await manager.create_backup({"n": n}) for n in range(3)}
    asked: list[Any] = []
    original = fuseboard.AsyncClient.backup_list

    async def small(self: fuseboard.AsyncClient, **options: Any) -> Any:
        asked.append(options.get("cursor"))
        return await original(self, **{**options, "limit": 1})

    monkeypatch.setattr(fuseboard.AsyncClient, "backup_list", small)
    assert {info.backup_id for info in await manager.list_backups()} == made
    assert len(asked) >= 3


async def test_a_configuration_is_the_retention_of_types_without_one(
    server: Server, client: fuseboard.Client
) -> None:
    client.retention_put("kept", {"retention_days": 3})
    manager = AsyncBackupManager(BackupConfig(retention_days=7))
    for backup_type in ("kept", "new", "new"):
        await manager.create_backup({}, backup_type)
    assert client.retention_get("kept")["config"]["retention_days"] == 3
    assert client.retention_get("new")["config"]["retention_days"] == 7


async def test_recovery(server: Server, client: fuseboard.Client) -> None:
    manager, recovery = AsyncBackupManager(), AsyncRecoveryManager()
    assert await recovery.get_latest_backup() is None
    with pytest.raises(RecoveryError, match="no backup of type 'none'"):
        await recovery.restore_latest_backup("none")
    old = await manager.create_backup({"n": 1})
    new = await manager.create_backup({"n": 2})
    assert await recovery.restore_backup(old, reason="test", current={"now": True}) == {"n": 1}
    assert await recovery.restore_latest_backup("manual") == {"n": 2}
    (before,) = await manager.list_backups("pre_restore")
    assert await manager.load_backup(before.backup_id) == {"now": True}
    latest = await recovery.get_latest_backup("manual")
    assert latest is not None and latest.backup_id == new
    assert await recovery.verify_backup(new) is True
    assert await recovery.verify_backup(NO_BACKUP) is False
    with pytest.raises(RecoveryError) as missing:
        await recovery.restore_backup(NO_BACKUP)
    assert missing.value.status == 404


async def test_a_damaged_backup_is_found_and_refused(server: Server, tmp_path: Path) -> None:
    backup_id = await AsyncBackupManager().create_backup(STATE)
    damage(tmp_path / "board.db")
    recovery = AsyncRecoveryManager()
    assert await recovery.verify_backup(backup_id) is False
    with pytest.raises(RecoveryError):
        await recovery.restore_backup(backup_id)


async def test_without_a_server_backups_raise(nowhere: str) -> None:
    manager, recovery = AsyncBackupManager(), AsyncRecoveryManager()
    for asked in (
        manager.create_backup({}),
        manager.load_backup(NO_BACKUP),
        manager.get_backup(NO_BACKUP),
        manager.list_backups(),
        manager.delete_backup(NO_BACKUP),
    ):
        with pytest.raises(FuseboardUnavailable):
            await asked
    for told in (
        recovery.restore_backup(NO_BACKUP),
        recovery.verify_backup(NO_BACKUP),
        recovery.get_latest_backup(),
    ):
        with pytest.raises(RecoveryError):
            await told


async def test_alerts_are_those_of_the_process(server: Server, client: fuseboard.Client) -> None:
    shared = AlertManager()
    alerts = AsyncAlertManager(shared)
    seen: list[Alert] = []

    async def awaited(alert: Alert) -> None:
        await asyncio.sleep(0)
        seen.append(alert)

    def failing(alert: Alert) -> None:
        raise RuntimeError(alert.message)

    alerts.add_handler(failing)
    alerts.add_handler(awaited)
    threshold = AlertThreshold("drawdown", 0.15, AlertLevel.WARNING, message_template="{value:.0%} down")
    await alerts.add_threshold(threshold)
    await alerts.add_threshold(threshold)
    assert await alerts.check_metric("drawdown", 0.1) == []
    (alert,) = await alerts.check_metric("drawdown", 0.2)
    assert (alert.message, alert.source) == ("20% down", "threshold")
    assert seen == [alert]
    assert [found.id for found in await alerts.get_recent_alerts()] == [alert.id]
    assert await alerts.get_recent_alerts(0) == []
    declared = [item for item in client.threshold_list()["items"] if item["metric_name"] == "drawdown"]
    assert len(declared) == 1
    await alerts.clear_alerts()
    assert await alerts.get_recent_alerts() == []
    assert len(client.alert_list()["items"]) == 1, "the board keeps them"
    alerts.remove_handler(awaited)
    alerts.remove_handler(failing)
    await alerts.check_metric("drawdown", 0.3)
    assert seen == [alert]
    with pytest.raises(TypeError):
        await alerts.add_threshold("no threshold")  # type: ignore[arg-type]


async def test_what_the_board_refuses_does_not_hold_here(server: Server) -> None:
    shared = AlertManager()
    refused = AlertThreshold("no name", 1.0, AlertLevel.ERROR)
    with pytest.raises(fuseboard.FuseboardError):
        await AsyncAlertManager(shared).add_threshold(refused)
    assert shared.undeclared() == []


async def test_while_the_server_is_away_this_process_decides(server: Server) -> None:
    alerts = AsyncAlertManager(AlertManager())
    server.kill()
    await alerts.add_threshold(AlertThreshold("drawdown", 0.15, AlertLevel.WARNING))
    (alert,) = await alerts.check_metric("drawdown", 0.2)
    assert alert.source == "local"
    assert await alerts.get_recent_alerts() == [alert]
    server.start()
    board = fuseboard.current.board()
    await asyncio.to_thread(eventually, lambda: not board.presence.away, 30)
    (there,) = await alerts.check_metric("drawdown", 0.2)
    assert there.source == "threshold", "it was declared before it was asked"
    forget_board()
