"""A database file that is damaged while the server is down."""

from __future__ import annotations

import http.client
import os
import pathlib
import random
import re
import subprocess
import time

import ledger
import promises
from board import BINARY, PATIENCE, Board, ask
from scene import Scene

# Of SQLite.
PAGE = 4096


def broken_file(scene: Scene) -> str:
    """The database file is damaged while the server is down. An operator puts a copy back."""
    board = scene.board
    scene.proxy.is_away.set()
    board.kill()
    copy = board.disk / "copy.db"
    command_line(board, "backup", copy)
    kind = scene.rng.choice(list(DAMAGES))
    what = DAMAGES[kind](board.database, scene.rng)
    outcome = started_on_damage(scene, what)
    command_line(board, "restore", copy)
    for path in [copy, *board.disk.glob("board.db.before-*")]:
        path.unlink()
    board.start()
    scene.proxy.is_away.clear()
    return f"{what}: {outcome}"


def started_on_damage(scene: Scene, what: str) -> str:
    """It refuses to start, or says that there is damage, or there is none to be seen."""
    board = scene.board
    before = len(board.log)
    board.start()
    end = time.monotonic() + PATIENCE
    while not is_checked(board):
        said = board.log[before:]
        if not board.is_running():
            status = board.process.returncode if board.process else None
            assert status == 1, f"{what}: ended with {status}: {said[-1500:]}"
            assert f"fuseboard db restore COPY --db {board.database}" in said, f"{what}: {said[-1500:]}"
            return "refused"
        assert time.monotonic() < end, f"{what}: neither refused nor looked at: {said[-1500:]}"
        time.sleep(0.02)
    is_told = figure(board, "fuseboard_database_damaged") == 1
    if is_told:
        assert "the database file is damaged" in board.log[before:], f"{what}: a metric says so, no log"
    else:
        bad = promises.kept_on_disk(board, ledger.read(scene.fleet.folder))
        assert not bad, f"{what}: started without a word, and {bad[:3]}"
    board.kill()
    return "told of it" if is_told else "nothing was lost"


def is_checked(board: Board) -> bool:
    """Whether it has looked at its database as a whole."""
    try:
        return figure(board, "fuseboard_database_check_timestamp_seconds") > 0
    except (OSError, http.client.HTTPException):
        return False


def figure(board: Board, name: str) -> float:
    page = ask(board.port, "GET", "/metrics", timeout=60).decode()
    return float(re.search(rf"^{name} (\S+)$", page, re.MULTILINE)[1])  # type: ignore[index]


def command_line(board: Board, action: str, copy: pathlib.Path) -> None:
    done = subprocess.run(
        [BINARY, "db", "--db", board.database, action, copy, *(["--force"] if action == "backup" else [])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"db {action}: {done.stdout}{done.stderr}"


def emptied(file: pathlib.Path, rng: random.Random) -> str:
    os.truncate(file, 0)
    return "emptied"


def cut_off(file: pathlib.Path, rng: random.Random) -> str:
    size = file.stat().st_size
    left = rng.randrange(1, size)
    os.truncate(file, left)
    return f"cut off after {left} of {size} bytes"


def headless(file: pathlib.Path, rng: random.Random) -> str:
    overwrite(file, 0, rng.randbytes(100))
    return "its head overwritten"


def noise(file: pathlib.Path, rng: random.Random) -> str:
    pages = file.stat().st_size // PAGE
    chosen = sorted(rng.sample(range(pages), max(1, pages // rng.choice([2, 20, 200, 2000]))))
    for page in chosen:
        overwrite(file, page * PAGE, rng.randbytes(PAGE))
    return f"{len(chosen)} of {pages} pages overwritten"


def overwrite(file: pathlib.Path, start: int, data: bytes) -> None:
    with file.open("r+b") as database:
        database.seek(start)
        database.write(data)


DAMAGES = {"emptied": emptied, "cut-off": cut_off, "headless": headless, "noise": noise}
