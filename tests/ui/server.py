"""A real server on a free port, and what the tests ask of it without a browser."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

BINARY = Path(
    os.environ.get("FUSEBOARD_BIN") or Path(__file__).resolve().parents[2] / "target/debug/fuseboard"
)


class Server:
    """``fuseboard serve`` as a child process, with its own database."""

    def __init__(self, folder: Path, config: str = "", token: str | None = None) -> None:
        self._folder = folder
        self._token = token
        self._port = 0
        (folder / "fuseboard.toml").write_text(config)
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, or start again on the same port with the same database."""
        command = [str(BINARY), "serve", "--listen", f"127.0.0.1:{self._port}"]
        command += ["--db", str(self._folder / "board.db"), "--config", str(self._folder / "fuseboard.toml")]
        environment = {**os.environ, **({"FUSEBOARD_TOKEN": self._token} if self._token else {})}
        with (self._folder / "server.log").open("a") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self._port = int(found[1])
                return
        raise AssertionError("the server did not start: " + (self._folder / "server.log").read_text())

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def freeze(self) -> None:
        """Let it say nothing, with its connections open."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitpid(self._process.pid, os.WUNTRACED)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's document; an error is an exception with its text."""
        request = urllib.request.Request(self.url + path, method=method)
        if self._token:
            request.add_header("authorization", f"Bearer {self._token}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request, data, timeout=30) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from None
        return json.loads(text) if text else None

    def fail(self, breaker: str, times: int = 1, client: str = "bot-1", error: str | None = None) -> None:
        """Enter a breaker and report that it failed."""
        self._report(breaker, times, client, {"outcome": "failure", "error": error})

    def succeed(self, breaker: str, times: int = 1, client: str = "bot-1") -> None:
        self._report(breaker, times, client, {"outcome": "success"})

    def _report(self, breaker: str, times: int, client: str, outcome: dict[str, Any]) -> None:
        outcome = {name: value for name, value in outcome.items() if value is not None}
        for _ in range(times):
            call = self.ask("POST", "/v1/calls", {"breaker": breaker, "client": client})
            assert call["allowed"], call
            self.ask("POST", f"/v1/calls/{call['call_id']}/outcome", {**outcome, "duration_seconds": 0.2})
