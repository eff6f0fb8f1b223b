"""What can go wrong between this process and the board."""

from __future__ import annotations

import json
from typing import Any


class FuseboardError(Exception):
    """The server refused a request; carries the fields of its problem+json answer.

    ``status`` is the HTTP status, ``code`` the stable machine-readable code (``not_found``,
    ``validation_failed``, …), ``errors`` the fields at fault as ``{"field", "message"}``.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        detail: str | None = None,
        errors: list[dict[str, Any]] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors or []
        self.retry_after_seconds = retry_after_seconds


class FuseboardUnavailable(FuseboardError):
    """The server could not be reached, did not answer in time, or shed the request."""


def problem(status: int, body: bytes, retry_after: str | None = None) -> FuseboardError:
    """The exception for an answer with an error status, whether or not its body is problem+json."""
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    fields: dict[str, Any] = parsed if isinstance(parsed, dict) else {}
    code, title, detail = (_text(fields.get(key)) for key in ("code", "title", "detail"))
    errors = [item for item in fields.get("errors") or [] if isinstance(item, dict)]
    message = f"{status} {code or title or 'error'}"
    if detail:
        message += f": {detail}"
    if errors:
        message += " (" + "; ".join(f"{e.get('field')}: {e.get('message')}" for e in errors) + ")"
    kind = FuseboardUnavailable if status >= 500 else FuseboardError
    return kind(
        message,
        status=status,
        code=code,
        detail=detail,
        errors=errors,
        retry_after_seconds=_seconds(retry_after),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None
