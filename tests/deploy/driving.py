"""What a populated board has not counted yet: things that go wrong, and what is rare."""

from __future__ import annotations

import http.server
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from server import Server

#: Heads and bodies of what receivers got.
RECEIVED: list[str] = []


class _Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        RECEIVED.append(f"{self.headers}{body.decode()}")
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def receiver() -> Iterator[str]:
    """Something that takes notifications, and its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def drive(board: Server, database: Path) -> None:
    board.ask("POST", "/v1/outcomes", {"items": [{"call_id": "nobody", "outcome": "success"}]})
    _send(board, "POST", "/ping/nightly-report", "")
    board.ask("PUT", "/v1/retry-policies/exchange", {"max_attempts": 3})
    for attempt in (1, 2):
        board.ask("POST", "/v1/retry-policies/exchange/attempts", {"attempt": attempt, "client": "bot-7"})
    board.ask("POST", "/v1/gates/session-start/evaluate", {})
    board.ask("POST", "/v1/gates/evaluate", {"checks": ["engine"]})
    board.ask("POST", "/v1/backups", {"backup_type": "automatic", "data": {"a": 1}})
    latest = board.ask("GET", "/v1/backups/latest?backup_type=automatic")
    board.ask("POST", f"/v1/backups/{latest['backup_id']}/verify")
    board.ask("POST", "/v1/leases", {"client": "bot-7", "items": [{"limiter": "kraken", "tokens": 1}]})
    board.ask("POST", "/v1/metrics", {"samples": [{"name": "1 not a name", "type": "counter"}]})
    _send(board, "PUT", "/metrics/job/nightly/instance/one", "backtests_done 1\n")
    with receiver() as url:
        board.ask("PUT", "/v1/receivers/ops", {"kind": "webhook", "url": url})
        board.ask("POST", "/v1/receivers/ops/test", {})
    _lock(board, database)


def _send(board: Server, method: str, path: str, text: str) -> None:
    request = urllib.request.Request(board.url + path, text.encode(), method=method)
    with urllib.request.urlopen(request, timeout=30):
        pass


def _lock(board: Server, database: Path) -> None:
    """Hold the database until the server has noticed that it cannot write."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=30)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        end = time.monotonic() + 60
        while not _counts(board, "fuseboard_writer_errors_total{", "fuseboard_task_failures_total{"):
            assert time.monotonic() < end, "the server does not notice that its database is locked"
            board.succeed("kraken_ohlcv")
            time.sleep(0.1)
        connection.execute("ROLLBACK")
    while True:
        try:
            with urllib.request.urlopen(board.url + "/readyz", timeout=30):
                return
        except urllib.error.HTTPError:
            assert time.monotonic() < end + 60, "the server does not recover"
            time.sleep(0.1)


def _counts(board: Server, *series: str) -> bool:
    with urllib.request.urlopen(board.url + "/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return all(f"\n{name}" in text for name in series)
