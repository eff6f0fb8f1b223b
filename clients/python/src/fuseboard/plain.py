"""Any Python value as JSON, whatever it is: for logs and for details, where nothing may fail."""

from __future__ import annotations

import datetime
import enum
import math
from collections.abc import Mapping
from typing import Any

DEEPEST = 12
MOST_ITEMS = 1000


def plain(value: Any, depth: int = 0) -> Any:
    """What JSON can say of it. Numbers that are none and what JSON does not know become text."""
    if value is None or isinstance(value, (bool, str)):
        return clean(str(value)) if isinstance(value, str) else value
    if isinstance(value, enum.Enum):
        return plain(value.value, depth)
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 64 else text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        if depth >= DEEPEST:
            return "…"
        try:
            return _items(value, depth + 1)
        except Exception:
            return text(value)
    return text(value)


def _items(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        pairs = list(value.items())[:MOST_ITEMS]
        return {clean(text(key)): plain(item, depth) for key, item in pairs}
    return [plain(item, depth) for item in list(value)[:MOST_ITEMS]]


def text(value: Any) -> str:
    """``str`` that cannot fail."""
    try:
        return clean(str(value))
    except Exception:
        return f"<{type(value).__qualname__}>"


def clean(value: str) -> str:
    """Without lone surrogates, which UTF-8 cannot carry."""
    return value.encode("utf-8", "replace").decode("utf-8") if not value.isascii() else value


def cut(value: str, most: int) -> str:
    """The text within so many bytes of UTF-8."""
    data = value.encode("utf-8", "replace")
    return value if len(data) <= most else data[: most - 3].decode("utf-8", "ignore") + "…"
