"""One run of wrk, and the medians of several."""

import pathlib
import re
import statistics
import subprocess

from processes import CLIENT_CORE, TOKEN, cpu_seconds, pinned

HERE = pathlib.Path(__file__).parent
UNIT = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


def micros(text):
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)$", text).groups()
    return float(number) * UNIT[unit]


def run(pid, port, script, connections, seconds, arguments=()):
    """Loads /v1/calls, or the path that the script sets, and returns the figures of one run."""
    arguments = [arguments] if isinstance(arguments, str) else arguments
    command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{seconds}s"]
    command += ["-H", f"Authorization: Bearer {TOKEN}", "-s", HERE / script]
    command += [f"http://127.0.0.1:{port}/v1/calls"] + (["--", *arguments] if arguments else [])
    before = cpu_seconds(pid)
    done = subprocess.run(pinned(CLIENT_CORE, command), capture_output=True, text=True, timeout=seconds + 60)
    used = cpu_seconds(pid) - before
    if done.returncode:
        raise SystemExit(done.stderr)
    text = done.stdout
    requests, elapsed = re.search(r"(\d+) requests in ([\d.]+\w+),", text).groups()
    if bad := re.search(r"(Non-2xx.*|Socket errors.*)", text):
        print(f"    {script}: {bad[1]}")
    return {
        "requests": int(requests),
        "rate": int(requests) / (micros(elapsed) / 1e6),
        "p50": micros(re.search(r"^\s+50%\s+(\S+)", text, re.M)[1]),
        "p99": micros(re.search(r"^\s+99%\s+(\S+)", text, re.M)[1]),
        "cpu": used * 1e6 / max(int(requests), 1),
    }


def median(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}
