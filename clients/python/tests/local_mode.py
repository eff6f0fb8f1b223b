"""What the tests of local mode have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fuseboard import current
from fuseboard.transport import HttpTransport, Request
from fuseboard.wire import Response

from conftest import eventually


class Boom(Exception):
    pass


def boom() -> None:
    raise Boom


def paths(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The requests from here on."""
    seen: list[str] = []
    transport = current.board().transport
    assert isinstance(transport, HttpTransport)
    request, request_async = transport.request, transport.request_async

    def spy(asked: Request) -> Response:
        seen.append(asked.path)
        return request(asked)

    async def spy_async(asked: Request) -> Response:
        seen.append(asked.path)
        return await request_async(asked)

    monkeypatch.setattr(transport, "request", spy)
    monkeypatch.setattr(transport, "request_async", spy_async)
    return seen


def cell(func: Callable[..., Any]) -> Any:
    return func.__fuseboard_guard__[2].cell  # type: ignore[attr-defined]


def warm(func: Callable[[], Any]) -> None:
    """Until calls are decided here."""

    def is_local() -> bool:
        func()
        found = cell(func)
        return found.span.fresh > 0 and found.tap.take() > 0

    eventually(is_local)


def fail(func: Callable[[], Any], times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Boom):
            func()
