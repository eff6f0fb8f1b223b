"""What a breaker and a limiter are declared as, on first use of their name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, get_args

from .settings import Mode, OnUnavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")

Exceptions = type[BaseException] | tuple[type[BaseException], ...]


def checked_name(name: str) -> str:
    """The name if the board takes it."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"not a name: {name!r} (1 to 128 of A-Z a-z 0-9 _ . : -, beginning with a letter or digit)"
        )
    return name


def checked_choices(mode: str | None, on_unavailable: str | None) -> None:
    """``ValueError`` for what is no choice."""
    if mode is not None and mode not in get_args(Mode):
        raise ValueError(f"mode must be one of {get_args(Mode)}")
    if on_unavailable is not None and on_unavailable not in get_args(OnUnavailable):
        raise ValueError(f"on_unavailable must be one of {get_args(OnUnavailable)}")


@dataclass
class CircuitBreakerConfig:
    """A breaker opens after ``failure_threshold`` consecutive failures and tries again after
    ``timeout_seconds`` with up to ``half_open_max_calls`` calls. Only ``expected_exception`` counts.

    ``mode`` and ``on_unavailable`` are for this process; without them the settings hold.
    """

    name: str
    failure_threshold: int = 5
    timeout_seconds: float = 60.0
    half_open_max_calls: int = 3
    expected_exception: Exceptions = Exception
    mode: Mode | None = None
    on_unavailable: OnUnavailable | None = None

    def __post_init__(self) -> None:
        checked_name(self.name)
        checked_choices(self.mode, self.on_unavailable)
        if self.failure_threshold < 1 or self.half_open_max_calls < 1:
            raise ValueError("failure_threshold and half_open_max_calls must be at least 1")
        if not 0 < self.timeout_seconds < float("inf"):
            raise ValueError("timeout_seconds must be positive and finite")

    def declaration(self) -> dict[str, Any]:
        """The server's form of it."""
        return {
            "failure_threshold": self.failure_threshold,
            "timeout_seconds": self.timeout_seconds,
            "half_open_max_calls": self.half_open_max_calls,
        }


@dataclass
class RateLimiterConfig:
    """A token bucket. ``burst_size`` defaults to ``int(requests_per_second)``, at least 1.

    ``mode`` and ``on_unavailable`` are for this process; without them the settings hold.
    """

    name: str
    requests_per_second: float = 5.0
    burst_size: int | None = None
    mode: Mode | None = None
    on_unavailable: OnUnavailable | None = None

    def __post_init__(self) -> None:
        checked_name(self.name)
        checked_choices(self.mode, self.on_unavailable)
        if not 0 < self.requests_per_second < float("inf"):
            raise ValueError("requests_per_second must be positive and finite")
        if self.burst_size is not None and self.burst_size < 1:
            raise ValueError("burst_size must be at least 1")

    @property
    def burst(self) -> int:
        """How many calls may come at once."""
        return self.burst_size or max(1, int(self.requests_per_second))

    def declaration(self) -> dict[str, Any]:
        """The server's form of it."""
        return {
            "algorithm": "token_bucket",
            "requests_per_second": self.requests_per_second,
            "burst_size": self.burst,
        }
