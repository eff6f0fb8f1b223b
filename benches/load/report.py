"""The tables in BENCHMARKS.md: what stands between a part's markers is replaced, all else is left alone."""

from __future__ import annotations

import datetime
import os
import pathlib
import platform
import re
import subprocess
import tempfile

import peers
from processes import ROOT

FILE = ROOT / "BENCHMARKS.md"


def write(part: str, text: str) -> None:
    before = FILE.read_text()
    marked = re.compile(rf"(<!-- {part}: [^\n]*-->\n).*?(\n<!-- end -->)", re.S)
    after, found = marked.subn(lambda marker: f"{marker[1]}\n{text}\n{marker[2]}", before)
    if found != 1:
        raise RuntimeError(f"{FILE.name} has {found} places for {part}")
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
