"""HTTP/1.1 without a socket: bytes out, bytes in. Shared by the blocking and the asyncio transport."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

MAX_HEAD = 64 * 1024
MAX_BODY = 256 * 1024 * 1024

_STATUS = re.compile(rb"HTTP/1\.([01]) (\d{3})(?: |\r|$)")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*(?=\r\n|$)", re.IGNORECASE)
_ENCODING = re.compile(rb"\r\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
_CONNECTION = re.compile(rb"\r\nconnection:([^\r\n]*)", re.IGNORECASE)
_LINE_BREAKS = re.compile(r"[\x00-\x20\x7f]")


class ProtocolError(Exception):
    """What came back is not HTTP/1.1, or stopped in the middle."""


class Response:
    """One whole answer. ``keep_alive`` says whether its connection may be used again."""

    __slots__ = ("body", "head", "keep_alive", "status")

    def __init__(self, status: int, head: bytes, body: bytes, keep_alive: bool) -> None:
        self.status = status
        self.head = head
        self.body = body
        self.keep_alive = keep_alive

    def json(self) -> Any:
        """The body as JSON; ``ProtocolError`` if it is none."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise ProtocolError(f"the body is not JSON: {error}") from None

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        wanted = name.lower().encode()
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == wanted:
                return value.strip().decode("latin-1")
        return None


class Target:
    """A server's address and the parts of a request that never change."""

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        self.tls = parts.scheme == "https"
        self.host = parts.hostname or ""
        self.port = parts.port or (443 if self.tls else 80)
        self._prefix = parts.path.rstrip("/")
        shown = f"[{self.host}]" if ":" in self.host else self.host
        fixed = f" HTTP/1.1\r\nhost: {shown}:{self.port}\r\n"
        if token:
            fixed += f"authorization: Bearer {token}\r\n"
        self._fixed = fixed

    def encode(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> bytes:
        """One request, head and body in one piece."""
        if _LINE_BREAKS.search(path):
            raise ValueError(f"not a request path: {path!r}")
        head = f"{method} {self._prefix}{path}{self._fixed}"
        if headers is None or "accept" not in headers:
            head += "accept: application/json\r\n"
        if headers:
            for name, value in headers.items():
                if "\r" in value or "\n" in value:
                    raise ValueError(f"line break in header {name}")
                head += f"{name}: {value}\r\n"
        if body is None:
            return (head + "\r\n").encode("latin-1")
        return (f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n").encode(
            "latin-1"
        ) + body


class ResponseReader:
    """Feed it what the socket gives; it returns the response once that is whole."""

    __slots__ = (
        "_buffer",
        "_chunked",
        "_head",
        "_keep_alive",
        "_left",
        "_parts",
        "_status",
        "_until_close",
        "response",
    )

    def __init__(self) -> None:
        self.response: Response | None = None
        self._buffer = b""
        self._head: bytes | None = None
        self._parts: list[bytes] = []
        self._left = 0
        self._chunked: _Chunks | None = None
        self._until_close = False
        self._status = 0
        self._keep_alive = True

    @property
    def started(self) -> bool:
        """Whether anything of an answer has arrived."""
        return self._head is not None or bool(self._buffer)

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes; the response if they complete it."""
        if self._head is None:
            self._buffer = data = self._buffer + data if self._buffer else data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > MAX_HEAD:
                    raise ProtocolError("the answer's head is too long")
                return None
            self._read_head(data[:end])
            if 100 <= self._status < 200:
                self._head, self._buffer = None, b""
                return self.feed(data[end + 4 :]) if len(data) > end + 4 else None
            data = data[end + 4 :]
            if not self._until_close and self._chunked is None:
                have = len(data)
                if have == self._left:
                    return self._finish(data)
                if have > self._left:
                    raise ProtocolError("more bytes than the answer declared")
        if self._chunked is not None:
            if self._chunked.feed(data):
                return self._finish(self._chunked.body())
            return None
        self._parts.append(data)
        if self._until_close:
            self._left += len(data)
            if self._left > MAX_BODY:
                raise ProtocolError("the answer's body is too long")
            return None
        self._left -= len(data)
        if self._left < 0:
            raise ProtocolError("more bytes than the answer declared")
        return self._finish(b"".join(self._parts)) if self._left == 0 else None

    def end(self) -> Response:
        """The server closed: the response if that is how it ends, else ``ProtocolError``."""
        if self._head is not None and self._until_close:
            return self._finish(b"".join(self._parts))
        raise ProtocolError("the connection was closed in the middle of an answer")

    def _finish(self, body: bytes) -> Response:
        self.response = Response(self._status, self._head or b"", body, self._keep_alive)
        return self.response

    def _read_head(self, head: bytes) -> None:
        status = _STATUS.match(head)
        if status is None:
            raise ProtocolError(f"not an HTTP/1.1 answer: {head[:40]!r}")
        self._head = head
        self._status = int(status[2])
        connection = _CONNECTION.search(head)
        options = connection[1].lower() if connection else b""
        self._keep_alive = b"keep-alive" in options if status[1] == b"0" else b"close" not in options
        encoding = _ENCODING.search(head)
        if encoding is not None:
            if encoding[1].strip().lower() != b"chunked":
                raise ProtocolError("unknown transfer encoding")
            self._chunked = _Chunks()
            return
        lengths = set(_LENGTH.findall(head))
        if len(lengths) > 1:
            raise ProtocolError("contradicting content lengths")
        if self._status in (204, 304):
            self._left = 0
        elif lengths:
            self._left = int(lengths.pop())
            if self._left > MAX_BODY:
                raise ProtocolError("the answer's body is too long")
        elif self._status >= 200:
            self._until_close, self._keep_alive = True, False


class _Chunks:
    """The chunked transfer coding."""

    __slots__ = ("_buffer", "_left", "_parts", "_size", "_trailer")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._parts: list[bytes] = []
        self._left: int | None = None
        self._size = 0
        self._trailer = False

    def body(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> bool:
        """Whether the last chunk and the trailer have been seen."""
        buffer = self._buffer
        buffer += data
        while True:
            if self._left is not None:
                if len(buffer) < self._left + 2:
                    return False
                if buffer[self._left : self._left + 2] != b"\r\n":
                    raise ProtocolError("a chunk does not end where it says")
                self._parts.append(bytes(buffer[: self._left]))
                del buffer[: self._left + 2]
                self._left = None
            end = buffer.find(b"\r\n")
            if end < 0:
                if len(buffer) > MAX_HEAD:
                    raise ProtocolError("a chunk's head is too long")
                return False
            line = bytes(buffer[:end])
            del buffer[: end + 2]
            if self._trailer:
                if line:
                    continue
                if buffer:
                    raise ProtocolError("more bytes than the answer declared")
                return True
            digits = line.split(b";", 1)[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
                raise ProtocolError("not a chunk size")
            size = int(digits, 16)
            self._size += size
            if self._size > MAX_BODY:
                raise ProtocolError("the answer's body is too long")
            if size == 0:
                self._trailer = True
            else:
                self._left = size
