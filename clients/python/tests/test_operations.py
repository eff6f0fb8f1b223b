"""Both plain clients have every operation of ``openapi.yaml`` under its name, with its method and path."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fuseboard
from fuseboard.transport import Request
from fuseboard.wire import Response

from conftest import Server

ROOT = Path(__file__).resolve().parents[3]


def operations() -> dict[str, tuple[str, str]]:
    """``operationId`` to method and path."""
    found, path, method = {}, "", ""
    for line in (ROOT / "openapi.yaml").read_text().splitlines():
        if match := re.match(r"  (/\S*):$", line):
            path = match[1]
        elif match := re.match(r"    (get|put|post|delete|head|patch):$", line):
            method = match[1].upper()
        elif match := re.match(r"      operationId: (\w+)$", line):
            found[match[1]] = (method, path)
    return found


OPERATIONS = operations()


def arguments(method: Callable[..., Any]) -> list[Any]:
    """Something for each argument that it must have."""
    made: dict[str, Any] = {"Spec": {}, "list[Json]": [], "float": 1.0, "int": 7}
    return [
        made.get(str(parameter.annotation), "x/y")
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
    ]


def listed(request: Request) -> bool:
    """Whether Alertmanager answers it with a list."""
    return request.method == "GET" and bool(re.match(r"/api/v2/(alerts|receivers|silences)", request.path))


def asked(client: fuseboard.Client | fuseboard.AsyncClient, operation: str) -> tuple[str, str]:
    """The method and path that it asks for."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        seen.append(request)
        return Response(200, b"", b"[]" if listed(request) else b"{}", True)

    async def answer_async(request: Request) -> Response:
        return answer(request)

    client._transport.request = answer  # type: ignore[method-assign]
    client._transport.request_async = answer_async  # type: ignore[method-assign]
    method = getattr(client, operation)
    result = method(*arguments(method))
    if inspect.isawaitable(result):
        asyncio.run(_finish(result))
    return seen[0].method, seen[0].path.partition("?")[0]


async def _finish(awaitable: Any) -> None:
    await awaitable


def methods(kind: type) -> dict[str, Callable[..., Any]]:
    """Its public methods."""
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: method for name, method in found if not name.startswith("_")}


def test_the_description_was_read() -> None:
    assert OPERATIONS["breaker_put"] == ("PUT", "/v1/breakers/{name}")
    assert len(OPERATIONS) > 140


@pytest.mark.parametrize("kind", [fuseboard.Client, fuseboard.AsyncClient])
def test_every_operation_has_a_method(kind: type) -> None:
    assert [name for name in OPERATIONS if not callable(getattr(kind, name, None))] == []


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("kind", [fuseboard.Client, fuseboard.AsyncClient])
def test_a_method_asks_for_its_operation(
    kind: type[fuseboard.Client] | type[fuseboard.AsyncClient], operation: str
) -> None:
    method, path = asked(kind("http://127.0.0.1:1"), operation)
    expected_method, expected_path = OPERATIONS[operation]
    # what is before it is part of the grouping key, too
    expected_path = expected_path.replace("/job/{grouping_key}", "/job@base64/eC95")
    pattern = re.sub(r"\\\{\w+\\\}", "(?:x%2Fy|7)", re.escape(expected_path))
    assert method == expected_method
    assert re.fullmatch(pattern, path), path


def test_the_asynchronous_client_is_the_plain_one_awaited() -> None:
    plain, awaited = methods(fuseboard.Client), methods(fuseboard.AsyncClient)
    assert list(awaited) == list(plain)
    for name, method in awaited.items():
        assert inspect.iscoroutinefunction(method), name
        assert inspect.signature(method) == inspect.signature(plain[name]), name


def test_coroutines_use_the_real_server(server: Server) -> None:
    async def main() -> None:
        async with fuseboard.AsyncClient(server.url) as client:
            await asyncio.gather(*[client.breaker_put(f"b{i}", {}) for i in range(50)])
            names = [item["name"] for item in (await client.breaker_list())["items"]]
            assert len(names) == 50
            begun = await client.call_begin(breaker="b1")
            assert (await client.call_outcome(begun["call_id"], "success"))["recorded"] is True
            made = await client.backup_create({"state": [1, {"a": 2}]}, backup_type="t", labels={"a": "b"})
            assert await client.backup_data(made["backup_id"]) == {"state": [1, {"a": 2}]}
            page = await client.backup_list(labels={"a": "b"}, verified=False)
            assert [item["backup_id"] for item in page["items"]] == [made["backup_id"]]
            assert (await client.health_get(checks=["nobody"]))["overall_status"] == "red"
            assert "fuseboard_" in await client.metrics()
            with pytest.raises(fuseboard.FuseboardError) as refused:
                await client.breaker_put("b1", {"failure_threshold": -1})
            assert refused.value.status == 422

    asyncio.run(main())


def test_conditional_requests(client: fuseboard.Client) -> None:
    client.check_put("c", {"kind": "push"}, if_none_match="*")
    with pytest.raises(fuseboard.FuseboardError) as refused:
        client.check_put("c", {"kind": "push"}, if_none_match="*")
    assert refused.value.status == 412
    client.retention_put("t", {"keep_last": 3})
    assert client.retention_get("t")["config"]["keep_last"] == 3
    client.schedule_put("s", {"cron": "0 2 * * *", "action": {"kind": "run_checks"}})
    run = client.schedule_run("s", wait_seconds=5, idempotency_key="k")
    assert client.run_get("s", run["id"])["id"] == run["id"]
    assert client.gate_evaluate_ad_hoc({"checks": ["c"]})["allowed"] is False
    assert client.check_result_push("c", "green", message="fine")["status"] == "green"
    assert client.health_run(checks=["c"])["overall_status"] == "green"
    assert client.metrics_push([{"name": "n", "type": "counter"}])["accepted"] == 1
    assert client.metric_get("n")["series"][0]["value"] == 1


def test_groups_of_metrics(client: fuseboard.Client) -> None:
    text = "# TYPE pushed counter\npushed 1\n"
    client.push_group_put("a/b", text, {"path": "", "instance": "w 1"})
    client.push_group_post("a/b", "other 2\n", {"path": "", "instance": "w 1"})
    groups = [group for group in client.push_groups_list()["data"] if group["labels"]["job"] == "a/b"]
    assert [group["labels"] for group in groups] == [{"instance": "w 1", "job": "a/b", "path": ""}]
    assert {"pushed", "other"} <= set(groups[0])
    for pusher, value in (("one", 3), ("two", 4), ("two", 5)):
        client.push_totals_put("sums", f"# TYPE sums_total counter\nsums_total {value}\n", client=pusher)
    assert 'sums_total{instance="",job="sums"} 8' in client.metrics()
    client.push_totals_delete("sums", client="two")
    assert 'sums_total{instance="",job="sums"} 8' in client.metrics()
    client.push_totals_delete("sums")
    assert "sums_total" not in client.metrics()
    client.push_group_ttl_put(1000, "brief", text)
    with pytest.raises(fuseboard.FuseboardError) as refused:
        client.push_group_put("bad", "no number\n")
    assert refused.value.status == 400
    client.push_groups_wipe()
    assert client.push_groups_list()["data"] == []
    assert client.push_groups_status()["status"] == "success"


def test_alerts_and_silences_as_alertmanager_has_them(client: fuseboard.Client) -> None:
    client.alertmanager_alerts_post([{"labels": {"alertname": "Out There", "n": "1"}}])
    of_that = {"filter": 'alertname="Out There"'}
    assert [alert["labels"]["n"] for alert in client.alertmanager_alerts(**of_that)] == ["1"]
    assert client.alertmanager_alerts(**of_that, active=False) == []
    matcher = {"name": "alertname", "value": "Out There", "isRegex": False, "isEqual": True}
    made = client.alertmanager_silences_post(
        {
            "matchers": [matcher],
            "startsAt": "2020-01-01T00:00:00Z",
            "endsAt": "2999-01-01T00:00:00Z",
            "createdBy": "test",
            "comment": "known",
        }
    )["silenceID"]
    assert client.alertmanager_silence(made)["status"]["state"] == "active"
    assert client.alertmanager_alerts(**of_that)[0]["status"]["state"] == "suppressed"
    client.alertmanager_silence_delete(made)
    assert client.alertmanager_silence(made)["status"]["state"] == "expired"
    assert made in [silence["id"] for silence in client.alertmanager_silences()]
    assert client.alertmanager_status()["cluster"]["status"]
    assert isinstance(client.alertmanager_groups(), list)
    assert isinstance(client.alertmanager_receivers(), list)
    assert client.alertmanager_healthy() and client.alertmanager_ready()
