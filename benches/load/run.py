#!/usr/bin/env python3
"""The whole comparison: each part beside its peers, and the tables of BENCHMARKS.md written anew.

Peers are started on loopback, on free ports, with a temporary folder, and stopped whatever happens. Those
that are not installed are told, and the rest is measured. The server is on one core, the load generator on
the other.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
import traceback
from collections.abc import Callable

import acquires
import alerts
import backups
import calls
import checks
import growth
import metrics
import peers
import programs
import report
import startup
from compare import Effort, Measured, progress
from processes import ROOT

PARTS: dict[str, Callable[[Effort], Measured]] = {
    "calls": calls.measure,
    "acquires": acquires.measure,
    "python": programs.python,
    "start": startup.measure,
    "checks": checks.measure,
    "growth": growth.measure,
    "push": metrics.push,
    "scrape": metrics.scrape,
    "alerts": alerts.measure,
    "backups": backups.measure,
    "page": programs.page,
    "core": programs.core,
}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="only these, by commas: " + ", ".join(PARTS))
    parser.add_argument("--runs", type=int, default=Effort.runs, help="of each case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=Effort.seconds, help="of each run (%(default)s)")
    most = "the most resources where there are many, and the most kB of a backup (%(default)s)"
    parser.add_argument("--largest", type=int, default=Effort.largest, help=most)
    parser.add_argument("--print", action="store_true", help="leave BENCHMARKS.md as it is")
    args = parser.parse_args()
    args.parts = args.only.split(",") if args.only else list(PARTS)
    if unknown := [part for part in args.parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if args.runs < 1 or args.seconds <= 0 or args.largest < 1000:
        parser.error("at least one run, some time, and 1000 resources")
    return args


def ended(*_: object) -> None:
    """Told to end, we still stop what we started."""
    raise SystemExit(143)


def show(part: str, text: str, only_print: bool) -> None:
    print(f"## {part}\n\n{text}\n", flush=True)
    if not only_print:
        report.write(part, text)


def main() -> None:
    args = options()
    signal.signal(signal.SIGTERM, ended)
    if missing := [tool for tool in ("wrk", "taskset") if not peers.which(tool)]:
        raise SystemExit(f"needed: {', '.join(missing)} (make bench installs them)")
    if not args.print and (lost := report.without_place(["machine", *args.parts])):
        raise SystemExit(f"{report.FILE.name} has no place, or several, for: {', '.join(lost)}")
    effort = Effort(args.runs, args.seconds, args.largest)
    # Parts that stay as they are were measured where it says.
    show("machine", report.machine(), args.print or bool(args.only))
    begin, failed = time.monotonic(), []
    for part in args.parts:
        started = time.monotonic()
        progress(f"{part} …")
        try:
            tables, how = PARTS[part](effort)
            show(part, f"{tables}\n\n{report.when(how)}", args.print)
        except Exception:
            traceback.print_exc()
            failed.append(part)
        progress(f"{part}: {time.monotonic() - started:.0f} s")
    progress(f"all: {time.monotonic() - begin:.0f} s")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
