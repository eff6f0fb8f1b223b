"""What guarded functions raise beside their own exceptions."""

from __future__ import annotations


class CircuitBreakerOpenError(Exception):
    """The breaker is open, or half-open and already being tried: the function was not called."""

    def __init__(
        self,
        message: str,
        *,
        name: str | None = None,
        state: str = "open",
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.name = name
        self.state = state
        self.retry_after_seconds = retry_after_seconds


class MaxRetriesExceededError(Exception):
    """All attempts failed; ``__cause__`` is the last exception."""
