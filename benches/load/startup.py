"""From exec to the first good answer, and memory: of the board, new and full, and of its peers."""

from __future__ import annotations

import contextlib
import socket
import statistics
import tempfile
import time

import peers
import processes
from compare import Effort, Measured, table
from processes import Server

READY = (peers.get("/readyz"), b"HTTP/1.1 200")
PEERS = (peers.AXUM, peers.NGINX_STATIC, peers.REDIS, peers.PUSHGATEWAY, peers.ALERTMANAGER)
#: Milliseconds, and MiB unless it was stopped at once.
Start = tuple[float, float | None]


def is_ready(port: int, ready: tuple[bytes, bytes]) -> bool:
    ask, good = ready
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as s:
        s.sendall(ask)
        return s.recv(64).startswith(good)
    return False


def start(
    server: contextlib.AbstractContextManager[Server | None], ready: tuple[bytes, bytes], settle: bool
) -> Start | None:
    """From exec to the first answer, and memory two seconds later."""
    begin = time.perf_counter()
    with server as running:
        if running is None:
            return None
        while not is_ready(running.port, ready):
            if time.perf_counter() - begin > 60:
                raise RuntimeError("not ready in a minute")
            time.sleep(0.0002)
        took = (time.perf_counter() - begin) * 1000
        if not settle:
            return took, None
        time.sleep(2)
        return took, processes.rss_mib(running.pid)


def board(settle: bool, folder: str | None = None, program: str = processes.PROGRAM) -> Start | None:
    server = processes.fuseboard(folder, threads=2, core=None, wait=False, program=program)
    return start(server, READY, settle)


def row(name: str, starts: list[Start | None]) -> list[str]:
    figures = [figure for figure in starts if figure]
    if not figures:
        return [name, "not installed", ""]
    ms = [took for took, _ in figures]
    mib = statistics.median(mib for _, mib in figures if mib)
    return [name, f"{statistics.median(ms):.1f} ms ({min(ms):.1f}-{max(ms):.1f})", f"{mib:.1f} MiB"]


def fill(folder: str, breakers: int) -> str:
    """Breakers over the API, history not."""
    with processes.fuseboard(folder, threads=2, core=None) as server:
        idle, begin = processes.rss_mib(server.pid), time.perf_counter()
        processes.put_all(
            server.port,
            (f"/v1/breakers/b{i}" for i in range(breakers)),
            '{"failure_threshold":5,"timeout_seconds":60,"half_open_max_calls":3}',
        )
        took = time.perf_counter() - begin
        api = processes.Api(server.port)
        api("POST", "/v1/breakers/b1/state", '{"target": "forced_open", "reason": "bench"}')
        time.sleep(2)
        memory = f"memory {idle:.1f} MiB before, {processes.rss_mib(server.pid):.1f} MiB with them"
    processes.write_history(folder, breakers * 10)
    made = f"{breakers:,} breakers made in {took:.1f} s by 64 connections, each on disk before its answer"
    return f"{made}; {memory}."


def measure(effort: Effort) -> Measured:
    settles = [True] * effort.runs + [False] * (effort.runs + 1)
    starts: dict[str, list[Start | None]] = {}
    for settle in settles:
        starts.setdefault("Fuseboard, new database", []).append(board(settle))
        if processes.OPTIMIZED.exists():
            optimized = board(settle, program=str(processes.OPTIMIZED))
            starts.setdefault("Fuseboard of `make optimized`, new database", []).append(optimized)
        for peer in PEERS:
            server = peers.running(peer, core=None, wait=False)
            starts.setdefault(peer.name, []).append(start(server, peer.ready, settle))
    rows = [row(name, figures) for name, figures in starts.items()]
    with tempfile.TemporaryDirectory() as folder:
        filled = fill(folder, effort.largest)
        what = f"Fuseboard, {effort.largest:,} breakers, {effort.largest * 10:,} events"
        rows.insert(1, row(what, [board(settle, folder) for settle in settles]))
    how = f"medians of {len(settles)} starts, in turn, with the smallest and largest; memory of {effort.runs}"
    return f"{table(['start', 'first answer', 'memory after 2 s'], rows)}\n\n{filled}", how
