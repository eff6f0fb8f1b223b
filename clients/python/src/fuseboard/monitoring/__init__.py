"""Logs and metrics of a process, which the board shares."""

from .collector import MetricsCollector, get_metrics_collector
from .logs import JsonFormatter, StructuredLogger, TextFormatter, get_logger, setup_structured_logging

__all__ = [
    "JsonFormatter",
    "MetricsCollector",
    "StructuredLogger",
    "TextFormatter",
    "get_logger",
    "get_metrics_collector",
    "setup_structured_logging",
]
