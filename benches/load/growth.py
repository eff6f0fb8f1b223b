"""What requests cost as the board grows: more breakers, limiters, series and clients, at last a long history.

Each kind of request goes to resources by chance, so that all of them are touched. The table has the server's
processor time for each request and its p50; `target/growth.svg` shows the first over the size.
"""

from __future__ import annotations

import importlib
import statistics
import tempfile
import time

import metrics
import processes
import wrk
from compare import Effort, Measured, progress, table
from processes import Server

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
Costs = dict[str, wrk.Figures]


def fill(port: int, size: int) -> None:
    """Breakers, limiters and series; clients come with their first call."""
    numbers = range(1, size + 1)
    processes.put_all(
        port, (f"/v1/breakers/b{i}" for i in numbers), '{"failure_threshold": 5, "timeout_seconds": 60}'
    )
    processes.put_all(port, (f"/v1/limiters/l{i}" for i in numbers), '{"requests_per_second": 1000000}')
    api = processes.Api(port)
    for start in range(0, size, 1000):
        samples: list[dict[str, object]] = [
            {"name": f"growth_{start // 1000}", "type": "gauge", "value": i, "labels": {"instance": f"w{i}"}}
            for i in range(start + 1, min(start + 1000, size) + 1)
        ]
        metrics.push_samples(api, samples)


def run_seconds(effort: Effort) -> float:
    """Half as long as others: there are many."""
    return effort.seconds / 2


def measure_kinds(board: Server, size: int, effort: Effort) -> Costs:
    costs = {}
    for kind in KINDS:
        arguments = [[kind, str(size), str(run)] for run in range(effort.runs)]
        costs[kind] = wrk.median(
            [wrk.run(board, "growth.lua", 32, run_seconds(effort), some) for some in arguments]
        )
    return costs


def page_of_metrics(port: int) -> float:
    """Milliseconds."""
    api, took = processes.Api(port), []
    for _ in range(5):
        begin = time.perf_counter()
        api("GET", "/metrics")
        took.append((time.perf_counter() - begin) * 1000)
    return statistics.median(took)


def row(name: str, costs: Costs, board: Server) -> list[str]:
    progress(f"growth: {name}")
    cells = [f"{costs[kind]['cpu']:.1f} µs, {costs[kind]['p50'] / 1000:.2f} ms" for kind in KINDS]
    return [name, *cells, f"{page_of_metrics(board.port):.1f} ms", f"{processes.rss_mib(board.pid):.0f} MiB"]


def one_event(port: int) -> None:
    api = processes.Api(port)
    api("POST", "/v1/breakers/b1/state", '{"target": "forced_open", "reason": "bench"}')
    api("POST", "/v1/breakers/b1/state", '{"target": "closed"}')


def plot(points: list[tuple[int, Costs]]) -> None:
    try:
        pygal = importlib.import_module("pygal")
    except ImportError:
        progress(f"no plot: pip install pygal draws {PLOT.name}")
        return
    title = "Processor time per request (µs) over the number of resources"
    chart = pygal.XY(logarithmic=True, title=title, dots_size=2)
    for kind, name in KINDS.items():
        chart.add(name, [(size, costs[kind]["cpu"]) for size, costs in points])
    PLOT.parent.mkdir(exist_ok=True)
    chart.render_to_file(str(PLOT))
    progress(f"plotted: target/{PLOT.name}")


def measure(effort: Effort) -> Measured:
    sizes = [size for size in (10, 100, 1_000, 10_000, 100_000) if size <= effort.largest]
    largest, events = sizes[-1], sizes[-1] * 10
    rows, points = [], []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            with processes.fuseboard(folder if size == largest else None, config=CONFIG) as board:
                fill(board.port, size)
                points.append((size, measure_kinds(board, size, effort)))
                rows.append(row(f"{size:,}", points[-1][1], board))
                one_event(board.port)
        processes.write_history(folder, events)
        with processes.fuseboard(folder, config=CONFIG) as board:
            rows.append(
                row(f"{largest:,}, and {events:,} events", measure_kinds(board, largest, effort), board)
            )
    plot(points)
    header = ["resources of each kind", *KINDS.values(), "`/metrics`", "memory"]
    return table(header, rows), f"medians of {effort.runs} runs of {run_seconds(effort):g} s"
