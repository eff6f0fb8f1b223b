# Made by tools/async_from_sync.py. Edit the synchronous form.
"""The plain API: one method per operation of ``openapi.yaml``, named like its ``operationId``."""

from __future__ import annotations

from types import TracebackType

from .operations_async.guards import GuardOperations
from .operations_async.keeping import KeepOperations
from .operations_async.notifications import NotificationOperations
from .operations_async.watching import WatchOperations
from .settings import settings_from
from .transport import HttpTransport


class AsyncClient(GuardOperations, WatchOperations, NotificationOperations, KeepOperations):
    """A client for coroutines.

    Every method raises ``FuseboardError`` for an error answer and ``FuseboardUnavailable`` without one.
    A refusal is an answer, not an error: look at ``allowed``.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        connect_timeout: float = 2.0,
        client: str | None = None,
    ) -> None:
        self._settings = settings_from(
            url=url, token=token, timeout=timeout, connect_timeout=connect_timeout, client=client
        )
        self._transport = HttpTransport(self._settings)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
