"""What many HTTP checks every ten seconds cost: processor time and memory of the server that makes them.

Their target is /livez of a second server.
"""

from __future__ import annotations

import json
import time

import processes
from compare import Effort, Measured, table


def measure(effort: Effort) -> Measured:
    count = min(1000, effort.largest)
    with (
        processes.fuseboard(core=None) as target,
        processes.fuseboard(core=None, threads=2) as board,
    ):
        check = {"kind": "http", "url": f"http://127.0.0.1:{target.port}/livez", "interval_seconds": 10}
        processes.put_all(board.port, (f"/v1/checks/c{i}" for i in range(count)), json.dumps(check))
        time.sleep(12)  # each has run once
        # Twice each, unless it is to be short.
        seconds = max(effort.runs * effort.seconds * 10 / 3, 1)
        api = processes.Api(board.port)
        cpu, begin, waits = processes.cpu_seconds(board.pid), time.monotonic(), []
        while time.monotonic() - begin < seconds:
            sent = time.perf_counter()
            api("GET", "/livez")
            waits.append(time.perf_counter() - sent)
            time.sleep(0.1)
        used = (processes.cpu_seconds(board.pid) - cpu) / (time.monotonic() - begin)
        health = json.loads(api("GET", "/v1/health"))
        red = sum(check["status"] == "red" for check in health["checks"].values())
        row = [f"{count:,} every 10 s", f"{used:.2f} cores", f"{processes.rss_mib(board.pid):.0f} MiB"]
        row += [f"{max(waits) * 1000:.1f} ms", str(red)]
        return table(["checks", "processor", "memory", "slowest /livez", "red"], [row]), f"{seconds:g} s"
