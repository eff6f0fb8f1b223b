#!/usr/bin/env python3
"""From exec to the first good answer of /readyz, and memory: with a new database, and with BREAKERS breakers and EVENTS
rows of history. RUNS (environment) says how many starts; medians are printed, with the smallest and largest.
"""

import os
import socket
import statistics
import tempfile
import time

import processes
import wrk

RUNS = int(os.environ.get("RUNS", "7"))
BREAKERS = int(os.environ.get("BREAKERS", "100000"))
EVENTS = int(os.environ.get("EVENTS", "1000000"))
ASK = b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def is_ready(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as s:
            s.sendall(ASK)
            return s.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def start(folder=None):
    """Milliseconds from exec to the first answer, MiB two seconds later."""
    begin = time.perf_counter()
    with processes.fuseboard(folder, threads=2, core=None, wait=False) as (pid, port):
        while not is_ready(port):
            if time.perf_counter() - begin > 60:
                raise SystemExit("not ready in a minute")
            time.sleep(0.0002)
        took = (time.perf_counter() - begin) * 1000
        time.sleep(2)
        return took, processes.rss_mib(pid)


def row(name, runs):
    ms, mib = zip(*runs)
    print(f"| {name} | {statistics.median(ms):.1f} ms ({min(ms):.1f}-{max(ms):.1f}) | {statistics.median(mib):.1f} MiB |")


def fill(folder):
    """Breakers over the API, history not."""
    with processes.fuseboard(folder, threads=2, core=None) as (pid, port):
        idle = processes.rss_mib(pid)
        api = processes.Api(port)
        begin = time.perf_counter()
        made = 0
        while made < BREAKERS:
            figures = wrk.run(pid, port, "breakers.lua", 64, 2, str(made))
            made += figures["requests"] - 64
        took = time.perf_counter() - begin
        api("POST", "/v1/breakers/b10/state", '{"target": "forced_open", "reason": "bench"}')
        time.sleep(2)
        print(f"{made} breakers made in {took:.1f} s, each on disk before its answer")
        print(f"memory: {idle:.1f} MiB idle, {processes.rss_mib(pid):.1f} MiB with them")
    processes.write_history(folder, EVENTS)


def main():
    print("| start | first answer | memory after 2 s |\n|---|---|---|")
    row("new database", [start() for _ in range(RUNS)])
    with tempfile.TemporaryDirectory() as folder:
        fill(folder)
        row(f"{BREAKERS:,} breakers, {EVENTS:,} events", [start(folder) for _ in range(RUNS)])


main()
