"""Programs that do what a part of the board does, from Debian's packages, each in a folder of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator

import processes
from processes import SERVER_CORE, Server

ECHO = processes.ROOT / "target/release/examples/echo"


@dataclasses.dataclass(frozen=True)
class Peer:
    name: str
    program: str
    #: Its arguments, from port and folder.
    arguments: Callable[[int, pathlib.Path], list[str]]
    #: What it is asked to see whether it is there, and what good answers begin with.
    ready: tuple[bytes, bytes]
    version: str = "--version"

    def with_flags(self, *flags: str) -> Peer:
        return dataclasses.replace(
            self, arguments=lambda port, folder: [*self.arguments(port, folder), *flags]
        )


def which(program: str) -> str | None:
    """Where it is; Debian has some of them where only root looks."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


ANSWER = (
    '{"allowed":true,"call_id":"00000000000000000000000000000000","breaker_state":"closed",'
    '"wait_seconds":0.0,"reason":null,"denied_by":null,"retry_after_seconds":null}'
)
NGINX = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  tcp_nodelay on;
  default_type application/json;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ return 200 '{answer}'; }}
  }}
}}
"""


def _nginx(port: int, folder: pathlib.Path) -> list[str]:
    (folder / "nginx.conf").write_text(NGINX.format(port=port, answer=ANSWER))
    return ["-p", f"{folder}/", "-c", str(folder / "nginx.conf")]


def _redis(port: int, folder: pathlib.Path) -> list[str]:
    """Decisions are in memory, as ours."""
    return [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(folder),
        "--save",
        "",
        "--appendonly",
        "no",
    ]


def _pushgateway(port: int, _: pathlib.Path) -> list[str]:
    """Debian's default is a file that outlives the run."""
    return [f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", "--persistence.file="]


def _alertmanager(port: int, folder: pathlib.Path) -> list[str]:
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: none, group_by: [alertname]}\nreceivers: [{name: none}]\n")
    flags = [f"--config.file={config}", f"--storage.path={folder}", f"--web.listen-address=127.0.0.1:{port}"]
    return [*flags, "--cluster.listen-address=", "--log.level=error"]


AXUM = Peer("bare axum", str(ECHO), lambda port, _: [str(port)], (get("/v1/calls"), b"HTTP/1.1 405"))
NGINX_STATIC = Peer("nginx", "nginx", _nginx, (get("/"), b"HTTP/1.1 200"), "-v")
REDIS = Peer("Redis", "redis-server", _redis, (b"PING\r\n", b"+PONG"))
PUSHGATEWAY = Peer("Pushgateway", "prometheus-pushgateway", _pushgateway, (get("/-/ready"), b"HTTP/1.1 200"))
ALERTMANAGER = Peer(
    "Alertmanager", "prometheus-alertmanager", _alertmanager, (get("/-/ready"), b"HTTP/1.1 200")
)


@contextlib.contextmanager
def running(peer: Peer, core: str | None = SERVER_CORE, wait: bool = True) -> Iterator[Server | None]:
    """The peer, or None if it is not installed."""
    program = which(peer.program)
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as name:
        port = processes.free_port()
        command = [program, *peer.arguments(port, pathlib.Path(name))]
        with processes.served(command, port, f"{name}/log", core, wait) as server:
            yield server


def versions() -> list[str]:
    """Of those that are there."""
    asked = [
        (peer.name, peer.program, peer.version) for peer in (NGINX_STATIC, REDIS, PUSHGATEWAY, ALERTMANAGER)
    ]
    asked += [("restic", "restic", "version"), ("wrk", "wrk", "-v")]
    found = []
    for name, program, flag in asked:
        if path := which(program):
            done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10)
            version = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
            found.append(f"{name} {version[0] if version else '?'}")
        else:
            found.append(f"no {name}")
    return found
