"""Breakers, limiters, retry policies, calls."""

from __future__ import annotations

from .core import Core, Json, Spec, at, given, matching, once


class GuardOperations(Core):
    """What guards calls."""

    def breaker_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a breaker's configuration."""
        return self._json("PUT", at("breakers", name), dict(spec), headers=matching(if_match, if_none_match))

    def breaker_get(self, name: str) -> Json:
        """One breaker: state, metrics, configuration."""
        return self._json("GET", at("breakers", name))

    def breaker_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of breakers."""
        return self._page("/v1/breakers", limit, cursor)

    def breaker_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget a breaker."""
        self.request("DELETE", at("breakers", name), headers=matching(if_match))

    def breaker_state_set(
        self, name: str, target: str, *, reason: str | None = None, ttl_seconds: float | None = None
    ) -> Json:
        """Move a breaker by hand, for good or for a while."""
        body = given(target=target, reason=reason, ttl_seconds=ttl_seconds)
        return self._json("POST", at("breakers", name, "state"), body)

    def breaker_reset(self, name: str) -> Json:
        """Close a breaker and forget its counts."""
        return self._json("POST", at("breakers", name, "reset"), {})

    def breaker_transitions(self, name: str, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of a breaker's history."""
        return self._page(at("breakers", name, "transitions"), limit, cursor)

    def limiter_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a limiter's configuration."""
        return self._json("PUT", at("limiters", name), dict(spec), headers=matching(if_match, if_none_match))

    def limiter_get(self, name: str) -> Json:
        """One limiter: algorithm, available tokens, counts."""
        return self._json("GET", at("limiters", name))

    def limiter_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of limiters."""
        return self._page("/v1/limiters", limit, cursor)

    def limiter_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget a limiter."""
        self.request("DELETE", at("limiters", name), headers=matching(if_match))

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
        body = given(
            tokens=tokens,
            max_wait_seconds=max_wait_seconds,
            client=client or self._settings.client,
            config=None if config is None else dict(config),
        )
        return self._json("POST", at("limiters", name, "acquire"), body)

    def acquire_batch(self, items: list[Json]) -> Json:
        """Take tokens of many limiters in one request, each for itself."""
        return self._json("POST", "/v1/acquires", {"items": items})

    def limiter_lease(
        self,
        name: str,
        tokens: float,
        *,
        min_tokens: float | None = None,
        lease_seconds: float | None = None,
        client: str | None = None,
    ) -> Json:
        """Take a batch of tokens to spend locally."""
        body = given(
            tokens=tokens,
            min_tokens=min_tokens,
            lease_seconds=lease_seconds,
            client=client or self._settings.client,
        )
        return self._json("POST", at("limiters", name, "lease"), body)

    def leases_renew(
        self, items: list[Json], *, client: str | None = None, idempotency_key: str | None = None
    ) -> Json:
        """End leases of many limiters, count what was spent without one, lease anew."""
        body = given(items=items, client=client or self._settings.client)
        return self._json("POST", "/v1/leases", body, headers=once(idempotency_key))

    def limiter_release(self, name: str, spec: Spec) -> Json:
        """Give back what is left of a lease."""
        return self._json("POST", at("limiters", name, "release"), dict(spec))

    def limiter_penalize(self, name: str, retry_after_seconds: float, *, reason: str | None = None) -> Json:
        """The upstream said "too many requests": everybody waits."""
        body = given(retry_after_seconds=retry_after_seconds, reason=reason)
        return self._json("POST", at("limiters", name, "penalize"), body)

    def retry_policy_put(
        self, name: str, spec: Spec, *, if_match: str | None = None, if_none_match: str | None = None
    ) -> Json:
        """Create or replace a retry policy."""
        return self._json(
            "PUT", at("retry-policies", name), dict(spec), headers=matching(if_match, if_none_match)
        )

    def retry_policy_get(self, name: str) -> Json:
        """One retry policy."""
        return self._json("GET", at("retry-policies", name))

    def retry_policy_list(self, *, limit: int | None = None, cursor: str | None = None) -> Json:
        """A page of retry policies."""
        return self._page("/v1/retry-policies", limit, cursor)

    def retry_policy_delete(self, name: str, *, if_match: str | None = None) -> None:
        """Forget a retry policy."""
        self.request("DELETE", at("retry-policies", name), headers=matching(if_match))

    def retry_policy_attempt(self, name: str, attempt: int, *, client: str | None = None) -> Json:
        """Whether the shared retry budget has room for this attempt, and after what delay."""
        body = given(attempt=attempt, client=client or self._settings.client)
        return self._json("POST", at("retry-policies", name, "attempts"), body)

    def call_begin(
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
        return self._json("POST", "/v1/calls", body, headers=once(idempotency_key))

    def call_outcome(
        self, call_id: str, outcome: str, *, duration_seconds: float = 0.0, error: str | None = None
    ) -> Json:
        """Report how a call ended: ``success``, ``failure`` or ``ignored``."""
        body = given(outcome=outcome, duration_seconds=duration_seconds, error=error)
        return self._json("POST", at("calls", call_id, "outcome"), body)

    def outcomes_report(self, items: list[Json]) -> Json:
        """Report many outcomes at once."""
        return self._json("POST", "/v1/outcomes", {"items": items})

    def outcomes_aggregate(
        self, items: list[Json], *, session: str | None = None, client: str | None = None
    ) -> Json:
        """Report outcomes that this client has counted by itself, each report once."""
        body = given(items=items, session=session, client=client or self._settings.client)
        return self._json("POST", "/v1/outcomes/aggregated", body)

    def replica_get(
        self,
        *,
        breakers: list[str] | None = None,
        limiters: list[str] | None = None,
        client: str | None = None,
    ) -> Json:
        """What a client must know of breakers and limiters to decide by itself."""
        query = given(
            breakers=",".join(breakers or []) or None,
            limiters=",".join(limiters or []) or None,
            client=client or self._settings.client,
        )
        return self._json("GET", "/v1/replica", query=query)
