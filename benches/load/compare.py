"""Cases that are measured in turn, and their table. One whose program is not installed says so."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Sequence

import wrk
from processes import Server


@dataclasses.dataclass(frozen=True)
class Effort:
    """How much is measured."""

    #: Of each case there are so many runs of so many seconds.
    runs: int = 3
    seconds: float = 2
    #: The most resources of each kind where there are many.
    largest: int = 100_000

    def __str__(self) -> str:
        return f"medians of {self.runs} runs of {self.seconds:g} s, in turn"


#: Of a part: its tables, and how they were measured.
Measured = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Case:
    """What is asked of a server; None if it is not there."""

    what: str
    server: Server | None
    script: str
    connections: int = 32
    arguments: Sequence[str] = ()
    #: Decisions in each request.
    items: int = 1

    @property
    def name(self) -> str:
        return f"{self.what}, {self.connections} connection{'s' if self.connections > 1 else ''}"

    def run(self, seconds: float) -> wrk.Figures:
        assert self.server
        return wrk.run(self.server, self.script, self.connections, seconds, self.arguments)


def interleaved(cases: Sequence[Case], effort: Effort) -> list[wrk.Figures | None]:
    """Medians. A slow minute of the machine hits all cases alike."""
    runs: list[list[wrk.Figures]] = [[] for _ in cases]
    for i in range(effort.runs + 1):
        for taken, case in zip(runs, cases, strict=True):
            if case.server:
                figures = case.run(effort.seconds if i else min(effort.seconds, 0.5))
                if i:  # the first one warms up
                    taken.append(figures)
    return [wrk.median(taken) if taken else None for taken in runs]


def compare(cases: Sequence[Case], peer: int | None, effort: Effort) -> list[list[str]]:
    """The rows of cases, with ratios to one of them."""
    medians = interleaved(cases, effort)
    reference = medians[peer] if peer is not None else None
    base = reference["rate"] * cases[peer].items if peer is not None and reference else None
    return [row(case, figures, base) for case, figures in zip(cases, medians, strict=True)]


HEADER = ["what", "rate", "to {}", "server CPU per request", "p50 / p99"]


def row(case: Case, figures: wrk.Figures | None, base: float | None) -> list[str]:
    """`base` is what the ratio is to, in decisions a second."""
    if figures is None:
        return [case.name, "not installed", "", "", ""]
    rate = figures["rate"] * case.items
    shown = f"{thousands(figures['rate'])}/s" + (f" ({rate / 1e6:.2f} M decisions)" if case.items > 1 else "")
    if figures.get("refused"):
        shown += f", {figures['refused'] / figures['requests']:.1%} refused"
    ratio = f"{rate / base:.2f}" if base else ""
    return [
        case.name,
        shown,
        ratio,
        micros(figures["cpu"]),
        f"{figures['p50'] / 1000:.2f} / {figures['p99'] / 1000:.2f} ms",
    ]


def thousands(rate: float) -> str:
    return f"{rate / 1000:.1f}k" if rate >= 1000 else f"{rate:.0f}"


def micros(value: float) -> str:
    return f"{value:.1f} µs" if value < 1000 else f"{value / 1000:.1f} ms"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        "|" + "|".join(f" {cell} " if cell != "---" else cell for cell in line) + "|" for line in lines
    )


def rated(peer: str, rows: Iterable[Iterable[str]]) -> str:
    """The usual table, with ratios to the peer."""
    return table([cell.format(peer) for cell in HEADER], rows)


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
