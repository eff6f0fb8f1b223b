"""A board and an exchange for tests.

Tests trip breakers and use up limits, so they never touch the board that bots use: the session gets a server of its own, on a
free port, with a database that is thrown away. Its program is ``FUSEBOARD_BIN``, the one on the PATH, or what make has built.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fuseboard

EXAMPLES = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(EXAMPLES))

from scene import EmulatedExchange  # noqa: E402


def binary() -> str | None:
    """The server's program."""
    built = [EXAMPLES.parent / "target" / profile / "fuseboard" for profile in ("release", "debug")]
    found = os.environ.get("FUSEBOARD_BIN") or shutil.which("fuseboard")
    return found or next((str(path) for path in built if path.exists()), None)


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fuseboard.Client]:
    """The plain client of a server that only these tests use; the decorators use it, too."""
    program = binary()
    if program is None:
        pytest.fail("no fuseboard server program: build one with `make build`, or set FUSEBOARD_BIN")
    database = tmp_path_factory.mktemp("board") / "board.db"
    server = subprocess.Popen(
        [program, "serve", "--listen", "127.0.0.1:0", "--db", str(database)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        found = next(filter(None, (re.search(r"http://\S+:\d+", line) for line in server.stdout)), None)
        assert found is not None, "the server did not start"
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FUSEBOARD_URL", found[0])  # for processes that tests start, too
            fuseboard.configure()
            with fuseboard.Client() as client:
                yield client
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.fixture(autouse=True)
def clean(board: fuseboard.Client) -> None:
    """Every test begins with breakers and limiters that nobody has used."""
    for page, delete in (
        (board.breaker_list(), board.breaker_delete),
        (board.limiter_list(), board.limiter_delete),
    ):
        for item in page["items"]:
            delete(item["name"])


@pytest.fixture
def exchange() -> Iterator[EmulatedExchange]:
    """An exchange that does what a test says."""
    with EmulatedExchange() as running:
        yield running
