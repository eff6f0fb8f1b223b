#!/usr/bin/env python3
"""One client process, and the fleet of them."""

from __future__ import annotations

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

from board import Refused
from clients import KINDS, Client, Lost
from ledger import Ledger

CROWD = {"write": 4, "take": 3, "hold": 4, "probe": 4, "count": 2, "mumble": 1}


class Fleet:
    """As many processes of each kind as `CROWD` says. One that dies is followed by another."""

    def __init__(self, folder: pathlib.Path, port: int, rng: random.Random) -> None:
        self.folder, self.port, self.rng = folder, port, rng
        self.clients: list[tuple[str, subprocess.Popen[bytes]]] = []
        self.born = 0
        for kind, count in CROWD.items():
            for _ in range(count):
                self.clients.append((kind, self.spawn(kind)))

    def spawn(self, kind: str) -> subprocess.Popen[bytes]:
        self.born += 1
        name = f"{kind}-{self.born}"
        command = [
            sys.executable,
            __file__,
            self.folder,
            name,
            kind,
            str(self.port),
            str(self.rng.getrandbits(32)),
        ]
        log = (self.folder / "clients.log").open("ab")
        return subprocess.Popen(command, stdout=log, stderr=log)

    def kill(self, rng: random.Random) -> str:
        """Kills some, and replaces them."""
        chosen = rng.sample(range(len(self.clients)), rng.randint(1, len(self.clients) // 3))
        for index in chosen:
            kind, process = self.clients[index]
            process.kill()
            process.wait()
            self.clients[index] = (kind, self.spawn(kind))
        return f"{len(chosen)} clients"

    def pause(self) -> None:
        """Comes back when nobody is in the middle of anything."""
        (self.folder / "pause").touch()
        for kind, process in self.clients:
            while not (self.folder / f"{process.pid}.paused").exists():
                assert process.poll() is None, f"a client died by itself ({kind}): " + self.log
                time.sleep(0.01)

    def go_on(self) -> None:
        (self.folder / "pause").unlink()

    def stop(self) -> None:
        for _, process in self.clients:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "clients.log").read_text()[-3000:]


def main() -> None:
    parser = argparse.ArgumentParser()
    for argument in ("folder", "name", "kind", "port", "seed"):
        parser.add_argument(argument)
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder = pathlib.Path(args.folder)
    mark = folder / f"{os.getpid()}.paused"
    client = Client(Ledger(folder, args.name), int(args.port), random.Random(int(args.seed)))
    step = KINDS[args.kind]
    while True:
        if (folder / "pause").exists():
            mark.touch()
            while (folder / "pause").exists():
                time.sleep(0.02)
            mark.unlink()
        try:
            step(client)
        except (Lost, OSError):
            time.sleep(client.rng.random() * 0.1)
        except Refused as refusal:
            assert refusal.status in (429, 503), refusal
            time.sleep(client.rng.random() * 0.1)


if __name__ == "__main__":
    main()
