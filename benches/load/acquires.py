"""Decisions of limiters beside a script in Redis that decides the same, over as many keys by chance."""

from __future__ import annotations

import csv
import dataclasses
import pathlib
import subprocess
import tempfile

import peers
import processes
import wrk
from compare import Case, Effort, Measured, compare, rated

CONFIG = "[limits]\nmax_calls_in_flight = 20000000\n"
KEYS = 10_000
#: Of the script: microseconds between tokens, how many may be spent ahead (nothing is refused), tokens.
ALLOWED = ["1000", "2000000000", "1"]


@dataclasses.dataclass(frozen=True)
class RedisCase(Case):
    """redis-benchmark, told how many requests, not for how long; `arguments` is the script's hash."""

    def run(self, seconds: float) -> wrk.Figures:
        rate = self._run(5_000)["rate"]
        return self._run(max(int(rate * seconds), 1_000))

    def _run(self, requests: int) -> wrk.Figures:
        assert self.server
        command = [
            "redis-benchmark",
            "-p",
            str(self.server.port),
            "-n",
            str(requests),
            "-c",
            str(self.connections),
        ]
        command += ["-r", str(KEYS), "--csv", "EVALSHA", *self.arguments, str(self.items)]
        command += ["l:__rand_int__"] * self.items + ALLOWED
        before = processes.cpu_seconds(self.server.pid)
        pinned = processes.pinned(processes.CLIENT_CORE, command)
        done = subprocess.run(pinned, capture_output=True, text=True, check=True, timeout=120)
        used = processes.cpu_seconds(self.server.pid) - before
        rate, _, _, p50, _, p99, _ = (
            float(cell) for cell in list(csv.reader(done.stdout.splitlines()))[-1][-7:]
        )
        return {
            "requests": requests,
            "rate": rate,
            "p50": p50 * 1000,
            "p99": p99 * 1000,
            "cpu": used * 1e6 / requests,
        }


def loaded_script(redis: processes.Server | None) -> list[str]:
    if redis is None:
        return []
    command = [
        "redis-cli",
        "-p",
        str(redis.port),
        "script",
        "load",
        (wrk.HERE / "redis_gcra.lua").read_text(),
    ]
    sha = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    probe = ["redis-cli", "-p", str(redis.port), "evalsha", sha, "1", "probe", "1000", "2000000", "1"]
    remaining = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip()
    assert remaining == "1999", remaining
    return [sha]


@dataclasses.dataclass(frozen=True)
class OutcomesCase(Case):
    """Each call is reported once, so calls are begun before; the run ends when all are reported."""

    def run(self, seconds: float) -> wrk.Figures:
        assert self.server
        with tempfile.TemporaryDirectory() as folder:
            ids, finished = f"{folder}/ids", pathlib.Path(folder, "finished")
            wrk.run(self.server, "outcomes_prepare.lua", 64, seconds * 5, [ids])
            return wrk.run(self.server, "outcomes.lua", self.connections, 60, [ids, str(finished)], finished)


def measure(effort: Effort) -> Measured:
    rows = []
    with peers.running(peers.REDIS) as redis, processes.fuseboard(config=CONFIG) as board:
        processes.Api(board.port)("PUT", "/v1/breakers/b1", '{"failure_threshold": 5, "timeout_seconds": 60}')
        paths = [f"/v1/limiters/l{i}" for i in range(1, KEYS + 1)]
        processes.put_all(board.port, paths, '{"requests_per_second": 1000000}')
        script = loaded_script(redis)
        for connections in (32, 1):
            cases = [
                RedisCase("Redis, a script for one key", redis, "", connections, script),
                Case("`POST /v1/limiters/…/acquire`", board, "acquire.lua", connections, ["acquire"]),
                Case(
                    "`POST /v1/limiters/…/lease`, 100 tokens of 100 limiters",
                    board,
                    "acquire.lua",
                    connections,
                    ["lease"],
                    100,
                ),
            ]
            rows += compare(cases, 0, effort)
        cases = [
            RedisCase("Redis, a script for 100 keys", redis, "", 32, script, 100),
            Case("`POST /v1/acquires`, 100 items", board, "acquires.lua", 32, (), 100),
        ]
        rows += compare(cases, 0, effort)
        rows += compare(
            [OutcomesCase("`POST /v1/outcomes`, 100 items", board, "", 32, (), 100)], None, effort
        )
    return rated("Redis", rows), str(effort)
