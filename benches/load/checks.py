#!/usr/bin/env python3
"""What a thousand HTTP checks every ten seconds cost: processor time and memory of the server that makes them.

The target is /livez of a second server. CHECKS and SECONDS (environment) say how many checks and how long to measure.
"""

import json
import os
import time

import processes

CHECKS = int(os.environ.get("CHECKS", "1000"))
SECONDS = int(os.environ.get("SECONDS", "30"))


def main():
    with processes.fuseboard(core=None) as (_, target), processes.fuseboard(core=None, threads=2) as (pid, port):
        api = processes.Api(port)
        check = {"kind": "http", "url": f"http://127.0.0.1:{target}/livez", "interval_seconds": 10}
        for i in range(CHECKS):
            api("PUT", f"/v1/checks/c{i}", json.dumps(check))
        time.sleep(12)  # each has run once
        cpu, begin, waits = processes.cpu_seconds(pid), time.monotonic(), []
        while time.monotonic() - begin < SECONDS:
            sent = time.perf_counter()
            api("GET", "/livez")
            waits.append(time.perf_counter() - sent)
            time.sleep(0.1)
        used = (processes.cpu_seconds(pid) - cpu) / (time.monotonic() - begin)
        health = json.loads(api("GET", "/v1/health"))
        red = sum(check["status"] == "red" for check in health["checks"].values())
        print("| checks | processor | memory | slowest /livez | red |\n|---|---|---|---|---|")
        print(f"| {CHECKS} every 10 s | {used:.2f} cores | {processes.rss_mib(pid):.0f} MiB | {max(waits) * 1000:.1f} ms | {red} |")


main()
