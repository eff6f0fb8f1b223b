"""Decorators for calls that may fail, with breakers and limits that all processes share.

Outermost first: ``rate_limit``, ``circuit_breaker``, ``retry``.
"""

from ..specs import CircuitBreakerConfig, RateLimiterConfig
from .breaker import (
    CircuitBreaker,
    CircuitBreakerMetrics,
    CircuitBreakerState,
    circuit_breaker,
    get_circuit_breaker,
)
from .errors import CircuitBreakerOpenError, MaxRetriesExceededError
from .limiter import RateLimiter, get_rate_limiter, rate_limit
from .retrying import fallback, retry

__all__ = [
    "CircuitBreaker",
    "CircuitBreakerConfig",
    "CircuitBreakerMetrics",
    "CircuitBreakerOpenError",
    "CircuitBreakerState",
    "MaxRetriesExceededError",
    "RateLimiter",
    "RateLimiterConfig",
    "circuit_breaker",
    "fallback",
    "get_circuit_breaker",
    "get_rate_limiter",
    "rate_limit",
    "retry",
]
