#!/usr/bin/env python3
"""Load from a second process on loopback, the server on one core and wrk on the other.

Runs of the peers are interleaved, so that a slow minute of the machine hits them alike; medians are printed, and ratios
to the bare axum echo of the same run. RUNS and SECONDS (environment) say how many runs of which length.
"""

import os
import pathlib
import tempfile

import processes
import wrk

RUNS, SECONDS = int(os.environ.get("RUNS", "5")), int(os.environ.get("SECONDS", "5"))
CONFIG = "[limits]\nmax_calls_in_flight = 20000000\n"


def prepare(port):
    api = processes.Api(port)
    api("PUT", "/v1/breakers/b1", '{"failure_threshold": 5, "timeout_seconds": 60}')
    for i in range(1, 11):
        api("PUT", f"/v1/limiters/l{i}", '{"requests_per_second": 1000000}')


def row(name, figures, peer=None, items=1):
    ratio = f"{figures['rate'] / peer['rate']:.2f}" if peer else ""
    cells = [name, f"{figures['rate'] / 1000:.1f}k/s", ratio, f"{figures['cpu']:.1f} µs"]
    cells += [f"{figures['p50'] / 1000:.2f} / {figures['p99'] / 1000:.2f} ms"]
    cells += [f"{figures['rate'] * items / 1e6:.2f} M/s" if items > 1 else ""]
    print("| " + " | ".join(cells) + " |", flush=True)


def calls(board, bare):
    for connections in (32, 1):
        ours, theirs = [], []
        for i in range(RUNS + 1):
            for runs, (pid, port) in ((theirs, bare), (ours, board)):
                figures = wrk.run(pid, port, "call.lua", connections, SECONDS if i else 2)
                if i:  # the first one warms up
                    runs.append(figures)
        peer = wrk.median(theirs)
        row(f"bare axum, the same JSON echoed, {connections} connections", peer)
        row(f"`POST /v1/calls` with breaker, limiter and outcome, {connections} connections", wrk.median(ours), peer)


def batches(board):
    pid, port = board
    runs = [wrk.run(pid, port, "acquires.lua", 32, SECONDS) for _ in range(RUNS)]
    row("`POST /v1/acquires`, 100 items, 32 connections", wrk.median(runs), items=100)
    runs = []
    for _ in range(min(RUNS, 3)):
        with tempfile.TemporaryDirectory() as folder:
            ids = str(pathlib.Path(folder, "ids"))
            # A second of outcomes uses up the calls of more than twenty.
            wrk.run(pid, port, "outcomes_prepare.lua", 64, 40, ids)
            runs.append(wrk.run(pid, port, "outcomes.lua", 32, 1, ids))
    row("`POST /v1/outcomes`, 100 items, 32 connections", wrk.median(runs), items=100)


def main():
    print("| what | rate | to bare axum | server CPU per request | p50 / p99 | decisions |")
    print("|---|---|---|---|---|---|")
    with processes.echo() as bare, processes.fuseboard(config=CONFIG) as board:
        prepare(board[1])
        calls(board, bare)
        batches(board)


main()
