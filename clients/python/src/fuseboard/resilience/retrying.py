"""Trying again, and doing without."""

from __future__ import annotations

import asyncio
import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from .errors import MaxRetriesExceededError
from .guarding import is_coroutine_function

P = ParamSpec("P")
R = TypeVar("R")


def retry(
    max_attempts: int = 3,
    initial_delay: float = 1.0,
    max_delay: float = 60.0,
    exponential_base: float = 2.0,
    exceptions: tuple[type[BaseException], ...] = (Exception,),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Call up to ``max_attempts`` times, waiting ``min(initial_delay * base**n, max_delay)`` between.

    Only ``exceptions`` are tried again; when all attempts are used, ``MaxRetriesExceededError`` is raised
    from the last one.
    """
    if max_attempts < 1:
        raise ValueError("max_attempts must be at least 1")
    if initial_delay < 0 or max_delay < 0:
        raise ValueError("delays must not be negative")

    def delay(attempt: int) -> float:
        try:
            return min(initial_delay * exponential_base**attempt, max_delay)
        except OverflowError:
            return max_delay

    def given_up(func: Callable[..., Any]) -> MaxRetriesExceededError:
        name = getattr(func, "__qualname__", repr(func))
        return MaxRetriesExceededError(f"{name} failed {max_attempts} times")

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        if is_coroutine_function(func):
            coroutine_function = cast(Callable[P, Awaitable[Any]], func)

            @functools.wraps(func)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                for attempt in range(max_attempts):
                    try:
                        return await coroutine_function(*args, **kwargs)
                    except exceptions as error:
                        if attempt == max_attempts - 1:
                            raise given_up(func) from error
                    await asyncio.sleep(delay(attempt))
                raise AssertionError("unreachable")

            return cast(Callable[P, R], call_async)

        @functools.wraps(func)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for attempt in range(max_attempts):
                try:
                    return func(*args, **kwargs)
                except exceptions as error:
                    if attempt == max_attempts - 1:
                        raise given_up(func) from error
                time.sleep(delay(attempt))
            raise AssertionError("unreachable")

        return call

    return decorate


def fallback(
    default_value: Any = None, fallback_func: Callable[..., Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Any exception gives ``fallback_func(*args, **kwargs)`` if there is one, else ``default_value``."""

    def decorate(func: Callable[P, R]) -> Callable[P, R]:
        if is_coroutine_function(func):
            coroutine_function = cast(Callable[P, Awaitable[Any]], func)

            @functools.wraps(func)
            async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                try:
                    return await coroutine_function(*args, **kwargs)
                except Exception:
                    if fallback_func is None:
                        return default_value
                    result = fallback_func(*args, **kwargs)
                    return await result if inspect.isawaitable(result) else result

            return cast(Callable[P, R], call_async)

        @functools.wraps(func)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return func(*args, **kwargs)
            except Exception:
                if fallback_func is None:
                    return cast(R, default_value)
                return cast(R, fallback_func(*args, **kwargs))

        return call

    return decorate
