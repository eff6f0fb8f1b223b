"""The plain API: one method per operation of ``openapi.yaml``, named like its ``operationId``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

from .errors import FuseboardUnavailable, problem
from .settings import settings_from
from .transport import HttpTransport, Request
from .wire import ProtocolError

Json = dict[str, Any]
Spec = Mapping[str, Any]


class Client:
    """A synchronous client; safe to share between threads and across a fork.

    Every method raises ``FuseboardError`` for an error answer and ``FuseboardUnavailable`` without one.
    A refusal is an answer, not an error: look at ``allowed``.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        connect_timeout: float = 2.0,
        client: str | None = None,
    ) -> None:
        self._settings = settings_from(
            url=url, token=token, timeout=timeout, connect_timeout=connect_timeout, client=client
        )
        self._transport = HttpTransport(self._settings)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def request(
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

    # breakers

    def breaker_put(self, name: str, spec: Spec, *, if_match: str | None = None) -> Json:
        """Create or replace a breaker's configuration."""
        return self._json("PUT", _at("breakers", name), dict(spec), headers=_if_match(if_match))

    def breaker_get(self, name: str) -> Json:
        """One breaker: state, metrics, configuration."""
        return self._json("GET", _at("breakers", name))

    def breaker_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of breakers."""
        return self._json("GET", "/v1/breakers", query={"limit": limit, "cursor": cursor})

    def breaker_delete(self, name: str) -> None:
        """Forget a breaker."""
        self.request("DELETE", _at("breakers", name))

    def breaker_state_set(
        self, name: str, target: str, *, reason: str | None = None, ttl_seconds: float | None = None
    ) -> Json:
        """Move a breaker by hand, for good or for a while."""
        body = _given(target=target, reason=reason, ttl_seconds=ttl_seconds)
        return self._json("POST", _at("breakers", name, "state"), body)

    def breaker_reset(self, name: str) -> Json:
        """Close a breaker and forget its counts."""
        return self._json("POST", _at("breakers", name, "reset"), {})

    def breaker_transitions(self, name: str, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of a breaker's history."""
        return self._json(
            "GET", _at("breakers", name, "transitions"), query={"limit": limit, "cursor": cursor}
        )

    # limiters

    def limiter_put(self, name: str, spec: Spec, *, if_match: str | None = None) -> Json:
        """Create or replace a limiter's configuration."""
        return self._json("PUT", _at("limiters", name), dict(spec), headers=_if_match(if_match))

    def limiter_get(self, name: str) -> Json:
        """One limiter: algorithm, available tokens, counts."""
        return self._json("GET", _at("limiters", name))

    def limiter_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of limiters."""
        return self._json("GET", "/v1/limiters", query={"limit": limit, "cursor": cursor})

    def limiter_delete(self, name: str) -> None:
        """Forget a limiter."""
        self.request("DELETE", _at("limiters", name))

    def limiter_acquire(
        self,
        name: str,
        tokens: float = 1,
        *,
        max_wait_seconds: float | None = None,
        client: str | None = None,
        config: Spec | None = None,
    ) -> Json:
        """Take tokens now, or reserve them ahead."""
        body = _given(
            tokens=tokens,
            max_wait_seconds=max_wait_seconds,
            client=client or self._settings.client,
            config=None if config is None else dict(config),
        )
        return self._json("POST", _at("limiters", name, "acquire"), body)

    def limiter_lease(self, name: str, tokens: float, *, client: str | None = None) -> Json:
        """Take a batch of tokens to spend locally."""
        body = _given(tokens=tokens, client=client or self._settings.client)
        return self._json("POST", _at("limiters", name, "lease"), body)

    def limiter_release(self, name: str, spec: Spec) -> Json:
        """Give back what is left of a lease."""
        return self._json("POST", _at("limiters", name, "release"), dict(spec))

    def limiter_penalize(self, name: str, retry_after_seconds: float, *, reason: str | None = None) -> Json:
        """The upstream said "too many requests": everybody waits."""
        body = _given(retry_after_seconds=retry_after_seconds, reason=reason)
        return self._json("POST", _at("limiters", name, "penalize"), body)

    # retry policies

    def retry_policy_put(self, name: str, spec: Spec, *, if_match: str | None = None) -> Json:
        """Create or replace a retry policy."""
        return self._json("PUT", _at("retry-policies", name), dict(spec), headers=_if_match(if_match))

    def retry_policy_get(self, name: str) -> Json:
        """One retry policy."""
        return self._json("GET", _at("retry-policies", name))

    def retry_policy_delete(self, name: str) -> None:
        """Forget a retry policy."""
        self.request("DELETE", _at("retry-policies", name))

    def retry_policy_attempt(self, name: str, attempt: int, *, client: str | None = None) -> Json:
        """Whether the shared retry budget has room for this attempt, and after what delay."""
        body = _given(attempt=attempt, client=client or self._settings.client)
        return self._json("POST", _at("retry-policies", name, "attempts"), body)

    # calls

    def call_begin(
        self,
        *,
        breaker: str | None = None,
        limiters: list[Json] | None = None,
        max_wait_seconds: float | None = None,
        client: str | None = None,
        outcomes: list[Json] | None = None,
        config: Spec | None = None,
    ) -> Json:
        """Ask the breaker and the limiters for one call."""
        body = _given(
            breaker=breaker,
            limiters=limiters,
            max_wait_seconds=max_wait_seconds,
            client=client or self._settings.client,
            outcomes=outcomes,
            config=None if config is None else dict(config),
        )
        return self._json("POST", "/v1/calls", body)

    def call_outcome(
        self, call_id: str, outcome: str, *, duration_seconds: float = 0.0, error: str | None = None
    ) -> Json:
        """Report how a call ended: ``success``, ``failure`` or ``ignored``."""
        body = _given(outcome=outcome, duration_seconds=duration_seconds, error=error)
        return self._json("POST", _at("calls", call_id, "outcome"), body)

    def outcomes_report(self, items: list[Json]) -> Json:
        """Report many outcomes at once."""
        return self._json("POST", "/v1/outcomes", {"items": items})

    # events and probes

    def event_list(self, **query: Any) -> Json:
        """A page of events."""
        return self._json("GET", "/v1/events", query=query)

    def livez(self) -> Any:
        """Whether the process runs."""
        return self.request("GET", "/livez")

    def readyz(self) -> Any:
        """Whether it takes requests."""
        return self.request("GET", "/readyz")

    def healthz(self) -> Any:
        """Both of them."""
        return self.request("GET", "/healthz")

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


def _at(collection: str, name: str, *rest: str) -> str:
    return "/".join(["/v1", collection, quote(name, safe=":"), *rest])


def _given(**fields: Any) -> Json:
    return {key: value for key, value in fields.items() if value is not None}


def _if_match(etag: str | None) -> dict[str, str]:
    return {} if etag is None else {"if-match": etag}
