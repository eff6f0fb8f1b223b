# Made by tools/async_from_sync.py. Edit the synchronous form.
"""What every operation goes through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

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

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Any operation: the parsed JSON of a 2xx answer, ``None`` if it has no body."""
        given = {key: value for key, value in (query or {}).items() if value is not None}
        if given:
            path += "?" + urlencode(
                {k: str(v).lower() if isinstance(v, bool) else v for k, v in given.items()}
            )
        payload = None if body is None else json.dumps(body, allow_nan=False).encode()
        answer = await self._transport.request_async(Request(method, path, payload, headers=dict(headers or {})))
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

    async def _json(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        value = await self.request(method, path, body, query=query, headers=headers)
        if not isinstance(value, dict):
            raise FuseboardUnavailable(f"not an answer of Fuseboard: {method} {path}")
        return value

    async def _page(self, path: str, limit: int | None, cursor: str | None, **filters: Any) -> Json:
        return await self._json("GET", path, query={"limit": limit, "cursor": cursor, **filters})
