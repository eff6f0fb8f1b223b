"""What a check found, and what many of them say together."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..plain import plain, text
from ..times import now, shown


class HealthStatus(str, enum.Enum):
    """Compares equal to the plain string."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"

    def __str__(self) -> str:
        return self.value


@dataclass
class HealthCheckResult:
    """What a check found. ``stale`` and ``critical`` are the board's word on checks that it knows."""

    name: str
    status: HealthStatus
    message: str = ""
    timestamp: datetime = field(default_factory=now)
    details: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    stale: bool = False
    critical: bool = True

    def __post_init__(self) -> None:
        self.status = HealthStatus(self.status)
        if self.details is None:
            self.details = {}

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "name": self.name,
            "status": self.status.value,
            "message": self.message,
            "timestamp": shown(self.timestamp),
            "details": plain(self.details),
            "error": self.error,
        }


Results = Mapping[str, HealthCheckResult]


def overall_status(results: Results) -> HealthStatus:
    """Red if any is red, yellow if any is yellow, else green.

    What the board has as not critical makes it yellow at most; what is stale makes it yellow.
    """
    found = HealthStatus.GREEN
    for result in results.values():
        if result.status == HealthStatus.RED and result.critical:
            return HealthStatus.RED
        if result.status != HealthStatus.GREEN or result.stale:
            found = HealthStatus.YELLOW
    return found


def as_json(results: Results) -> str:
    """A report for programs."""
    report = {
        "overall_status": overall_status(results).value,
        "timestamp": shown(now()),
        "checks": {name: result.to_dict() for name, result in results.items()},
    }
    return json.dumps(report, indent=2, ensure_ascii=False, allow_nan=False)


def as_text(results: Results) -> str:
    """A report for a terminal, a line for each check, as ``fuseboard health`` prints it."""
    lines = [f"Health: {overall_status(results).value.upper()}  {shown(now())}"]
    width = max(map(len, results), default=0)
    for name, result in sorted(results.items()):
        notes = [
            word for word, holds in (("stale", result.stale), ("not critical", not result.critical)) if holds
        ]
        tail = f"  ({', '.join(notes)})" if notes else ""
        head = f"  {result.status.value.upper():<6}  {_printable(name):<{width}}"
        lines.append(f"{head}  {_printable(result.message)}{tail}".rstrip())
        if result.error:
            lines.append(f"          {'':{width}}  {_printable(result.error)}")
    return "\n".join(lines)


def _printable(value: object) -> str:
    """One line that moves no cursor."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text(value)
    )
