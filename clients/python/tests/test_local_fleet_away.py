"""Several processes lose the server, and notice its return one after another: no limit is exceeded.

A token is spent at some instant between the beginning of a call and its run. Only calls that lie in a span as
a whole are counted against it, so no process that is held up can make it seem too full; of each process that
leaves out two calls.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

import fuseboard

from conftest import Server, eventually, finished, python

WORKER = """
    import json, os, sys, threading, time
    import fuseboard.presence
    from fuseboard import current
    from fuseboard.resilience import rate_limit

    # how seldom it looks whether the server is back; the server allows for six seconds
    fuseboard.presence.PROBE_SECONDS = float(os.environ["PROBE"])
    at, alone, told = [], 0, set()
    stop = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()

    def tell(what):
        if what not in told:
            told.add(what)
            print(what, flush=True)

    @rate_limit("shared", 1000)
    def call():
        at.append((began, time.monotonic()))

    began = time.monotonic()
    call()
    shares = current.board().alone.shares
    while shares.rates["shared"] > float(os.environ["SHARE"]) * 1.01:
        time.sleep(0.01)
        began = time.monotonic()
        call()
    tell("ready")
    while not stop.is_set():
        before, began = current.board().presence.away, time.monotonic()
        call()
        if before and current.board().presence.away:
            alone += 1
            if alone == 5:
                tell("alone")
        elif alone >= 5:
            tell("back")
    print(json.dumps(at))
"""
PROBES = ("0.5", "0.5", "2.5")


def line(peer: subprocess.Popen[str]) -> str:
    assert peer.stdout is not None
    return peer.stdout.readline().strip()


def saved_clients(database: Path) -> int:
    """How many clients the limiter will know after a crash: those of a second ago."""
    with closing(sqlite3.connect(database)) as db:
        row = db.execute("SELECT state FROM states WHERE kind = 'limiter' AND name = 'shared'").fetchone()
    return 0 if row is None else len(json.loads(row[0]).get("clients", ()))


def run(server: Server, database: Path, mode: str, how: str, share: float) -> list[tuple[float, float]]:
    """When calls began and ran, of three processes that were all alone for a while."""
    peers = [
        python(
            WORKER,
            server.url,
            PROBE=probe,
            SHARE=str(share),
            FUSEBOARD_MODE=mode,
            FUSEBOARD_TIMEOUT="1.0",
            FUSEBOARD_CONNECT_TIMEOUT="0.5",
        )
        for probe in PROBES
    ]
    assert [line(peer) for peer in peers] == ["ready"] * 3
    eventually(lambda: saved_clients(database) == len(PROBES))
    server.kill() if how == "kill" else server.freeze()
    assert [line(peer) for peer in peers] == ["alone"] * 3
    server.start() if how == "kill" else server.thaw()
    assert [line(peer) for peer in peers] == ["back"] * 3
    return [(began, at) for peer in peers for began, at in json.loads(finished(peer, 60, "\n"))]


def within(calls: list[tuple[float, float]], start: float, end: float) -> int:
    """How many lie in that span as a whole."""
    return sum(start <= began and at < end for began, at in calls)


@pytest.mark.parametrize(("mode", "how"), [("local", "kill"), ("local", "freeze"), ("strict", "freeze")])
def test_a_bucket_keeps_burst_and_rate(
    server: Server, client: fuseboard.Client, tmp_path: Path, mode: str, how: str
) -> None:
    rate, burst = 30.0, 60
    client.limiter_put("shared", {"requests_per_second": rate, "burst_size": burst})
    calls = run(server, tmp_path / "board.db", mode, how, rate / 3)
    for start, _ in calls:
        ends = sorted(at for began, at in calls if began >= start)
        over = [count for count, end in enumerate(ends, 1) if count > burst + rate * (end - start)]
        assert not over, (start, over)


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window"])
def test_a_window_keeps_its_limit(
    server: Server, client: fuseboard.Client, tmp_path: Path, algorithm: str
) -> None:
    limit, period = 60, 2.0
    client.limiter_put("shared", {"algorithm": algorithm, "limit": limit, "period_seconds": period})
    calls = run(server, tmp_path / "board.db", "local", "kill", limit / period / 3)
    if algorithm == "sliding_window":
        starts = [began for began, _ in calls]
    else:
        wall = time.time() - time.monotonic()
        starts = [(began + wall) // period * period - wall for began, _ in calls]
    assert max(within(calls, start, start + period) for start in starts) <= limit
    eventually(lambda: client.limiter_get("shared")["available_tokens"] == limit, 20)
