"""Server-sent events over a plain connection."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from typing import Any

from .errors import FuseboardUnavailable, problem
from .transport import RECEIVE, HttpTransport
from .wire import MAX_HEAD, ProtocolError

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})")
MAX_EVENT = 64 * 1024 * 1024


class Chunks:
    """Takes the chunked transfer coding off, piece by piece."""

    __slots__ = ("_buffer", "_left")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0

    def feed(self, data: bytes) -> bytes | None:
        """The content of these bytes; ``None`` at the end."""
        buffer, content = self._buffer + data, []
        while True:
            if self._left > 2:
                part = buffer[: self._left - 2]
                content.append(part)
                buffer = buffer[len(part) :]
                self._left -= len(part)
            if 0 < self._left <= 2 and buffer:
                gone = min(self._left, len(buffer))
                buffer = buffer[gone:]
                self._left -= gone
            if self._left or not buffer:
                break
            line, found, rest = buffer.partition(b"\r\n")
            if not found:
                if len(buffer) > MAX_HEAD:
                    raise ProtocolError("a chunk's head is too long")
                break
            digits = line.split(b";", 1)[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
                raise ProtocolError("not a chunk size")
            size = int(digits, 16)
            if size == 0:
                return None
            self._left, buffer = size + 2, rest
        self._buffer = buffer
        return b"".join(content)


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
        head = b""
        until = time.monotonic() + self._transport.settings.timeout
        while b"\r\n\r\n" not in head:
            if len(head) > MAX_HEAD or time.monotonic() > until:
                raise ProtocolError("the answer has no head")
            head += self._receive()
        head, _, rest = head.partition(b"\r\n\r\n")
        status = _STATUS.match(head)
        if status is None:
            raise ProtocolError(f"not an HTTP/1.1 answer: {head[:40]!r}")
        if int(status[1]) != 200 or b"text/event-stream" not in head.lower():
            raise problem(int(status[1]), rest)
        if re.search(rb"(?i)\r\ntransfer-encoding:[ \t]*chunked", head):
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

    def _receive(self) -> bytes:
        assert self._sock is not None
        data = self._sock.recv(RECEIVE)
        if not data:
            raise FuseboardUnavailable("the stream of events ended")
        return data

    def _take(self, data: bytes) -> None:
        if self._chunks is not None:
            content = self._chunks.feed(data)
            if content is None:
                raise FuseboardUnavailable("the stream of events ended")
            data = content
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
