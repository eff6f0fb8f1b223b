"""Times as the board writes them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_FRACTION = re.compile(r"\.(\d+)")


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(timezone.utc)


def parsed(text: object) -> datetime | None:
    """RFC 3339 with any number of digits after the point; ``None`` if it is no time."""
    if not isinstance(text, str):
        return None
    text = _FRACTION.sub(lambda found: "." + found[1][:6].ljust(6, "0"), text)
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def shown(time: datetime) -> str:
    """RFC 3339 in UTC."""
    return time.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
