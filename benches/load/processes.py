"""Servers under test: started on loopback, pinned to one core, ended by their own pid."""

import contextlib
import http.client
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "fb_bench_0123456789abcdef0123456789abcdef"
TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, CLIENT_CORE = "0", "1"


def pinned(core, command):
    """With one core there is nothing to pin to."""
    return ["taskset", "-c", core, *command] if (os.cpu_count() or 1) > 1 else command


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_mib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def peak_mib(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) / 1024


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def echo():
    """The bare axum peer: yields (pid, port)."""
    port = free_port()
    process = subprocess.Popen(pinned(SERVER_CORE, [ROOT / "target/release/examples/echo", str(port)]))
    try:
        until_open(port)
        yield process.pid, port
    finally:
        stop(process)


@contextlib.contextmanager
def fuseboard(folder=None, threads=1, core=SERVER_CORE, config="", wait=True):
    """A server with a token, metrics and access log, as it runs in production: yields (pid, port)."""
    with contextlib.ExitStack() as stack:
        folder = folder or stack.enter_context(tempfile.TemporaryDirectory())
        port = free_port()
        command = [ROOT / "target/release/fuseboard", "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--db", f"{folder}/board.db", "--threads", str(threads)]
        if config:
            path = pathlib.Path(folder, "bench.toml")
            path.write_text(config)
            command += ["--config", path]
        log = stack.enter_context(open(f"{folder}/server.log", "ab"))
        process = subprocess.Popen(
            pinned(core, command) if core else command,
            stdout=log, stderr=log, env={**os.environ, "FUSEBOARD_TOKEN": TOKEN},
        )
        stack.callback(stop, process)
        if wait:
            until_open(port)
        yield process.pid, port


def write_history(folder, events):
    """So many events of a thousand breakers, as copies of the first: over the API they would take hours."""
    with sqlite3.connect(f"{folder}/board.db") as db:
        db.execute(
            """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
               INSERT INTO events (at, kind, resource, name, data)
               SELECT at, kind, resource, 'b' || (i % 1000 + 1), data FROM n, (SELECT * FROM events LIMIT 1)""",
            (events,),
        )
    db.close()


def until_open(port, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.001)
    raise SystemExit(f"nothing listens on port {port}")


class Api:
    """One keep-alive connection to a server."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __call__(self, method, path, body=None, more=()):
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **dict(more)}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text
