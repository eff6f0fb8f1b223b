"""Durable alerts: beside commits of single rows by plain SQLite on the same disk, and beside Alertmanager.

"Fires or ends" is the worst case: every request changes an alert, and ours is answered when that is on disk.
Alertmanager answers before anything is on disk, and writes its state now and then.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import tempfile
import time

import peers
import processes
import wrk
from compare import Case, Effort, Measured, compare, rated

THRESHOLD = {
    "metric_name": "drawdown",
    "threshold": 0.15,
    "message_template": "drawdown too high: {value:.2%}",
}
CHECKS = {"fires or ends": "turns", "goes on": "going", "is well": "well"}
SENT = {"fires or ends": "turns", "one that goes on": "going", "1,000 that go on, in turn": "spread"}


@dataclasses.dataclass(frozen=True)
class SqliteCase(Case):
    """Commits of one row of 200 bytes, WAL and synchronous=FULL as the board has it."""

    def run(self, seconds: float) -> wrk.Figures:
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.closing(sqlite3.connect(f"{folder}/plain.db", isolation_level=None)) as database,
        ):
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            database.execute("CREATE TABLE history(id INTEGER PRIMARY KEY, at INT, rule TEXT, body TEXT)")
            took: list[float] = []
            used, begin = time.process_time(), time.perf_counter()
            end = begin
            while end - begin < seconds:
                start = end
                database.execute("BEGIN IMMEDIATE")
                row = (len(took), "rule-17", "x" * 200)
                database.execute("INSERT INTO history(at, rule, body) VALUES(?, ?, ?)", row)
                database.execute("COMMIT")
                end = time.perf_counter()
                took.append((end - start) * 1e6)
            cpu = (time.process_time() - used) * 1e6 / len(took)
            rate, took = len(took) / (end - begin), sorted(took)
            return {"rate": rate, "cpu": cpu, "p50": took[len(took) // 2], "p99": took[len(took) * 99 // 100]}


def measure(effort: Effort) -> Measured:
    with processes.fuseboard() as board, peers.running(peers.ALERTMANAGER) as alertmanager:
        processes.Api(board.port)("POST", "/v1/thresholds", json.dumps(THRESHOLD))
        cases: list[Case] = [SqliteCase("SQLite, one row a commit", board, "", 1)]
        for connections in (1, 32):
            cases += [
                Case(f"`POST /v1/alerts/check`: {what}", board, "alerts.lua", connections, [mode])
                for what, mode in CHECKS.items()
            ]
        checks = compare(cases, 0, effort)
        sent = []
        for connections in (1, 32):
            for what, mode in SENT.items():
                if connections == 1 and mode != "turns":
                    continue
                cases = [
                    Case(f"{name}: {what}", server, "alertmanager.lua", connections, [mode])
                    for name, server in (("Alertmanager", alertmanager), ("ours", board))
                ]
                sent += compare(cases, 0, effort)
    header = "`POST /api/v2/alerts`, one alert in each request:"
    return f"{rated('SQLite', checks)}\n\n{header}\n\n{rated('Alertmanager', sent)}", str(effort)
