"""Structured logging: each record a line of JSON, with ``extra`` as fields."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TextIO

from ..plain import clean, plain, text

_FIELDS = "fuseboard_fields"
_OF_A_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
_OF_A_LINE = ("timestamp", "level", "logger", "message", "exception", "stack")


class StructuredLogger(logging.LoggerAdapter):  # type: ignore[type-arg]
    """A logger whose ``extra`` may have any names. What is not said here is asked from the logger itself."""

    def __init__(self, logger: logging.Logger, extra: Mapping[str, Any] | None = None) -> None:
        super().__init__(logger, dict(extra or {}))

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        given = kwargs.get("extra")
        fields = {**(self.extra or {}), **(given if isinstance(given, Mapping) else {})}
        if fields:
            # logging refuses names of a record's own attributes, such as message
            safe = {name: value for name, value in fields.items() if name not in _OF_A_RECORD}
            kwargs["extra"] = {**safe, _FIELDS: fields}
        return msg, kwargs

    def bind(self, **fields: Any) -> StructuredLogger:
        """The same logger with more fields on every line."""
        return StructuredLogger(self.logger, {**(self.extra or {}), **fields})

    def __getattr__(self, name: str) -> Any:
        if name == "logger":
            raise AttributeError(name)
        return getattr(self.logger, name)


def get_logger(name: str | None = None, extra: Mapping[str, Any] | None = None) -> StructuredLogger:
    """The logger of that name; ``extra`` is on every line of it.

    It writes where the application's logging writes: ``setup_structured_logging`` makes that JSON.
    """
    return StructuredLogger(logging.getLogger(name), extra)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
        }
        for name, value in _fields(record).items():
            key = name if name not in _OF_A_LINE else f"extra_{name}"
            line[key] = plain(value)
        if record.exc_info:
            line["exception"] = clean(self.formatException(record.exc_info))
        elif record.exc_text:
            line["exception"] = clean(record.exc_text)
        if record.stack_info:
            line["stack"] = clean(self.formatStack(record.stack_info))
        return json.dumps(line, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS)


class TextFormatter(logging.Formatter):
    """A record for people: one line, with the fields at its end, and the exception below."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname:<8} {record.name}: {_message(record)}"
        fields = _fields(record)
        if fields:
            line += "  " + " ".join(f"{name}={_shown(value)}" for name, value in fields.items())
        if record.exc_info:
            line += "\n" + clean(self.formatException(record.exc_info))
        if record.stack_info:
            line += "\n" + clean(self.formatStack(record.stack_info))
        return line


class _Own:
    """Marks the handlers that ``setup_structured_logging`` made."""


class _OwnStream(_Own, logging.StreamHandler):  # type: ignore[type-arg]
    pass


class _OwnFile(_Own, logging.FileHandler):
    pass


def setup_structured_logging(
    level: int | str = "INFO",
    json_format: bool = True,
    log_file: str | Path | None = None,
    *,
    stream: TextIO | None = None,
) -> None:
    """Log to standard error, and to the file if there is one, as JSON lines or for people.

    Sets up the root logger; called again, it replaces what it set up before. Handlers of others stay.
    """
    formatter = JsonFormatter() if json_format else TextFormatter()
    root = logging.getLogger()
    root.setLevel(level.upper() if isinstance(level, str) else level)
    handlers: list[logging.Handler] = [_OwnStream(stream or sys.stderr)]
    if log_file is not None:
        path = Path(log_file)
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(_OwnFile(path, encoding="utf-8"))
    for old in [handler for handler in root.handlers if isinstance(handler, _Own)]:
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        handler.setFormatter(formatter)
        root.addHandler(handler)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What ``extra`` brought, whoever logged it."""
    given = record.__dict__.get(_FIELDS)
    found = dict(given) if isinstance(given, Mapping) else {}
    for name, value in record.__dict__.items():
        if name not in _OF_A_RECORD and name != _FIELDS:
            found.setdefault(name, value)
    return {clean(text(name)): value for name, value in found.items()}


def _message(record: logging.LogRecord) -> str:
    try:
        return clean(record.getMessage())
    except Exception:
        # arguments that do not fit must not lose the line
        return f"{text(record.msg)} {plain(list(record.args or []))}"


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(value: Any) -> str:
    value = plain(value)
    return value if isinstance(value, str) and value.isalnum() else json.dumps(value, ensure_ascii=False)
