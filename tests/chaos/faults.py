"""What can strike.

Each fault strikes, lasts, and is over: afterwards the server must recover by itself or by a start.
"""

from __future__ import annotations

import pathlib
import shutil
import signal

from damage import broken_file
from disks import full_disk, hung_disk, read_only_disk, slow_disk, stuck_disk
from scene import Fault, Scene


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
    "broken-file": broken_file,
}
WITH_DISK: dict[str, Fault] = {"hung-disk": hung_disk, "read-only-disk": read_only_disk}
WITH_CLOCK: dict[str, Fault] = {"jump": jump}
WITH_TRACER: dict[str, Fault] = {"slow-disk": slow_disk, "stuck-disk": stuck_disk}
NAMES = [*ALWAYS, *WITH_DISK, *WITH_CLOCK, *WITH_TRACER]


def fake_clock() -> pathlib.Path | None:
    """The library of Debian's package `faketime`, if it is there."""
    found = (
        sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if shutil.which("faketime")
        else []
    )
    return found[0] if found else None
