"""What may go into a backup: what comes back as it was."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

DEEPEST = 100


def checked(data: Any) -> dict[str, Any]:
    """The data if all of it is JSON; else ``TypeError`` or ``ValueError`` that says where it is not."""
    if not isinstance(data, Mapping):
        raise TypeError(f"a backup is made of a dict of documents, not of {_kind(data)}")
    _check(data, "data", 0)
    return dict(data)


def _check(value: Any, place: str, depth: int) -> None:
    if value is None or isinstance(value, (bool, int)):
        return
    if isinstance(value, str):
        if not value.isascii():
            _check_text(value, place)
        return
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place} is {float(value)}: JSON has no such number")
        return
    if depth > DEEPEST:
        raise ValueError(f"{_short(place)} is nested deeper than {DEEPEST}, or contains itself")
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{place} has the key {key!r}: keys of JSON are text, not {_kind(key)}")
            _check_text(key, place)
            _check(item, f"{place}[{key!r}]", depth + 1)
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check(item, f"{place}[{index}]", depth + 1)
    else:
        raise TypeError(f"{place} is {_kind(value)}, which is not JSON")


def _check_text(value: str, place: str) -> None:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError(f"{place} has text with half a surrogate pair, which is not Unicode") from None


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _short(place: str) -> str:
    return place if len(place) <= 80 else place[:80] + "…"
