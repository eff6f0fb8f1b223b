"""A real server per test, on a free port with its own database."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

import fuseboard
from fuseboard import current

BINARY = Path(
    os.environ.get("FUSEBOARD_BIN") or Path(__file__).resolve().parents[3] / "target" / "debug" / "fuseboard"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped fails, as in make")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and item.config.getoption("no_skips"):
        report.outcome = "failed"
    return report


class Server:
    """``fuseboard serve`` as a child process."""

    def __init__(self, db: Path, *args: str, **env: str) -> None:
        self._db = db
        self._args = args
        self._env = env
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start, or start again on the same port with the same database."""
        log = self._db.with_suffix(".log").open("a")
        self._process = subprocess.Popen(
            [str(BINARY), "serve", "--listen", f"127.0.0.1:{self._port}", "--db", str(self._db), *self._args],
            env={**os.environ, **self._env},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self._port = int(found[1])
                return
        raise AssertionError("the server did not start: " + self._db.with_suffix(".log").read_text())

    def kill(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # Its threads stop one after another; until the last has, it may still answer.
        _, status = os.waitpid(self._process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Timeouts that a busy machine keeps, for this process and its children: it must not look away."""
    monkeypatch.setenv("FUSEBOARD_TIMEOUT", "10")
    monkeypatch.setenv("FUSEBOARD_CONNECT_TIMEOUT", "5")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that the default board of this process is configured for."""
    if not BINARY.exists():
        pytest.fail(f"{BINARY} does not exist: build the server or set FUSEBOARD_BIN")
    running = Server(tmp_path / "board.db")
    fuseboard.configure(url=running.url)
    try:
        yield running
    finally:
        running.kill()
        forget_board()


@pytest.fixture
def local(server: Server) -> Server:
    """The same server, asked in local mode."""
    fuseboard.configure(url=server.url, mode="local", timeout=1.0)
    return server


@pytest.fixture
def nowhere() -> Iterator[str]:
    """The address of no server."""
    url = f"http://127.0.0.1:{free_port()}"
    fuseboard.configure(url=url)
    yield url
    forget_board()


@pytest.fixture
def name() -> str:
    """A name that no other test uses: the registries live as long as the process."""
    return f"t_{uuid.uuid4().hex[:12]}"


@pytest.fixture
def client(server: Server) -> Iterator[fuseboard.Client]:
    """The plain API of the same server."""
    with fuseboard.Client(server.url) as plain:
        yield plain


def forget_board() -> None:
    if current._board is not None:
        current._board.close()
        current._board = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def python(code: str, url: str, **env: str) -> subprocess.Popen[str]:
    """Another Python process that uses the same board."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "FUSEBOARD_URL": url, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str], timeout: float = 30, text: str | None = None) -> str:
    """Its output, once it has read that text and ended well."""
    out, err = process.communicate(text, timeout=timeout)
    assert process.returncode == 0, err
    return out


def eventually(condition: object, timeout: float = 10.0) -> None:
    """Wait until the callable holds."""
    assert callable(condition)
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)
