"""Who may see and do what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from conftest import Complaints
from server import Server
from test_views import RULES


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, token="root-token")
    server.ask("PUT", "/v1/breakers/kraken")
    yield server
    server.kill()


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_an_operator_signs_in_acts_and_signs_out(guarded: Server, page: Page, complaints: Complaints) -> None:
    complaints.expected.append("status of 401")
    page.goto(f"{guarded.url}/#/breakers/kraken")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_label("Token")).to_be_focused()
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("token is not valid")
    sign_in(page, "root-token")
    expect(page.get_by_role("heading", name="kraken")).to_be_visible()
    page.get_by_role("button", name="Trip kraken").click()
    page.get_by_role("dialog").get_by_role("button", name="Trip").click()
    expect(page.locator(".detail-state .big")).to_contain_text("forced open")
    assert guarded.ask("GET", "/v1/breakers/kraken/transitions")["items"][0]["actor"] == "environment"
    page.reload()
    expect(page.get_by_role("heading", name="kraken")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("kraken")
    assert page.evaluate("[sessionStorage.length, localStorage.length]") == [0, 0]


def test_who_may_only_read_sees_no_buttons(guarded: Server, page: Page, complaints: Complaints) -> None:
    complaints.expected.append("status of 401")
    guarded.ask("POST", "/v1/breakers/kraken/state", {"target": "forced_open"})
    guarded.ask("PUT", "/v1/limiters/kraken", {"requests_per_second": 1})
    guarded.ask("POST", "/v1/silences", {"matchers": ["a=b"], "duration_seconds": 60})
    window = {"starts_at": "2027-01-01T00:00:00Z", "ends_at": "2099-01-01T00:00:00Z"}
    guarded.ask("PUT", "/v1/maintenance-windows/w", window)
    guarded.ask("PUT", "/v1/receivers/ops", {"kind": "webhook", "url": "http://127.0.0.1:9/"})
    viewer = guarded.ask("POST", "/v1/tokens", {"name": "viewer", "scope": "read"})["token"]
    page.goto(guarded.url)
    sign_in(page, viewer)
    expect(page.locator(".problem", has_text="kraken")).to_be_visible()
    expect(page.locator(".who")).to_contain_text("viewer")
    for view in ("", "breakers/kraken", "limiters", "alerts", "checks", "schedules", *RULES):
        page.goto(f"{guarded.url}/#/{view}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.locator("main .placeholder[aria-busy]")).to_have_count(0)
        assert page.locator("main .button").count() == 0, view


def test_without_storage_a_token_is_kept_until_the_page_is_left(
    guarded: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected.append("status of 401")
    page.add_init_script(
        "Object.defineProperty(window, 'sessionStorage', { get() { throw new DOMException('off') } })"
    )
    page.goto(f"{guarded.url}/#/breakers")
    sign_in(page, "root-token")
    expect(page.locator(".tile")).to_have_count(1)


def test_a_token_that_is_revoked_asks_for_another(
    guarded: Server, page: Page, complaints: Complaints
) -> None:
    complaints.expected.append("status of 401")
    made = guarded.ask("POST", "/v1/tokens", {"name": "viewer", "scope": "read"})
    page.goto(f"{guarded.url}/#/breakers")
    sign_in(page, made["token"])
    expect(page.locator(".tile")).to_have_count(1)
    guarded.ask("DELETE", f"/v1/tokens/{made['id']}")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("alert")).to_contain_text("not valid")
