"""Wraps functions: permit before, outcome after. The same for plain and for coroutine functions."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, cast

from ..board import Board
from ..calls import Ask, Permit, Refused
from ..current import board
from ..replica import Cell
from ..spans import clock
from ..specs import CircuitBreakerConfig, Exceptions, RateLimiterConfig
from ..taps import SHUT
from .errors import CircuitBreakerOpenError, MaxRetriesExceededError

P = ParamSpec("P")
R = TypeVar("R")

_MARK = "__fuseboard_guard__"


class Guard:
    """A breaker, perhaps with limiters in front, and which exceptions count."""

    __slots__ = ("ask", "cell", "expected")

    def __init__(
        self,
        breaker: CircuitBreakerConfig,
        expected: Exceptions,
        limiters: tuple[RateLimiterConfig, ...] = (),
    ) -> None:
        self.ask = Ask(breaker, limiters)
        self.cell = Cell()
        self.expected = expected

    def behind(self, limiter: RateLimiterConfig) -> Guard | None:
        """This guard with one more limiter in front, to be asked in one step; ``None`` if it is there."""
        if any(limiter.name == known.name for known in self.ask.limiters):
            return None
        return Guard(self.ask.breaker, self.expected, (limiter, *self.ask.limiters))

    def judge(self, error: BaseException) -> str:
        """``failure`` if the exception counts. A retry that gave up is judged by what it gave up on."""
        if isinstance(error, self.expected):
            return "failure"
        cause = error.__cause__
        if isinstance(error, MaxRetriesExceededError) and isinstance(cause, self.expected):
            return "failure"
        return "ignored"

    def enter(self, on: Board) -> Permit:
        """A permit, or ``CircuitBreakerOpenError``."""
        try:
            permit = on.admit(self.ask, self.cell)
            return permit if permit is not None else on.run(on.begin(self.ask))
        except Refused as refusal:
            raise _open_error(refusal) from None

    async def enter_async(self, on: Board) -> Permit:
        """The same for coroutines."""
        try:
            permit = on.admit(self.ask, self.cell)
            return permit if permit is not None else await on.run_async(on.begin(self.ask))
        except Refused as refusal:
            raise _open_error(refusal) from None

    def call(self, func: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        """Call the function under this guard."""
        on = board()
        permit = self.enter(on)
        started = time.perf_counter()
        try:
            result = func(*args, **kwargs)
        except BaseException as error:
            seconds = time.perf_counter() - started
            if on.note(permit, self.judge(error), seconds, _describe(error)) and isinstance(error, Exception):
                on.flush()
            raise
        if on.note(permit, "success", time.perf_counter() - started):
            on.flush()
        return result

    async def call_async(
        self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Call, and await what the function returns if it can be awaited."""
        on = board()
        permit = await self.enter_async(on)
        started = time.perf_counter()
        try:
            result = func(*args, **kwargs)
            if inspect.isawaitable(result):
                result = await result
        except BaseException as error:
            # Cancellation and finalisation must not wait for anything: the courier sends their outcome.
            seconds = time.perf_counter() - started
            if on.note(permit, self.judge(error), seconds, _describe(error)) and isinstance(error, Exception):
                await on.run_async(on.report())
            raise
        if on.note(permit, "success", time.perf_counter() - started):
            await on.run_async(on.report())
        return result


def guarded(func: Callable[P, R], guard: Guard) -> Callable[P, R]:
    """The function under the guard; recognisable for a ``rate_limit`` directly around it.

    In local mode most calls go no further than these few lines, which take no lock and look up no name: the
    breaker's door must be open, then a leased token be taken, which says itself until when it may be used.
    """
    wrapper: Callable[P, R]
    cell, judge = guard.cell, guard.judge
    if is_coroutine_function(func):
        coroutine_function = cast(Callable[P, Awaitable[Any]], func)

        @functools.wraps(func)
        async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            span = cell.span
            started = clock()
            if not (started < span.fresh and started < cell.tap.take()):
                return await guard.call_async(coroutine_function, args, kwargs)
            try:
                result = await coroutine_function(*args, **kwargs)
            except BaseException as error:
                span.ended(judge(error), clock() - started, _describe(error))
                raise
            took = clock() - started
            if took < span.slow_after:
                span.busy += took
                span.ok()
            else:
                span.ended("success", took)
            return result

        wrapper = cast(Callable[P, R], call_async)
    else:

        @functools.wraps(func)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            span = cell.span
            started = clock()
            if not (started < span.fresh and started < cell.tap.take()):
                return guard.call(func, args, kwargs)
            try:
                result = func(*args, **kwargs)
            except BaseException as error:
                span.ended(judge(error), clock() - started, _describe(error))
                raise
            took = clock() - started
            if took < span.slow_after:
                span.busy += took
                span.ok()
            else:
                span.ended("success", took)
            return result

        wrapper = call
    setattr(wrapper, _MARK, (wrapper, func, guard))
    return wrapper


def guard_of(func: Callable[..., Any]) -> tuple[Callable[..., Any], Guard] | None:
    """The function and guard that ``guarded`` made this very wrapper of.

    ``functools.wraps`` copies attributes, so a decorator in between carries the mark of the wrapper
    inside; it is not that wrapper.
    """
    mark = getattr(func, _MARK, None)
    if mark is None or mark[0] is not func:
        return None
    return mark[1], mark[2]


def limited(func: Callable[P, R], limiter: RateLimiterConfig) -> Callable[P, R]:
    """The function behind a limiter alone."""
    cell = Cell()
    cell.tap = SHUT
    if is_coroutine_function(func):
        coroutine_function = cast(Callable[P, Awaitable[Any]], func)

        @functools.wraps(func)
        async def call_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            if clock() < cell.tap.take():
                return await coroutine_function(*args, **kwargs)
            return await limited_call_async(limiter, coroutine_function, args, kwargs, cell)

        return cast(Callable[P, R], call_async)

    @functools.wraps(func)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if clock() < cell.tap.take():
            return func(*args, **kwargs)
        on = board()
        if on.take(limiter, cell):
            return func(*args, **kwargs)
        lease = on.run(on.acquire(limiter)).lease_id
        if lease is None:
            return func(*args, **kwargs)
        try:
            result = func(*args, **kwargs)
        except BaseException:
            on.release_later(limiter.name, lease)
            raise
        on.run(on.release(limiter.name, lease))
        return result

    return call


async def limited_call_async(
    limiter: RateLimiterConfig,
    func: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    cell: Cell | None = None,
) -> Any:
    """Wait for a token, call, and await what the function returns if it can be awaited."""
    on = board()
    lease = None if on.take(limiter, cell) else (await on.run_async(on.acquire(limiter))).lease_id
    try:
        result = func(*args, **kwargs)
        if inspect.isawaitable(result):
            result = await result
    except BaseException:
        if lease is not None:
            on.release_later(limiter.name, lease)
        raise
    if lease is not None:
        await on.run_async(on.release(limiter.name, lease))
    return result


def is_coroutine_function(func: Callable[..., Any]) -> bool:
    """Also for objects with an ``async __call__``. Generators cannot be guarded: they end after the call."""
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TypeError(f"{func!r} is a generator function: its body would run outside the guard")
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(getattr(func, "__call__", None))


def _open_error(refusal: Refused) -> CircuitBreakerOpenError:
    message = f"circuit breaker {refusal.breaker!r} is {refusal.state}"
    if refusal.retry_after is not None:
        message += f", retry after {refusal.retry_after:.1f} s"
    return CircuitBreakerOpenError(
        message, name=refusal.breaker, state=refusal.state, retry_after_seconds=refusal.retry_after
    )


def _describe(error: BaseException) -> str:
    name = type(error).__qualname__
    try:
        return f"{name}: {error}"[:200]
    except Exception:
        return name
