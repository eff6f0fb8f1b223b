"""Lists as one reads them: groups, history, pages, filters, a feed that can be held still."""

from __future__ import annotations

import re

from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from server import Server


def tile(page: Page, name: str) -> Locator:
    return page.locator(f".tile[data-name='{name}']")


def override(server: Server, breaker: str, target: str, reason: str) -> None:
    server.ask("POST", f"/v1/breakers/{breaker}/state", {"target": target, "reason": reason})


def test_breakers_are_grouped_by_name_state_or_not_at_all(server: Server, page: Page) -> None:
    for name in ("kraken_api", "kraken-ws", "binance.api", "binance.ws", "mailer", "risk"):
        server.ask("PUT", f"/v1/breakers/{name}")
    override(server, "kraken_api", "forced_open", "maintenance")
    page.goto(f"{server.url}/#/breakers")
    groups = page.locator(".group")
    expect(groups).to_have_text([re.compile("binance 2$"), re.compile("kraken 2.*1 not closed"), "others 2"])
    page.get_by_label("Group by").select_option("state")
    expect(groups).to_have_text([re.compile("^forced open 1"), "closed 5"])
    page.reload()
    expect(groups).to_have_text([re.compile("^forced open 1"), "closed 5"])
    page.get_by_label("Group by").select_option("nothing")
    expect(groups).to_have_count(0)
    expect(page.locator(".tile")).to_have_count(6)
    # In the order of their names.
    assert page.locator(".tile").first.get_attribute("data-name") == "binance.api"
    server.ask("POST", "/v1/breakers/kraken_api/reset", {})
    page.get_by_label("Group by").select_option("state")
    expect(groups).to_have_text(["closed 6"])


def test_a_breakers_last_hour_shows_what_it_was_before_the_page_was_there(server: Server, page: Page) -> None:
    for name in ("calm", "shaken"):
        server.ask("PUT", f"/v1/breakers/{name}", {"failure_threshold": 1})
    server.fail("shaken")
    server.ask("POST", "/v1/breakers/shaken/reset", {})
    page.goto(f"{server.url}/#/breakers")
    expect(tile(page, "shaken").locator(".now strong")).to_have_text("closed")
    hour = tile(page, "shaken").get_by_role("img", name=re.compile("^last hour"))
    expect(hour).to_have_accessible_name(re.compile(r"open \d+ %"))
    expect(hour.locator("path.open")).to_have_count(1)
    # Nothing is said of the time before it was declared.
    expect(hour.locator("path.unknown")).to_have_count(1)
    calm = tile(page, "calm").get_by_role("img", name=re.compile("^last hour"))
    expect(calm).to_have_accessible_name("last hour: closed 100 %")
    expect(calm.locator("path.open")).to_have_count(0)
    # And what it is from now on.
    override(server, "calm", "forced_open", "maintenance")
    expect(calm.locator("path.forced_open")).to_have_count(1)


def test_a_checks_last_day_shows_what_it_was(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/checks/feed", {"kind": "push", "stale_after_seconds": 3600})
    for status in ("green", "red", "green"):
        server.ask("POST", "/v1/checks/feed/results", {"status": status, "message": status})
    page.goto(f"{server.url}/#/checks")
    day = page.locator(".checks li", has_text="feed").get_by_role("img", name=re.compile("^last 24 hours"))
    expect(day.locator("path.red")).to_have_count(1)
    expect(day).to_have_accessible_name(re.compile(r"red \d+ %"))


def test_a_backup_is_pinned_and_unpinned(server: Server, page: Page) -> None:
    backup = server.ask("POST", "/v1/backups", {"backup_type": "s", "data": {"n": 1}})["backup_id"]
    page.goto(f"{server.url}/#/backups/{backup}")
    pinned = page.locator(".facts > div", has_text="Pinned")
    expect(pinned).to_have_text("Pinnedno")
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(pinned).to_have_text("Pinnedyes")
    assert server.ask("GET", f"/v1/backups/{backup}")["pinned"] is True
    page.get_by_role("link", name="Backups", exact=True).first.click()
    expect(page.get_by_role("row", name=re.compile(backup))).to_contain_text("pinned")
    page.get_by_role("link", name=backup).click()
    page.get_by_role("button", name="Unpin", exact=True).click()
    expect(pinned).to_have_text("Pinnedno")
    assert server.ask("GET", f"/v1/backups/{backup}")["pinned"] is False


def test_numbers_that_differ_beyond_53_bits_are_shown_as_they_are(server: Server, page: Page) -> None:
    def save(order: int, **more: object) -> str:
        data = {"state": {"order": order, "price": 1.0, **more}}
        return server.ask("POST", "/v1/backups", {"backup_type": "s", "data": data})["backup_id"]

    first = save(9007199254740992, gone=[18446744073709551617])
    second = save(9007199254740993, new={"id": 123456789012345678901})
    page.goto(f"{server.url}/#/backups/{second}?against={first}")
    order = page.locator(".diff li", has_text="state / order")
    expect(order.locator("del")).to_have_text("9007199254740992")
    expect(order.locator("ins")).to_have_text("9007199254740993")
    expect(page.locator(".diff .remove del")).to_have_text("[ 18446744073709551617 ]")
    expect(page.locator(".diff .add ins")).to_have_text('{ "id": 123456789012345678901 }')
    expect(page.locator(".diff li")).to_have_count(3)


def test_resolved_alerts_are_read_a_page_at_a_time(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/thresholds/t", {"metric_name": "depth", "threshold": 1, "level": "error"})

    def push(value: float, *queues: str) -> None:
        samples = [
            {"name": "depth", "type": "gauge", "value": value, "labels": {"queue": queue}} for queue in queues
        ]
        server.ask("POST", "/v1/metrics", {"samples": samples})

    many = [f"q{i:02}" for i in range(60)]
    push(9, *many)
    push(0, *many)
    page.goto(f"{server.url}/#/alerts")
    resolved = page.get_by_role("region", name="Resolved alerts").get_by_role("row")
    older = page.get_by_role("button", name="Older ones")
    expect(resolved).to_have_count(51)
    shown = resolved.all_inner_texts()
    older.click()
    expect(resolved).to_have_count(61)
    expect(older).to_have_count(0)
    assert resolved.all_inner_texts()[:51] == shown
    for queue in many:
        expect(resolved.filter(has_text=f"queue={queue}")).to_have_count(1)
    # What is over now stands on top of all that was read.
    push(9, "late")
    expect(page.get_by_role("region", name="Firing alerts")).to_contain_text("queue=late")
    push(0, "late")
    expect(resolved.nth(1)).to_contain_text("queue=late")
    expect(resolved).to_have_count(62)
    page.get_by_role("button", name="critical", exact=True).click()
    expect(page.get_by_text("No alert of this level has been resolved.")).to_be_visible()
    page.get_by_role("button", name="error", exact=True).click()
    expect(resolved).to_have_count(51)


def test_the_feed_shows_what_is_wanted_as_it_happens(server: Server, page: Page) -> None:
    for name in ("kraken", "mailer"):
        server.ask("PUT", f"/v1/breakers/{name}")
    server.ask("PUT", "/v1/limiters/kraken", {"requests_per_second": 1})
    page.goto(f"{server.url}/#/events")
    events = page.locator(".events li")
    expect(events).to_have_count(3)
    page.locator(".tools select").select_option("breaker")
    expect(events).to_have_count(2)
    page.get_by_label("Exact name of the resource").fill("kraken")
    expect(events).to_have_count(1)
    page.reload()
    expect(events).to_have_count(1)
    expect(page.locator(".connection")).to_have_text("Live")
    override(server, "mailer", "forced_open", "not wanted")
    server.ask("POST", "/v1/limiters/kraken/penalize", {"retry_after_seconds": 60, "reason": "not wanted"})
    override(server, "kraken", "forced_open", "wanted")
    # They come in order: what is not here by now was left out.
    expect(events.first).to_contain_text(", wanted")
    expect(events).to_have_count(2)
    page.get_by_label("Exact name of the resource").fill("krak")
    expect(page.get_by_text("There is nothing like that.")).to_be_visible()


def test_the_feed_stands_still_while_one_reads(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken")
    page.goto(f"{server.url}/#/events")
    events = page.locator(".events li")
    expect(events).to_have_count(1)
    expect(page.locator(".connection")).to_have_text("Live")
    override(server, "kraken", "disabled", "before")
    expect(events.first).to_contain_text("before")
    page.get_by_role("button", name="Pause").click()
    override(server, "kraken", "forced_open", "meanwhile")
    # The page has heard of it, and the feed would have shown it in a quarter of a second.
    expect(page.locator(".overall")).to_contain_text("1 broken")
    page.wait_for_timeout(500)
    expect(events.first).to_contain_text("before")
    assert page.locator(".events", has_text="meanwhile").count() == 0
    page.get_by_role("button", name="Go on").click()
    expect(events.first).to_contain_text("meanwhile")
    override(server, "kraken", "disabled", "after")
    expect(events.first).to_contain_text("after")


def test_what_happens_while_the_feed_is_read_is_not_lost(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken")
    page.goto(f"{server.url}/#/limiters")
    expect(page.locator(".connection")).to_have_text("Live")
    held: list[tuple[Route, APIResponse]] = []
    page.route("**/v1/events?limit=100", lambda route: held.append((route, route.fetch())))
    page.get_by_role("link", name="Events", exact=True).click()
    while not held:
        page.wait_for_timeout(20)
    override(server, "kraken", "forced_open", "meanwhile")
    # It is heard, and on its way to the feed.
    expect(page.locator(".overall")).to_contain_text("1 broken")
    page.wait_for_timeout(500)
    route, answer = held[0]
    route.fulfill(response=answer)
    expect(page.locator(".events li").first).to_contain_text("meanwhile")
    expect(page.locator(".events li")).to_have_count(2)


def test_older_events_are_a_page_away(server: Server, page: Page) -> None:
    for i in range(120):
        server.ask("PUT", f"/v1/breakers/b{i:03}")
    page.goto(f"{server.url}/#/events")
    events = page.locator(".events li")
    expect(events).to_have_count(100)
    expect(events.first).to_contain_text("b119")
    page.get_by_role("button", name="Older ones").click()
    expect(events).to_have_count(120)
    expect(events.last).to_contain_text("b000")
    expect(page.get_by_role("button", name="Older ones")).to_have_count(0)
