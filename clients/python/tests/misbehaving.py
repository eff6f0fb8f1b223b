"""A server that does what a real one should not."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType

Script = Callable[[socket.socket, int], None]


class Misbehaving:
    """Accepts connections and lets the script act on each, with the number of the connection."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Misbehaving:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # accept() in the other thread does not notice a close
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            sock.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            self.connections += 1
            threading.Thread(target=self._serve, args=(sock, self.connections), daemon=True).start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            self._script(sock, number)


def request(sock: socket.socket) -> bytes:
    """One whole request; ``ConnectionError`` at the end of the connection."""
    data = b""
    while True:
        head, end, body = data.partition(b"\r\n\r\n")
        if end:
            length = re.search(rb"content-length: (\d+)", head)
            if len(body) >= (int(length[1]) if length else 0):
                return data
        more = sock.recv(65536)
        if not more:
            raise ConnectionError
        data += more


def answer(body: object, status: int = 200, *headers: str) -> bytes:
    """One whole answer."""
    data = json.dumps(body).encode()
    head = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} X\r\n{head}content-length: {len(data)}\r\n\r\n".encode() + data


ALLOWED = {
    "allowed": True,
    "call_id": "c1",
    "breaker_state": "closed",
    "wait_seconds": 0.0,
    "reason": None,
    "retry_after_seconds": None,
}


def slowly(sock: socket.socket, data: bytes, seconds: float) -> None:
    """Byte by byte."""
    for byte in data:
        sock.sendall(bytes([byte]))
        time.sleep(seconds)
