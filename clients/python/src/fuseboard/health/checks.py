"""Checks that run in this process: what they are, and one run of each."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..plain import text
from ..specs import checked_name
from .results import HealthCheckResult, HealthStatus


class BaseHealthCheck(ABC):
    """A check as a class: say in ``check`` how it is. ``check`` may be a plain method, too."""

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    async def check(self) -> HealthCheckResult:
        """How it is."""

    def _create_result(
        self,
        status: HealthStatus | str,
        message: str,
        details: dict[str, Any] | None = None,
        error: str | None = None,
    ) -> HealthCheckResult:
        return HealthCheckResult(self.name, HealthStatus(status), message, details=details or {}, error=error)


class LocalCheck:
    """A registered check. One that hangs is not started again beside itself."""

    def __init__(self, name: str, run: Callable[[], Any], timeout_seconds: float | None) -> None:
        self.name = name
        self.timeout_seconds = timeout_seconds
        self._run = run
        self._hanging: Callable[[], bool] | None = None

    async def result(self, timeout: float) -> HealthCheckResult:
        """One run, within the time; never raises but when it is cancelled."""
        if self._hanging is not None and self._hanging():
            return self._red("the run before has not ended yet", "timeout")
        self._hanging = None
        limit = timeout if self.timeout_seconds is None else self.timeout_seconds
        coroutine = _is_coroutine_function(self._run)
        task = asyncio.ensure_future(self._on_the_loop() if coroutine else self._in_a_thread())
        try:
            done, _ = await asyncio.wait({task}, timeout=limit)
        except BaseException:
            task.cancel()
            raise
        if done and not task.cancelled():
            return task.result()
        if done:
            return self._red("the check was cancelled", "CancelledError")
        if coroutine:
            self._hanging = lambda: not task.done()
        task.cancel()
        return self._red(f"no answer within {limit:g} s", "timeout")

    async def _on_the_loop(self) -> HealthCheckResult:
        try:
            return interpreted(self.name, await _awaited(self._run()))
        except (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # SystemExit, too: a check ends no process
            return self._raised(error)

    async def _in_a_thread(self) -> HealthCheckResult:
        """A thread of its own that may be left behind: one of a pool would be waited for at exit."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
        context = contextvars.copy_context()

        def deliver(value: Any, error: BaseException | None) -> None:
            if not answer.done():
                answer.set_result((value, error))

        def run() -> None:
            value, failure = None, None
            try:
                value = context.run(self._run)
            except BaseException as error:
                failure = error
            try:
                loop.call_soon_threadsafe(deliver, value, failure)
            except RuntimeError:  # the loop has ended, nobody waits
                if inspect.iscoroutine(value):
                    value.close()

        thread = threading.Thread(target=run, name=f"fuseboard-check-{self.name}", daemon=True)
        thread.start()
        try:
            value, failure = await answer
        except asyncio.CancelledError:
            self._hanging = thread.is_alive
            raise
        if failure is not None:
            return self._raised(failure)
        try:
            return interpreted(self.name, await _awaited(value))
        except (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            return self._raised(error)

    def _raised(self, error: BaseException) -> HealthCheckResult:
        name = type(error).__qualname__
        return self._red(f"the check raised {name}", f"{name}: {text(error)}")

    def _red(self, message: str, error: str) -> HealthCheckResult:
        return HealthCheckResult(self.name, HealthStatus.RED, message, error=error)


def local_check(name: str, check: Any, timeout_seconds: float | None = None) -> LocalCheck:
    """Of a function, a coroutine function, or a class or object with ``check``."""
    checked_name(name)
    if timeout_seconds is not None and not 0 < timeout_seconds < float("inf"):
        raise ValueError("timeout_seconds must be positive and finite")
    if isinstance(check, type):
        check = _made(check, name)
    run = getattr(check, "check", None) if not inspect.isroutine(check) else None
    if isinstance(check, BaseHealthCheck):
        check.name = name
    if not callable(run):
        run = check
    if not callable(run):
        raise TypeError(f"not a check: {check!r} is no function and has no method check()")
    return LocalCheck(name, run, timeout_seconds)


def interpreted(name: str, value: Any) -> HealthCheckResult:
    """A result, a status, a status with a message and details, true or false, or nothing."""
    if isinstance(value, HealthCheckResult):
        value.name = name
        return value
    if value is None or isinstance(value, bool):
        good = value is not False
        return HealthCheckResult(name, _status("green" if good else "red"), "OK" if good else "not OK")
    if isinstance(value, str):
        return HealthCheckResult(name, _status(value))
    if isinstance(value, tuple) and 1 <= len(value) <= 3:
        message = text(value[1]) if len(value) > 1 else ""
        details = dict(value[2] or {}) if len(value) > 2 else {}
        return HealthCheckResult(name, _status(value[0]), message, details=details)
    if isinstance(value, Mapping) and "status" in value:
        error = value.get("error")
        return HealthCheckResult(
            name,
            _status(value["status"]),
            text(value.get("message") or ""),
            details=dict(value.get("details") or {}),
            error=None if error is None else text(error),
        )
    raise TypeError(f"a check must return a HealthCheckResult or a status, not {text(value)[:200]!r}")


def _status(value: Any) -> HealthStatus:
    if isinstance(value, bool):
        return HealthStatus.GREEN if value else HealthStatus.RED
    return HealthStatus(value)


def _made(kind: type, name: str) -> Any:
    """An object of the class; its name is given to whoever takes one."""
    needs = [
        parameter
        for parameter in inspect.signature(kind).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return kind(name) if needs else kind()


async def _awaited(value: Any) -> Any:
    return await value if isinstance(value, Awaitable) else value


def _is_coroutine_function(run: Any) -> bool:
    return inspect.iscoroutinefunction(run) or inspect.iscoroutinefunction(getattr(run, "__call__", None))
