"""One run of wrk, and the medians of several."""

from __future__ import annotations

import contextlib
import math
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from processes import CLIENT_CORE, TOKEN, Server, cpu_seconds, pinned

HERE = pathlib.Path(__file__).parent
UNIT = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}
#: requests, those refused, rate (a second), p50, p99 and the server's cpu (microseconds a request)
Figures = dict[str, float]


def micros(text: str) -> float:
    found = re.match(r"([\d.]+)(us|ms|s|m)$", text)
    assert found, text
    return float(found[1]) * UNIT[found[2]]


def has_begun(process: subprocess.Popen[str]) -> bool:
    """It catches interrupts then; before, they would end it without a word. Also if it is over."""
    with contextlib.suppress(OSError):
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        caught = re.search(r"^SigCgt:\s+(\w+)", status, re.M)
        return process.poll() is not None or bool(caught and int(caught[1], 16) >> (signal.SIGINT - 1) & 1)
    return True


def finish(process: subprocess.Popen[str], seconds: float, finished: pathlib.Path | None) -> tuple[str, str]:
    """What wrk says after the seconds, part of one among them, or when there is the file."""
    while not has_begun(process):
        time.sleep(0.001)
    # Whole seconds wrk counts by itself.
    end = time.monotonic() + seconds + (1 if seconds % 1 == 0 else 0)
    while True:
        try:
            return process.communicate(timeout=0.002 if finished else max(end - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            if time.monotonic() > end + 60:
                raise
            if time.monotonic() > end or (finished and finished.exists()):
                process.send_signal(signal.SIGINT)


def run(
    server: Server,
    script: str,
    connections: int,
    seconds: float,
    arguments: Sequence[str] = (),
    finished: pathlib.Path | None = None,
) -> Figures:
    """Loads /v1/calls, or the path that the script sets, and returns the figures of one run.

    `finished` is a file that the script makes when it has nothing more to send.
    """
    # wrk knows whole seconds only. Interrupted, it ends at once and reckons with the time that it had.
    command = ["wrk", "--latency", "-t1", f"-c{connections}", f"-d{math.ceil(seconds)}s"]
    command += ["-H", f"Authorization: Bearer {TOKEN}", "-s", str(HERE / script)]
    command += [f"http://127.0.0.1:{server.port}/v1/calls", *(["--", *arguments] if arguments else [])]
    before = cpu_seconds(server.pid)
    with subprocess.Popen(
        pinned(CLIENT_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            text, errors = finish(process, seconds, finished)
        except BaseException:
            process.kill()
            raise
    used = cpu_seconds(server.pid) - before
    if process.returncode:
        raise RuntimeError(f"wrk with {script}: {errors or text}")
    if lost := re.search(r"Non-2xx.*|Socket errors.*", text):
        print(f"{script}: {lost[0]}", file=sys.stderr)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    found = re.search(r"(\d+) requests in ([\d.]+\w+),", text)
    assert found, text
    requests = int(found[1])
    quantile = {name: re.search(rf"^\s+{name}%\s+(\S+)", text, re.M) for name in (50, 99)}
    return {
        "requests": requests,
        "refused": int(refused[1]) if refused else 0,
        "rate": requests / (micros(found[2]) / 1e6),
        "cpu": used * 1e6 / max(requests, 1),
        **{f"p{name}": micros(at[1]) if at else 0.0 for name, at in quantile.items()},
    }


def median(runs: Sequence[Figures]) -> Figures:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}
