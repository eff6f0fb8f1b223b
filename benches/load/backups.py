#!/usr/bin/env python3
"""Durable backups of JSON, client to 201, and back: beside restic over the same bytes, in the same run.

Sizes in bytes come from SIZES (environment), RUNS says how often; medians are printed, with the smallest and largest.
Memory is the server's peak (VmHWM) after all of it. restic is left out when it is not installed.
"""

import http.client
import json
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time

import processes

SIZES = [int(size) for size in os.environ.get("SIZES", "100000 10000000 100000000").split()]
RUNS = int(os.environ.get("RUNS", "7"))


def document(size, seed):
    """Trades as a bot keeps them."""
    rng = random.Random(seed)
    rows, length = [], 0
    while length < size:
        row = json.dumps(
            {
                "id": rng.randrange(10**12),
                "pair": rng.choice(["BTC/USD", "ETH/USD", "SOL/EUR"]),
                "side": rng.choice(["buy", "sell"]),
                "price": round(rng.uniform(1, 90_000), 2),
                "amount": round(rng.uniform(0, 3), 8),
                "at": f"2026-11-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:00Z",
            }
        )
        rows.append(row)
        length += len(row) + 1
    return ('{"trades":[' + ",".join(rows) + "]}").encode()


def once(connection, method, path, body=None):
    begin = time.perf_counter()
    headers = {"content-type": "application/json", "authorization": f"Bearer {processes.TOKEN}"}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    took = time.perf_counter() - begin
    if answer.status not in (200, 201, 204):
        raise SystemExit(f"{method} {path}: {answer.status} {text[:500]}")
    return took, text


def ours(size):
    create, restore = [], []
    with tempfile.TemporaryDirectory() as folder, processes.fuseboard(folder, threads=2, core=None) as (pid, port):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for run in range(RUNS):
            data = document(size, run)
            body = b'{"backup_type":"bench","data":' + data + b"}"
            took, text = once(connection, "POST", "/v1/backups", body)
            create.append(took)
            view = json.loads(text)
            took, text = once(connection, "GET", f"/v1/backups/{view['backup_id']}/data")
            assert text == data
            restore.append(took)
        peak = processes.peak_mib(pid)
    return create, restore, view["stored_bytes"] / view["size_bytes"], peak


def restic(size):
    """The same bytes as one file; the repository is made before."""
    backup, restore = [], []
    with tempfile.TemporaryDirectory() as folder:
        env = os.environ | {"RESTIC_PASSWORD": "x", "RESTIC_CACHE_DIR": f"{folder}/cache", "RESTIC_PROGRESS_FPS": "0"}
        command = ["restic", "-q", "-r", f"{folder}/repo"]

        def timed(*args):
            begin = time.perf_counter()
            subprocess.run(command + list(args), check=True, env=env, stdout=subprocess.DEVNULL)
            return time.perf_counter() - begin

        timed("init")
        os.mkdir(f"{folder}/src")
        for run in range(min(RUNS, 3)):
            with open(f"{folder}/src/state.json", "wb") as file:
                file.write(document(size, run))
            backup.append(timed("backup", f"{folder}/src"))
            shutil.rmtree(f"{folder}/out", ignore_errors=True)
            restore.append(timed("restore", "latest", "--target", f"{folder}/out"))
    return backup, restore


def shown(values):
    values = [value * 1000 for value in values]
    return f"{statistics.median(values):.1f} ms ({min(values):.1f}-{max(values):.1f})"


def main():
    print("| size | create | get back | restic backup | restic restore | stored | peak memory |")
    print("|---|---|---|---|---|---|---|")
    for size in SIZES:
        create, restore, ratio, peak = ours(size)
        if shutil.which("restic"):
            backup, back = (shown(values) for values in restic(size))
        else:
            backup = back = "not installed"
        print(
            f"| {size / 1e6:g} MB | {shown(create)} | {shown(restore)} | {backup} | {back} | {ratio:.0%} | {peak:.0f} MiB |",
            flush=True,
        )


if __name__ == "__main__":
    main()
