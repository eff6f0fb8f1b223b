"""A real server and a real browser for each test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, expect, sync_playwright

import seed
from server import Server

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
#: How long a busy machine may take.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # As root, as in containers, Chromium has no sandbox.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.kill()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A board on which something is going on. Tests that share it only look."""
    server = Server(tmp_path_factory.mktemp("seeded"))
    seed.populate(server)
    yield server
    server.kill()


class Complaints:
    """What the browser complains about: errors, and violations of the policy."""

    def __init__(self, page: Page) -> None:
        self.all: list[str] = []
        #: Parts of complaints that a test causes on purpose.
        self.expected: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self._note("error", str(error)))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.all.append(text)

    def unexpected(self) -> list[str]:
        return [text for text in self.all if not any(part in text for part in self.expected)]


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="Europe/Berlin"
    )
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was to be seen when a test failed."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.when == "call" and report.failed and page is not None:
        try:
            seen = page.locator("body").inner_text(timeout=2_000)
        except Error as error:  # the page may be what failed; the other tests go on
            seen = str(error)
        report.sections.append(("page", f"{page.url}\n{seen}"))
    return report


@pytest.fixture(autouse=True)
def complaints(request: pytest.FixtureRequest) -> Iterator[Complaints | None]:
    """No test leaves a complaint behind."""
    if "page" not in request.fixturenames:
        yield None
        return
    complaints = Complaints(request.getfixturevalue("page"))
    yield complaints
    assert complaints.unexpected() == []
