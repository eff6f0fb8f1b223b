"""What a threshold and an alert are."""

from __future__ import annotations

import enum
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..times import now, parsed, shown

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
DEFAULT_TEMPLATE = "{metric_name} {comparison} {threshold}: {value}"


class AlertLevel(str, enum.Enum):
    """How grave an alert is. Compares equal to the plain string."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class AlertThreshold:
    """When a value of a metric is reason for an alert. The message is made by ``str.format``."""

    metric_name: str
    threshold: float
    level: AlertLevel
    comparison: str = ">"
    message_template: str = DEFAULT_TEMPLATE

    def __post_init__(self) -> None:
        object.__setattr__(self, "level", AlertLevel(self.level))
        object.__setattr__(self, "threshold", float(self.threshold))
        if not math.isfinite(self.threshold):
            raise ValueError("threshold must be a finite number")
        if self.comparison not in COMPARISONS:
            raise ValueError(f"comparison must be one of {' '.join(COMPARISONS)}")
        try:
            self.message(1.0)
        except Exception as error:
            raise ValueError(f"message_template: {error!r}") from error

    def breached_by(self, value: float) -> bool:
        """Whether the value is reason for an alert."""
        return COMPARISONS[self.comparison](value, self.threshold)

    def message(self, value: float) -> str:
        """What the alert says."""
        return self.message_template.format(
            metric_name=self.metric_name,
            comparison=self.comparison,
            threshold=self.threshold,
            value=value,
            level=self.level.value,
        )

    def spec(self) -> dict[str, Any]:
        """The board's form of it."""
        return {
            "metric_name": self.metric_name,
            "threshold": self.threshold,
            "level": self.level.value,
            "comparison": self.comparison,
            "message_template": self.message_template,
        }


@dataclass(frozen=True)
class Alert:
    """Something that somebody should know. ``source`` is ``local`` if this process decided it by itself."""

    level: AlertLevel
    message: str
    timestamp: datetime
    source: str
    details: dict[str, Any] = field(default_factory=dict)
    id: int | None = None
    state: str = "firing"

    @classmethod
    def of(cls, told: dict[str, Any]) -> Alert:
        """The board's word."""
        return cls(
            level=AlertLevel(told["level"]),
            message=told["message"],
            timestamp=parsed(told.get("timestamp") or told.get("started_at")) or now(),
            source=told.get("source") or "threshold",
            details=dict(told.get("details") or {}),
            id=told.get("id"),
            state=told.get("state") or "firing",
        )

    def to_dict(self) -> dict[str, Any]:
        """Its JSON form."""
        return {
            "level": self.level.value,
            "message": self.message,
            "timestamp": shown(self.timestamp),
            "source": self.source,
            "details": self.details,
        }
