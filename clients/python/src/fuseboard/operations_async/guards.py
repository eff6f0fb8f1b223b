# Made by tools/async_from_sync.py. Edit the synchronous form.
"""Breakers, limiters, retry policies, calls."""

from __future__ import annotations

from ..operations.core import Json, Spec, at, given, matching, once
from .core import Core


class GuardOperations(Core):
    """What guards calls."""

    async def breaker_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a breaker's configuration."""
        return await self._json("PUT", at("breakers", name), dict(spec), headers=matching(if_match, if_none_match))

    async def breaker_get(self, name: str) -> Json:
        """One breaker: state, metrics, configuration."""
        return await self._json("GET", at("breakers", name))

    async def breaker_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of breakers."""
        return await self._page("/v1/breakers", limit, cursor)

    async def breaker_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget a breaker."""
        await self.request("DELETE", at("breakers", name), headers=matching(if_match))

    async def breaker_state_set(
        self, name: str, target: str, *, reason: str | None = None, ttl_seconds: float | None = None
    ) -> Json:
        """Move a breaker by hand, for good or for a while."""
        body = given(target=target, reason=reason, ttl_seconds=ttl_seconds)
        return await self._json("POST", at("breakers", name, "state"), body)

    async def breaker_reset(self, name: str) -> Json:
        """Close a breaker and forget its counts."""
        return await self._json("POST", at("breakers", name, "reset"), {})

    async def breaker_transitions(self, name: str, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of a breaker's history."""
        return await self._page(at("breakers", name, "transitions"), limit, cursor)

    async def limiter_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a limiter's configuration."""
        return await self._json("PUT", at("limiters", name), dict(spec), headers=matching(if_match, if_none_match))

    async def limiter_get(self, name: str) -> Json:
        """One limiter: algorithm, available tokens, counts."""
        return await self._json("GET", at("limiters", name))

    async def limiter_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of limiters."""
        return await self._page("/v1/limiters", limit, cursor)

    async def limiter_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget a limiter."""
        await self.request("DELETE", at("limiters", name), headers=matching(if_match))

    async def limiter_acquire(
        self,
        name: str,
        tokens: float = 1,
        *,
        max_wait_seconds: float | None = None,
        client: str | None = None,
        config: Spec | None = None,
    ) -> Json:
        """Take tokens now, or reserve them ahead."""
        body = given(
            tokens=tokens,
            max_wait_seconds=max_wait_seconds,
            client=client or self._settings.client,
            config=None if config is None else dict(config),
        )
        return await self._json("POST", at("limiters", name, "acquire"), body)

    async def acquire_batch(self, items: list[Json]) -> Json:
        """Take tokens of many limiters in one request, each for itself."""
        return await self._json("POST", "/v1/acquires", {"items": items})

    async def limiter_lease(self, name: str, tokens: float, *, client: str | None = None) -> Json:
        """Take a batch of tokens to spend locally."""
        body = given(tokens=tokens, client=client or self._settings.client)
        return await self._json("POST", at("limiters", name, "lease"), body)

    async def limiter_release(self, name: str, spec: Spec) -> Json:
        """Give back what is left of a lease."""
        return await self._json("POST", at("limiters", name, "release"), dict(spec))

    async def limiter_penalize(self, name: str, retry_after_seconds: float, *, reason: str | None = None) -> Json:
        """The upstream said "too many requests": everybody waits."""
        body = given(retry_after_seconds=retry_after_seconds, reason=reason)
        return await self._json("POST", at("limiters", name, "penalize"), body)

    async def retry_policy_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a retry policy."""
        return await self._json(
            "PUT", at("retry-policies", name), dict(spec), headers=matching(if_match, if_none_match)
        )

    async def retry_policy_get(self, name: str) -> Json:
        """One retry policy."""
        return await self._json("GET", at("retry-policies", name))

    async def retry_policy_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of retry policies."""
        return await self._page("/v1/retry-policies", limit, cursor)

    async def retry_policy_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget a retry policy."""
        await self.request("DELETE", at("retry-policies", name), headers=matching(if_match))

    async def retry_policy_attempt(self, name: str, attempt: int, *, client: str | None = None) -> Json:
        """Whether the shared retry budget has room for this attempt, and after what delay."""
        body = given(attempt=attempt, client=client or self._settings.client)
        return await self._json("POST", at("retry-policies", name, "attempts"), body)

    async def call_begin(
        self,
        *,
        breaker: str | None = None,
        limiters: list[Json] | None = None,
        max_wait_seconds: float | None = None,
        client: str | None = None,
        outcomes: list[Json] | None = None,
        config: Spec | None = None,
        idempotency_key: str | None = None,
    ) -> Json:
        """Ask the breaker and the limiters for one call."""
        body = given(
            breaker=breaker,
            limiters=limiters,
            max_wait_seconds=max_wait_seconds,
            client=client or self._settings.client,
            outcomes=outcomes,
            config=None if config is None else dict(config),
        )
        return await self._json("POST", "/v1/calls", body, headers=once(idempotency_key))

    async def call_outcome(
        self, call_id: str, outcome: str, *, duration_seconds: float = 0.0, error: str | None = None
    ) -> Json:
        """Report how a call ended: ``success``, ``failure`` or ``ignored``."""
        body = given(outcome=outcome, duration_seconds=duration_seconds, error=error)
        return await self._json("POST", at("calls", call_id, "outcome"), body)

    async def outcomes_report(self, items: list[Json]) -> Json:
        """Report many outcomes at once."""
        return await self._json("POST", "/v1/outcomes", {"items": items})
