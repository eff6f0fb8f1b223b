"""What every operation goes through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ..errors import FuseboardUnavailable, problem
from ..settings import Settings
from ..transport import HttpTransport, Request
from ..wire import ProtocolError

Json = dict[str, Any]
Spec = Mapping[str, Any]


class Core:
    """Carries a request, and makes an exception of an error answer."""

    _settings: Settings
    _transport: HttpTransport

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Any operation: the parsed JSON of a 2xx answer, ``None`` if it has no body.

        A body of bytes is sent as it is; its kind is among the headers then.
        """
        given = {key: value for key, value in (query or {}).items() if value is not None}
        if given:
            path += "?" + urlencode(
                {k: str(v).lower() if isinstance(v, bool) else v for k, v in given.items()}
            )
        payload = body
        if body is not None and not isinstance(body, bytes):
            payload = json.dumps(body, allow_nan=False).encode()
        answer = self._transport.request(Request(method, path, payload, headers=dict(headers or {})))
        if not 200 <= answer.status < 300:
            raise problem(answer.status, answer.body, answer.header("retry-after"))
        if not answer.body:
            return None
        if "json" not in (answer.header("content-type") or "json"):
            return answer.body.decode("utf-8", "replace")
        try:
            return answer.json()
        except ProtocolError as error:
            raise FuseboardUnavailable(str(error), status=answer.status) from error

    def _json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        value = self.request(method, path, body, query=query, headers=headers)
        if not isinstance(value, dict):
            raise FuseboardUnavailable(f"not an answer of Fuseboard: {method} {path}")
        return value

    def _list(self, path: str, filters: Mapping[str, Any]) -> list[Json]:
        value = self.request("GET", path, query=filters)
        if not isinstance(value, list):
            raise FuseboardUnavailable(f"not an answer of Fuseboard: GET {path}")
        return value

    def _page(self, path: str, limit: int | None, cursor: str | None, **filters: Any) -> Json:
        return self._json("GET", path, query={"limit": limit, "cursor": cursor, **filters})


def at(collection: str, name: str | int, *rest: str | int) -> str:
    """The path of a resource; ``rest`` is quoted, too."""
    return "/".join(["/v1", collection, segment(name), *map(segment, rest)])


def segment(name: str | int) -> str:
    """One part of a path."""
    return quote(str(name), safe=":")


def given(**fields: Any) -> Json:
    """Those that are not ``None``."""
    return {key: value for key, value in fields.items() if value is not None}


def listed(values: Any) -> str | None:
    """Names with commas between them, labels as ``name=value``."""
    if values is None or isinstance(values, str):
        return values
    if isinstance(values, Mapping):
        return ",".join(f"{name}={value}" for name, value in values.items())
    return ",".join(values)


def matching(if_match: str | None, if_none_match: str | None = None) -> dict[str, str]:
    """The headers of a conditional request."""
    return given(**{"if-match": if_match, "if-none-match": if_none_match})


def once(key: str | None) -> dict[str, str]:
    """The header of a request that may be repeated."""
    return given(**{"idempotency-key": key})
