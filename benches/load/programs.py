"""Benchmarks that are programs of their own: the core, the Python client, the page in a browser."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import processes
from compare import Effort, Measured, table
from processes import ROOT

SERVER = {"FUSEBOARD_BIN": processes.PROGRAM}


def output(command: list[str]) -> str:
    """Told to end when we are: it has servers of its own to stop."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, **SERVER}
    )
    try:
        text, _ = process.communicate()
    except BaseException:
        processes.stop(process)
        raise
    if process.returncode:
        raise RuntimeError(f"{command}: exit status {process.returncode}")
    return text.strip()


def core(_: Effort) -> Measured:
    text = output([os.environ.get("CARGO", "cargo"), "bench", "--locked", "--bench", "core"])
    return table(["decision", "median"], core_rows(text)), "medians of divan's samples"


def core_rows(text: str) -> list[list[str]]:
    """Of the tree that divan prints: names, and of the columns the third."""
    rows, group = [], ""
    for line in text.splitlines():
        if not (found := re.match(r"(│? *)[├╰]─ (\S+)\s+(.*)", line)):
            continue
        indent, name, columns = found[1], found[2].replace("_", " "), found[3].split("│")
        if not indent:
            group = name
        if len(columns) >= 3 and (median := columns[2].strip()):
            rows.append([f"{group}: {name}" if indent else name, median])
    return rows


def python(effort: Effort) -> Measured:
    rounds = effort.runs * 4
    return output([sys.executable, "clients/python/bench.py", str(rounds)]), f"{rounds} rounds"


def page(effort: Effort) -> Measured:
    return output(
        [sys.executable, "benches/ui/page.py", str(max(effort.runs * effort.seconds * 2, 1))]
    ), "headless Chromium"
