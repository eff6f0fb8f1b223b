#!/usr/bin/env python3
"""Checks of values against a threshold, beside commits of single rows by plain SQLite on the same disk.

"fires or ends" is the worst case: every request changes an alert, and is answered when that is on disk. Runs are interleaved
with those of SQLite, so that a slow minute of the disk hits both alike; medians are printed, and ratios to SQLite's commits.
RUNS and SECONDS (environment) say how many runs of which length, TMPDIR on which disk.
"""

import json
import os
import sqlite3
import statistics
import tempfile
import time

import processes
import wrk

RUNS, SECONDS = int(os.environ.get("RUNS", "5")), int(os.environ.get("SECONDS", "5"))
THRESHOLD = {"metric_name": "drawdown", "threshold": 0.15, "message_template": "drawdown too high: {value:.2%}"}
CASES = [("fires or ends", "turns"), ("goes on", "going"), ("is well", "well")]


def sqlite_commits(seconds):
    """Commits of one row of 200 bytes a second, WAL and synchronous=FULL as the board has it."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(f"{folder}/plain.db", isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE history(id INTEGER PRIMARY KEY, at INT, rule TEXT, body TEXT)")
        body, count, begin = "x" * 200, 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO history(at, rule, body) VALUES(?, ?, ?)", (count, "rule-17", body))
            database.execute("COMMIT")
            count += 1
        rate = count / (time.perf_counter() - begin)
        database.close()
        return rate


def main():
    with processes.fuseboard() as (pid, port):
        processes.Api(port)("POST", "/v1/thresholds", json.dumps(THRESHOLD))
        commits, runs = [], {}
        for i in range(RUNS + 1):
            plain = sqlite_commits(SECONDS if i else 1)
            commits += [plain] if i else []
            for connections in (1, 32):
                for case, mode in CASES:
                    figures = wrk.run(pid, port, "alerts.lua", connections, SECONDS if i else 1, mode)
                    if i:  # the first one warms up
                        runs.setdefault((connections, case), []).append(figures)
        peer = statistics.median(commits)
        print("| alert check | rate | to SQLite | processor | p50 / p99 |\n|---|---|---|---|---|")
        print(f"| SQLite, one row a commit | {peer / 1000:.1f}k/s | | | |")
        for (connections, case), figures in runs.items():
            row = wrk.median(figures)
            cells = [f"{case}, {connections} connection{'s' if connections > 1 else ''}", f"{row['rate'] / 1000:.1f}k/s"]
            cells += [f"{row['rate'] / peer:.2f}", f"{row['cpu']:.1f} µs"]
            print("| " + " | ".join([*cells, f"{row['p50'] / 1000:.2f} / {row['p99'] / 1000:.2f} ms"]) + " |")


main()
