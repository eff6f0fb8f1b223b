"""Logs, metrics and alerts of a process, which the board shares."""

from .alerts import AlertManager, get_alert_manager
from .asynchronous import AsyncAlertManager
from .collector import MetricsCollector, get_metrics_collector
from .logs import JsonFormatter, StructuredLogger, TextFormatter, get_logger, setup_structured_logging
from .thresholds import Alert, AlertLevel, AlertThreshold

__all__ = [
    "Alert",
    "AlertLevel",
    "AlertManager",
    "AlertThreshold",
    "AsyncAlertManager",
    "JsonFormatter",
    "MetricsCollector",
    "StructuredLogger",
    "TextFormatter",
    "get_alert_manager",
    "get_logger",
    "get_metrics_collector",
    "setup_structured_logging",
]
