"""What can strike.

Each fault strikes, lasts, and is over: afterwards the server must recover by itself or by a start.
"""

from __future__ import annotations

import contextlib
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from board import Board
from fleet import Fleet
from proxy import Proxy

Fault = Callable[["Scene"], str]


class Scene:
    """Everything that a fault may touch."""

    def __init__(self, board: Board, proxy: Proxy, fleet: Fleet, rng: random.Random) -> None:
        self.board, self.proxy, self.fleet, self.rng = board, proxy, fleet, rng
        self.clock: pathlib.Path | None = None

    def wait(self, least: float, most: float) -> float:
        seconds = self.rng.uniform(least, most)
        time.sleep(seconds)
        return seconds


def kill(scene: Scene) -> str:
    """The server dies without a word."""
    scene.board.kill()
    away = scene.wait(0, 1.5)
    scene.board.start()
    return f"killed, started after {away:.1f} s"


def kill_at_start(scene: Scene) -> str:
    """It dies again while it starts."""
    times = scene.rng.randint(2, 4)
    for _ in range(times):
        scene.board.kill()
        scene.board.start()
        scene.wait(0, 0.1)
    return f"killed {times} times while it started"


def restart(scene: Scene) -> str:
    """An operator restarts it."""
    scene.board.stop()
    scene.board.start()
    return "restarted"


def freeze(scene: Scene) -> str:
    """It gets no processor for a while."""
    scene.board.signal(signal.SIGSTOP)
    frozen = scene.wait(0.2, 4)
    scene.board.signal(signal.SIGCONT)
    return f"frozen for {frozen:.1f} s"


def cut(scene: Scene) -> str:
    """Connections are reset in the middle of whatever they carry."""
    return f"{scene.proxy.cut(scene.rng, scene.rng.uniform(0.2, 1))} ends of connections reset"


def part(scene: Scene) -> str:
    """The fleet does not reach it for a while."""
    scene.proxy.is_away.set()
    scene.proxy.cut(scene.rng)
    away = scene.wait(0.2, 2)
    scene.proxy.is_away.clear()
    return f"out of reach for {away:.1f} s"


def delay(scene: Scene) -> str:
    """Bytes are held up on their way."""
    scene.proxy.flows.clear()
    held = scene.wait(0.1, 1.5)
    scene.proxy.flows.set()
    return f"bytes held up for {held:.1f} s"


def kill_clients(scene: Scene) -> str:
    """Clients die with everything that they hold."""
    return scene.fleet.kill(scene.rng)


def full_disk(scene: Scene) -> str:
    """Files cannot grow any more."""
    pid = scene.board.pid
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    sizes = [path.stat().st_size for path in scene.board.disk.glob("board.db*") if path.exists()]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (scene.rng.randint(1, max(sizes) + 1), before[1]))
    full = scene.wait(0.5, 2.5)
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
    return f"disk full for {full:.1f} s"


def hung_disk(scene: Scene) -> str:
    """Nothing is written until the disk comes back."""
    run("fsfreeze", "--freeze", scene.board.disk)
    try:
        hung = scene.wait(0.2, 3)
    finally:
        run("fsfreeze", "--unfreeze", scene.board.disk)
    return f"disk hung for {hung:.1f} s"


def read_only_disk(scene: Scene) -> str:
    """It is started on a disk that takes nothing, which is mended later."""
    scene.board.kill()
    run("mount", "-o", "remount,ro", scene.board.disk)
    scene.board.start()
    bad = scene.wait(0.5, 2)
    assert not scene.board.is_ready(), "ready on a disk that takes nothing"
    run("mount", "-o", "remount,rw", scene.board.disk)
    if not scene.board.is_running():
        scene.board.start()
    return f"started on a read-only disk, mended after {bad:.1f} s"


def jump(scene: Scene) -> str:
    """The wall clock jumps, while the machine's own time goes on."""
    assert scene.clock
    offset = scene.rng.choice([-86_400, -3600, -10, 10, 3600, 86_400])
    scene.clock.write_text(f"{offset:+d}\n")
    return f"wall clock {offset:+d} s from the true time"


ALWAYS: dict[str, Fault] = {
    "kill": kill,
    "kill-at-start": kill_at_start,
    "restart": restart,
    "freeze": freeze,
    "cut": cut,
    "part": part,
    "delay": delay,
    "kill-clients": kill_clients,
    "full-disk": full_disk,
}
WITH_DISK: dict[str, Fault] = {"hung-disk": hung_disk, "read-only-disk": read_only_disk}
WITH_CLOCK: dict[str, Fault] = {"jump": jump}
NAMES = [*ALWAYS, *WITH_DISK, *WITH_CLOCK]


def run(*command: str | pathlib.Path) -> None:
    subprocess.run(command, check=True, capture_output=True)


@contextlib.contextmanager
def own_disk(folder: pathlib.Path) -> Iterator[pathlib.Path | None]:
    """A file system of its own for the database, where this process may mount one."""
    image, disk = folder / "disk.img", folder / "disk"
    disk.mkdir()
    try:
        with image.open("wb") as file:
            file.truncate(512 << 20)
        run("mkfs.ext4", "-q", "-F", image)
        run("mount", "-o", "loop", image, disk)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield disk
    finally:
        run("umount", "--lazy", disk)


def fake_clock() -> pathlib.Path | None:
    """The library of Debian's package `faketime`, if it is there."""
    found = (
        sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if shutil.which("faketime")
        else []
    )
    return found[0] if found else None
