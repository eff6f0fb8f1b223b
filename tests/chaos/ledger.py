"""What clients asked and what they were promised: lines of JSON that survive the death of their writer."""

from __future__ import annotations

import json
import os
import pathlib
import time
from collections.abc import Iterator
from typing import Any

Entry = dict[str, Any]


class Ledger:
    """One client's own file. A line is written before its request is sent, and one after its answer."""

    def __init__(self, folder: pathlib.Path, client: str) -> None:
        self.file = os.open(folder / f"{client}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.client = client
        self.count = 0

    def write(self, entry: Entry) -> None:
        # One write: a killed client leaves whole lines, of which the last one at most is torn.
        os.write(self.file, json.dumps(entry).encode() + b"\n")

    def asked(self, kind: str, **what: Any) -> Entry:
        self.count += 1
        entry = {"id": f"{self.client}.{self.count}", "kind": kind, "sent": time.monotonic(), **what}
        self.write(entry)
        return entry

    def promised(self, entry: Entry, **what: Any) -> None:
        self.write({"id": entry["id"], "received": time.monotonic(), **what})


def read(folder: pathlib.Path) -> list[Entry]:
    """All requests, each with its promise where there is one."""
    entries: dict[str, Entry] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in lines(path):
            entries.setdefault(line["id"], {}).update(line)
    return list(entries.values())


def lines(path: pathlib.Path) -> Iterator[Entry]:
    for line in path.read_bytes().split(b"\n"):
        try:
            yield json.loads(line)
        except ValueError:
            continue
