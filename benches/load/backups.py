"""Durable backups of JSON, client to 201, and back, beside restic over the same bytes as one file."""

from __future__ import annotations

import http.client
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import peers
import processes
from compare import Effort, Measured, table

SIZES = (100_000, 10_000_000, 100_000_000)
Times = list[float]


def document(size: int, seed: int) -> bytes:
    """Trades as a bot keeps them."""
    rng = random.Random(seed)
    rows, length = [], 0
    while length < size:
        pair, side = rng.choice(["BTC/USD", "ETH/USD", "SOL/EUR"]), rng.choice(["buy", "sell"])
        price, amount = rng.uniform(1, 90_000), rng.uniform(0, 3)
        at = f"2026-11-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:00Z"
        row = f'{{"id": {rng.randrange(10**12)}, "pair": "{pair}", "side": "{side}", "price": {price:.2f}, '
        rows.append(f'{row}"amount": {amount:.8f}, "at": "{at}"}}')
        length += len(rows[-1]) + 1
    return ('{"trades":[' + ",".join(rows) + "]}").encode()


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> tuple[float, bytes]:
    """Seconds, and the answer."""
    begin = time.perf_counter()
    headers = {"content-type": "application/json", "authorization": f"Bearer {processes.TOKEN}"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    took = time.perf_counter() - begin
    if answer.status >= 300:
        raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
    return took, text


class Restic:
    """A repository; it is made before."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {"RESTIC_PASSWORD": "x", "RESTIC_CACHE_DIR": f"{folder}/cache", "RESTIC_PROGRESS_FPS": "0"}
        self.cpu = 0.0
        (folder / "source").mkdir()
        self.timed("init")

    def timed(self, *arguments: str) -> float:
        begin = time.perf_counter()
        command = [peers.which("restic") or "restic", "-q", "-r", f"{self.folder}/repository", *arguments]
        subprocess.run(command, check=True, env={**os.environ, **self.env}, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begin

    def backup(self, data: bytes) -> float:
        (self.folder / "source/state.json").write_bytes(data)
        before = children_seconds()
        took = self.timed("backup", f"{self.folder}/source")
        self.cpu += children_seconds() - before
        return took

    def restore(self) -> float:
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        return self.timed("restore", "latest", "--target", f"{self.folder}/out")


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def one_size(size: int, runs: int) -> list[str]:
    create: Times = []
    back: Times = []
    restic_backup: Times = []
    restic_restore: Times = []
    cpu = 0.0
    with (
        tempfile.TemporaryDirectory() as board_folder,
        tempfile.TemporaryDirectory() as restic_folder,
        processes.fuseboard(board_folder, threads=2, core=None) as board,
    ):
        restic = Restic(Path(restic_folder)) if peers.which("restic") else None
        connection = http.client.HTTPConnection("127.0.0.1", board.port)
        for run in range(runs):
            data = document(size, run)
            before = processes.cpu_seconds(board.pid)
            took, text = asked(
                connection, "POST", "/v1/backups", b'{"backup_type":"bench","data":' + data + b"}"
            )
            cpu += processes.cpu_seconds(board.pid) - before
            create.append(took)
            view = json.loads(text)
            took, text = asked(connection, "GET", f"/v1/backups/{view['backup_id']}/data")
            assert text == data
            back.append(took)
            if restic:
                restic_backup.append(restic.backup(data))
                restic_restore.append(restic.restore())
        cells = [f"{size / 1e6:g} MB", shown(create), shown(back)]
        if restic:
            ratios = (ratio(create, restic_backup), ratio(back, restic_restore))
            cells += [shown(restic_backup), shown(restic_restore), " / ".join(ratios)]
            cells.append(f"{cpu / runs * 1000:.0f} / {restic.cpu / runs * 1000:.0f} ms")
        else:
            cells += ["not installed", "", "", f"{cpu / runs * 1000:.0f} ms"]
        return [
            *cells,
            f"{view['stored_bytes'] / view['size_bytes']:.0%}",
            f"{processes.peak_mib(board.pid):.0f} MiB",
        ]


def shown(times: Times) -> str:
    ms = [took * 1000 for took in times]
    return f"{statistics.median(ms):.1f} ms ({min(ms):.1f}-{max(ms):.1f})"


def ratio(ours: Times, theirs: Times) -> str:
    return f"{statistics.median(ours) / statistics.median(theirs):.3f}"


def measure(effort: Effort) -> Measured:
    header = ["size", "create", "get back", "restic backup", "restic restore", "to restic"]
    header += ["CPU of create / of restic backup", "stored", "peak memory"]
    # Small ones vary more, and cost little.
    sizes = [size for size in SIZES if size <= effort.largest * 1000]
    runs = {size: effort.runs * (1 if size > 50_000_000 else 2) for size in sizes}
    how = (
        "medians of "
        + ", ".join(str(count) for count in runs.values())
        + " runs, in turn, with the smallest and largest"
    )
    return table(header, [one_size(size, count) for size, count in runs.items()]), how
