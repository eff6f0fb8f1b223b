"""The network between the fleet and the server: bytes go through until it is cut."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading

from board import free_port


class Proxy:
    """Listens on a port of its own. Connections can be cut, kept away or held up."""

    def __init__(self, target: int) -> None:
        self.port, self.target = free_port(), target
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.is_away = threading.Event()
        self.flows = threading.Event()
        self.flows.set()
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        while True:
            client, _ = self.listener.accept()
            if self.is_away.is_set():
                reset(client)
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
            except OSError:
                reset(client)
                continue
            server.settimeout(None)
            with self.lock:
                self.open |= {client, server}
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    def carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.flows.wait()
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        with self.lock:
            self.open -= {source, sink}

    def cut(self, rng: random.Random, share: float = 1.0) -> int:
        """Resets open connections, in the middle of whatever they carry."""
        with self.lock:
            chosen = [end for end in sorted(self.open, key=id) if rng.random() < share]
        for end in chosen:
            reset(end)
        return len(chosen)


def reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RDWR)
        end.close()
