"""Every view in both themes: no complaint of the browser, nothing that WCAG forbids, nothing too wide."""

from __future__ import annotations

import json

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from conftest import Complaints
from server import Server

VIEWS = {
    "": "Something is broken",
    "breakers": "Breakers",
    "breakers/kraken_api": "kraken_api",
    "limiters": "Limiters",
    "retry-policies": "Retry policies",
    "checks": "Checks",
    "checks/exchange-feed": "exchange-feed",
    "gates": "Gates",
    "alerts": "Alerts",
    "alerts/1": "fuseboard_breaker_open",
    "silences": "Silences",
    "thresholds": "Thresholds",
    "receivers": "Receivers",
    "schedules": "Schedules",
    "schedules/report-hook": "report-hook",
    "backups": "Backups",
    "backups/{backup}": "{backup}",
    "metrics?name=backtest_duration": "Metrics",
    "events": "Events",
    "nowhere": "Not found",
}
#: Of them, those that show what was declared besides.
RULES = ("retry-policies", "silences", "thresholds", "receivers")
#: What somebody put into names and messages.
HOSTILE = '<img src=x onerror="document.title=1"><script>alert(1)</script>\u202e&amp;{{7*7}}'


def axe_violations(page: Page) -> list[str]:
    results = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    return [
        f"{found['id']} ({found['impact']}): {[node['html'][:160] for node in found['nodes'][:3]]}"
        for found in results.response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


def settled(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)


def at(seeded: Server, view: str) -> tuple[str, str]:
    title = VIEWS[view]
    if "{backup}" in view:
        backup = next(
            one for one in seeded.ask("GET", "/v1/backups")["items"] if one["backup_type"] == "pre_session"
        )
        view, title = view.replace("{backup}", backup["backup_id"]), backup["backup_id"]
    return f"{seeded.url}/#/{view}", title


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_view_is_quiet_and_accessible(seeded: Server, browser: Browser, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    complaints = Complaints(page)
    found = {}
    for view in VIEWS:
        url, title = at(seeded, view)
        page.goto(url)
        settled(page, title)
        if violations := axe_violations(page):
            found[view or "overview"] = violations
    page.goto(f"{seeded.url}/#/breakers/kraken_api")
    page.get_by_role("button", name="Trip").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    if violations := axe_violations(page):
        found["dialog"] = violations
    page.goto(f"{seeded.url}/#/silences")
    page.get_by_role("button", name="New maintenance window").click()
    page.get_by_role("dialog").get_by_label("Comes").select_option("again")
    expect(page.get_by_role("dialog").get_by_label("Cron")).to_be_visible()
    if violations := axe_violations(page):
        found["dialog of a window"] = violations
    context.close()
    assert found == {}
    assert complaints.unexpected() == []


def test_nothing_runs_off_a_phone(seeded: Server, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    wide = {}
    for view in VIEWS:
        url, title = at(seeded, view)
        page.goto(url)
        settled(page, title)
        if (width := page.evaluate("document.documentElement.scrollWidth")) > 360:
            wide[view or "overview"] = width
    context.close()
    assert wide == {}


def test_a_phone_shows_which_view_it_is(seeded: Server, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    page.goto(f"{seeded.url}/#/events")
    settled(page, "Events")
    expect(page.locator("nav [aria-current]")).to_be_in_viewport(ratio=0.9)
    page.goto(f"{seeded.url}/#/receivers")
    settled(page, "Receivers")
    expect(page.locator("nav.views [aria-current]", has_text="Alerts")).to_be_in_viewport(ratio=0.9)
    expect(page.locator("nav.tabs [aria-current]", has_text="Receivers")).to_be_in_viewport(ratio=0.9)
    context.close()


def test_actions_stand_within_a_narrow_screen(seeded: Server, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    hidden = {}
    for view in (*RULES, "limiters", "alerts", "schedules", "backups"):
        page.goto(f"{seeded.url}/#/{view}")
        settled(page, VIEWS[view])
        expect(page.locator("main .scroll").first).to_be_visible()
        for table in page.locator("main .scroll").all():
            if (beyond := table.evaluate("table => table.scrollWidth - table.clientWidth")) > 0:
                hidden[f"{view}: {table.get_attribute('aria-label')}"] = beyond
    context.close()
    assert hidden == {}


def test_the_theme_is_chosen_and_kept(seeded: Server, page: Page) -> None:
    page.goto(seeded.url)
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = page.evaluate(ground)
    assert light != dark
    page.reload()
    assert page.evaluate(ground) == dark


def test_hostile_texts_are_text(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/b", {"failure_threshold": 1})
    server.fail("b", 1, HOSTILE[:60], HOSTILE)
    server.ask("POST", "/v1/breakers/b/state", {"target": "forced_open", "reason": HOSTILE, "actor": HOSTILE})
    server.ask("PUT", "/v1/checks/c", {"kind": "push", "description": HOSTILE})
    server.ask(
        "POST", "/v1/checks/c/results", {"status": "red", "message": HOSTILE, "details": {HOSTILE: HOSTILE}}
    )
    server.ask("PUT", "/v1/gates/g", {"checks": ["c"], "description": HOSTILE})
    server.ask(
        "POST",
        "/v1/silences",
        {"matchers": ["a=b"], "duration_seconds": 60, "comment": HOSTILE, "created_by": HOSTILE},
    )
    matcher = f"a={json.dumps(HOSTILE, ensure_ascii=False)}"
    server.ask(
        "PUT",
        "/v1/maintenance-windows/w",
        {
            "cron": "0 2 * * *",
            "duration_seconds": 60,
            "matchers": [matcher],
            "comment": HOSTILE,
            "created_by": HOSTILE,
        },
    )
    server.ask("PUT", "/v1/thresholds/t", {"metric_name": "m", "threshold": 9, "description": HOSTILE})
    server.ask(
        "PUT", "/v1/receivers/r", {"kind": "slack", "url": "http://127.0.0.1:9/x", "channel": HOSTILE[:50]}
    )
    server.ask("PUT", "/v1/routes/r", {"matchers": [matcher], "group_by": ["a"]})
    server.ask(
        "POST",
        "/api/v2/alerts",
        [
            {
                "labels": {"alertname": HOSTILE, "job": HOSTILE},
                "annotations": {"summary": HOSTILE, "more": HOSTILE},
                "generatorURL": "javascript:document.title=1",
            }
        ],
    )
    backup = server.ask(
        "POST",
        "/v1/backups",
        {"backup_type": "t", "data": {"d": {HOSTILE: HOSTILE}}, "labels": {"l": HOSTILE}},
    )
    other = server.ask("POST", "/v1/backups", {"backup_type": "t", "data": {"d": {}}})
    metric = {"name": "m", "type": "gauge", "op": "set", "value": 1, "labels": {"l": HOSTILE}}
    server.ask("POST", "/v1/metrics", {"samples": [metric]})
    alert = next(one for one in server.ask("GET", "/v1/alerts")["items"] if one["source"] == "external")
    where = {
        "": None,
        "breakers/b": None,
        "checks/c": None,
        "gates": None,
        "silences": None,
        "thresholds": None,
        "receivers": None,
        "alerts": None,
        "events": None,
        f"alerts/{alert['id']}": None,
        "backups": None,
        "metrics?name=m": None,
        f"backups/{other['backup_id']}?against={backup['backup_id']}": ".diff",
    }
    for view, part in where.items():
        page.goto(f"{server.url}/#/{view}")
        expect(page.locator(part or "main")).to_contain_text("<script>alert(1)</script>")
        assert page.locator("img, main script, a[href^='javascript:']").count() == 0, view
        assert "Fuseboard" in page.title(), view
