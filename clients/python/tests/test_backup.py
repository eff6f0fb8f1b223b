"""Backups on a real server."""

from __future__ import annotations

import math
import re
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard import FuseboardError, FuseboardUnavailable
from fuseboard.backup import BackupConfig, BackupInfo, BackupManager, RecoveryError, RecoveryManager

from conftest import Server, finished, python

STATE = {"session_start": {"strategy": "ma", "n": [1, 2.5, None, True], "ü": "€ \x00"}, "positions": []}
NO_BACKUP = "manual_20250101_000000_aaaaaaaa"


def test_what_goes_in_comes_out(server: Server) -> None:
    manager = BackupManager()
    backup_id = manager.create_backup(STATE, backup_type="pre_session")
    assert re.match(r"pre_session_\d{8}_\d{6}", backup_id)
    assert manager.load_backup(backup_id) == STATE
    info = manager.get_backup(backup_id)
    assert (info.backup_id, info.backup_type, info.compressed) == (backup_id, "pre_session", True)
    assert sorted(info.files) == ["positions.json", "session_start.json"]
    assert info.size_bytes > 0
    assert abs(info.timestamp.timestamp() - time.time()) < 60
    assert manager.list_backups() == [info]
    assert manager.create_backup({"a": 1}).startswith("manual_")


def test_lists_are_whole_and_newest_first(server: Server) -> None:
    manager = BackupManager()
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda i: manager.create_backup({"n": i}, "many"), range(1100)))
    other = manager.create_backup({}, "other")
    assert len(made) == 1100, "ids never collide"
    found = manager.list_backups("many")
    assert {info.backup_id for info in found} == made
    assert [info.timestamp for info in found] == sorted((i.timestamp for i in found), reverse=True)
    everything = manager.list_backups()
    assert len(everything) == 1101
    assert everything[0].backup_id == other
    assert manager.list_backups("none") == []


def test_deleting(server: Server) -> None:
    manager = BackupManager()
    backup_id = manager.create_backup({"a": 1})
    assert manager.delete_backup(backup_id) is True
    assert manager.delete_backup(backup_id) is False
    with pytest.raises(FuseboardError) as gone:
        manager.load_backup(backup_id)
    assert gone.value.status == 404


def test_recovery(server: Server, client: fuseboard.Client) -> None:
    manager, recovery = BackupManager(), RecoveryManager()
    assert recovery.get_latest_backup() is None
    with pytest.raises(RecoveryError, match="no backup of type 'daily'"):
        recovery.restore_latest_backup("daily")
    first = manager.create_backup({"n": 1}, "daily")
    second = manager.create_backup({"n": 2}, "daily")
    manager.create_backup({"n": 3}, "hourly")
    latest = recovery.get_latest_backup("daily")
    assert isinstance(latest, BackupInfo)
    assert latest.backup_id == second
    assert recovery.restore_latest_backup("daily") == {"n": 2}
    assert recovery.restore_latest_backup() == {"n": 3}
    assert recovery.restore_backup(first, reason="test", current={"now": 4}) == {"n": 1}
    assert recovery.restore_latest_backup("pre_restore") == {"now": 4}
    assert client.restore_list(first)["items"][0]["reason"] == "test"
    assert recovery.verify_backup(first) is True
    assert recovery.verify_backup("nothing") is False
    assert recovery.verify_backup(NO_BACKUP) is False
    assert manager.delete_backup("nothing") is False
    with pytest.raises(RecoveryError) as gone:
        recovery.restore_backup(NO_BACKUP)
    assert (gone.value.status, gone.value.code) == (404, "not_found")


def test_a_damaged_backup_is_found_and_refused(server: Server, tmp_path: Path) -> None:
    manager, recovery = BackupManager(), RecoveryManager()
    backup_id = manager.create_backup({"state": "x" * 10_000})
    server.kill()
    damage(tmp_path / "board.db")
    server.start()
    assert recovery.verify_backup(backup_id) is False
    with pytest.raises(RecoveryError) as damaged:
        recovery.restore_backup(backup_id)
    assert damaged.value.code == "backup_corrupt"


def damage(database: Path) -> None:
    """Change the end of every stored chunk."""
    db = sqlite3.connect(database)
    with db:
        db.execute(
            "UPDATE chunks SET content = CAST(substr(content, 1, length(content) - 1) || x'00' AS BLOB)"
        )
    db.close()


@pytest.mark.parametrize(
    ("data", "kind", "place"),
    [
        ({"a": {"b": [1, math.nan]}}, ValueError, "data['a']['b'][1] is nan"),
        ({"a": -math.inf}, ValueError, "data['a'] is -inf"),
        ({"a": datetime(2025, 1, 1)}, TypeError, "data['a'] is datetime.datetime"),
        ({"a": [{1, 2}]}, TypeError, "data['a'][0] is set"),
        ({"a": Decimal("1.5")}, TypeError, "data['a'] is decimal.Decimal"),
        ({"a": {1: 2}}, TypeError, "data['a'] has the key 1"),
        ({3: 4}, TypeError, "data has the key 3"),
        ({"a": b"bytes"}, TypeError, "data['a'] is bytes"),
        ({"a": "\ud800"}, ValueError, "data['a'] has text with half a surrogate"),
        ({"\udfff": 1}, ValueError, "half a surrogate"),
        ([1], TypeError, "a dict of documents, not of list"),
        (None, TypeError, "not of NoneType"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(nowhere: str, data: Any, kind: type, place: str) -> None:
    with pytest.raises(kind, match=re.escape(place)):
        BackupManager().create_backup(data)


def test_what_contains_itself_is_refused(nowhere: str) -> None:
    data: dict[str, Any] = {"a": []}
    data["a"].append(data)
    with pytest.raises(ValueError, match="nested deeper"):
        BackupManager().create_backup(data)


def test_what_the_board_refuses_is_named(server: Server) -> None:
    for data, backup_type in (({"a/b": 1}, "manual"), ({"a": 1}, "no such/type"), ({"x" * 200: 1}, "manual")):
        with pytest.raises(FuseboardError) as refused:
            BackupManager().create_backup(data, backup_type)
        assert refused.value.status == 422
        assert refused.value.errors
    with pytest.raises(FuseboardError):
        BackupManager().load_backup("../../etc/passwd")


def test_large_and_deep_documents(server: Server) -> None:
    deep: Any = 1
    for _ in range(90):
        deep = [deep]
    data = {"large": [f"row {i}" for i in range(300_000)], "deep": deep, "empty": {}, "big": 2**63}
    manager = BackupManager()
    assert manager.load_backup(manager.create_backup(data)) == data


def test_a_configuration_is_the_retention_of_types_without_one(
    server: Server, client: fuseboard.Client
) -> None:
    client.retention_put("weekly", {"keep_last": 2})
    manager = BackupManager(BackupConfig(retention_days=7))
    for kind in ("daily", "weekly"):
        manager.create_backup({"a": 1}, kind)
        manager.create_backup({"a": 2}, kind)
    assert client.retention_get("daily")["config"]["retention_days"] == 7
    assert client.retention_get("weekly")["config"].get("retention_days") is None
    BackupManager().create_backup({"a": 1}, "undeclared")
    with pytest.raises(FuseboardError):
        client.retention_get("undeclared")
    with pytest.raises(ValueError, match="retention_days"):
        BackupConfig(retention_days=0)
    assert (BackupConfig().compress, BackupConfig().retention_days) == (True, 30)


def test_without_a_server_everything_raises(nowhere: str) -> None:
    manager, recovery = BackupManager(), RecoveryManager()
    for ask in (
        lambda: manager.create_backup({"a": 1}),
        lambda: manager.load_backup("x"),
        lambda: manager.list_backups(),
        lambda: manager.delete_backup("x"),
    ):
        with pytest.raises(FuseboardUnavailable):
            ask()
    for ask in (
        lambda: recovery.restore_backup("x"),
        lambda: recovery.verify_backup("x"),
        lambda: recovery.get_latest_backup(),
        lambda: recovery.restore_latest_backup(),
    ):
        with pytest.raises(RecoveryError):
            ask()


def test_acknowledged_is_there_after_kill_9(server: Server) -> None:
    manager = BackupManager()
    made = [manager.create_backup({"n": i}) for i in range(20)]
    server.kill()
    with pytest.raises(FuseboardUnavailable):
        manager.create_backup({"n": 21})
    server.start()
    assert [manager.load_backup(backup_id)["n"] for backup_id in made] == list(range(20))
    assert len(manager.list_backups()) == 20


def test_another_process_restores_it(server: Server) -> None:
    BackupManager().create_backup({"from": "parent"}, "handover")
    code = """
        from fuseboard.backup import RecoveryManager
        print(RecoveryManager().restore_latest_backup("handover")["from"])
    """
    assert finished(python(code, server.url)).strip() == "parent"
