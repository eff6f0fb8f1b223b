#!/usr/bin/env python3
"""Rounds of faults, and after each of them what clients were promised.

Ends with 1 if anything does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import random
import sys
import tempfile
import time
from collections import Counter

import disks
import faults
import ledger
import promises
from board import Board, ask
from clients import ALERT, LIMITERS, PROBED
from fleet import Fleet
from proxy import Proxy
from receiver import Receiver
from scene import Fault, Scene


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="how many rounds (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=6, help="how long a round lasts at least (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=None, help="repeats the faults of an earlier run")
    parser.add_argument("--faults", default="", help="only these, by commas: " + ", ".join(faults.NAMES))
    parser.add_argument(
        "--each",
        action="store_true",
        help="a round for each fault, in which it strikes once",
    )
    parser.add_argument("--keep", action="store_true", help="keep the folder with database, log and ledgers")
    return parser.parse_args()


# A group is told of at once, and of the alerts that join it a second later.
ROUTE = {"receiver": "chaos", "group_wait_seconds": 0, "group_interval_seconds": 1}


def declare(board: Board, receiver: Receiver) -> None:
    ask(board.port, "PUT", "/v1/receivers/chaos", {"kind": "webhook", "url": receiver.url})
    ask(board.port, "PUT", "/v1/routes/chaos", ROUTE)
    for name, config in LIMITERS.items():
        ask(board.port, "PUT", f"/v1/limiters/{name}", config)
    ask(board.port, "PUT", "/v1/breakers/probed", PROBED)
    ask(board.port, "POST", "/v1/thresholds", ALERT)


def choose(
    wanted: list[str], board: Board, folder: pathlib.Path, has_disk: bool, skips: bool
) -> tuple[dict[str, Fault], pathlib.Path | None]:
    """The faults that this machine allows, and the file that says how wrong the wall clock is."""
    possible = dict(faults.ALWAYS)
    clock = None
    if has_disk:
        possible |= faults.WITH_DISK
    elif faults.WITH_DISK.keys() & wanted:
        print("without hung and read-only disks: this process may not mount a file system")
    if "jump" not in wanted:
        pass
    elif library := faults.fake_clock():
        possible |= faults.WITH_CLOCK
        clock = folder / "clock"
        clock.write_text("+0\n")
        board.preload = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    else:
        print("without jumps of the wall clock: install the package faketime")
    if not faults.WITH_TRACER.keys() & wanted:
        pass
    elif disks.can_trace():
        possible |= faults.WITH_TRACER
    else:
        print("without slow disks: install the package strace, and allow processes to be traced")
    unknown = [name for name in wanted if name not in possible]
    if unknown and not skips:
        raise SystemExit(f"no such fault here: {', '.join(unknown)}")
    return {name: possible[name] for name in wanted if name in possible}, clock


def strike(scene: Scene, possible: dict[str, Fault], seconds: float) -> list[str]:
    """One round: faults at random moments, one after the other."""
    end = time.monotonic() + seconds
    told = []
    while not told or time.monotonic() < end:
        # How much chance a fault needs may depend on what it meets. The next ones are the same all the same.
        chances = scene.rng
        scene.rng = random.Random(chances.getrandbits(64))
        scene.wait(0.1, 1.5)
        name = scene.rng.choice(list(possible))
        told.append(f"{name}: {possible[name](scene)}")
        scene.rng = chances
        scene.board.until_ready()
    return told


def main() -> int:
    args = options()
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 31)
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    with contextlib.ExitStack() as stack:
        if args.keep:
            folder = pathlib.Path(tempfile.mkdtemp(prefix="chaos-"))
            print(f"everything is kept in {folder}")
        else:
            folder = pathlib.Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True))
            )
        wanted = args.faults.split(",") if args.faults else faults.NAMES
        disk = stack.enter_context(disks.own_disk(folder)) if faults.WITH_DISK.keys() & wanted else None
        board = Board(folder, disk or folder)
        possible, clock = choose(wanted, board, folder, disk is not None, skips=not args.faults)
        board.start()
        stack.callback(lambda: board.kill() if board.is_running() else None)
        board.until_ready()
        receiver = Receiver(rng)
        declare(board, receiver)
        proxy = Proxy(board.port)
        ledgers = folder / "ledgers"
        ledgers.mkdir()
        fleet = Fleet(ledgers, proxy.port, rng)
        stack.callback(fleet.stop)
        scene = Scene(board, proxy, fleet, rng)
        scene.clock = clock
        bad = rounds(args, scene, possible)
        fleet.stop()
        bad += promises.told(receiver, ledger.read(ledgers))
        board.stop()
        bad += promises.damage(board)
        report(ledgers, bad)
        return 1 if bad else 0


def rounds(args: argparse.Namespace, scene: Scene, possible: dict[str, Fault]) -> list[str]:
    plan = [({name: possible[name]}, 0.0) for name in possible] if args.each else None
    for number, (faults_of_round, seconds) in enumerate(plan or [(possible, args.seconds)] * args.rounds, 1):
        told = strike(scene, faults_of_round, seconds)
        if plan:
            # What is promised after a fault counts as well.
            scene.wait(1, 2)
        scene.fleet.pause()
        scene.board.until_ready()
        entries = ledger.read(scene.fleet.folder)
        bad = promises.broken(scene.board, entries, scene.board.unclean)
        print(
            f"round {number}: {'; '.join(told)}: {len(entries)} requests, {len(bad)} promises broken",
            flush=True,
        )
        if bad:
            return bad
        scene.fleet.go_on()
    return []


def report(ledgers: pathlib.Path, bad: list[str]) -> None:
    entries = ledger.read(ledgers)
    asked = Counter(entry["kind"] for entry in entries if "kind" in entry)
    kept = Counter(entry["kind"] for entry in entries if "kind" in entry and "received" in entry)
    print("\n| request | sent | promised |\n|---|---|---|")
    for kind, count in sorted(asked.items()):
        print(f"| {kind} | {count} | {kept[kind]} |")
    for line in bad[:50]:
        print("BROKEN:", line[:1000])
    print("\nevery promise was kept" if not bad else f"\n{len(bad)} promises were broken")


if __name__ == "__main__":
    sys.exit(main())
