"""Runs checks: those of this process here, the others on the board."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, overload

from ..access import reach_async
from ..client_async import AsyncClient
from ..errors import FuseboardError, FuseboardUnavailable
from ..plain import cut, plain, text
from ..specs import checked_name
from ..times import now, parsed
from .checks import LocalCheck, local_check
from .results import HealthCheckResult, HealthStatus, Results, as_json, as_text, overall_status

SEED_CHECKS = ("backtest", "exchange", "portfolio", "risk", "live")
"""The checks of the system that these names come from."""
TIMEOUT_SECONDS = 10.0
LONGEST_RUN_SECONDS = 25.0
MOST_NAMES = 1000
MOST_DETAILS_BYTES = 16_384

logger = logging.getLogger("fuseboard")

T = TypeVar("T", bound=Callable[..., Any])

_registry: dict[str, LocalCheck] = {}
_refused: set[tuple[str, str]] = set()


@overload
def register(name: str, check: None = None, *, timeout_seconds: float | None = None) -> Callable[[T], T]: ...


@overload
def register(name: str, check: Any, *, timeout_seconds: float | None = None) -> None: ...


def register(name: str, check: Any = None, *, timeout_seconds: float | None = None) -> Any:
    """Register a check for every ``HealthChecker`` of this process, or decorate one with ``@register(name)``.

    It is a plain or a coroutine function, or a class or an object with a method ``check``. It returns a
    ``HealthCheckResult``, a status, ``(status, message, details)``, or nothing if all is well, or raises.
    """
    return _registering(_registry, name, check, timeout_seconds)


health_check = register


def _registering(
    registry: dict[str, LocalCheck], name: str, check: Any, timeout_seconds: float | None
) -> Any:
    checked_name(name)
    if check is not None:
        registry[name] = local_check(name, check, timeout_seconds)
        return None

    def decorate(decorated: T) -> T:
        registry[name] = local_check(name, decorated, timeout_seconds)
        return decorated

    return decorate


def unregister(name: str) -> None:
    """Forget a check."""
    _registry.pop(name, None)


class HealthChecker:
    """The checks of these names, or all: those of this process and those of the board.

    If there is none anywhere, all means the five of the seed, which are red then: nobody knows them.
    """

    def __init__(
        self, checks: Iterable[str] | None = None, *, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        if isinstance(checks, (str, bytes)):
            raise TypeError("checks must be a list of names")
        if not 0 < timeout_seconds < float("inf"):
            raise ValueError("timeout_seconds must be positive and finite")
        self.checks = None if checks is None else list(dict.fromkeys(checks))
        self.timeout_seconds = timeout_seconds
        self._own: dict[str, LocalCheck] = {}

    @overload
    def register(
        self, name: str, check: None = None, *, timeout_seconds: float | None = None
    ) -> Callable[[T], T]: ...

    @overload
    def register(self, name: str, check: Any, *, timeout_seconds: float | None = None) -> None: ...

    def register(self, name: str, check: Any = None, *, timeout_seconds: float | None = None) -> Any:
        """The same as the function ``register``, for this checker alone."""
        if self.checks is not None and name not in self.checks:
            self.checks.append(checked_name(name))
        return _registering(self._own, name, check, timeout_seconds)

    async def run_all_checks(self) -> dict[str, HealthCheckResult]:
        """Run all of them at once. Never raises for a check or for the server: then there is a red result.

        Results of this process are sent to the board. What only the board knows is red while it is away.
        """
        registered = {**_registry, **self._own}
        local = (
            registered if self.checks is None else {n: registered[n] for n in self.checks if n in registered}
        )
        asked = None if self.checks is None else [name for name in self.checks if name not in local]
        tasks = [asyncio.ensure_future(self._here(check)) for check in local.values()]
        board = asyncio.ensure_future(_ask(asked, set(local), self.timeout_seconds))
        try:
            here = await asyncio.gather(*tasks)
            there = await board
        except BaseException:
            for task in (*tasks, board):
                task.cancel()
            raise
        results = {**there, **{result.name: result for result in here}}
        if self.checks is not None:
            return {name: results[name] for name in self.checks}
        return results or {name: _unknown(name) for name in SEED_CHECKS}

    def run_all_checks_sync(self) -> dict[str, HealthCheckResult]:
        """The same for plain code, whether or not an event loop runs in this thread."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.run_all_checks())
        found: list[dict[str, HealthCheckResult]] = []
        thread = threading.Thread(target=lambda: found.append(asyncio.run(self.run_all_checks())))
        thread.start()
        thread.join()
        return found[0]

    async def _here(self, check: LocalCheck) -> HealthCheckResult:
        loop = asyncio.get_running_loop()
        started = loop.time()
        result = await check.result(self.timeout_seconds)
        await _push(result, loop.time() - started)
        return result

    @staticmethod
    def get_overall_status(results: Results) -> HealthStatus:
        """Red if any is red, yellow if any is yellow, else green."""
        return overall_status(results)

    @staticmethod
    def format_results_json(results: Results) -> str:
        """``overall_status``, ``timestamp`` and ``checks``."""
        return as_json(results)

    @staticmethod
    def format_results_cli(results: Results) -> str:
        """A report for a terminal."""
        return as_text(results)


async def _push(result: HealthCheckResult, seconds: float) -> None:
    details = plain(result.details)
    if len(json.dumps(details)) > MOST_DETAILS_BYTES:
        details = {"left_out": "the details are too long"}

    async def push(client: AsyncClient) -> None:
        await client.check_result_push(
            result.name,
            result.status.value,
            message=cut(text(result.message), 1024),
            details=details,
            error=None if result.error is None else cut(text(result.error), 8192),
            duration_seconds=max(0.0, seconds),
        )

    try:
        await reach_async(push)
    except FuseboardUnavailable as error:
        logger.debug("fuseboard: the result of check %s stays here: %s", result.name, error)
    except FuseboardError as error:
        if (result.name, str(error)) not in _refused and len(_refused) < 1000:
            _refused.add((result.name, str(error)))
            logger.warning("fuseboard: the board takes no results of check %s: %s", result.name, error)


async def _ask(names: list[str] | None, local: set[str], timeout: float) -> dict[str, HealthCheckResult]:
    """What the board says: of these, or of all but those that run here."""
    results: dict[str, HealthCheckResult] = {}
    if names is not None:
        results = {name: _unknown(name) for name in names}
        names = [name for name in names if _is_name(name)]
        if not names:
            return results
    limit = min(timeout, LONGEST_RUN_SECONDS)
    try:
        parts: list[list[str] | None] = [None] if names is None else [*_parts(names)]
        for part in parts:
            checks = await reach_async(_reporting(part, limit), limit + 1.0)
            results.update({name: _result(name, told) for name, told in checks.items() if name not in local})
    except FuseboardError as error:
        away = isinstance(error, FuseboardUnavailable)
        for name in ["fuseboard"] if names is None else names:
            what = "which other checks there are" if names is None else "this check"
            why = "is away" if away else "refuses to tell"
            message = f"only the server knows {what}, and it {why}"
            results[name] = HealthCheckResult(name, HealthStatus.RED, message, error=text(error))
    return results


def _reporting(
    names: list[str] | None, timeout: float
) -> Callable[[AsyncClient], Awaitable[dict[str, dict[str, Any]]]]:
    async def report(client: AsyncClient) -> dict[str, dict[str, Any]]:
        try:
            report = await client.health_run(checks=names, timeout_seconds=timeout)
        except FuseboardError as error:
            if error.status != 403:
                raise
            report = await client.health_get(checks=names)  # a token that may only read
        checks = report.get("checks")
        return checks if isinstance(checks, dict) else {}

    return report


def _result(name: str, told: dict[str, Any]) -> HealthCheckResult:
    if told.get("timestamp") is None and told.get("changed_at") is None:
        return _unknown(name)
    status, stale = HealthStatus(told["status"]), bool(told.get("stale"))
    message = told.get("message") or ""
    if stale and status == HealthStatus.GREEN:
        status = HealthStatus.YELLOW
        message = f"stale: {message}"
    return HealthCheckResult(
        name,
        status,
        message,
        timestamp=parsed(told.get("timestamp")) or now(),
        details=told.get("details") or {},
        error=told.get("error"),
        stale=stale,
        critical=told.get("critical") is not False,
    )


def _unknown(name: str) -> HealthCheckResult:
    message = "nobody knows this check: it is neither registered in this process nor on the server"
    return HealthCheckResult(name, HealthStatus.RED, message, error="unknown check")


def _is_name(name: str) -> bool:
    try:
        return bool(checked_name(name))
    except ValueError:
        return False


def _parts(names: list[str]) -> list[list[str]]:
    return [names[start : start + MOST_NAMES] for start in range(0, len(names), MOST_NAMES)]
