"""The page of metrics, read by Prometheus' own Python client."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from prometheus_client import Metric, parser
from prometheus_client.openmetrics import parser as openmetrics_parser

from conftest import Server

OPEN = "application/openmetrics-text; version=1.0.0"
#: Whatever may stand in a label.
HOSTILE = {
    "quote": 'a"b',
    "slash": "a\\b\\n",
    "line": "a\nb",
    "braces": '},{x="y"} 1',
    "space": " \t\r\x01\u2028",
    "letters": "äöü€😀",
}


def post(server: Server, path: str, document: dict[str, Any]) -> Any:
    body = json.dumps(document).encode()
    request = urllib.request.Request(server.url + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def page(server: Server, accept: str) -> tuple[str, str]:
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def fill(server: Server) -> None:
    """Some of everything that the board shows of itself, and some of everything that can be pushed."""
    for path, document in {
        "/v1/calls": {"breaker": "b", "limiters": [{"name": "l"}], "config": {
            "breaker": {}, "limiters": {"l": {"requests_per_second": 1}},
        }},
        "/v1/retry-policies/p/attempts": {"attempt": 1, "config": {}},
        "/v1/checks/c/results": {"status": "green", "duration_seconds": 1},
        "/v1/gates/evaluate": {"checks": ["c"]},
        "/v1/backups": {"backup_type": "t", "data": {"a": 1}},
    }.items():  # fmt: skip
        post(server, path, document)
    samples: list[dict[str, Any]] = [
        {"name": "done", "type": "counter", "value": 3, "labels": HOSTILE, "help": 'a\\b\n"c"'},
        {"name": "already_total", "type": "counter", "value": 1e300},
        {"name": "depth", "type": "gauge", "value": -2.5e-300},
    ]
    for seconds in (0, 1, 1e9):
        samples.append({"name": "took", "type": "timer", "value": seconds, "labels": {"a": "b"}})
    answer = post(server, "/v1/metrics", {"samples": samples})
    assert answer["accepted"] == len(samples), answer


def read(server: Server, accept: str) -> dict[str, Metric]:
    kind, text = page(server, accept)
    is_open = kind.startswith("application/openmetrics-text; version=1.0.0")
    assert is_open == (accept == OPEN), kind
    assert text.endswith("# EOF\n") == is_open
    parse = openmetrics_parser if is_open else parser
    families = list(parse.text_string_to_metric_families(text))
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    return {family.name: family for family in families}


@pytest.mark.parametrize("accept", [OPEN, "text/plain"])
def test_prometheus_own_client_reads_what_was_pushed(server: Server, accept: str) -> None:
    assert "process_open_fds" in read(server, accept), "an empty board"
    fill(server)
    families = read(server, accept)
    done = families["done"]
    assert (done.type, done.documentation) == ("counter", 'a\\b\n"c"')
    assert (done.samples[0].name, done.samples[0].labels, done.samples[0].value) == ("done_total", HOSTILE, 3)
    assert families["already"].samples[0].value == 1e300
    assert families["depth"].samples[0].value == -2.5e-300
    took = families["took_seconds"]
    values = {sample.name: sample.value for sample in took.samples}
    assert (took.type, values["took_seconds_count"], values["took_seconds_sum"]) == ("histogram", 3, 1e9 + 1)
    bounds = [float(s.labels["le"]) for s in took.samples if s.name == "took_seconds_bucket"]
    assert bounds == sorted(bounds) and bounds[-1] == float("inf")
    calls = families["fuseboard_call_decisions"]
    assert calls.type == "counter"
    assert {s.labels["decision"]: s.value for s in calls.samples}["allowed"] == 1
    states = families["resilience4j_circuitbreaker_state"].samples
    assert [s.labels["state"] for s in states if s.value] == ["closed"]


def test_all_formats_say_the_same(server: Server) -> None:
    fill(server)

    def pushed(accept: str) -> dict[str, list[Any]]:
        families = read(server, accept).values()
        return {f.name: f.samples for f in families if f.name in ("done", "already", "depth")}

    assert pushed(OPEN) == pushed("text/plain")
    assert pushed(OPEN).keys() == {"done", "already", "depth"}
