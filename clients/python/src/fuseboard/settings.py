"""All that can be set from outside. Nothing is read on import; the environment is read on first use."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

Mode = Literal["strict", "local"]
OnUnavailable = Literal["local", "allow", "deny", "raise"]

DEFAULT_URL = "http://127.0.0.1:7077"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.:-]+")


@dataclass(frozen=True)
class Settings:
    """Where the board is and how long to wait for it. Durations are seconds.

    ``timeout`` bounds one whole exchange on an open connection, ``connect_timeout`` the connecting, name
    resolution included. ``mode`` says who decides: ``strict`` asks the server for each call, ``local`` goes
    by what the server told last, for ``stale_after`` at most. ``on_unavailable`` says what a guarded call
    does while the server is away: ``local`` decides in this process, ``allow`` lets it pass, ``deny`` (or
    ``raise``) raises ``FuseboardUnavailable``. ``fallback_peers`` divides a limiter's rate while the server
    is away and has never told this process its fair share: the number of processes that use it.
    """

    url: str = DEFAULT_URL
    token: str | None = field(default=None, repr=False)
    timeout: float = 1.0
    connect_timeout: float = 0.25
    client: str | None = None
    on_unavailable: OnUnavailable = "local"
    fallback_peers: int = 1
    mode: Mode = "strict"
    stale_after: float = 3.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not an http(s) URL: {self.url!r}")
        if parts.username or parts.query or parts.fragment:
            raise ValueError("the board's URL takes no user, query or fragment; use the token setting")
        if self.token is not None and not re.fullmatch(r"[\x21-\x7e]+", self.token):
            raise ValueError("the token must be printable ASCII without blanks")
        if self.client is not None and not re.fullmatch(r"[^\x00-\x1f\x7f]{1,128}", self.client):
            raise ValueError("the client's name must be 1 to 128 characters without control characters")
        if not (self.timeout > 0 and self.connect_timeout > 0):
            raise ValueError("timeouts must be positive")
        if self.on_unavailable not in get_args(OnUnavailable):
            raise ValueError(f"on_unavailable must be one of {get_args(OnUnavailable)}")
        if self.mode not in get_args(Mode):
            raise ValueError(f"mode must be one of {get_args(Mode)}")
        if not 1.5 <= self.stale_after <= 60:
            raise ValueError("stale_after must be from 1.5 to 60: the server is heard of once a second")
        if self.fallback_peers < 1:
            raise ValueError("fallback_peers must be at least 1")


_FROM_TEXT: dict[str, Callable[[str], Any]] = {
    "url": str,
    "token": str,
    "timeout": float,
    "connect_timeout": float,
    "client": str,
    "on_unavailable": str,
    "fallback_peers": int,
    "mode": str,
    "stale_after": float,
}


def settings_from(**given: Any) -> Settings:
    """Argument over environment (``FUSEBOARD_URL``, ``FUSEBOARD_TOKEN``, …) over default.

    What is ``None`` or empty is not given.
    """
    chosen = {name: value for name, value in given.items() if value not in (None, "")}
    for name, kind in _FROM_TEXT.items():
        text = os.environ.get(f"FUSEBOARD_{name.upper()}")
        if text and name not in chosen:
            chosen[name] = kind(text)
    return Settings(**chosen)


def client_id() -> str:
    """Who this process is to the board: host, process id and a random part."""
    host = _NOT_IN_A_NAME.sub("-", socket.gethostname()).lstrip("_.:-")[:80] or "host"
    return f"{host}-{os.getpid()}-{os.urandom(4).hex()}"
