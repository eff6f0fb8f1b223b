"""What a process has measured: its own totals, and what is not sent yet."""

from __future__ import annotations

import json
import math
import uuid
from collections import deque
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from ..plain import cut

MOST_SERIES = 10_000
MOST_WAITING = 50_000
"""Times that wait while the server is away; later ones are in the process's own totals alone."""
RECENT = 1000
BATCH_SAMPLES = 2000
BATCH_BYTES = 1_000_000

Kind = Literal["counter", "decrement", "gauge", "timer"]
Labels = tuple[tuple[str, str], ...]
Number = int | float


class Event(NamedTuple):
    """One measurement."""

    kind: Kind
    name: str
    labels: Labels
    value: Number

    @property
    def series(self) -> str:
        """As the board writes it: ``name`` or ``name{label="value"}``."""
        return series(self.name, self.labels)


def series(name: str, labels: Labels) -> str:
    """``name``, or ``name{label="value"}`` as in Prometheus' text format."""
    if not labels:
        return name
    escaped = (
        (label, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n"))
        for label, value in labels
    )
    return name + "{" + ",".join(f'{label}="{value}"' for label, value in escaped) + "}"


class Times:
    """What a timer has seen; quantiles are those of the last thousand."""

    __slots__ = ("count", "max", "min", "recent", "sum")

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0.0
        self.min = math.inf
        self.max = 0.0
        self.recent: deque[float] = deque(maxlen=RECENT)

    def add(self, seconds: float) -> None:
        self.count += 1
        self.sum += seconds
        self.min = min(self.min, seconds)
        self.max = max(self.max, seconds)
        self.recent.append(seconds)

    def view(self) -> dict[str, Any]:
        ordered = sorted(self.recent)
        quantiles = {
            f"p{percent}": ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]
            for percent in (50, 95, 99)
        }
        return {
            "count": self.count,
            "sum": self.sum,
            "mean": self.sum / self.count,
            "min": self.min,
            "max": self.max,
            **quantiles,
        }


class Totals:
    """All that this process has measured, up to a number of series."""

    def __init__(self) -> None:
        self.counters: dict[str, Number] = {}
        self.gauges: dict[str, Number] = {}
        self.timers: dict[str, Times] = {}

    def add(self, event: Event) -> None:
        """Count one measurement."""
        place = event.series
        if event.kind == "gauge":
            if self._has_room(place, self.gauges):
                self.gauges[place] = event.value
        elif event.kind == "timer":
            if self._has_room(place, self.timers):
                self.timers.setdefault(place, Times()).add(float(event.value))
        elif self._has_room(place, self.counters):
            change = event.value if event.kind == "counter" else -event.value
            self.counters[place] = self.counters.get(place, 0) + change

    def _has_room(self, place: str, kind: dict[str, Any]) -> bool:
        return place in kind or len(self.counters) + len(self.gauges) + len(self.timers) < MOST_SERIES

    def view(self) -> dict[str, dict[str, Any]]:
        """In the seed's shape."""
        return {
            "counters": dict(self.counters),
            "gauges": dict(self.gauges),
            "timers": {name: times.view() for name, times in self.timers.items()},
        }


class Batch:
    """Samples that travel together, under one key as often as it takes."""

    __slots__ = ("body", "key", "samples")

    def __init__(self, samples: list[dict[str, Any]], client: str) -> None:
        self.samples = samples
        self.key = uuid.uuid4().hex
        self.body = json.dumps({"samples": samples, "client": client}, allow_nan=False).encode()

    def halves(self, client: str) -> list[Batch]:
        """Two smaller ones of the same; none of a single sample."""
        middle = len(self.samples) // 2
        return [Batch(part, client) for part in (self.samples[:middle], self.samples[middle:]) if middle]


class Waiting:
    """What is not sent yet: sums, last values, and single times."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, Labels], Number] = {}
        self._gauges: dict[tuple[str, Labels], Number] = {}
        self._times: deque[tuple[tuple[str, Labels], Number]] = deque()

    def __len__(self) -> int:
        return len(self._sums) + len(self._gauges) + len(self._times)

    def add(self, event: Event) -> bool:
        """Whether there was room."""
        name = event.name if event.kind != "decrement" else f"{event.name}_decrements"
        key = (name, event.labels)
        if event.kind == "timer":
            if len(self._times) >= MOST_WAITING:
                return False
            self._times.append((key, event.value))
            return True
        kept = self._gauges if event.kind == "gauge" else self._sums
        if key not in kept and len(self._sums) + len(self._gauges) >= MOST_SERIES:
            return False
        if event.kind == "gauge":
            kept[key] = event.value
            return True
        total = kept.get(key, 0) + event.value
        if not math.isfinite(_float(total)):
            return False
        kept[key] = total
        return True

    def seal(self, client: str) -> Batch | None:
        """A batch of the oldest, which wait no longer."""
        samples: list[dict[str, Any]] = []
        size = 0
        for sample in self._taken():
            samples.append(sample)
            size += 100 + len(sample["name"]) + sum(map(len, sample.get("labels", ()))) * 2
            size += sum(6 * len(value) for value in sample.get("labels", {}).values())
            if len(samples) >= BATCH_SAMPLES or size >= BATCH_BYTES:
                break
        return Batch(samples, client) if samples else None

    def _taken(self) -> Iterator[dict[str, Any]]:
        for kind, kept in (("counter", self._sums), ("gauge", self._gauges)):
            while kept:
                key = next(iter(kept))
                yield _sample(kind, key, kept.pop(key))
        while self._times:
            yield _sample("timer", *self._times.popleft())


def _sample(kind: str, key: tuple[str, Labels], value: Number) -> dict[str, Any]:
    name, labels = key
    exact = isinstance(value, int) and abs(value) <= 2**53
    sample: dict[str, Any] = {"name": name, "type": kind, "value": value if exact else _float(value)}
    if labels:
        sample["labels"] = {cut(label, 128): cut(text, 1024) for label, text in labels}
    return sample


def _float(value: Number) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf
