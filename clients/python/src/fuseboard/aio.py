"""The asyncio half of the transport: one pool of connections per event loop.

An idle connection is not registered with its loop, so a loop may be closed at any time, and a pool may be
dropped from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .transport import RECEIVE, Address, Connection, Orphan, PlainSocket, Request, Stale, unavailable
from .wire import ProtocolError, Response, ResponseReader

if TYPE_CHECKING:
    from .transport import HttpTransport

CONNECTIONS_PER_LOOP = 64


class Pool:
    """The idle connections of one loop, and a bound on how many are busy."""

    __slots__ = ("__weakref__", "idle", "slots")

    def __init__(self) -> None:
        self.idle: list[Connection] = []
        self.slots = asyncio.Semaphore(CONNECTIONS_PER_LOOP)


class AsyncSide:
    """Requests of coroutines. Where the loop cannot watch sockets, or for TLS, a thread carries them."""

    def __init__(self, transport: HttpTransport) -> None:
        self._transport = weakref.proxy(transport)
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None

    def close(self) -> None:
        self._pools = weakref.WeakKeyDictionary()
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    async def request(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        if self._transport.target.tls or not _watches_sockets(loop):
            return await self._in_thread(loop, request)
        pool = self._pools.get(loop)
        if pool is None:
            with self._lock:
                pool = self._pools.setdefault(loop, Pool())
        gate = self._transport.gate
        async with pool.slots:
            if gate is not None:
                gate()  # whoever waited here while the server was found away does not wait for it again
            return await self._exchange(loop, pool, request)

    async def _exchange(self, loop: asyncio.AbstractEventLoop, pool: Pool, request: Request) -> Response:
        transport = self._transport
        payload = transport.target.encode(request.method, request.path, request.body, request.headers)
        timeout = request.timeout or transport.settings.timeout
        while True:
            connection = pool.idle.pop() if pool.idle else await self._connect(loop)
            reader = ResponseReader()
            deadline = time.monotonic() + timeout
            try:
                response = await _send_and_receive(loop, connection, payload, reader, timeout)
            except Stale:
                # the others are as old; only a fresh connection tells whether the server is there
                pool.idle.clear()
                continue
            except (OSError, ProtocolError) as error:
                connection.close()
                raise unavailable(transport.settings.url, error) from error
            except BaseException:
                if request.late is not None:
                    transport.adopt(Orphan(connection, reader, deadline, request.late))
                raise
            if response.keep_alive:
                pool.idle.append(connection)
            return response

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Connection:
        transport = self._transport
        deadline = time.monotonic() + transport.settings.connect_timeout
        error: Exception | str = "the name has no address"
        try:
            for family, address in await self._addresses(loop, deadline):
                sock = PlainSocket(family, socket.SOCK_STREAM)
                try:
                    sock.setblocking(False)
                    left = max(0.001, deadline - time.monotonic())
                    await asyncio.wait_for(loop.sock_connect(sock, address), left)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return Connection(sock)
                except (OSError, asyncio.TimeoutError) as problem:
                    error = problem
                    sock.close()
                except BaseException:
                    sock.close()
                    raise
        except OSError as problem:
            error = problem
        raise unavailable(transport.settings.url, error)

    async def _addresses(self, loop: asyncio.AbstractEventLoop, deadline: float) -> list[Address]:
        quick: list[Address] | None = self._transport.known_addresses()
        if quick is not None:
            return quick
        resolve: Callable[[float], list[Address]] = self._transport.addresses
        return await loop.run_in_executor(self._threads(), resolve, deadline)

    async def _in_thread(self, loop: asyncio.AbstractEventLoop, request: Request) -> Response:
        transport, gone = self._transport, threading.Event()
        arrived: list[Response] = []

        def carry() -> Response:
            response: Response = transport.request(request)
            arrived.append(response)
            if gone.is_set():
                too_late()
            return response

        def too_late() -> None:
            with contextlib.suppress(IndexError):  # of carry and its caller, one delivers
                response = arrived.pop()
                if request.late is not None:
                    request.late(response)

        try:
            return await loop.run_in_executor(self._threads(), carry)
        except BaseException:
            gone.set()
            too_late()
            raise

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(16, thread_name_prefix="fuseboard")
            return self._executor


async def _send_and_receive(
    loop: asyncio.AbstractEventLoop,
    connection: Connection,
    payload: bytes,
    reader: ResponseReader,
    timeout: float,
) -> Response:
    """One exchange with one future: a coroutine per ``recv`` would cost twice the time."""
    sock = connection.sock
    done: asyncio.Future[Response] = loop.create_future()
    unsent = payload

    def write() -> None:
        nonlocal unsent
        try:
            unsent = unsent[sock.send(unsent) :]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            fail(error)
        if not unsent:
            loop.remove_writer(sock)

    def read() -> None:
        try:
            data = sock.recv(RECEIVE)
            response = reader.feed(data) if data else reader.end()
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, ProtocolError) as error:
            fail(error)
        else:
            if response is not None and not done.done():
                connection.used = True
                done.set_result(response)

    def fail(error: Exception) -> None:
        if done.done():
            return
        lost = isinstance(error, (ConnectionError, ProtocolError))
        done.set_exception(Stale() if lost and connection.used and not reader.started else error)

    try:
        unsent = payload[sock.send(payload) :]
    except (BlockingIOError, InterruptedError):
        pass
    except ConnectionError as error:
        if connection.used:
            raise Stale from error
        raise
    loop.add_reader(sock, read)
    if unsent:
        loop.add_writer(sock, write)
    timer = loop.call_later(timeout, fail, TimeoutError("the answer did not come in time"))
    try:
        return await done
    finally:
        timer.cancel()
        with contextlib.suppress(Exception):
            loop.remove_reader(sock)
            if unsent:
                loop.remove_writer(sock)


def _watches_sockets(loop: asyncio.AbstractEventLoop) -> bool:
    return isinstance(loop, asyncio.SelectorEventLoop) or type(loop).__module__.startswith("uvloop")
