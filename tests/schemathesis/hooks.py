"""What schemathesis cannot know of requests, and what of JSON Schema the API does not follow."""

from __future__ import annotations

import itertools
import re
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation import GenerationMode

KEY = "Idempotency-Key"
VALID_KEY = re.compile(r'("[ !#-~]{1,255}"|[!#-~]([ !#-~]{0,253}[!#-~])?)')
CONDITIONS = ("If-Match", "If-None-Match")
VALID_CONDITION = re.compile(r'(\*|(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*)')
NUMBERS = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Mend what is meant to be valid; what is meant to be refused stays as it is."""
    if is_valid(case, ParameterLocation.HEADER):
        case.headers.update(key_of_its_own(case.headers))
        for name in conditions_that_are_none(case.headers):
            del case.headers[name]
    # A body that is left out stays so: one that is set is judged anew, and found to be none.
    if is_valid(case, ParameterLocation.BODY) and isinstance(case.body, dict | list):
        case.body = with_whole_numbers(case.body)


def is_valid(case: Any, part: ParameterLocation) -> bool:
    """Whether a part of the request is meant to keep to its schema: it or the whole is made so."""
    made = case.meta.components.get(part) if case.meta else None
    return made is not None and GenerationMode.POSITIVE in (made.mode, case.meta.generation.mode)


def key_of_its_own(headers: Any) -> dict[str, str]:
    """One key for two requests is an error of the caller, and answered as one: each request has another."""
    key = headers.get(KEY)
    if not isinstance(key, str) or not VALID_KEY.fullmatch(key):
        return {}
    quote = '"' if key.startswith('"') else ""
    return {KEY: f"{quote}{key.strip(chr(34))[:200]}-{next(NUMBERS)}{quote}"}


def conditions_that_are_none(headers: Any) -> list[str]:
    """Where a value needs more than letters and digits, the phase `coverage` knows none and sends `0`."""
    return [
        name for name in CONDITIONS if name in headers and not VALID_CONDITION.fullmatch(str(headers[name]))
    ]


def with_whole_numbers(value: Any) -> Any:
    """The document with `5` for `5.0`: to JSON Schema that is an integer, to the API it is none."""
    if isinstance(value, dict):
        return {name: with_whole_numbers(field) for name, field in value.items()}
    if isinstance(value, list):
        return [with_whole_numbers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
