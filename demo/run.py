"""Four bots, one exchange that bans: first each bot by itself, then with Fuseboard between them.

    cargo build && pip install ./clients/python -r demo/requirements.txt && python demo/run.py

The bots' code is the same both times; only ``FUSEBOARD_URL`` differs. By itself, each bot keeps to its ten
requests a second, as every library inside a process does; four of them are banned. The promise, checked at
the end (exit status 1 if it does not hold):

* with Fuseboard the exchange never bans;
* when the exchange fails, the breaker opens exactly once, for all four, after few requests;
* it closes by itself after the exchange has recovered.

The limit is the operator's, declared on the server; a decorator never changes it. It is a sliding window and
below what the exchange allows in two ways. The exchange counts arrivals, the board counts grants, and between
the two lie the network and the bot's scheduler: a window 0.1 s longer than the exchange's forgives a delay of
0.1 s, and one request fewer forgives one that was delayed longer. A token bucket with the same rate would not
do: full at the start, it admits its burst and then its rate, almost twice the limit in the first second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any
from urllib.request import Request, urlopen

HERE = Path(__file__).resolve().parent

BOTS = 4
TRAFFIC_SECONDS = 5.0
HEALTHY_SECONDS = 1.5
OUTAGE_SECONDS = 5.0
RECOVERY_SECONDS = 3.5
OUTAGE_PAUSE_SECONDS = 0.5

EXCHANGE_LIMIT = 10
LIMITER = {"algorithm": "sliding_window", "limit": EXCHANGE_LIMIT - 1, "period_seconds": 1.1}
# Five failures among the last ten calls of all bots together: nobody has to fail five times alone.
BREAKER = {
    "failure_threshold": 5,
    "timeout_seconds": 2.0,
    "half_open_max_calls": 1,
    "window": {"kind": "count", "size": 10, "minimum_calls": 5, "failure_rate": 0.5},
}
FEW_REQUESTS = 15


def call(method: str, url: str, body: Any = None) -> Any:
    """One JSON request."""
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"content-type": "application/json"}, method=method)
    with urlopen(request, timeout=5) as answer:
        return json.load(answer)


def closed_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Processes:
    """Everything that is started, and ended again whatever happens."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="fuseboard-demo-")
        self.folder = Path(self._folder.name)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        self._folder.cleanup()

    def start(self, command: list[str], **env: str) -> subprocess.Popen[str]:
        """A child with pipes; what it logs goes to a file."""
        with (self.folder / f"{len(self._running)}.log").open("w") as log:
            process = subprocess.Popen(
                command,
                env={**os.environ, **env},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._running.append(process)
        return process

    def address(self, process: subprocess.Popen[str]) -> str:
        """The address that a server prints when it is ready."""
        for line in output(process):
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                return found[0]
        raise SystemExit(f"{process.args!r} did not start:\n{self.logs()}")

    def logs(self) -> str:
        """What all of them logged."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))


def output(process: subprocess.Popen[str]) -> IO[str]:
    """A child's standard output."""
    assert process.stdout is not None
    return process.stdout


class Bots:
    """Four worker processes with the same board."""

    def __init__(self, processes: Processes, exchange: str, board: str) -> None:
        self._processes = processes
        command = [sys.executable, str(HERE / "worker.py"), "--exchange", exchange]
        self._bots = [processes.start(command, FUSEBOARD_URL=board) for _ in range(BOTS)]

    def answers(self) -> list[dict[str, Any]]:
        """One line of each."""
        lines = [output(bot).readline() for bot in self._bots]
        if not all(lines):
            raise SystemExit(f"a bot ended early:\n{self._processes.logs()}")
        return [json.loads(line) for line in lines]

    def order(self, seconds: float, pause: float) -> None:
        """The same order to all."""
        for bot in self._bots:
            assert bot.stdin is not None
            bot.stdin.write(json.dumps({"seconds": seconds, "pause": pause}) + "\n")
            bot.stdin.flush()


def traffic(bots: Bots, exchange: str) -> dict[str, Any]:
    """All bots as fast as their guards allow."""
    call("POST", f"{exchange}/control", {"reset": True, "bans": True, "fail": False})
    bots.order(TRAFFIC_SECONDS, 0.0)
    seen = bots.answers()
    stats = call("GET", f"{exchange}/stats")
    return {
        "bans": stats["bans"],
        "peak_in_one_second": stats["peak_in_one_second"],
        "answered": sum(bot["ok"] for bot in seen),
        "errors": sum(bot["banned"] + bot["failed"] for bot in seen),
    }


def outage(bots: Bots, exchange: str) -> dict[str, Any]:
    """A calm pace; the exchange fails for a while and comes back. It does not ban meanwhile."""
    call("POST", f"{exchange}/control", {"reset": True, "bans": False, "fail": False})
    bots.order(HEALTHY_SECONDS + OUTAGE_SECONDS + RECOVERY_SECONDS, OUTAGE_PAUSE_SECONDS)
    time.sleep(HEALTHY_SECONDS)
    call("POST", f"{exchange}/control", {"fail": True})
    time.sleep(OUTAGE_SECONDS)
    call("POST", f"{exchange}/control", {"fail": False})
    recovered_at = time.time()
    seen = bots.answers()
    return {
        "requests_to_the_failing_exchange": call("GET", f"{exchange}/stats")["failed"],
        "bots_that_were_refused": sum(bot["refused"] > 0 for bot in seen),
        "bots_that_recovered": sum(bot["last_ok_at"] > recovered_at for bot in seen),
    }


def demonstrate(binary: Path) -> dict[str, Any]:
    """Both times, and what the board's history says."""
    with Processes() as processes:
        exchange = processes.address(
            processes.start([sys.executable, str(HERE / "exchange.py"), "--limit", str(EXCHANGE_LIMIT)])
        )
        database = str(processes.folder / "board.db")
        board = processes.address(
            processes.start([str(binary), "serve", "--listen", "127.0.0.1:0", "--db", database])
        )
        call("PUT", f"{board}/v1/limiters/kraken_api", LIMITER)
        call("PUT", f"{board}/v1/breakers/kraken_api", BREAKER)
        alone = Bots(processes, exchange, f"http://127.0.0.1:{closed_port()}")
        shared = Bots(processes, exchange, board)
        alone.answers()
        shared.answers()
        before = {**traffic(alone, exchange), **outage(alone, exchange)}
        after = {**traffic(shared, exchange), **outage(shared, exchange)}
        moves = call("GET", f"{board}/v1/breakers/kraken_api/transitions")["items"]
        state = call("GET", f"{board}/v1/breakers/kraken_api")["state"]
    opened = sum((move["from"], move["to"]) == ("closed", "open") for move in moves)
    promises = {
        "four bots by themselves are banned": before["bans"] > 0,
        "with Fuseboard the exchange never bans": after["bans"] == 0,
        f"no second sees more than {EXCHANGE_LIMIT} requests": after["peak_in_one_second"] <= EXCHANGE_LIMIT,
        "the breaker opens exactly once": opened == 1,
        "it opens for all four": after["bots_that_were_refused"] == BOTS,
        f"at most {FEW_REQUESTS} requests reach the failing exchange": (
            after["requests_to_the_failing_exchange"] <= FEW_REQUESTS
        ),
        "it closes by itself": state == "closed" and after["bots_that_recovered"] == BOTS,
    }
    return {
        "before": before,
        "after": {**after, "closed_to_open": opened, "final_state": state},
        "promises": promises,
        "kept": all(promises.values()),
    }


ROWS = {
    "bans": "times banned",
    "peak_in_one_second": f"most requests in one second (limit {EXCHANGE_LIMIT})",
    "answered": f"tickers in {TRAFFIC_SECONDS:.0f} s",
    "errors": "errors",
    "requests_to_the_failing_exchange": f"requests during an outage of {OUTAGE_SECONDS:.0f} s",
    "bots_that_recovered": "bots at work again afterwards",
    "closed_to_open": "times the shared breaker opened",
}


def table(result: dict[str, Any]) -> str:
    """For people."""
    lines = [f"{'four bots':44}{'by themselves':>16}{'with Fuseboard':>16}", "-" * 76]
    for key, title in ROWS.items():
        lines.append(f"{title:44}{result['before'].get(key, '-')!s:>16}{result['after'].get(key, '-')!s:>16}")
    lines.append("")
    lines += [f"{'kept  ' if kept else 'BROKEN'}  {promise}" for promise, kept in result["promises"].items()]
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Four bots, one exchange that bans.")
    parser.add_argument(
        "--bin",
        type=Path,
        default=Path(os.environ.get("FUSEBOARD_BIN") or HERE.parent / "target" / "debug" / "fuseboard"),
        help="the fuseboard binary",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    arguments = parser.parse_args()
    result = demonstrate(arguments.bin)
    print(json.dumps(result, indent=2) if arguments.json else table(result))
    sys.exit(0 if result["kept"] else 1)


if __name__ == "__main__":
    main()
