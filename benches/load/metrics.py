"""Pushed metrics beside Pushgateway: one number in each push, and the page with all series.

Pushgateway keeps its store in memory (no file). Ours always checks what Pushgateway's consistency check does.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import peers
import processes
from compare import Case, Effort, Measured, compare, rated
from processes import Server

SERIES = 10_000
CONFIG = "[metrics]\nmax_series = 1000000\n"


def push_samples(api: processes.Api, samples: list[dict[str, object]]) -> None:
    answer = json.loads(api("POST", "/v1/metrics", json.dumps({"samples": samples})))
    assert answer["accepted"] == len(samples), answer["rejected"][:1]


def fill_board(port: int, series: int, name: str = "stored") -> None:
    """A thousand series of each metric, about as long as those of Pushgateway."""
    api = processes.Api(port)
    for start in range(0, series, 1000):
        samples: list[dict[str, object]] = [
            {
                "name": f"{name}_{start // 1000}",
                "type": "gauge",
                "value": (start + n) * 7,
                "labels": {
                    "instance": f"g{n // 100:04}",
                    "job": "fill",
                    "kind": "bench",
                    "shard": f"s{n % 100:05}",
                },
            }
            for n in range(1000)
        ]
        push_samples(api, samples)


def fill_pushgateway(port: int, series: int) -> None:
    """The same: groups of a hundred series, a metric for ten of them."""
    api = processes.Api(port)
    for group in range(series // 100):
        name = f"stored_{group // 10}"
        lines = [f'{name}{{kind="bench",shard="s{n:05}"}} {(group * 100 + n) * 7}' for n in range(100)]
        api(
            "PUT",
            f"/metrics/job/fill/instance/g{group:04}",
            f"# TYPE {name} gauge\n" + "\n".join(lines) + "\n",
        )


@contextlib.contextmanager
def servers() -> Iterator[tuple[Server, Server | None, Server | None]]:
    """The board, Pushgateway without its check, and with it."""
    with (
        processes.fuseboard(config=CONFIG) as board,
        peers.running(peers.PUSHGATEWAY.with_flags("--push.disable-consistency-check")) as unchecked,
        peers.running(peers.PUSHGATEWAY) as checked,
    ):
        yield board, unchecked, checked


def fill(board: Server, *pushgateways: Server | None) -> None:
    fill_board(board.port, SERIES)
    for pushgateway in pushgateways:
        if pushgateway:
            fill_pushgateway(pushgateway.port, SERIES)


def push(effort: Effort) -> Measured:
    with servers() as (board, unchecked, checked):

        def cases(stored: str, connections: int) -> list[Case]:
            return [
                Case(f"{stored}Pushgateway, check off", unchecked, "pushgateway.lua", connections),
                Case(f"{stored}Pushgateway, check on", checked, "pushgateway.lua", connections),
                Case(f"{stored}`POST /v1/metrics`", board, "push.lua", connections),
                Case(
                    f"{stored}`POST /v1/metrics`, 100 series in turn", board, "push_spread.lua", connections
                ),
                Case(f"{stored}`PUT /metrics/job/…`", board, "pushgateway.lua", connections),
            ]

        rows = compare(cases("", 32), 0, effort) + compare(cases("", 1)[::2], 0, effort)
        fill(board, unchecked, checked)
        rows += compare(cases(f"{SERIES:,} series stored: ", 32), 0, effort)
        fill_board(board.port, effort.largest, "many")
        many = effort.largest + SERIES
        rows += compare(
            [Case(f"{many:,} series stored: `POST /v1/metrics`", board, "push.lua")], None, effort
        )
        memory = f"Memory of the board with {many:,} series: {processes.rss_mib(board.pid):.0f} MiB."
    return f"{rated('Pushgateway', rows)}\n\n{memory}", str(effort)


def scrape(effort: Effort) -> Measured:
    rows = []
    with servers() as (board, pushgateway, _):
        fill(board, pushgateway)
        for coding in ("plain", "gzip"):
            what, arguments = (
                f"`/metrics` with {SERIES:,} series, {coding}",
                [] if coding == "plain" else [coding],
            )
            cases = [
                Case(f"Pushgateway, {what}", pushgateway, "scrape.lua", 1, arguments),
                Case(f"ours, {what}", board, "scrape.lua", 1, arguments),
            ]
            rows += compare(cases, 0, effort)
    return rated("Pushgateway", rows), str(effort)
