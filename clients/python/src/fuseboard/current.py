"""The process's default board, made on first use."""

from __future__ import annotations

import os
import threading

from .board import Board, _boards
from .settings import Mode, OnUnavailable, settings_from

_lock = threading.Lock()
_board: Board | None = None


def board() -> Board:
    """The board that the decorators use."""
    global _board
    if _board is None:
        with _lock:
            if _board is None:
                made = Board(settings_from())
                made.is_default = True
                _board = made
    return _board


def configure(
    *,
    url: str | None = None,
    token: str | None = None,
    timeout: float | None = None,
    connect_timeout: float | None = None,
    client: str | None = None,
    on_unavailable: OnUnavailable | None = None,
    fallback_peers: int | None = None,
    mode: Mode | None = None,
    stale_after: float | None = None,
) -> None:
    """Set where the board is and how it is used, for the whole process; may be called again.

    What is not given comes from the environment (``FUSEBOARD_URL``, ``FUSEBOARD_TOKEN``,
    ``FUSEBOARD_CLIENT``, ``FUSEBOARD_TIMEOUT``, ``FUSEBOARD_CONNECT_TIMEOUT``,
    ``FUSEBOARD_ON_UNAVAILABLE``, ``FUSEBOARD_FALLBACK_PEERS``, ``FUSEBOARD_MODE``,
    ``FUSEBOARD_STALE_AFTER``), then from the defaults. Does not connect.
    """
    global _board
    settings = settings_from(
        url=url,
        token=token,
        timeout=timeout,
        connect_timeout=connect_timeout,
        client=client,
        on_unavailable=on_unavailable,
        fallback_peers=fallback_peers,
        mode=mode,
        stale_after=stale_after,
    )
    made = Board(settings)
    made.is_default = True
    with _lock:
        old, _board = _board, made
    if old is not None:
        old.close()
    if made.rounds.pending():
        made.expect_work()


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()
    for living in list(_boards):
        living.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
