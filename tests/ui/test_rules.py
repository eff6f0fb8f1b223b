"""Thresholds, who is told, when nobody is, and how much is tried again: seen and changed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from conftest import Complaints
from hook import Hook, listening
from server import Server


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening() as hook:
        yield hook


def button(within: Page | Locator, name: str) -> Locator:
    return within.get_by_role("button", name=name, exact=True)


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def table(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


def row(page: Page, name: str, text: str) -> Locator:
    return table(page, name).get_by_role("row", name=re.compile(re.escape(text)))


def gauge(name: str, value: float, **labels: str) -> dict:
    return {"name": name, "type": "gauge", "value": value, "labels": labels}


def push(server: Server, *samples: dict) -> None:
    server.ask("POST", "/v1/metrics", {"samples": list(samples)})


def firing(server: Server) -> list[str]:
    return [alert["metric_name"] for alert in server.ask("GET", "/v1/alerts?state=firing")["items"]]


def test_a_threshold_shows_how_far_off_it_is_and_what_fires(server: Server, page: Page) -> None:
    server.ask(
        "PUT",
        "/v1/thresholds/deep",
        {
            "metric_name": "queue_depth",
            "threshold": 100,
            "description": "Orders that wait.",
            "message_template": "{value:.0f} orders wait",
        },
    )
    server.ask("PUT", "/v1/thresholds/quiet", {"metric_name": "ticks", "comparison": "<", "threshold": 1})
    page.goto(f"{server.url}/#/thresholds")
    depth, ticks = row(page, "Thresholds", "queue_depth"), row(page, "Thresholds", "ticks")
    expect(depth).to_contain_text("no value")
    expect(depth).to_contain_text("> 100")
    expect(depth).to_contain_text("Orders that wait.")
    push(server, gauge("queue_depth", 12, queue="out"), gauge("queue_depth", 40, queue="in"))
    expect(depth).to_contain_text("40queue=in")
    expect(depth).to_contain_text("ok")
    push(server, gauge("queue_depth", 140, queue="out"), gauge("ticks", 7))
    expect(depth).to_contain_text("firing 1")
    expect(depth).to_contain_text("140queue=out")
    expect(ticks).to_contain_text("7")
    depth.get_by_role("link", name="140 orders wait").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("queue_depth")
    page.get_by_role("link", name="deep", exact=True).click()
    expect(table(page, "Thresholds").get_by_role("row")).to_have_count(2)
    button(page, "firing 1").click()
    expect(depth).to_be_visible()


def test_a_threshold_of_the_board_itself_is_switched_off_and_on(server: Server, page: Page) -> None:
    mine = "builtin.breaker_open"
    server.ask("PUT", f"/v1/thresholds/{mine}", {"level": "critical"})
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 1, "timeout_seconds": 3600})
    server.fail("kraken")
    page.goto(f"{server.url}/#/thresholds")
    its = row(page, "Thresholds", "fuseboard_breaker_open")
    expect(its).to_contain_text("firing 1")
    expect(its).to_contain_text("built in")
    button(page, f"Switch off {mine}").click()
    expect(dialog(page)).to_contain_text("its alerts are resolved")
    button(dialog(page), "Switch off").click()
    expect(its).to_contain_text("switched off")
    assert firing(server) == []
    assert server.ask("GET", f"/v1/thresholds/{mine}")["enabled"] is False
    button(page, f"Switch on {mine}").click()
    expect(its).to_contain_text("firing 1")
    # Nothing else of it has changed.
    config = server.ask("GET", f"/v1/thresholds/{mine}")["config"]
    assert (config["enabled"], config["level"]) == (True, "critical")


def test_what_somebody_else_changes_meanwhile_is_not_overwritten(
    server: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected.append("status of 412")
    server.ask("PUT", "/v1/thresholds/t", {"metric_name": "m", "threshold": 1})

    def meanwhile(route: Route) -> None:
        if route.request.method == "PUT":
            server.ask("PUT", "/v1/thresholds/t", {"metric_name": "m", "threshold": 2})
        route.continue_()

    page.route("**/v1/thresholds/t", meanwhile)
    page.goto(f"{server.url}/#/thresholds")
    button(page, "Switch off t").click()
    button(dialog(page), "Switch off").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("Somebody else has changed it")
    threshold = server.ask("GET", "/v1/thresholds/t")
    assert (threshold["enabled"], threshold["config"]["threshold"]) == (True, 2)


def test_a_maintenance_window_is_declared_ended_taken_up_and_deleted(
    tmp_path: Path, page: Page, complaints: Complaints
) -> None:
    complaints.expected.append("status of 401")
    server = Server(tmp_path, token="root-token")
    try:
        server.ask("PUT", "/v1/thresholds/t", {"metric_name": "depth", "threshold": 1})
        push(server, gauge("depth", 9, queue="in"))
        page.goto(f"{server.url}/#/silences")
        page.get_by_label("Token").fill("root-token")
        button(page, "Sign in").click()
        expect(page.get_by_text("There is no maintenance window.")).to_be_visible()
        button(page, "New maintenance window").click()
        dialog(page).get_by_label("Name").fill("upgrade")
        dialog(page).get_by_label("Matchers").fill('\n alertname="depth"\n')
        dialog(page).get_by_label("Comment").fill("new disks")
        button(dialog(page), "Declare").click()
        its = row(page, "Maintenance windows", "upgrade")
        for text in ("open", "new disks", "environment", 'alertname="depth"', "closes in"):
            expect(its).to_contain_text(text)
        window = server.ask("GET", "/v1/maintenance-windows/upgrade")
        assert window["is_open"] and window["config"]["created_by"] == "environment"
        page.get_by_role("link", name="Alerts", exact=True).first.click()
        alert = page.get_by_role("row", name=re.compile("depth"))
        expect(alert).to_contain_text("maintenance: upgrade")
        page.get_by_role("link", name="Silences", exact=True).click()
        button(page, "End upgrade").click()
        button(dialog(page), "End it").click()
        expect(its).to_contain_text("switched off")
        assert not server.ask("GET", "/v1/maintenance-windows/upgrade")["is_open"]
        button(page, "Switch on upgrade").click()
        expect(its).to_contain_text("closes in")
        button(page, "End upgrade").click()
        button(dialog(page), "End it").click()
        button(page, "Delete upgrade").click()
        button(dialog(page), "Delete").click()
        expect(page.get_by_text("There is no maintenance window.")).to_be_visible()
        assert server.ask("GET", "/v1/maintenance-windows")["items"] == []
    finally:
        server.kill()


def test_a_maintenance_window_comes_again_and_takes_no_name_that_is_taken(
    server: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected += ["status of 412", "status of 422"]
    taken = {"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-01-02T00:00:00Z"}
    server.ask("PUT", "/v1/maintenance-windows/weekly", taken)
    page.goto(f"{server.url}/#/silences")
    expect(row(page, "Maintenance windows", "weekly")).to_contain_text("over")
    button(page, "New maintenance window").click()
    expect(dialog(page).get_by_label("Cron")).to_have_count(0)
    dialog(page).get_by_label("Name").fill("weekly")
    dialog(page).get_by_label("Comes").select_option("again and again")
    expect(dialog(page).get_by_label("Begins")).to_have_count(0)
    expect(dialog(page).get_by_label("Time zone")).to_have_value("Europe/Berlin")
    dialog(page).get_by_label("Cron").fill("0 25 * * *")
    button(dialog(page), "Declare").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("cron")
    dialog(page).get_by_label("Cron").fill("30 3 * * *")
    button(dialog(page), "Declare").click()
    expect(dialog(page).get_by_role("alert")).to_contain_text("There is one of this name already.")
    dialog(page).get_by_label("Name").fill("daily")
    button(dialog(page), "Declare").click()
    its = row(page, "Maintenance windows", "daily")
    expect(its).to_contain_text("30 3 * * *")
    expect(its).to_contain_text("Europe/Berlin, 1 h each time")
    expect(its).to_contain_text("all alerts")
    assert server.ask("GET", "/v1/maintenance-windows/weekly")["config"]["starts_at"] == taken["starts_at"]
    config = server.ask("GET", "/v1/maintenance-windows/daily")["config"]
    assert (config["cron"], config["duration_seconds"]) == ("30 3 * * *", 3600)


def test_a_window_that_begins_later_is_planned(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/#/silences")
    button(page, "New maintenance window").click()
    dialog(page).get_by_label("Name").fill("later")
    dialog(page).get_by_label("Begins").fill("2099-07-01T02:30")
    dialog(page).get_by_label("Lasts").select_option("4 hours")
    button(dialog(page), "Declare").click()
    expect(row(page, "Maintenance windows", "later")).to_contain_text("planned")
    # By the viewer's clock, which is Berlin's.
    config = server.ask("GET", "/v1/maintenance-windows/later")["config"]
    assert (config["starts_at"], config["ends_at"]) == ("2099-07-01T00:30:00Z", "2099-07-01T04:30:00Z")


def test_a_receiver_is_tried_and_its_secrets_are_not_shown(server: Server, page: Page, hook: Hook) -> None:
    server.ask(
        "PUT",
        "/v1/receivers/ops",
        {
            "kind": "webhook",
            "url": f"{hook.url}/hush-path?key=hush-key",
            "hmac_secret": "hush-hmac",
            "headers": {"Authorization": "Bearer hush-token"},
        },
    )
    page.goto(f"{server.url}/#/receivers")
    its = row(page, "Receivers", "ops")
    expect(its).to_contain_text(hook.url)
    expect(its).to_contain_text("never")
    button(page, "Test ops").click()
    expect(page.locator(".toasts")).to_contain_text("ops took it with 200")
    assert [one["commonLabels"]["alertname"] for one in hook.received] == ["FuseboardTest"]
    hook.status = 400
    button(page, "Test ops").click()
    expect(page.locator(".toasts .bad")).to_contain_text("ops did not take it")
    assert len(hook.received) == 2
    assert "hush" not in page.content()


def test_what_was_given_up_is_shown_and_tried_again(server: Server, page: Page, hook: Hook) -> None:
    hook.status = 400
    server.ask("PUT", "/v1/receivers/ops", {"kind": "webhook", "url": hook.url})
    server.ask("PUT", "/v1/routes/all", {"receiver": "ops", "group_wait_seconds": 0})
    server.ask("PUT", "/v1/thresholds/t", {"metric_name": "depth", "threshold": 1})
    page.goto(f"{server.url}/#/receivers")
    expect(page.get_by_text("Nobody has been told anything in the last seven days.")).to_be_visible()
    push(server, gauge("depth", 9))
    dead = row(page, "Notifications that were given up", "ops")
    expect(dead).to_contain_text("1 alert firing")
    expect(dead).to_contain_text("400")
    expect(page.get_by_role("heading", name="Given up: 1 notification")).to_be_visible()
    expect(row(page, "Receivers", "ops")).to_contain_text("given up")
    expect(row(page, "Notifications", "ops")).to_contain_text("given up")
    hook.status = 200
    dead.get_by_role("button", name=re.compile("^Try notification")).click()
    expect(dead).to_have_count(0)
    expect(row(page, "Notifications", "ops")).to_contain_text("delivered")
    expect(page.get_by_role("button", name=re.compile("^Try notification"))).to_have_count(0)
    button(page, "given up").click()
    expect(page.get_by_text("There is none like that.")).to_be_visible()
    button(page, "delivered").click()
    expect(row(page, "Notifications", "ops")).to_be_visible()


def test_older_notifications_are_a_page_away_and_stay_there(server: Server, page: Page, hook: Hook) -> None:
    server.ask("PUT", "/v1/receivers/ops", {"kind": "webhook", "url": hook.url})
    each = {"receiver": "ops", "group_wait_seconds": 0, "group_by": ["..."]}
    server.ask("PUT", "/v1/routes/each", each)
    server.ask("POST", "/api/v2/alerts", [{"labels": {"alertname": f"a{i}"}} for i in range(60)])
    while len(server.ask("GET", "/v1/notifications?limit=100")["items"]) < 60:
        page.wait_for_timeout(100)
    page.goto(f"{server.url}/#/receivers")
    rows = table(page, "Notifications").get_by_role("row")
    older = button(page, "Older ones")
    expect(older).to_be_visible()
    expect(rows).to_have_count(51)
    older.click()
    expect(rows).to_have_count(61)
    expect(older).to_have_count(0)
    # It is read anew by itself, and shows what is new beside what was read.
    server.ask("POST", "/api/v2/alerts", [{"labels": {"alertname": "late"}}])
    expect(row(page, "Notifications", "late")).to_be_visible()
    expect(rows).to_have_count(62)


def test_routes_show_whom_they_tell(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/#/receivers")
    expect(page.get_by_text("There is no receiver: nobody is told of alerts.")).to_be_visible()
    expect(page.get_by_text("There is no route: every receiver is told of every alert.")).to_be_visible()
    server.ask("PUT", "/v1/receivers/ops", {"kind": "webhook", "url": "http://127.0.0.1:9/"})
    inner = [
        {"matchers": ["team=night"], "receiver": "gone"},
        {"matchers": ["team=day"], "group_by": ["..."]},
    ]
    server.ask(
        "PUT",
        "/v1/routes/trading",
        {"matchers": ["severity=critical"], "receiver": "ops", "group_wait_seconds": 5, "routes": inner},
    )
    server.ask("PUT", "/v1/routes/first", {"position": -1, "matchers": ["a=b"], "continue": True})
    rows = table(page, "Routes").get_by_role("row")
    expect(rows).to_have_count(5)
    expect(rows.nth(1)).to_contain_text("first")
    expect(rows.nth(1)).to_contain_text("nobody")
    expect(rows.nth(1)).to_contain_text("goes on")
    expect(rows.nth(2)).to_contain_text("ops")
    expect(rows.nth(2)).to_contain_text("after 5 s")
    expect(rows.nth(3)).to_contain_text("gone no such receiver")
    # What it does not say it takes from the one around it.
    expect(rows.nth(4)).to_contain_text("ops")
    expect(rows.nth(4)).to_contain_text("each by itself")
    expect(rows.nth(4)).to_contain_text("after 5 s")


def test_a_retry_budget_is_used_while_one_looks(server: Server, page: Page) -> None:
    policy = {"budget_ratio": 0.2, "budget_min_per_second": 0, "budget_window_seconds": 3600}
    server.ask("PUT", "/v1/retry-policies/exchange", policy)

    def attempt(number: int) -> None:
        server.ask("POST", "/v1/retry-policies/exchange/attempts", {"attempt": number})

    page.goto(f"{server.url}/#/retry-policies")
    its = row(page, "Retry policies", "exchange")
    expect(its).to_contain_text("nothing to spend")
    for _ in range(10):
        attempt(1)
    expect(its).to_contain_text("0 of 2 in 1 h")
    expect(its).to_contain_text("free")
    expect(its).to_contain_text("20 % of calls")
    attempt(2)
    expect(its).to_contain_text("1 of 2 in 1 h")
    attempt(2)
    attempt(3)
    expect(its).to_contain_text("2 of 2 in 1 h")
    expect(its).to_contain_text("spent")
    expect(its.get_by_role("cell").nth(-1)).to_have_text("1")


def test_views_that_belong_together_are_tabs(server: Server, page: Page) -> None:
    page.goto(server.url)
    expect(page.locator("nav.tabs")).to_have_count(0)
    page.get_by_role("link", name="Alerts", exact=True).click()
    tabs = page.get_by_role("navigation", name="Alerts")
    expect(tabs.get_by_role("link")).to_have_text(["Alerts", "Silences", "Thresholds", "Receivers"])
    tabs.get_by_role("link", name="Thresholds").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thresholds")
    expect(tabs.locator("[aria-current]")).to_have_text("Thresholds")
    expect(page.get_by_role("navigation", name="Views").locator("[aria-current]")).to_have_text("Alerts")
    page.get_by_role("link", name="Limiters", exact=True).click()
    page.get_by_role("link", name="Retry policies", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry policies")
