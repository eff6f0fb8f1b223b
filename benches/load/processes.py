"""Programs under test: started on loopback, pinned to one core, ended by their own pid."""

from __future__ import annotations

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
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("FUSEBOARD_BIN") or str(ROOT / "target/release/fuseboard")
OPTIMIZED = ROOT / "target/optimized/fuseboard"
TOKEN = "fb_bench_0123456789abcdef0123456789abcdef"
TICK = os.sysconf("SC_CLK_TCK")
SERVER_CORE, CLIENT_CORE = "0", "1"


class Server(NamedTuple):
    pid: int
    port: int


def pinned(core: str | None, command: list[str]) -> list[str]:
    """With one core there is nothing to pin to."""
    return ["taskset", "-c", core, *command] if core and (os.cpu_count() or 1) > 1 else command


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _status_mib(pid: int, key: str) -> float:
    found = re.search(rf"{key}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def rss_mib(pid: int) -> float:
    return _status_mib(pid, "VmRSS")


def peak_mib(pid: int) -> float:
    return _status_mib(pid, "VmHWM")


def stop(process: subprocess.Popen[Any]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        pass
    finally:  # also when we are told to end meanwhile
        process.kill()
        process.wait()


@contextlib.contextmanager
def served(
    command: list[str],
    port: int,
    log: str | pathlib.Path,
    core: str | None = SERVER_CORE,
    wait: bool = True,
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """A program that serves on the port for as long as the context lasts."""
    with pathlib.Path(log).open("ab") as out:
        process = subprocess.Popen(
            pinned(core, command), stdout=out, stderr=out, env={**os.environ, **(env or {})}
        )
    try:
        if wait:
            until_open(process, port, log)
        yield Server(process.pid, port)
    finally:
        stop(process)


@contextlib.contextmanager
def fuseboard(
    folder: str | None = None,
    threads: int = 1,
    core: str | None = SERVER_CORE,
    config: str = "",
    wait: bool = True,
    program: str = PROGRAM,
) -> Iterator[Server]:
    """A server with a token, metrics and access log, as it runs in production."""
    with contextlib.ExitStack() as stack:
        folder = folder or stack.enter_context(tempfile.TemporaryDirectory())
        port = free_port()
        command = [program, "serve", "--listen", f"127.0.0.1:{port}"]
        command += ["--db", f"{folder}/board.db", "--threads", str(threads)]
        if config:
            path = pathlib.Path(folder, "bench.toml")
            path.write_text(config)
            command += ["--config", str(path)]
        env = {"FUSEBOARD_TOKEN": TOKEN}
        yield stack.enter_context(served(command, port, f"{folder}/server.log", core, wait, env))


def until_open(process: subprocess.Popen[bytes], port: int, log: str | pathlib.Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.001)
    said = pathlib.Path(log).read_text(errors="replace")[-2000:]
    raise RuntimeError(f"nothing listens on port {port}: {process.args!r}\n{said}")


def write_history(folder: str, events: int) -> None:
    """Events of a thousand breakers, copies of the first: over the API they would take hours."""
    with contextlib.closing(sqlite3.connect(f"{folder}/board.db")) as db, db:
        db.execute(
            """WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
               INSERT INTO events (at, kind, resource, name, data)
               SELECT at, kind, resource, 'b' || (i % 1000 + 1), data
               FROM n, (SELECT * FROM events LIMIT 1)""",
            (events,),
        )


class Api:
    """One keep-alive connection to a server."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def __call__(
        self, method: str, path: str, body: str | bytes | None = None, more: Mapping[str, str] | None = None
    ) -> bytes:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **(more or {})}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text


def put_all(port: int, paths: Iterable[str], body: str, connections: int = 64) -> None:
    """PUTs the body to all paths. Each connection sends a hundred at once: Python takes little time."""
    head = (
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    requests = [f"PUT {path} HTTP/1.1\r\nHost: bench\r\n{head}\r\n{body}".encode() for path in paths]
    failures: list[str] = []

    def send(mine: list[bytes]) -> None:
        with socket.create_connection(("127.0.0.1", port), 120) as s:
            for start in range(0, len(mine), 100):
                some, answers = mine[start : start + 100], b""
                s.sendall(b"".join(some))
                while answers.count(b"HTTP/1.1 2") < len(some):
                    more = s.recv(65536)
                    answers += more
                    if not more or answers.count(b"HTTP/1.1 ") > answers.count(b"HTTP/1.1 2") + 1:
                        failures.append(answers[-500:].decode(errors="replace"))
                        return

    threads = [threading.Thread(target=send, args=(requests[i::connections],)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"PUT: {failures[0]}")
