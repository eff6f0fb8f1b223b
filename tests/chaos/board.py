"""The server under test."""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
from typing import Any

TOKEN = "fb_chaos_0123456789abcdef0123456789abcdef"
# Waits end then; only what does not come at all takes so long, also on a machine that has much else to do.
PATIENCE = 300.0
BINARY = pathlib.Path(
    os.environ.get("FUSEBOARD_BIN") or pathlib.Path(__file__).resolve().parents[2] / "target/debug/fuseboard"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class Refused(Exception):
    """An answer that promises nothing."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status}: {body[:300]!r}")
        self.status = status
        self.body = body


def ask(port: int, method: str, path: str, body: Any = None, timeout: float = 60, **headers: str) -> Any:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        return exchange(connection, method, path, body, **headers)
    finally:
        connection.close()


def exchange(
    connection: http.client.HTTPConnection, method: str, path: str, body: Any = None, **headers: str
) -> Any:
    """The answer as JSON, or as bytes if it is none.

    Raises OSError and HTTPException if it cannot be known.
    """
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    wanted = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    wanted |= {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, sent, wanted)
    answer = connection.getresponse()
    got = answer.read()
    is_problem = answer.headers.get_content_type() == "application/problem+json"
    if answer.status >= 400 or is_problem:
        if not is_problem or "code" not in json.loads(got):
            raise AssertionError(
                f"{method} {path} was refused in another form: {answer.status} {got[:300]!r}"
            )
        raise Refused(answer.status, got)
    is_json = answer.headers.get_content_type() == "application/json"
    return json.loads(got) if is_json and got else got


class Board:
    """A server process on a database that outlives it."""

    def __init__(self, folder: pathlib.Path, disk: pathlib.Path) -> None:
        self.folder, self.disk = folder, disk
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.preload: dict[str, str] = {}
        self.unclean = 0

    @property
    def database(self) -> pathlib.Path:
        return self.disk / "board.db"

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text(errors="replace")

    def start(self) -> None:
        command = [BINARY, "serve", "--listen", f"127.0.0.1:{self.port}", "--db", self.database]
        environment = {**os.environ, "FUSEBOARD_TOKEN": TOKEN, **self.preload}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.is_running():
            os.kill(self.pid, number)

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait()
        self.unclean += 1

    def stop(self) -> None:
        """As an operator stops it, which must end well."""
        assert self.process
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        assert status == 0, f"a stop ended with {status}"

    def is_ready(self) -> bool:
        try:
            ask(self.port, "GET", "/readyz", timeout=2)
        except (OSError, http.client.HTTPException, Refused):
            return False
        return True

    def until_ready(self, seconds: float = PATIENCE) -> float:
        """Waits for it, and says how long that took."""
        begin = time.monotonic()
        while not self.is_ready():
            assert self.is_running(), "the server is gone: " + self.log[-1500:]
            assert time.monotonic() - begin < seconds, "it does not become ready: " + self.log[-1500:]
            time.sleep(0.02)
        return time.monotonic() - begin

    def pages(self, path: str) -> list[Any]:
        """All items of a list."""
        items: list[Any] = []
        cursor = ""
        while True:
            page = ask(self.port, "GET", f"{path}{'&' if '?' in path else '?'}limit=1000{cursor}", timeout=30)
            items += page["items"]
            if not page.get("next_cursor"):
                return items
            cursor = f"&cursor={page['next_cursor']}"
