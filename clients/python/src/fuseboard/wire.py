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
        if headers is None or "content-type" not in headers:
            head += "content-type: application/json\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body


class Head:
    """What an answer's head says. ``length`` is that of the body, if it was told."""

    __slots__ = ("chunked", "keep_alive", "length", "status", "text")

    def __init__(self, text: bytes) -> None:
        status = _STATUS.match(text)
        if status is None:
            raise ProtocolError(f"not an HTTP/1.1 answer: {text[:40]!r}")
        self.text = text
        self.status = int(status[2])
        connection = _CONNECTION.search(text)
        options = connection[1].lower() if connection else b""
        self.keep_alive = b"keep-alive" in options if status[1] == b"0" else b"close" not in options
        self.length: int | None = None
        encoding = _ENCODING.search(text)
        self.chunked = encoding is not None
        if encoding is not None:
            if encoding[1].strip().lower() != b"chunked":
                raise ProtocolError("unknown transfer encoding")
            return
        lengths = set(_LENGTH.findall(text))
        if len(lengths) > 1:
            raise ProtocolError("contradicting content lengths")
        if self.status in (204, 304):
            self.length = 0
        elif lengths:
            self.length = int(lengths.pop())
            if self.length > MAX_BODY:
                raise ProtocolError("the answer's body is too long")
        else:
            self.keep_alive = False

    @property
    def until_close(self) -> bool:
        """Whether only the end of the connection ends the body."""
        return self.length is None and not self.chunked


class ResponseReader:
    """Feed it what the socket gives; it returns the response once that is whole."""

    __slots__ = ("_buffer", "_chunks", "_head", "_parts", "_size", "response")

    def __init__(self) -> None:
        self.response: Response | None = None
        self._buffer = b""
        self._head: Head | None = None
        self._chunks: Chunks | None = None
        self._parts: list[bytes] = []
        self._size = 0

    @property
    def started(self) -> bool:
        """Whether anything of an answer has arrived."""
        return self._head is not None or bool(self._buffer)

    def feed(self, data: bytes) -> Response | None:
        """Take the next bytes; the response if they complete it."""
        head = self._head
        if head is None:
            self._buffer = data = self._buffer + data if self._buffer else data
            end = data.find(b"\r\n\r\n")
            if end < 0:
                if len(data) > MAX_HEAD:
                    raise ProtocolError("the answer's head is too long")
                return None
            head, data = Head(data[:end]), data[end + 4 :]
            if 100 <= head.status < 200:
                self._buffer = b""
                return self.feed(data) if data else None
            self._head = head
            self._chunks = Chunks() if head.chunked else None
        if self._chunks is not None:
            data = self._chunks.feed(data)
        self._parts.append(data)
        self._size += len(data)
        if self._size > MAX_BODY:
            raise ProtocolError("the answer's body is too long")
        if head.length is not None and self._size > head.length:
            raise ProtocolError("more bytes than the answer declared")
        whole = self._size == head.length if self._chunks is None else self._chunks.ended
        return self._finish(head) if whole else None

    def end(self) -> Response:
        """The server closed: the response if that is how it ends, else ``ProtocolError``."""
        if self._head is not None and self._head.until_close:
            return self._finish(self._head)
        raise ProtocolError("the connection was closed in the middle of an answer")

    def _finish(self, head: Head) -> Response:
        self.response = Response(head.status, head.text, b"".join(self._parts), head.keep_alive)
        return self.response


class Chunks:
    """Takes the chunked transfer coding off, piece by piece."""

    __slots__ = ("_at_end", "_buffer", "_in_trailer", "_left", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._buffer = bytearray()
        self._left = 0
        self._at_end = False
        self._in_trailer = False

    def feed(self, data: bytes) -> bytes:
        """The content of these bytes. ``ended`` says whether the last chunk and trailer have been seen."""
        buffer, content = self._buffer, bytearray()
        buffer += data
        while buffer:
            if self.ended:
                raise ProtocolError("more bytes than the answer declared")
            if self._left:
                part = buffer[: self._left]
                del buffer[: self._left]
                content += part
                self._left -= len(part)
                self._at_end = self._left == 0
            elif self._at_end:
                if not b"\r\n".startswith(buffer[:2]):
                    raise ProtocolError("a chunk does not end where it says")
                if len(buffer) < 2:
                    break
                del buffer[:2]
                self._at_end = False
            else:
                end = buffer.find(b"\r\n")
                if end < 0:
                    if len(buffer) > MAX_HEAD:
                        raise ProtocolError("a chunk's head is too long")
                    break
                self._take_line(bytes(buffer[:end]))
                del buffer[: end + 2]
        return bytes(content)

    def _take_line(self, line: bytes) -> None:
        if self._in_trailer:
            self.ended = not line
            return
        digits = line.split(b";", 1)[0].strip()
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,8}", digits):
            raise ProtocolError("not a chunk size")
        self._left = int(digits, 16)
        self._in_trailer = self._left == 0
