"""Server-sent events over a plain connection."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import Any

from .errors import FuseboardUnavailable, problem
from .transport import RECEIVE, HttpTransport
from .wire import MAX_HEAD, Chunks, Head, ProtocolError

MAX_EVENT = 64 * 1024 * 1024


class EventStream:
    """One open stream. Silence for longer than ``patience`` is an error, as everything is that ends it."""

    def __init__(self, transport: HttpTransport, path: str, patience: float) -> None:
        self._transport = transport
        self._path = path
        self._patience = patience
        self._sock: socket.socket | None = None
        self._chunks: Chunks | None = None
        self._text = b""

    def open(self) -> None:
        """Connect and read the head; ``FuseboardUnavailable`` without an answer, ``FuseboardError`` for
        another."""
        connection = self._transport.connect()
        sock = self._sock = connection.sock
        payload = self._transport.target.encode("GET", self._path, None, {"accept": "text/event-stream"})
        sock.settimeout(self._transport.settings.timeout)
        sock.sendall(payload)
        data = b""
        until = time.monotonic() + self._transport.settings.timeout
        while b"\r\n\r\n" not in data:
            if len(data) > MAX_HEAD or time.monotonic() > until:
                raise ProtocolError("the answer has no head")
            data += self._receive()
        text, _, rest = data.partition(b"\r\n\r\n")
        head = Head(text)
        if head.status != 200 or b"text/event-stream" not in text.lower():
            raise problem(head.status, rest)
        if head.chunked:
            self._chunks = Chunks()
        self._take(rest)
        sock.settimeout(self._patience)

    def next(self) -> list[tuple[str, Any]]:
        """What came next: events with their documents, none for a mere sign of life."""
        events = self._events()
        if not events:
            self._take(self._receive())
            events = self._events()
        return events

    def close(self) -> None:
        """From any thread: whoever waits for the next event finds the stream ended."""
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """In the child of a fork: the connection goes on, and is its parent's."""
        if self._sock is not None:
            self._sock.close()

    def _receive(self) -> bytes:
        assert self._sock is not None
        data = self._sock.recv(RECEIVE)
        if not data:
            raise FuseboardUnavailable("the stream of events ended")
        return data

    def _take(self, data: bytes) -> None:
        if self._chunks is not None:
            data = self._chunks.feed(data)
            if self._chunks.ended:
                raise FuseboardUnavailable("the stream of events ended")
        self._text += data
        if len(self._text) > MAX_EVENT:
            raise ProtocolError("an event is too long")

    def _events(self) -> list[tuple[str, Any]]:
        events: list[tuple[str, Any]] = []
        while True:
            block, found, rest = self._text.partition(b"\n\n")
            if not found:
                return events
            self._text = rest
            kind, data = "message", []
            for line in block.split(b"\n"):
                field, _, value = line.partition(b":")
                if field == b"event":
                    kind = value.strip().decode()
                elif field == b"data":
                    data.append(value.removeprefix(b" "))
            if data:
                try:
                    events.append((kind, json.loads(b"\n".join(data))))
                except ValueError as error:
                    raise ProtocolError(f"an event is not JSON: {error}") from None
