"""What happens on the server is seen without a reload, whatever becomes of the connection."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Page, expect

from conftest import Complaints
from server import Server

#: The promise, in seconds.
SOON = 1.0


def tile(page: Page, name: str):
    return page.locator(f".tile[data-name='{name}']")


def test_a_breaker_opens_on_the_board_within_a_second(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 2, "timeout_seconds": 60})
    page.goto(f"{server.url}/#/breakers")
    state = tile(page, "kraken").locator(".now strong")
    expect(state).to_have_text("closed")
    expect(page.locator(".connection")).to_have_text("Live")
    took = []
    # A busy machine may look away for longer once.
    for _ in range(3):
        server.fail("kraken", 2, "bot-7", "504")
        began = time.monotonic()
        expect(state).to_have_text("open")
        took.append(time.monotonic() - began)
        expect(tile(page, "kraken").locator(".until")).to_contain_text("half open in ")
        expect(page).to_have_title("1 broken · Fuseboard")
        assert page.locator("#icon").get_attribute("href").endswith("/red.svg")
        server.ask("POST", "/v1/breakers/kraken/reset", {})
        expect(state).to_have_text("closed")
        expect(page).to_have_title("all well · Fuseboard")
        assert page.locator("#icon").get_attribute("href").endswith("/green.svg")
    assert min(took) < SOON, took


def test_the_overview_says_what_is_broken_since_when_and_who_reported_it(server: Server, page: Page) -> None:
    server.ask("PUT", "/v1/breakers/kraken", {"failure_threshold": 2})
    server.ask("PUT", "/v1/gates/live", {"breakers": ["kraken"]})
    page.goto(server.url)
    expect(page.get_by_role("heading", level=1)).to_have_text("All is well")
    server.fail("kraken", 2, "bot-7", "504 Gateway Timeout")
    problem = page.locator(".problem", has_text="breaker kraken")
    expect(problem).to_be_visible()
    expect(problem).to_contain_text("504 Gateway Timeout")
    expect(problem.locator(".reporter")).to_have_text("by bot-7")
    expect(problem.locator("time")).to_have_attribute("title", re.compile(r"^since .+\d{2}:\d{2}:\d{2}"))
    expect(page.locator(".problem", has_text="gate live")).to_contain_text("closed")
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
    expect(page.locator(".away")).to_contain_text("What you see is as of")
    server.thaw()
    page.get_by_role("button", name="Try now").click()
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
