"""Disks that are full, hang, turn read-only or slow."""

from __future__ import annotations

import contextlib
import http.client
import math
import pathlib
import re
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator

from board import Board, Refused, ask
from scene import Scene

# Longer than the time after which `/readyz` takes a transaction for stuck.
STUCK_SECONDS = 8.0


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


def slow_disk(scene: Scene) -> str:
    """Each write and each sync takes a while."""
    delay = scene.rng.uniform(0.005, 0.05)
    with slowed(scene.board.pid, delay, "pwrite64,fsync,fdatasync"):
        slow = scene.wait(1, 4)
    return f"each write and sync took {delay * 1000:.0f} ms more for {slow:.1f} s"


def stuck_disk(scene: Scene) -> str:
    """A sync takes so long that the server must not call itself ready. It decides all the same."""
    with slowed(scene.board.pid, STUCK_SECONDS, "fsync,fdatasync"):
        waiting = WaitingWrite(scene.board.port)
        decisions = 0
        says_so = False
        while waiting.is_alive():
            decide(scene.board)
            decisions += waiting.is_alive()
            says_so = says_so or "a transaction has been running for" in readiness(scene.board)
            time.sleep(0.05)
    assert decisions, "no decision was made while a write waited for the disk"
    assert says_so, f"ready although a transaction took {waiting.seconds:.1f} s"
    assert waiting.answer in ("written", "refused"), waiting.answer
    longest = slowest_commit(scene.board)
    assert longest > STUCK_SECONDS / 2, f"no commit took long, say the metrics: {longest}"
    return f"{decisions} decisions while a write took {waiting.seconds:.1f} s and was {waiting.answer}"


class WaitingWrite(threading.Thread):
    """A write that must be on disk before it is answered."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port, self.answer, self.seconds = port, "", 0.0
        self.start()

    def run(self) -> None:
        begin = time.monotonic()
        try:
            ask(self.port, "PUT", "/v1/breakers/waiting", {}, timeout=120)
            self.answer = "written"
        except Refused as refusal:
            self.answer = "refused" if refusal.status in (408, 503) else str(refusal)
        except (OSError, http.client.HTTPException) as error:
            self.answer = repr(error)
        self.seconds = time.monotonic() - begin


def decide(board: Board) -> None:
    """One decision, which waits for no disk."""
    answer = ask(board.port, "POST", "/v1/calls", {"limiters": [{"name": "sliding"}]}, timeout=60)
    assert answer["allowed"] in (True, False), answer


def readiness(board: Board) -> str:
    """What the probe says in words."""
    try:
        return str(ask(board.port, "GET", "/readyz", timeout=60))
    except Refused as refusal:
        return str(refusal)


def slowest_commit(board: Board) -> float:
    """The upper end of what commits took, as far as buckets tell."""
    counts: dict[float, float] = {}
    for line in ask(board.port, "GET", "/metrics", timeout=60).decode().splitlines():
        if found := re.match(r'fuseboard_writer_commit_duration_seconds_bucket\{le="(.+)"\} (.+)', line):
            counts[float(found[1])] = float(found[2])
    return min((end for end, count in counts.items() if count == counts[math.inf]), default=0)


@contextlib.contextmanager
def slowed(pid: int, seconds: float, calls: str) -> Iterator[None]:
    """Each of these system calls of a process takes so much longer."""
    delay = f"inject={calls}:delay_enter={round(seconds * 1_000_000)}"
    command = ["strace", "-qq", "-f", "-p", str(pid), "-e", f"trace={calls}", "-e", delay, "-o", "/dev/null"]
    tracer = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        until_traced(pid, tracer)
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def until_traced(pid: int, tracer: subprocess.Popen[bytes]) -> None:
    """All threads are, so that none writes as fast as before."""
    while True:
        with contextlib.suppress(OSError):  # a thread that ends
            states = [path.read_text() for path in pathlib.Path(f"/proc/{pid}/task").glob("*/status")]
            if states and all(f"TracerPid:\t{tracer.pid}\n" in state for state in states):
                return
        if tracer.poll() is not None:
            said = tracer.stderr.read().decode() if tracer.stderr else ""
            raise AssertionError(f"strace has ended: {said}")
        time.sleep(0.01)


def can_trace() -> bool:
    """Whether there is `strace`, and another process may be traced."""
    if not shutil.which("strace"):
        return False
    with subprocess.Popen(["sleep", "60"]) as asleep:
        try:
            with slowed(asleep.pid, 0.001, "fsync"):
                return True
        except AssertionError:
            return False
        finally:
            asleep.kill()


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


def run(*command: str | pathlib.Path) -> None:
    subprocess.run(command, check=True, capture_output=True)
