"""What must hold of everything that clients were promised.

Of each promise an interval is known in which it was given. Only what is certain is told: two permits
were held at once if there is a moment at which both were held for sure.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

from board import PATIENCE, Board, Refused, ask
from clients import HALF_OPEN_CALLS, LEASE_SECONDS, LIMITERS, SLOTS
from ledger import Entry
from receiver import Receiver

# Windows of a token bucket that are looked at, in seconds.
LENGTHS = [0.25, 0.5, 1, 2, 5, 10]
# A client and a server that are both right about a second do not measure it to the same microsecond.
EXACTNESS = 0.002


def broken(board: Board, entries: list[Entry], unclean: int) -> list[str]:
    """What does not hold, in words. `unclean` is how often the server died so far."""
    return [
        *limits(entries),
        *held_at_once("slot", entries, SLOTS),
        *held_at_once("probe", [e for e in entries if e.get("state") == "half_open"], HALF_OPEN_CALLS),
        *breakers(board, entries),
        *states(board, entries),
        *alerts(board, entries),
        *backups(board, entries),
        *increments(board, entries, unclean),
        *transitions(board, unclean),
        *the_log(board),
    ]


def kept_on_disk(board: Board, entries: list[Entry]) -> list[str]:
    """What does not hold of that which was acknowledged as durable.

    A server that cannot read it does not keep it.
    """
    try:
        durable = [breakers, states, alerts, backups]
        return [line for promise in durable for line in promise(board, entries)]
    except Refused as refusal:
        return [str(refusal)]


def promised(kind: str, entries: Iterable[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.get("kind") == kind and "received" in entry]


def limits(entries: list[Entry]) -> Iterable[str]:
    taken: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for entry in promised("token", entries):
        # A token that is waited for is spent at its time.
        taken[entry["limiter"]].append((entry["sent"] + entry["wait"], entry["received"] + entry["wait"]))
    window, bucket = LIMITERS["sliding"], LIMITERS["bucket"]
    yield from crowded("sliding", taken["sliding"], window["period_seconds"], window["limit"])
    # Windows that begin anywhere hold as much as two that begin where the limiter's do.
    window = LIMITERS["fixed"]
    yield from crowded("fixed", taken["fixed"], window["period_seconds"], 2 * window["limit"])
    for length in LENGTHS:
        most = bucket["burst_size"] + length * bucket["requests_per_second"]
        yield from crowded("bucket", taken["bucket"], length, int(most))


def crowded(name: str, taken: list[tuple[float, float]], length: float, most: int) -> Iterable[str]:
    """Windows in which more was spent for sure. Tells of the worst."""
    taken.sort()
    worst, at = 0, 0.0
    for index, (begin, _) in enumerate(taken):
        end = begin + length - EXACTNESS
        inside = sum(1 for later in taken[index : index + 4 * most] if later[1] <= end)
        worst, at = max((worst, at), (inside, begin))
    if worst > most:
        yield f"limiter {name}: {worst} tokens within {length} s at {at:.3f}, at most {most} are allowed"


def held_at_once(kind: str, entries: list[Entry], most: int) -> Iterable[str]:
    moves: list[tuple[float, int, str]] = []
    for entry in promised(kind, entries):
        begin = entry["received"]
        # One that is never given back is held by a client that is dead, for all that is known.
        end = min(entry.get("released", begin), entry["sent"] + LEASE_SECONDS)
        if end > begin:
            moves += [(begin, 1, entry["id"]), (end, -1, entry["id"])]
    held: set[str] = set()
    for at, move, name in sorted(moves):
        held = held | {name} if move > 0 else held - {name}
        if len(held) > most:
            yield f"{kind}: {len(held)} held at once at {at:.3f} ({sorted(held)}), at most {most} are allowed"
            return


def breakers(board: Board, entries: list[Entry]) -> Iterable[str]:
    there = {item["name"]: item for item in board.pages("/v1/breakers")}
    for entry in promised("breaker", entries):
        found = there.get(entry["id"])
        config = found and {key: found["config"][key] for key in entry["config"]}
        if config != entry["config"]:
            yield f"breaker {entry['id']}: promised {entry['config']}, there is {config}"


def states(board: Board, entries: list[Entry]) -> Iterable[str]:
    for entry in promised("state", entries):
        found = ask(board.port, "GET", f"/v1/breakers/{entry['breaker']}/transitions")["items"]
        reasons = [item["reason"] for item in found]
        if reasons.count(entry["id"]) != 1:
            yield f"breaker {entry['breaker']}: {entry['id']} moved it, its transitions are {found}"


def alerts(board: Board, entries: list[Entry]) -> Iterable[str]:
    episodes: dict[str, list[Any]] = defaultdict(list)
    for item in board.pages("/v1/alerts?metric_name=chaos"):
        episodes[item["labels"].get("op")].append(item)
    over = {entry["of"] for entry in promised("resolved", entries)}
    asked_over = {entry["of"] for entry in entries if entry.get("kind") == "resolved"}
    for entry in promised("alert", entries):
        found = episodes[entry["id"]]
        if [item["id"] for item in found] != [entry["alert"]]:
            yield f"alert {entry['alert']} ({entry['id']}) was promised, there are {found}"
        elif entry["id"] in over and found[0]["state"] != "resolved":
            yield f"alert {entry['alert']} ({entry['id']}) was resolved, and is {found[0]['state']}"
        elif entry["id"] not in asked_over and found[0]["state"] != "firing":
            yield f"alert {entry['alert']} ({entry['id']}) is {found[0]['state']}, and nobody resolved it"


def told(receiver: Receiver, entries: list[Entry], seconds: float = PATIENCE) -> Iterable[str]:
    """Somebody is told of every alert that goes on. After the faults the last ones may take some time."""
    over = {entry["of"] for entry in entries if entry.get("kind") == "resolved"}
    wanted = {entry["id"] for entry in promised("alert", entries)} - over
    end = time.monotonic() + seconds
    while wanted - receiver.told and time.monotonic() < end:
        time.sleep(0.1)
    if missing := sorted(wanted - receiver.told):
        yield f"nobody was told of {len(missing)} of {len(wanted)} alerts: {missing[:10]}"


def backups(board: Board, entries: list[Entry]) -> Iterable[str]:
    listed = Counter(item["labels"]["op"] for item in board.pages("/v1/backups?backup_type=chaos"))
    asked = {entry["id"] for entry in entries if entry.get("kind") == "backup"}
    yield from (f"backup {op} is there {count} times" for op, count in listed.items() if count > 1)
    yield from (f"nobody asked for backup {op}" for op in listed.keys() - asked)
    for entry in promised("backup", entries):
        if listed[entry["id"]] == 0:
            yield f"backup {entry['backup']} ({entry['id']}) was promised and is not listed"
            continue
        data = ask(board.port, "GET", f"/v1/backups/{entry['backup']}/data")
        if (json.loads(data) if isinstance(data, bytes) else data) != entry["data"]:
            yield f"backup {entry['backup']} ({entry['id']}) is not what was stored"


def increments(board: Board, entries: list[Entry], unclean: int) -> Iterable[str]:
    asked = sum(1 for entry in entries if entry.get("kind") == "increment")
    sure = len(promised("increment", entries))
    total = ask(board.port, "GET", "/v1/metrics")["counters"].get("chaos_done", 0)
    # They are written once a second, so a death of the server may take the last ones with it.
    if total > asked or (unclean == 0 and total < sure):
        yield f"{total} increments are counted, {sure} were answered and {asked} sent"


def transitions(board: Board, unclean: int) -> Iterable[str]:
    """Each goes on from where the one before led to. A death of the server may take the last one with it."""
    moves = list(reversed(board.pages("/v1/breakers/probed/transitions")))
    gaps = [(a, b) for a, b in itertools.pairwise(moves) if a["to"] != b["from"]]
    if len(gaps) > unclean:
        yield f"breaker probed: transitions do not follow on each other: {gaps}"


def the_log(board: Board) -> Iterable[str]:
    yield from (f"log: {line}" for line in board.log.splitlines() if "panicked" in line)


def damage(board: Board) -> Iterable[str]:
    """Of the file itself, once the server has stopped."""
    with sqlite3.connect(board.database) as database:
        found = [row[0] for row in database.execute("PRAGMA integrity_check")]
    if found != ["ok"]:
        yield f"the database is damaged: {found[:5]}"
