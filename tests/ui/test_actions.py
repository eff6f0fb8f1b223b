"""What an operator does: with a reason, and it is done on the server."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Page, Route, expect

from server import Server


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def dialog(page: Page):
    return page.get_by_role("dialog")


def test_a_breaker_is_tripped_for_a_while_and_reset(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken")
    page.goto(f"{server.url}/#/breakers/kraken")
    button(page, "Trip kraken").click()
    dialog(page).get_by_label("Reason").fill("exchange maintenance")
    dialog(page).get_by_label("For").select_option("15 minutes")
    dialog(page).get_by_role("button", name="Trip").click()
    expect(page.locator(".detail-state .big")).to_contain_text("forced open")
    expect(dialog(page)).to_have_count(0)
    breaker = server.ask("GET", "/v1/breakers/kraken")
    assert breaker["state"] == "forced_open" and 890 < breaker["retry_after_seconds"] <= 900
    last = server.ask("GET", "/v1/breakers/kraken/transitions")["items"][0]
    assert (last["cause"], last["reason"]) == ("manual", "exchange maintenance")
    row = page.get_by_role("row", name=re.compile("exchange maintenance"))
    expect(row).to_contain_text("forced open")
    button(page, "Reset kraken").click()
    dialog(page).get_by_label("Reason").fill("it is back")
    dialog(page).get_by_role("button", name="Reset").click()
    expect(page.locator(".detail-state .big")).to_contain_text("closed")
    assert server.ask("GET", "/v1/breakers/kraken")["state"] == "closed"
    expect(page.get_by_role("row", name=re.compile("it is back"))).to_contain_text("closed")


def test_a_breaker_is_disabled_or_made_to_only_count(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken")
    page.goto(f"{server.url}/#/breakers/kraken")
    for name, state in (("Disable", "disabled"), ("Only count", "metrics_only")):
        button(page, name).click()
        dialog(page).get_by_label("Reason").fill(f"because {state}")
        dialog(page).get_by_label("For").select_option("until somebody ends it")
        dialog(page).get_by_role("button", name=name).click()
        expect(page.locator(".detail-state .big")).to_contain_text(state.replace("_", " "))
        expect(button(page, name)).to_have_count(0)
        breaker = server.ask("GET", "/v1/breakers/kraken")
        assert (breaker["state"], breaker["retry_after_seconds"]) == (state, None)
        last = server.ask("GET", "/v1/breakers/kraken/transitions")["items"][0]
        assert (last["to"], last["reason"]) == (state, f"because {state}")


def test_what_the_server_refuses_is_said_and_nothing_is_lost(server: Server, page: Page, complaints) -> None:
    complaints.expected.append("status of 422")
    page.goto(f"{server.url}/#/silences")
    button(page, "New silence").click()
    dialog(page).get_by_label("Matchers").fill("no matcher at all")
    dialog(page).get_by_role("button", name="Silence").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("matchers")
    expect(dialog(page).get_by_label("Matchers")).to_have_value("no matcher at all")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    expect(button(page, "New silence")).to_be_focused()


def test_who_goes_away_is_told_what_failed(server: Server, page: Page, complaints) -> None:
    complaints.expected.append("status of 503")
    server.ask("PUT", "/v1/breakers/kraken")
    held: list[Route] = []
    page.route("**/v1/breakers/kraken/state", lambda route: held.append(route))
    page.goto(f"{server.url}/#/breakers/kraken")
    button(page, "Trip kraken").click()
    with page.expect_request("**/v1/breakers/kraken/state"):
        dialog(page).get_by_role("button", name="Trip").click()
    page.keyboard.press("Escape")
    expect(dialog(page)).to_have_count(0)
    button(page, "Reset kraken").click()
    held[0].fulfill(status=503, json={"code": "storage_unavailable", "detail": "the disk takes nothing"})
    expect(page.locator(".toasts .bad")).to_have_text("the disk takes nothing")
    expect(dialog(page)).to_contain_text("Reset kraken")


def test_a_question_goes_with_the_view_that_asked_it(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken")
    page.goto(f"{server.url}/#/breakers")
    page.locator(".tile").click()
    button(page, "Trip kraken").click()
    expect(dialog(page)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Breakers")
    expect(dialog(page)).to_have_count(0)


def test_an_alert_is_acknowledged_and_silenced(server: Server, page: Page) -> None:
    server.ask(
        "POST",
        "/v1/thresholds",
        {
            "metric_name": "drawdown",
            "comparison": ">",
            "threshold": 0.1,
            "level": "critical",
            "message_template": "Drawdown {value:.0%}",
        },
    )
    page.goto(f"{server.url}/#/alerts")
    expect(page.get_by_text("No alert fires.")).to_be_visible()
    push = {"name": "drawdown", "type": "gauge", "op": "set", "value": 0.2, "labels": {"strategy": 'a"b\\c'}}
    server.ask("POST", "/v1/metrics", {"samples": [push]})
    row = page.get_by_role("row", name=re.compile("Drawdown 20%"))
    expect(row).to_contain_text("critical")
    row.get_by_role("button", name="Acknowledge").click()
    dialog(page).get_by_label("Comment").fill("closing positions")
    dialog(page).get_by_role("button", name="Acknowledge").click()
    expect(row).to_contain_text("closing positions")
    alert = server.ask("GET", "/v1/alerts?state=firing")["items"][0]
    assert alert["acknowledged"]["comment"] == "closing positions"
    row.get_by_role("button", name="Silence").click()
    dialog(page).get_by_label("Comment").fill("until the close")
    dialog(page).get_by_role("button", name="Silence").click()
    expect(row).to_contain_text("silenced")
    silence = server.ask("GET", "/v1/silences")["items"][0]
    assert silence["comment"] == "until the close"
    assert server.ask("GET", "/v1/alerts?state=firing")["items"][0]["silenced_by"] == [silence["id"]]
    page.goto(f"{server.url}/#/silences")
    page.get_by_role("button", name=re.compile("^End the silence")).click()
    dialog(page).get_by_role("button", name="End it").click()
    expect(page.get_by_role("row", name=re.compile("until the close"))).to_contain_text("expired")
    page.goto(f"{server.url}/#/alerts/{alert['id']}")
    push["value"] = 0.0
    server.ask("POST", "/v1/metrics", {"samples": [push]})
    expect(page.locator(".big")).to_contain_text("resolved")


def test_checks_gates_and_schedules_are_run(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 1})
    server.ask("PUT", "/v1/checks/watch", {"kind": "breaker", "breaker": "kraken"})
    server.ask("PUT", "/v1/gates/live", {"checks": ["watch"]})
    server.ask(
        "PUT",
        "/v1/schedules/save",
        {
            "cron": "0 2 * * *",
            "action": {"kind": "create_backup", "backup_type": "board", "source": {"kind": "board"}},
        },
    )
    page.goto(f"{server.url}/#/checks")
    button(page, "Run watch").click()
    expect(page.locator(".toasts")).to_contain_text("watch is green")
    server.fail("kraken", 1)
    expect(page.locator(".checks li", has_text="watch")).to_contain_text("red")
    page.goto(f"{server.url}/#/gates")
    expect(page.locator(".blocking")).to_contain_text("watch")
    button(page, "Evaluate live").click()
    expect(page.get_by_text("Refused at")).to_be_visible()
    assert server.ask("GET", "/v1/gates/live")["refused_evaluations"] == 1
    page.goto(f"{server.url}/#/schedules")
    button(page, "Run save").click()
    expect(page.get_by_role("row", name=re.compile("save"))).to_contain_text("succeeded")
    assert server.ask("GET", "/v1/backups")["items"][0]["backup_type"] == "board"


def test_a_limiter_is_held_back(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/limiters/kraken", {"requests_per_second": 1, "burst_size": 10})
    page.goto(f"{server.url}/#/limiters")
    button(page, "Hold back kraken").click()
    dialog(page).get_by_label("Seconds").fill("90")
    dialog(page).get_by_label("Reason").fill("429")
    dialog(page).get_by_role("button", name="Hold back").click()
    expect(page.get_by_role("row", name=re.compile("kraken"))).to_contain_text("blocked for 1 min")
    assert server.ask("GET", "/v1/limiters/kraken")["blocked_seconds"] > 80


def test_a_backup_is_compared_downloaded_verified_and_restored(server: Server, page: Page) -> None:
    first = server.ask(
        "POST", "/v1/backups", {"backup_type": "s", "data": {"state": {"a": [1, 2, 3], "b": "x"}}}
    )
    # An order's number: JavaScript's have 53 bits.
    state = {"a": [1, 3], "b": "y", "c": None, "order": 9007199254740993}
    second = server.ask("POST", "/v1/backups", {"backup_type": "s", "data": {"state": state}})
    page.goto(f"{server.url}/#/backups")
    page.get_by_role("link", name=second["backup_id"]).click()
    page.get_by_label("Compared with").select_option(first["backup_id"])
    expect(page.locator(".diff li", has_text="state / b")).to_contain_text('"x""y"')
    expect(page.locator(".diff .remove", has_text="state / a / 1")).to_contain_text("2")
    expect(page.locator(".diff .add", has_text="state / c")).to_contain_text("null")
    with page.expect_download() as download:
        button(page, "Download state.json").click()
    assert json.loads(download.value.path().read_text()) == state
    button(page, "Verify").click()
    expect(page.locator(".toasts")).to_contain_text("The backup is whole")
    button(page, "Restore").click()
    dialog(page).get_by_label("Reason").fill("drill")
    with page.expect_download() as download:
        dialog(page).get_by_role("button", name="Restore").click()
    assert json.loads(download.value.path().read_text()) == {"state": state}
    expect(page.get_by_role("row", name=re.compile("drill"))).to_be_visible()
    restores = server.ask("GET", f"/v1/backups/{second['backup_id']}/restores")["items"]
    assert [one["reason"] for one in restores] == ["drill"]


def test_a_metric_is_drawn_while_it_changes(server: Server, page: Page) -> None:
    sample = {"name": "depth", "type": "gauge", "op": "set", "value": 3, "labels": {"queue": "in"}}
    server.ask("POST", "/v1/metrics", {"samples": [sample]})
    page.goto(f"{server.url}/#/metrics")
    page.get_by_role("button", name="depth gauge").click()
    expect(page.locator(".plot canvas")).to_be_visible()
    series = page.get_by_role("region", name="Series")
    expect(series).to_contain_text("3")
    server.ask("POST", "/v1/metrics", {"samples": [{**sample, "value": 41}]})
    expect(series).to_contain_text("41")
