"""Health checks: functions of this process, whose results the board shares, and those that the board runs."""

from .checker import SEED_CHECKS, HealthChecker, health_check, register, unregister
from .checks import BaseHealthCheck
from .results import HealthCheckResult, HealthStatus

__all__ = [
    "SEED_CHECKS",
    "BaseHealthCheck",
    "HealthCheckResult",
    "HealthChecker",
    "HealthStatus",
    "health_check",
    "register",
    "unregister",
]
