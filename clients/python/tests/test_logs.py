"""Structured logging: every record is one line of valid JSON, whatever it carries."""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from fuseboard.monitoring import JsonFormatter, get_logger, setup_structured_logging
from fuseboard.monitoring.logs import _Own

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """The root logger as it was."""
    level = logging.getLogger().level
    yield
    for handler in list(logging.getLogger().handlers):
        if isinstance(handler, _Own):
            logging.getLogger().removeHandler(handler)
            handler.close()
    logging.getLogger().setLevel(level)


@pytest.fixture
def lines() -> Lines:
    stream = io.StringIO()
    setup_structured_logging("DEBUG", stream=stream)

    def strict(constant: str) -> None:
        raise AssertionError(constant)

    return lambda: [json.loads(line, parse_constant=strict) for line in stream.getvalue().splitlines()]


def test_extra_becomes_fields(lines: Lines) -> None:
    logger = get_logger("bot.kraken", {"strategy": "ma"})
    logger.info("Fetching %s", "BTC/EUR", extra={"symbol": "BTC/EUR", "n": 3, "nested": {"a": [1, None]}})
    (line,) = lines()
    assert line["message"] == "Fetching BTC/EUR"
    assert (line["level"], line["logger"]) == ("INFO", "bot.kraken")
    assert (line["symbol"], line["n"], line["strategy"]) == ("BTC/EUR", 3, "ma")
    assert line["nested"] == {"a": [1, None]}
    at = datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00"))
    assert abs((datetime.now(timezone.utc) - at).total_seconds()) < 60


def test_reserved_names_are_safe(lines: Lines) -> None:
    reserved = [
        *vars(logging.makeLogRecord({})),
        "message",
        "asctime",
        "taskName",
        "timestamp",
        "level",
        "logger",
    ]
    get_logger("x").critical("Health check failed", extra={name: f"my {name}" for name in reserved})
    (line,) = lines()
    assert line["message"] == "Health check failed"
    assert line["extra_message"] == "my message"
    assert (line["level"], line["extra_level"]) == ("CRITICAL", "my level")
    assert line["name"] == "my name"
    assert line["args"] == "my args"


def test_other_loggers_are_written_alike(lines: Lines) -> None:
    logging.getLogger("other").warning("plain", extra={"a": 1})
    (line,) = lines()
    assert (line["logger"], line["message"], line["a"]) == ("other", "plain", 1)


def test_other_handlers_see_ordinary_attributes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        get_logger("x").info("m", extra={"symbol": "BTC", "message": "y"})
    assert caplog.records[0].symbol == "BTC"  # type: ignore[attr-defined]
    assert caplog.records[0].funcName == "test_other_handlers_see_ordinary_attributes"


def test_exceptions_are_text(lines: Lines) -> None:
    try:
        raise ValueError("no\nprice")
    except ValueError:
        get_logger("x").exception("failed", extra={"a": 1}, stack_info=True)
    (line,) = lines()
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: no\nprice")
    assert "test_logs.py" in line["stack"]


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def test_hostile_values_are_valid_json(lines: Lines) -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    deep: Any = 1
    for _ in range(10_000):
        deep = [deep]
    hostile = {
        "nan": math.nan,
        "inf": [-math.inf],
        "object": Unprintable(),
        "endless": endless,
        "deep": deep,
        "huge": 10**9000,
        "bytes": b"\xff",
        "surrogate": "\ud800",
        "lines": "a\nb\u2028c\x00",
        "type": int,
        "set": {1},
        "time": datetime(2025, 1, 1),
    }
    logger = get_logger("x")
    logger.info("\ud800 a\nb", extra=hostile)
    logger.info("m", extra={"\udfff": 1, 7: 2})  # type: ignore[dict-item]
    logger.info("m", extra=None)
    logger.info(endless)
    found = lines()
    assert len(found) == 4
    assert found[0]["nan"] == "nan"
    assert found[0]["lines"] == "a\nb\u2028c\x00"
    assert found[1]["7"] == 2
    arguments = logging.makeLogRecord({"msg": "%d %s", "args": ("x", Unprintable())})
    assert json.loads(JsonFormatter().format(arguments))["message"].startswith("%d %s")


def test_setting_up_again_replaces(tmp_path: Path) -> None:
    first, second = io.StringIO(), io.StringIO()
    setup_structured_logging(stream=first)
    setup_structured_logging(logging.WARNING, False, tmp_path / "logs" / "bot.log", stream=second)
    logger = get_logger("x")
    logger.info("not shown")
    logger.warning("shown", extra={"a": "b c", "n": 1})
    assert first.getvalue() == ""
    assert second.getvalue().endswith('WARNING  x: shown  a="b c" n=1\n')
    assert "shown" in (tmp_path / "logs" / "bot.log").read_text()
    with pytest.raises(ValueError):
        setup_structured_logging("loud")


def test_it_behaves_like_a_logger(lines: Lines) -> None:
    logger = get_logger("bot.child")
    assert logger.name == "bot.child"
    assert logger.parent is not None
    logger.setLevel("ERROR")
    logger.info("hidden")
    logger.setLevel("NOTSET")
    logger.bind(a=1).bind(b=2).info("m", extra={"b": 3})
    (line,) = lines()
    assert (line["a"], line["b"]) == (1, 3)
    handler = logging.NullHandler()
    logger.addHandler(handler)
    assert handler in logging.getLogger("bot.child").handlers
    logger.removeHandler(handler)
    with pytest.raises(AttributeError):
        logger.nothing  # noqa: B018
