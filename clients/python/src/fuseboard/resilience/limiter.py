"""Rate limits that all processes share."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, overload

from ..current import board
from ..errors import FuseboardUnavailable
from ..operations.core import at
from ..settings import Mode, OnUnavailable
from ..specs import RateLimiterConfig
from .guarding import guard_of, guarded, limited, limited_call_async

P = ParamSpec("P")
R = TypeVar("R")


class RateLimiter:
    """One limiter of the board."""

    def __init__(self, config: RateLimiterConfig) -> None:
        self.config = config

    def __repr__(self) -> str:
        return f"RateLimiter({self.config!r})"

    @property
    def name(self) -> str:
        """Its name on the board."""
        return self.config.name

    async def acquire(self, tokens: float = 1.0) -> bool:
        """Take tokens if they are there now."""
        on = board()
        if tokens == 1 and on.take(self.config):
            return True
        return (await on.run_async(on.acquire(self.config, tokens, 0.0))).allowed

    async def wait_for_token(self, tokens: float = 1.0) -> None:
        """Take tokens, waiting for them as long as it takes."""
        on = board()
        if not (tokens == 1 and on.take(self.config)):
            await on.run_async(on.acquire(self.config, tokens))

    @overload
    async def call(self, func: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R: ...

    @overload
    async def call(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R: ...

    async def call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Wait for a token, then call a plain or a coroutine function."""
        return await limited_call_async(self.config, func, args, kwargs)

    def get_stats(self) -> dict[str, Any]:
        """Rate, burst, available tokens and counts over all processes.

        A limiter that nobody has used yet is full. While the server is away the counts are zero and
        ``board_state`` is ``local``.
        """
        on = board()
        try:
            found = on.run(on.read(at("limiters", self.name)))
        except FuseboardUnavailable:
            if on.alone.policy(self.config) in ("deny", "raise"):
                raise
            return {**self._unused(), "board_state": "local"}
        return self._unused() if found is None else {**self._unused(), **found}

    def _unused(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "requests_per_second": self.config.requests_per_second,
            "burst_size": self.config.burst,
            "available_tokens": float(self.config.burst),
            "total_requests": 0,
            "throttled_requests": 0,
            "throttle_rate": 0.0,
        }


_registry: dict[str, RateLimiter] = {}
_lock = threading.Lock()


def get_rate_limiter(name: str, config: RateLimiterConfig | None = None) -> RateLimiter:
    """Get or create. One that exists, in this process or on the server, keeps its configuration."""
    with _lock:
        limiter = _registry.get(name)
        if limiter is None:
            if config is None:
                config = RateLimiterConfig(name)
            elif config.name != name:
                config = dataclasses.replace(config, name=name)
            limiter = _registry[name] = RateLimiter(config)
    return limiter


def rate_limit(
    name: str,
    requests_per_second: float,
    burst_size: int | None = None,
    *,
    mode: Mode | None = None,
    on_unavailable: OnUnavailable | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a plain or a coroutine function: each call waits for a token of the limiter of that name.

    Directly around ``circuit_breaker`` both are asked in one request, and a call that the breaker
    refuses costs no token.
    """
    limiter = get_rate_limiter(name, RateLimiterConfig(name, requests_per_second, burst_size)).config
    if mode is not None or on_unavailable is not None:
        limiter = dataclasses.replace(limiter, mode=mode, on_unavailable=on_unavailable)

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        inside = guard_of(func)
        if inside is not None:
            bare, guard = inside
            together = guard.behind(limiter)
            if together is not None:
                return guarded(bare, together)
        return limited(func, limiter)

    return decorate
