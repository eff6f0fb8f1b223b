#!/usr/bin/env python3
"""What requests cost as the board grows: with 10 to 100,000 breakers, limiters, series and clients, and with a million events.

Each kind of request goes to resources by chance, so that all of them are touched. Printed is the server's processor time per
request and its p50; `target/growth.svg` shows the first over the size. SIZES, EVENTS and SECONDS (environment) change what is
measured.
"""

import concurrent.futures
import json
import os
import statistics
import tempfile
import time

import processes
import wrk

SIZES = [int(size) for size in os.environ.get("SIZES", "10,100,1000,10000,100000").split(",")]
EVENTS = int(os.environ.get("EVENTS", "1000000"))
SECONDS = int(os.environ.get("SECONDS", "2"))
RUNS = int(os.environ.get("RUNS", "3"))
PLOT = processes.ROOT / "target/growth.svg"
CONFIG = "[metrics]\nmax_series = 1000000\n[limits]\nmax_calls_in_flight = 20000000\n"
KINDS = {
    "call": "guarded call",
    "acquire": "acquire",
    "push": "push of a number",
    "show": "one breaker",
    "list": "a page of 100 breakers",
    "history": "the events of one breaker",
    "events": "a page of 100 events",
}
BREAKER = '{"failure_threshold": 5, "timeout_seconds": 60}'
LIMITER = '{"requests_per_second": 1000000}'


def declare(port, names):
    api = processes.Api(port)
    for i in names:
        api("PUT", f"/v1/breakers/b{i}", BREAKER)
        api("PUT", f"/v1/limiters/l{i}", LIMITER)


def fill(port, size):
    """Breakers, limiters and series; clients come with their first call."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        for done in [pool.submit(declare, port, range(start + 1, size + 1, 16)) for start in range(16)]:
            done.result()
    api = processes.Api(port)
    for start in range(0, size, 1000):
        several = range(start + 1, min(start + 1000, size) + 1)
        samples = [{"name": f"growth_{start // 1000}", "type": "gauge", "value": i, "labels": {"instance": f"w{i}"}} for i in several]
        answer = json.loads(api("POST", "/v1/metrics", json.dumps({"samples": samples})))
        assert answer["accepted"] == len(samples), answer["rejected"][:1]


def measure(pid, port, size):
    figures = {}
    for kind in KINDS:
        runs = [wrk.run(pid, port, "growth.lua", 32, SECONDS, [kind, str(size), str(run)]) for run in range(RUNS)]
        figures[kind] = wrk.median(runs)
    return figures


def scrape(port):
    api, took = processes.Api(port), []
    for _ in range(5):
        begin = time.perf_counter()
        api("GET", "/metrics")
        took.append((time.perf_counter() - begin) * 1000)
    return statistics.median(took)


def row(name, figures, scraped, mib):
    cells = [f"{figures[kind]['cpu']:.1f} µs, {figures[kind]['p50'] / 1000:.2f} ms" for kind in KINDS]
    print("| " + " | ".join([name, *cells, f"{scraped:.1f} ms", f"{mib:.0f} MiB"]) + " |", flush=True)


def one_event(port):
    processes.Api(port)("POST", "/v1/breakers/b1/state", '{"target": "forced_open", "reason": "bench"}')
    processes.Api(port)("POST", "/v1/breakers/b1/state", '{"target": "closed"}')


def plot(points):
    try:
        import pygal
    except ImportError:
        print(f"no plot: pip install pygal draws {PLOT.name}")
        return
    chart = pygal.XY(logarithmic=True, title="Processor time per request (µs) over the number of resources", dots_size=2)
    for kind, name in KINDS.items():
        chart.add(name, [(size, figures[kind]["cpu"]) for size, figures in points])
    PLOT.parent.mkdir(exist_ok=True)
    chart.render_to_file(str(PLOT))
    print(f"plotted: target/{PLOT.name}")


def main():
    print("| resources of each kind | " + " | ".join(KINDS.values()) + " | `/metrics` | memory |")
    print("|---" * (len(KINDS) + 3) + "|")
    points = []
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            with processes.fuseboard(folder if size == SIZES[-1] else None, config=CONFIG) as (pid, port):
                fill(port, size)
                points.append((size, measure(pid, port, size)))
                row(f"{size:,}", points[-1][1], scrape(port), processes.rss_mib(pid))
                one_event(port)
        processes.write_history(folder, EVENTS)
        with processes.fuseboard(folder, config=CONFIG) as (pid, port):
            row(f"{SIZES[-1]:,}, and {EVENTS:,} events", measure(pid, port, SIZES[-1]), scrape(port), processes.rss_mib(pid))
    plot(points)


main()
