#!/usr/bin/env python3
"""Pushed metrics beside Debian's Pushgateway, in the same run: one number per push, and the page with 10,000 series.

Runs are interleaved; medians are printed. RUNS and SECONDS (environment) say how many runs of which length. Pushgateway
keeps its store in memory (no file), with its consistency check off, and on in rows of their own. Without it, only our
own figures are printed.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile

import processes
import wrk

RUNS, SECONDS = int(os.environ.get("RUNS", "5")), int(os.environ.get("SECONDS", "5"))
SERIES = 10_000
MANY = 100_000
CONFIG = "[metrics]\nmax_series = 1000000\n"


@contextlib.contextmanager
def pushgateway(*flags):
    """On the server's core: yields (pid, port)."""
    port = processes.free_port()
    command = ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    # Debian's default is a file that outlives the run.
    command += ["--persistence.file=", *flags]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(processes.pinned(processes.SERVER_CORE, command), stdout=log, stderr=log)
        try:
            processes.until_open(port)
            yield process.pid, port
        finally:
            processes.stop(process)


def fill_board(port, series, name="stored"):
    """A thousand series of each metric, about as long as those of Pushgateway."""
    api = processes.Api(port)
    for start in range(0, series, 1000):
        samples = [
            {
                "name": f"{name}_{start // 1000}",
                "type": "gauge",
                "value": (start + n) * 7,
                "labels": {"instance": f"g{n // 100:04}", "job": "fill", "kind": "bench", "shard": f"s{n % 100:05}"},
            }
            for n in range(1000)
        ]
        answer = json.loads(api("POST", "/v1/metrics", json.dumps({"samples": samples})))
        assert answer["accepted"] == len(samples), answer["rejected"][:1]


def fill_pushgateway(port, series):
    """The same: groups of a hundred series, a metric for ten of them."""
    api = processes.Api(port)
    for group in range(series // 100):
        name = f"stored_{group // 10}"
        lines = [f'{name}{{kind="bench",shard="s{n:05}"}} {(group * 100 + n) * 7}' for n in range(100)]
        api("PUT", f"/metrics/job/fill/instance/g{group:04}", f"# TYPE {name} gauge\n" + "\n".join(lines) + "\n")


def compare(rows, seconds=SECONDS):
    """Measures what is in rows, interleaved; a row is (what, server, script, connections, argument)."""
    runs = [[] for _ in rows]
    for i in range(RUNS + 1):
        for taken, (_, (pid, port), script, connections, argument) in zip(runs, rows):
            figures = wrk.run(pid, port, script, connections, seconds if i else min(seconds, 2), argument)
            if i:  # the first one warms up
                taken.append(figures)
    medians = [wrk.median(taken) for taken in runs]
    for (what, _, _, connections, _), figures in zip(rows, medians):
        ratio = f"{figures['rate'] / medians[0]['rate']:.2f}"
        cells = [f"{what}, {connections} connection{'s' if connections > 1 else ''}", f"{figures['rate']:.0f}/s", ratio]
        cells += [f"{figures['cpu']:.1f} µs", f"{figures['p50'] / 1000:.2f} / {figures['p99'] / 1000:.2f} ms"]
        print("| " + " | ".join(cells) + " |", flush=True)


def pushes(board, peers):
    for connections in (32, 1):
        rows = [(f"Pushgateway, {name}", peer, "pushgateway.lua", connections, None) for name, peer in peers]
        rows += [("`POST /v1/metrics`", board, "push.lua", connections, None)]
        rows += [("`POST /v1/metrics`, 100 series", board, "push_spread.lua", connections, None)]
        rows += [("`PUT /metrics/job/…`", board, "pushgateway.lua", connections, None)]
        compare(rows)


def pages(board, peers):
    for coding in (None, "gzip"):
        what = f"/metrics with {SERIES} series, {coding or 'plain'}"
        rows = [(f"Pushgateway, {what}", peer, "scrape.lua", 1, coding) for _, peer in peers]
        compare([*rows, (f"ours, {what}", board, "scrape.lua", 1, coding)])


def main():
    has_peer = shutil.which("prometheus-pushgateway") is not None
    with contextlib.ExitStack() as stack:
        board = stack.enter_context(processes.fuseboard(config=CONFIG))
        peers = []
        if has_peer:
            off = stack.enter_context(pushgateway("--push.disable-consistency-check"))
            peers = [("check off", off), ("check on", stack.enter_context(pushgateway()))]
        else:
            print("prometheus-pushgateway is not installed: only our own figures\n")
        print("| what | rate | to the first row | server CPU per request | p50 / p99 |\n|---|---|---|---|---|")
        pushes(board, peers)
        for _, (_, port) in peers:
            fill_pushgateway(port, SERIES)
        fill_board(board[1], SERIES)
        pages(board, peers[:1])
        print(f"\nWith {SERIES} series stored:\n\n| | | | | |\n|---|---|---|---|---|")
        pushes(board, peers)
        fill_board(board[1], MANY, "many")
        print(f"\nWith {MANY + SERIES} series stored:\n\n| | | | | |\n|---|---|---|---|---|")
        compare([("`POST /v1/metrics`", board, "push.lua", 32, None)])
        print(f"\nMemory with {MANY + SERIES} series: {processes.rss_mib(board[0]):.0f} MiB")


if __name__ == "__main__":
    main()
