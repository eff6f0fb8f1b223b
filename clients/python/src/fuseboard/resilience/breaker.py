"""Circuit breakers that all processes share."""

from __future__ import annotations

import dataclasses
import enum
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

from ..board import Board
from ..current import board
from ..errors import FuseboardUnavailable
from ..operations.core import at
from ..settings import Mode, OnUnavailable
from ..specs import CircuitBreakerConfig, Exceptions
from .guarding import Guard, guarded

P = ParamSpec("P")
R = TypeVar("R")


class CircuitBreakerState(str, enum.Enum):
    """Whether calls pass, are refused, or are being tried again. Compares equal to the plain string."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"

    def __str__(self) -> str:
        return self.value


_AS_SEEN_BY_CALLERS = {"forced_open": "open", "disabled": "closed", "metrics_only": "closed"}


@dataclass(frozen=True)
class CircuitBreakerMetrics:
    """Counts over all processes. ``total_calls`` includes rejected ones."""

    total_calls: int = 0
    success_calls: int = 0
    failure_calls: int = 0
    rejected_calls: int = 0
    success_rate: float = 0.0


class CircuitBreaker:
    """One breaker of the board. The object holds no state: everything is asked from the server."""

    def __init__(self, config: CircuitBreakerConfig) -> None:
        self.config = config
        self._guard = Guard(config, config.expected_exception)

    def __repr__(self) -> str:
        return f"CircuitBreaker({self.config!r})"

    @property
    def name(self) -> str:
        """Its name on the board."""
        return self.config.name

    @overload
    async def call(self, func: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    async def call(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...

    async def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a plain or a coroutine function; ``CircuitBreakerOpenError`` if the breaker is open."""
        return await self._guard.call_async(func, args, kwargs)

    @property
    def state(self) -> CircuitBreakerState:
        """The shared state as a caller meets it: forced open is ``open``, disabled is ``closed``."""
        return CircuitBreakerState(self.get_state()["state"])

    @property
    def metrics(self) -> CircuitBreakerMetrics:
        """The shared counts."""
        counts = self.get_state()["metrics"]
        known = {field.name for field in dataclasses.fields(CircuitBreakerMetrics)}
        return CircuitBreakerMetrics(**{key: counts[key] for key in known & counts.keys()})

    def get_state(self) -> dict[str, Any]:
        """Name, state, metrics, failure count and threshold, and whatever else the server tells.

        ``state`` is one of the three that callers meet; ``board_state`` the server's own word, or
        ``local`` counts while the server is away. This process's earlier outcomes are included. A breaker
        that nobody has used yet is closed.
        """
        on = board()
        try:
            found = on.run(on.read(at("breakers", self.name)))
        except FuseboardUnavailable:
            if on.alone.policy(self.config) in ("deny", "raise"):
                raise
            return self._local_state(on)
        if found is None:
            return self._unused()
        state = str(found.get("state"))
        found["board_state"] = state
        found["state"] = _AS_SEEN_BY_CALLERS.get(state, state)
        return found

    def reset(self) -> None:
        """Close it for everyone; raises ``FuseboardUnavailable`` if the server is away."""
        on = board()
        on.run(on.reset(self.config))

    def _unused(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": "closed",
            "board_state": None,
            "metrics": dataclasses.asdict(CircuitBreakerMetrics()),
            "failure_count": 0,
            "threshold": self.config.failure_threshold,
        }

    def _local_state(self, on: Board) -> dict[str, Any]:
        local = on.alone.breaker(self.config)
        return {
            **self._unused(),
            "state": local.state,
            "board_state": "local",
            "failure_count": local.failures,
        }


_registry: dict[str, CircuitBreaker] = {}
_lock = threading.Lock()


def get_circuit_breaker(name: str, config: CircuitBreakerConfig | None = None) -> CircuitBreaker:
    """Get or create. One that exists, in this process or on the server, keeps its configuration."""
    with _lock:
        breaker = _registry.get(name)
        if breaker is None:
            if config is None:
                config = CircuitBreakerConfig(name)
            elif config.name != name:
                config = dataclasses.replace(config, name=name)
            breaker = _registry[name] = CircuitBreaker(config)
    return breaker


def circuit_breaker(
    name: str,
    failure_threshold: int = 5,
    timeout_seconds: float = 60.0,
    half_open_max_calls: int = 3,
    *,
    expected_exception: Exceptions | None = None,
    mode: Mode | None = None,
    on_unavailable: OnUnavailable | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a plain or a coroutine function with the breaker of that name.

    The breaker is created by the first call, unless it exists: then its own configuration holds.
    """
    breaker = get_circuit_breaker(
        name,
        CircuitBreakerConfig(
            name,
            failure_threshold,
            timeout_seconds,
            half_open_max_calls,
            Exception if expected_exception is None else expected_exception,
        ),
    )
    expected = expected_exception or breaker.config.expected_exception
    config = breaker.config
    if mode is not None or on_unavailable is not None:
        config = dataclasses.replace(config, mode=mode, on_unavailable=on_unavailable)
    guard = Guard(config, expected)

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        return guarded(func, guard)

    return decorate
