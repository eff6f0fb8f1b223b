"""What happens on the server is seen without a reload, whatever becomes of the connection."""

from __future__ import annotations

import re
from datetime import datetime

from playwright.sync_api import Page, expect

from conftest import Complaints
from server import Server

#: The promise, in seconds.
SOON = 1.0


def tile(page: Page, name: str):
    return page.locator(f".tile[data-name='{name}']")


#: Notes in the page when a breaker's tile shows another state.
WATCH = """name => {
  window.shown = [];
  const note = () => {
    const state = document.querySelector(`.tile[data-name="${name}"] .now strong`)?.textContent;
    if (state && state !== shown.at(-1)?.state) shown.push({ state, at: Date.now() });
  };
  note();
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def test_a_breaker_opens_on_the_board_within_a_second(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 2, "timeout_seconds": 60})
    page.goto(f"{server.url}/#/breakers")
    state = tile(page, "kraken").locator(".now strong")
    expect(state).to_have_text("closed")
    expect(page.locator(".connection")).to_have_text("Live")
    page.evaluate(WATCH, "kraken")
    for _ in range(3):
        server.fail("kraken", 2, "bot-7", "504")
        expect(state).to_have_text("open")
        expect(tile(page, "kraken").locator(".until")).to_contain_text("half open in ")
        expect(page).to_have_title("1 broken · Fuseboard")
        assert page.locator("#icon").get_attribute("href").endswith("/red.svg")
        server.ask("POST", "/v1/breakers/kraken/reset", {})
        expect(state).to_have_text("closed")
        expect(page).to_have_title("All well · Fuseboard")
        assert page.locator("#icon").get_attribute("href").endswith("/green.svg")
    happened = server.ask("GET", "/v1/breakers/kraken/transitions")["items"][::-1]
    shown = page.evaluate("shown")[1:]
    assert [one["state"] for one in shown] == [one["to"] for one in happened]
    took = [
        one["at"] / 1000 - datetime.fromisoformat(was["at"]).timestamp()
        for one, was in zip(shown, happened, strict=True)
    ]
    assert max(took) < SOON, took


def test_a_change_is_shown_before_anything_is_read_again(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 1})
    page.goto(f"{server.url}/#/breakers")
    expect(page.locator(".connection")).to_have_text("Live")
    expect(tile(page, "kraken").locator(".now strong")).to_have_text("closed")
    page.route("**/v1/breakers*", lambda route: None)
    page.route("**/v1/breakers/**", lambda route: None)
    server.fail("kraken", 1)
    expect(tile(page, "kraken").locator(".now strong")).to_have_text("open")


def test_what_no_event_tells_is_read_while_others_change(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/busy")
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 5})
    page.goto(f"{server.url}/#/breakers")
    expect(tile(page, "kraken")).to_contain_text("0 of 5 failures in a row")
    expect(page.locator(".connection")).to_have_text("Live")
    server.fail("kraken", 3)
    # Each of these is followed by a look at the one that changed.
    for i in range(40):
        server.ask("POST", "/v1/breakers/busy/state", {"target": ("forced_open", "disabled")[i % 2]})
        page.wait_for_timeout(250)
        if "3 of 5 failures in a row" in tile(page, "kraken").inner_text():
            return
    raise AssertionError("the other breaker was not read in ten seconds, and should be in two")


def test_who_comes_back_to_a_view_sees_what_happened_meanwhile(server: Server, page: Page) -> None:
    page.goto(f"{server.url}/#/silences")
    expect(page.get_by_text("There is no silence.")).to_be_visible()
    page.get_by_role("link", name="Limiters", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Limiters")
    silence = {"matchers": ["a=b"], "duration_seconds": 600, "comment": "meanwhile"}
    page.goto(f"{server.url}/#/events")
    server.ask("POST", "/v1/silences", silence)
    expect(page.locator(".events")).to_contain_text("meanwhile")
    page.get_by_role("link", name="Alerts", exact=True).click()
    page.get_by_role("link", name="Silences", exact=True).click()
    # Sooner than the list would be read anyway, after 15 s.
    expect(page.get_by_role("row", name=re.compile("meanwhile"))).to_be_visible(timeout=5_000)


def test_a_backup_that_is_deleted_leaves_the_list(server: Server, page: Page) -> None:
    made = [server.ask("POST", "/v1/backups", {"backup_type": "t", "data": {"n": i}}) for i in range(2)]
    # Connected before it is read: then it is not read again for the connection.
    page.goto(server.url)
    expect(page.locator(".connection")).to_have_text("Live")
    page.get_by_role("link", name="Backups", exact=True).click()
    expect(page.get_by_role("row")).to_have_count(3)
    server.ask("DELETE", f"/v1/backups/{made[0]['backup_id']}")
    # Sooner than the list would be read anyway, after 30 s.
    expect(page.get_by_role("row")).to_have_count(2, timeout=10_000)


def test_what_a_view_could_not_read_is_read_when_that_is_possible(
    server: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected.append("status of 503")
    server.ask("PUT", "/v1/breakers/kraken")
    server.ask("POST", "/v1/breakers/kraken/state", {"target": "disabled", "reason": "new provider"})
    problem = {"code": "storage_unavailable", "detail": "the disk takes nothing"}
    page.route("**/transitions?*", lambda route: route.fulfill(status=503, json=problem))
    page.goto(f"{server.url}/#/breakers/kraken")
    expect(page.locator("main .failure")).to_contain_text("the disk takes nothing")
    page.unroute("**/transitions?*")
    expect(page.get_by_role("row", name=re.compile("new provider"))).to_be_visible()
    expect(page.locator("main .failure")).to_have_count(0)


def test_a_view_that_can_not_be_drawn_says_so(server: Server, page: Page, complaints: Complaints) -> None:
    complaints.expected.append("TypeError")
    page.route("**/v1/silences?*", lambda route: route.fulfill(json={"items": [{"id": "1"}]}))
    page.goto(f"{server.url}/#/silences")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not shown")
    page.get_by_role("link", name="Limiters", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Limiters")


def test_the_overview_says_what_is_broken_since_when_and_who_reported_it(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 2})
    server.ask("PUT", "/v1/gates/live", {"breakers": ["kraken"]})
    page.goto(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
    server.fail("kraken", 2, "bot-7", "504 Gateway Timeout")
    # The gate names the breaker, too.
    problem = page.locator(".problem", has=page.get_by_role("link", name="kraken", exact=True))
    expect(problem).to_be_visible()
    expect(problem).to_contain_text("504 Gateway Timeout")
    expect(problem.locator(".reporter")).to_have_text("by bot-7")
    expect(problem.locator("time")).to_have_attribute("title", re.compile(r"^since .+\d{2}:\d{2}:\d{2}"))
    expect(page.locator(".problem", has_text="gate live")).to_contain_text("refuses")
    expect(page.get_by_role("heading", level=1)).to_have_text("Something is broken")


def test_failures_are_counted_against_the_threshold_while_one_looks(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 5})
    page.goto(f"{server.url}/#/breakers")
    expect(tile(page, "kraken")).to_contain_text("0 of 5 failures in a row")
    server.fail("kraken", 3)
    expect(tile(page, "kraken")).to_contain_text("3 of 5 failures in a row")


def test_after_a_restart_of_the_server_it_shows_what_was_missed(
    server: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected += [
        "Failed to load resource",
        "ERR_CONNECTION_REFUSED",
        "ERR_INCOMPLETE_CHUNKED_ENCODING",
    ]
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 1})
    page.goto(f"{server.url}/#/breakers")
    expect(tile(page, "kraken").locator(".now strong")).to_have_text("closed")
    server.kill()
    expect(page.locator(".away")).to_contain_text("Disconnected.")
    expect(page.locator(".connection")).to_have_text("Disconnected")
    expect(page).to_have_title("Disconnected · Fuseboard")
    assert page.locator("#icon").get_attribute("href").endswith("/grey.svg")
    server.start()
    server.fail("kraken", 1)
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator(".away")).to_have_count(0)
    expect(tile(page, "kraken").locator(".now strong")).to_have_text("open")
    expect(page).to_have_title("1 broken · Fuseboard")


def test_two_thousand_breakers_are_a_page_that_scrolls(server: Server, page: Page) -> None:
    for i in range(2000):
        server.ask("PUT", f"/v1/breakers/venue{i % 40:02}_{i:04}")
    page.goto(f"{server.url}/#/breakers")
    expect(page.locator(".sub").first).to_have_text("2,000 breakers")
    assert page.locator(".tile").count() < 150, "only those in sight are drawn"
    page.get_by_label("Filter by name").fill("1999")
    expect(page.locator(".tile")).to_have_count(1)
    page.get_by_label("Filter by name").fill("")
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    expect(tile(page, "venue39_1999")).to_be_visible()
    server.ask("POST", "/v1/breakers/venue39_1999/state", {"target": "forced_open", "ttl_seconds": 600})
    expect(tile(page, "venue39_1999").locator(".now strong")).to_have_text("forced open")
    page.get_by_role("button", name="forced open 1").click()
    expect(page.locator(".tile")).to_have_count(1)


def test_arrow_keys_go_from_breaker_to_breaker(server: Server, page: Page) -> None:
    for name in ("a", "b", "c"):
        server.ask("PUT", f"/v1/breakers/{name}")
    page.goto(f"{server.url}/#/breakers")
    tile(page, "a").focus()
    page.keyboard.press("ArrowRight")
    expect(tile(page, "b")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("b")


def test_a_server_that_says_nothing_any_more_is_noticed(
    server: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected += ["Failed to load resource", "ERR_"]
    page.clock.install()
    page.goto(server.url)
    expect(page.locator(".connection")).to_have_text("Live")
    server.freeze()
    page.clock.fast_forward(34_000)
    expect(page.locator(".connection")).to_have_text("Disconnected")
    # Not as of when it was noticed: nothing was heard before.
    expect(page.locator(".away")).to_contain_text(
        re.compile(r"What you see is as of .+, (3\d|[45]\d|\d+ min.*) s ago")
    )
    # It waits for the server; once that goes on, the page may be quicker than a click.
    page.get_by_role("button", name="Try now").click()
    server.thaw()
    expect(page.locator(".connection")).to_have_text("Live")


def test_what_can_not_be_read_is_said(server: Server, page: Page, complaints: Complaints) -> None:
    complaints.expected.append("status of 503")
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 1})
    page.goto(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
    problem = {"code": "storage_unavailable", "detail": "the disk takes nothing"}
    page.route("**/v1/gates?*", lambda route: route.fulfill(status=503, json=problem))
    server.fail("kraken", 1)
    expect(page.locator(".away")).to_contain_text("gates as of")
    expect(page.locator(".away")).to_contain_text("the disk takes nothing")
    page.unroute("**/v1/gates?*")
    expect(page.locator(".away")).to_have_count(0)
    page.goto(f"{server.url}/#/backups")
    expect(page.get_by_text("There is no backup yet.")).to_be_visible()
    page.route("**/v1/backups?*", lambda route: route.fulfill(status=503, json=problem))
    server.ask("POST", "/v1/backups", {"backup_type": "t", "data": {}})
    expect(page.locator(".away")).to_contain_text("backups as of")


def test_a_newer_page_is_offered_after_an_update_of_the_server(
    server: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected += ["Failed to load resource", "ERR_"]
    page.goto(server.url)
    expect(page.locator(".connection")).to_have_text("Live")
    expect(page.locator(".away")).to_have_count(0)
    newer = {"etag": 'W/"0123456789abcdef"'}
    page.route(
        "**/",
        lambda route: route.fulfill(headers=newer) if route.request.method == "HEAD" else route.continue_(),
    )
    server.kill()
    expect(page.locator(".connection")).to_have_text("Disconnected")
    server.start()
    expect(page.locator(".away")).to_contain_text("newer page")


def test_the_focus_goes_along_to_another_view(server: Server, page: Page) -> None:
    page.goto(server.url)
    page.get_by_role("link", name="Limiters", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Limiters")
