"""The plain API against a real server."""

from __future__ import annotations

import pytest

import fuseboard

from conftest import Server


def test_breakers(client: fuseboard.Client) -> None:
    made = client.breaker_put("b", {"failure_threshold": 1, "timeout_seconds": 60})
    assert made["name"] == "b"
    assert client.breaker_get("b")["state"] == "closed"
    assert [item["name"] for item in client.breaker_list(limit=10)["items"]] == ["b"]
    assert (
        client.breaker_state_set("b", "forced_open", reason="test", ttl_seconds=60)["state"] == "forced_open"
    )
    assert client.breaker_reset("b")["state"] == "closed"
    moves = client.breaker_transitions("b")["items"]
    assert {(move["from"], move["to"]) for move in moves} >= {("closed", "forced_open")}
    client.breaker_delete("b")
    with pytest.raises(fuseboard.FuseboardError) as gone:
        client.breaker_get("b")
    assert (gone.value.status, gone.value.code) == (404, "not_found")


def test_limiters(client: fuseboard.Client) -> None:
    client.limiter_put("l", {"algorithm": "token_bucket", "requests_per_second": 0.1, "burst_size": 2})
    answer = client.limiter_acquire("l", 2, client="bot-7")
    assert answer["allowed"] is True
    assert client.limiter_acquire("l")["allowed"] is False
    assert client.limiter_get("l")["total_requests"] == 2
    assert [item["name"] for item in client.limiter_list()["items"]] == ["l"]
    client.limiter_delete("l")
    made = client.limiter_acquire("l", config={"algorithm": "concurrency", "limit": 2})
    assert made["allowed"] is True


def test_a_lease_and_a_penalty(client: fuseboard.Client) -> None:
    client.limiter_put("l", {"algorithm": "token_bucket", "requests_per_second": 1, "burst_size": 5})
    lease = client.limiter_lease("l", 3, client="bot-7")
    assert lease["tokens"] == 3
    client.limiter_penalize("l", 5.0, reason="429")
    assert client.limiter_acquire("l")["allowed"] is False


def test_calls(client: fuseboard.Client) -> None:
    begun = client.call_begin(breaker="b", client="bot-7", config={"breaker": {"failure_threshold": 2}})
    assert begun["allowed"] is True
    assert client.call_outcome(begun["call_id"], "failure", duration_seconds=0.1)["recorded"] is True
    assert client.call_outcome(begun["call_id"], "failure")["recorded"] is False
    begun = client.call_begin(breaker="b", client="bot-7")
    done = client.outcomes_report(
        [{"call_id": begun["call_id"], "outcome": "failure", "duration_seconds": 0.1}]
    )
    assert done["items"][0]["recorded"] is True
    refused = client.call_begin(breaker="b", client="bot-7")
    assert (refused["allowed"], refused["reason"]) == (False, "breaker_open")


def test_retry_policies(client: fuseboard.Client) -> None:
    client.retry_policy_put("r", {"max_attempts": 2})
    assert client.retry_policy_get("r")["name"] == "r"
    assert client.retry_policy_attempt("r", 1, client="bot-7")["allowed"] is True
    client.retry_policy_delete("r")
    with pytest.raises(fuseboard.FuseboardError):
        client.retry_policy_get("r")


def test_events_and_probes(client: fuseboard.Client) -> None:
    client.breaker_put("b", {})
    client.breaker_state_set("b", "forced_open", reason="test")
    assert client.event_list(limit=10)["items"]
    client.livez()
    client.readyz()
    client.healthz()


def test_an_error_names_the_field(client: fuseboard.Client) -> None:
    with pytest.raises(fuseboard.FuseboardError) as refused:
        client.breaker_put("b", {"failure_threshold": -1})
    assert refused.value.status == 422
    assert refused.value.code == "validation_failed"
    assert "failure_threshold" in str(refused.value.errors)


def test_without_a_server_it_says_so(nowhere: str) -> None:
    with fuseboard.Client(nowhere) as client, pytest.raises(fuseboard.FuseboardUnavailable):
        client.breaker_list()


def test_it_survives_a_restart_of_the_server(server: Server, client: fuseboard.Client) -> None:
    client.breaker_put("b", {})
    server.kill()
    with pytest.raises(fuseboard.FuseboardUnavailable):
        client.breaker_get("b")
    server.start()
    assert client.breaker_get("b")["name"] == "b"
