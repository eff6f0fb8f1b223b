"""How requests reach the server: keep-alive HTTP/1.1 on plain sockets, one connection per thread.

``http.client`` costs 145 µs for one small POST on loopback where a socket costs 80; a guarded call is
one such POST.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import ssl
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from .errors import FuseboardUnavailable
from .settings import Settings
from .wire import ProtocolError, Response, ResponseReader, Target

RECEIVE = 16 * 1024
RESOLVE_AGAIN_SECONDS = 60.0

Address = tuple[int, tuple[Any, ...]]
Late = Callable[[Response], None]


class Request:
    """One request; ``late`` gets the answer if the caller was cancelled before it came."""

    __slots__ = ("body", "headers", "late", "method", "path", "timeout")

    def __init__(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
        late: Late | None = None,
    ) -> None:
        self.method = method
        self.path = path
        self.body = body
        self.headers = headers
        self.timeout = timeout
        self.late = late


class Stale(Exception):
    """A kept connection had been closed by the server before it read the request."""


class Transport(ABC):
    """Carries one request to the server and its answer back, within a bounded time."""

    @abstractmethod
    def request(self, request: Request) -> Response:
        """Any HTTP answer is returned; ``FuseboardUnavailable`` if there is none."""

    @abstractmethod
    async def request_async(self, request: Request) -> Response:
        """The same without blocking the running event loop."""

    @abstractmethod
    def finish_orphans(self) -> None:
        """Read the answers whose callers were cancelled, and hand them to ``late``."""

    @abstractmethod
    def after_fork(self) -> None:
        """Forget, in the child, what belongs to the parent."""

    @abstractmethod
    def close(self) -> None:
        """Give up idle connections."""


class PlainSocket(socket.socket):
    """Closes with its last reference, as a connection of a thread or loop that has ended does."""

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.close()


class TlsSocket(ssl.SSLSocket):
    """The same over TLS."""

    def __del__(self) -> None:
        with contextlib.suppress(OSError):
            self.close()


class Connection:
    """A connected socket. ``used`` tells whether an answer has come over it."""

    __slots__ = ("sock", "used")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.used = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()

    def exchange(self, payload: bytes, reader: ResponseReader, deadline: float) -> Response:
        """Send and receive by the deadline. ``Stale`` only when sending again is harmless."""
        sock = self.sock
        try:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            sock.sendall(payload)
            return self.receive(reader, deadline)
        except (ConnectionError, ssl.SSLEOFError) as error:
            if self.used and not reader.started:
                raise Stale from error
            raise

    def receive(self, reader: ResponseReader, deadline: float) -> Response:
        """The rest of an answer."""
        sock = self.sock
        while True:
            data = sock.recv(RECEIVE)
            if not data:
                if self.used and not reader.started:
                    raise Stale
                return reader.end()
            response = reader.feed(data)
            if response is not None:
                self.used = True
                return response
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("the answer did not end in time")
            sock.settimeout(left)


class Orphan:
    """An exchange whose caller was cancelled after the request had left."""

    __slots__ = ("connection", "deadline", "late", "reader")

    def __init__(self, connection: Connection, reader: ResponseReader, deadline: float, late: Late) -> None:
        self.connection = connection
        self.reader = reader
        self.deadline = deadline
        self.late = late


class HttpTransport(Transport):
    """``Transport`` over TCP or TLS. Safe to use from any thread, event loop and forked child."""

    def __init__(self, settings: Settings) -> None:
        from .aio import AsyncSide

        self.settings = settings
        self.target = Target(settings.url, settings.token)
        self.gate: Callable[[], None] | None = None
        self.on_orphan: Callable[[], None] | None = None
        self._tls: ssl.SSLContext | None = None
        if self.target.tls:
            self._tls = ssl.create_default_context()
            self._tls.sslsocket_class = TlsSocket
        self._local = threading.local()
        self._orphans: list[Orphan] = []
        self._resolved: tuple[float, list[Address]] | None = None
        self._async = AsyncSide(self)
        _transports.add(self)

    def request(self, request: Request) -> Response:
        payload = self.target.encode(request.method, request.path, request.body, request.headers)
        connection: Connection | None = getattr(self._local, "connection", None)
        self._local.connection = None
        timeout = request.timeout or self.settings.timeout
        for _ in range(2):
            if connection is None:
                connection = self.connect()
            reader = ResponseReader()
            deadline = time.monotonic() + timeout
            try:
                response = connection.exchange(payload, reader, deadline)
            except Stale:
                connection = None
                continue
            except (OSError, ProtocolError) as error:
                connection.close()
                raise unavailable(self.settings.url, error) from error
            except BaseException:
                # KeyboardInterrupt or an exception from a signal handler
                if request.late is not None:
                    self.adopt(Orphan(connection, reader, deadline, request.late))
                raise
            if response.keep_alive:
                self._local.connection = connection
            return response
        raise unavailable(self.settings.url, "the connection was closed twice without an answer")

    async def request_async(self, request: Request) -> Response:
        return await self._async.request(request)

    def adopt(self, orphan: Orphan) -> None:
        """Leave an exchange to ``finish_orphans``. Takes no lock: runs in finalisers too."""
        self._orphans.append(orphan)
        if self.on_orphan is not None:
            self.on_orphan()

    def finish_orphans(self) -> None:
        while self._orphans:
            orphan = self._orphans.pop()
            with contextlib.suppress(OSError, ProtocolError, Stale):
                response = orphan.reader.response
                if response is None:
                    left = orphan.deadline - time.monotonic()
                    orphan.connection.sock.settimeout(max(0.001, left))
                    response = orphan.connection.receive(orphan.reader, orphan.deadline)
                orphan.late(response)
            orphan.connection.close()

    def after_fork(self) -> None:
        from .aio import AsyncSide

        self._local = threading.local()
        self._orphans = []
        self._async = AsyncSide(self)

    def close(self) -> None:
        self._local = threading.local()
        self._async.close()

    def connect(self) -> Connection:
        """A new connection; ``FuseboardUnavailable`` if there is none within ``connect_timeout``."""
        deadline = time.monotonic() + self.settings.connect_timeout
        error: Exception | str = "the name has no address"
        try:
            for family, address in self.addresses(deadline):
                left = deadline - time.monotonic()
                if left <= 0:
                    error = "connecting took too long"
                    break
                sock: socket.socket = PlainSocket(family, socket.SOCK_STREAM)
                try:
                    sock.settimeout(left)
                    sock.connect(address)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if self._tls is not None:
                        sock = self._tls.wrap_socket(sock, server_hostname=self.target.host)
                    return Connection(sock)
                except OSError as problem:
                    error = problem
                    sock.close()
                except BaseException:
                    sock.close()
                    raise
        except OSError as problem:
            error = problem
        self._resolved = None
        raise unavailable(self.settings.url, error)

    def addresses(self, deadline: float) -> list[Address]:
        """Where the host is, asked again once a minute, bounded by the deadline.

        The system's resolver has no timeout of its own, so a name is resolved in a thread that may be
        left behind.
        """
        fresh = self.known_addresses()
        if fresh is not None:
            return fresh
        host, port, known = self.target.host, self.target.port, self._resolved
        now = time.monotonic()
        found: list[Address] = []

        def resolve() -> None:
            with contextlib.suppress(OSError):
                for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                    found.append((family, address))

        thread = threading.Thread(target=resolve, name="fuseboard-resolve", daemon=True)
        thread.start()
        thread.join(max(0.0, deadline - now))
        if found:
            self._resolved = (now, list(found))
        elif known is None:
            raise OSError(f"the name {host!r} could not be resolved in time")
        return list(found) if found or known is None else known[1]

    def known_addresses(self) -> list[Address] | None:
        """The addresses if they need no resolver now."""
        try:
            literal = ipaddress.ip_address(self.target.host)
        except ValueError:
            known = self._resolved
            if known is None or time.monotonic() - known[0] >= RESOLVE_AGAIN_SECONDS:
                return None
            return known[1]
        family = socket.AF_INET if literal.version == 4 else socket.AF_INET6
        return [(family, (self.target.host, self.target.port))]


def unavailable(url: str, reason: object) -> FuseboardUnavailable:
    """The error for a server that gave no answer."""
    return FuseboardUnavailable(f"no answer from {url}: {reason or type(reason).__name__}")


_transports: weakref.WeakSet[HttpTransport] = weakref.WeakSet()


def _forget_the_parents() -> None:
    for transport in list(_transports):
        transport.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_the_parents)
