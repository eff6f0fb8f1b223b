"""What the server's answers say."""

from __future__ import annotations

from typing import Any

from .errors import FuseboardError, FuseboardUnavailable, problem
from .wire import ProtocolError, Response

UNKNOWN: dict[str, Any] = {}
"""Stands for the answer 404."""


def answered(answer: Response) -> Response:
    """The answer; ``FuseboardUnavailable`` for a status that says as much as none: it may be given later."""
    if answer.status >= 500 or answer.status in (408, 429):
        error = problem(answer.status, answer.body, answer.header("retry-after"))
        raise FuseboardUnavailable(
            str(error), status=answer.status, retry_after_seconds=error.retry_after_seconds
        )
    return answer


def fields(answer: Response) -> dict[str, Any]:
    """The JSON object of a 2xx answer."""
    if not 200 <= answer.status < 300:
        raise problem(answer.status, answer.body, answer.header("retry-after"))
    try:
        value = answer.json()
    except ProtocolError as error:
        raise FuseboardUnavailable(f"not an answer of Fuseboard: {error}", status=answer.status) from None
    if not isinstance(value, dict):
        raise FuseboardUnavailable("not an answer of Fuseboard", status=answer.status)
    return value


def not_found(name: str) -> FuseboardError:
    """Another server's 404: the request declares what it names."""
    return FuseboardError(
        f"the server does not know {name!r} although it was declared; is this Fuseboard's address?",
        status=404,
        code="not_found",
    )
