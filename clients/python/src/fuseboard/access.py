"""The plain clients of the default board, for what is asked seldom: health, backups, alerts."""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .board import Board
from .client import Client
from .client_async import AsyncClient
from .current import board
from .errors import FuseboardUnavailable

T = TypeVar("T")

_clients: weakref.WeakKeyDictionary[Board, dict[tuple[type, float], Client | AsyncClient]] = (
    weakref.WeakKeyDictionary()
)


def plain_client(timeout: float | None = None) -> Client:
    """The default board's plain client, whose requests may take so long."""
    return _client(Client, timeout)


def plain_client_async(timeout: float | None = None) -> AsyncClient:
    """The same for coroutines."""
    return _client(AsyncClient, timeout)


C = TypeVar("C", Client, AsyncClient)


def _client(kind: type[C], timeout: float | None) -> C:
    on = board()
    settings = on.settings
    seconds = settings.timeout if timeout is None else max(timeout, settings.timeout)
    kept = _clients.setdefault(on, {})
    found = kept.get((kind, seconds))
    if not isinstance(found, kind) or found._settings.client != on.client:
        found = kind(
            settings.url,
            settings.token,
            timeout=seconds,
            connect_timeout=settings.connect_timeout,
            client=on.client,
        )
        kept[kind, seconds] = found
    return found


def reach(operation: Callable[[Client], T]) -> T:
    """The operation; ``FuseboardUnavailable`` at once while the server is known to be away."""
    on = board()
    on.expect_answer()
    try:
        return operation(plain_client())
    except FuseboardUnavailable as error:
        on.found_away(error)
        raise


async def reach_async(operation: Callable[[AsyncClient], Awaitable[T]], timeout: float | None = None) -> T:
    """The same for coroutines."""
    on = board()
    on.expect_answer()
    try:
        return await operation(plain_client_async(timeout))
    except FuseboardUnavailable as error:
        on.found_away(error)
        raise
