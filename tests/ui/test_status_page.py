"""The page for everybody, as a browser shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from server import Server
from test_views import axe_violations

CONFIG = """
[status_page]
enabled = true
title = "Trading"
checks = ["web", "api", "orders"]

[checks.web]
kind = "push"
[checks.api]
kind = "push"
[checks.orders]
kind = "push"
"""


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, CONFIG, token="root-token")
    yield server
    server.kill()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows_chosen_checks_without_a_token(public: Server, page: Page, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    public.ask("POST", "/v1/checks/web/results", {"status": "green"})
    public.ask("POST", "/v1/checks/api/results", {"status": "red", "message": "of no concern to others"})
    page.goto(f"{public.url}/status")
    expect(page.get_by_role("heading", level=1)).to_have_text("Trading")
    expect(page.get_by_role("listitem")).to_have_text(["webOperational", "apiDown", "ordersNo recent data"])
    expect(page).to_have_title("Trading: Some systems are down")
    expect(page.locator("body")).not_to_contain_text("concern")
    assert axe_violations(page) == []
