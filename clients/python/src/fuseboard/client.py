"""The plain API: one method per operation of ``openapi.yaml``, named like its ``operationId``."""

from __future__ import annotations

from types import TracebackType

from .operations.guards import GuardOperations
from .operations.keeping import KeepOperations
from .operations.notifications import NotificationOperations
from .operations.protocols import ProtocolOperations
from .operations.watching import WatchOperations
from .settings import settings_from
from .transport import HttpTransport


class Client(GuardOperations, WatchOperations, NotificationOperations, KeepOperations, ProtocolOperations):
    """A synchronous client; safe to share between threads and across a fork.

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

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
