"""The tables in BENCHMARKS.md: what stands between a part's markers is replaced, all else is left alone."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterable

import peers
from processes import ROOT

FILE = ROOT / "BENCHMARKS.md"


def place(part: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {part}: [^\n]*-->\n).*?(\n<!-- end -->)", re.S)


def without_place(parts: Iterable[str]) -> list[str]:
    text = FILE.read_text()
    return [part for part in parts if len(place(part).findall(text)) != 1]


def write(part: str, text: str) -> None:
    after = place(part).sub(lambda marker: f"{marker[1]}\n{text}\n{marker[2]}", FILE.read_text())
    new = FILE.with_suffix(".md.new")
    new.write_text(after)
    new.replace(FILE)


def when(how: str) -> str:
    """Under each part's tables, since parts can be measured on other days."""
    return f"Measured {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}: {how}."


def machine() -> str:
    cpu = re.search(r"^model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    disk = subprocess.run(
        ["findmnt", "-no", "FSTYPE", "-T", tempfile.gettempdir()], capture_output=True, text=True
    ).stdout.strip()
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    facts = [f"{os.cpu_count()} cores ({cpu[1] if cpu else platform.machine()})"]
    facts += [f"{int(memory[1]) / 2**20:.0f} GiB of memory" if memory else ""]
    facts += [
        f"Linux {platform.release()}",
        system,
        f"temporary files on {disk}",
        f"Python {platform.python_version()}",
    ]
    return f"Machine: {', '.join(filter(None, facts))}.\nBeside: {', '.join(peers.versions())}."
