"""What the operator's page costs: first paint, bytes, and the CPU of the browser while 2,000 breakers change.

Usage: .venv/bin/python benches/ui/page.py [seconds], after `make test-ui`, which installs what it needs.
FUSEBOARD_BIN names the server.

Ten times a second, the next of the breakers are called and fail: they open, and are half open soon after.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Event, Process
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "ui"))

import seed
from server import Server

BREAKERS = 2_000
#: So many change in each tenth of a second.
AT_ONCE = 20
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 30
LOADS = 7


def first_paint(browser: Browser, url: str) -> tuple[float, float, float, int]:
    """Milliseconds to first paint, first contents and the overview; bytes over the wire."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    sizes: list[int] = []
    network.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(url)
    page.locator(".headline").wait_for()
    ready = page.evaluate("performance.now()")
    paints = page.evaluate(
        "Object.fromEntries(performance.getEntriesByType('paint').map((p) => [p.name, p.startTime]))"
    )
    page.wait_for_timeout(1_500)
    context.close()
    return paints["first-paint"], paints["first-contentful-paint"], ready, sum(sizes)


def cpu(browser: Browser) -> dict[str, float]:
    """Seconds of CPU so far, by the kind of process."""
    session = browser.new_browser_cdp_session()
    spent: dict[str, float] = {}
    for process in session.send("SystemInfo.getProcessInfo")["processInfo"]:
        spent[process["type"]] = spent.get(process["type"], 0.0) + process["cpuTime"]
    session.detach()
    return spent


def name(i: int) -> str:
    return f"venue{i % 40:02}_{i % BREAKERS:04}"


def declare(server: Server) -> None:
    spec = {"failure_threshold": 1, "timeout_seconds": 0.2}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: server.ask("PUT", f"/v1/breakers/{name(i)}", spec), range(BREAKERS)))


def change(address: str, stop: object) -> None:
    """Make the next breakers fail, ten times a second. Runs in a process of its own."""
    connection = http.client.HTTPConnection(address)

    def ask(path: str, body: object) -> dict:
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        return json.loads(connection.getresponse().read())

    at, due = 0, time.monotonic()
    while not stop.is_set():
        calls = [ask("/v1/calls", {"breaker": name(at + i), "client": "bench"}) for i in range(AT_ONCE)]
        failed = [
            {"call_id": call["call_id"], "outcome": "failure", "duration_seconds": 0.1}
            for call in calls
            if call["call_id"]
        ]
        ask("/v1/outcomes", {"items": failed})
        at += AT_ONCE
        due += 0.1
        time.sleep(max(0.0, due - time.monotonic()))


def events(server: Server) -> int:
    return server.ask("GET", "/v1/events?limit=1")["items"][0]["id"]


@contextlib.contextmanager
def running() -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            yield server
        finally:
            server.kill()


def measure_load(browser: Browser) -> None:
    with running() as server:
        seed.populate(server)
        paints, contents, ready, sizes = zip(
            *(first_paint(browser, server.url) for _ in range(LOADS)), strict=True
        )
    print(f"| a board with 12 breakers, nothing cached, medians of {LOADS} loads | |\n|---|---|")
    print(f"| first paint | {median(paints):.0f} ms |")
    print(f"| first contents | {median(contents):.0f} ms |")
    print(f"| the overview is there | {median(ready):.0f} ms |")
    print(f"| transferred until then: page, styles, modules, data | {max(sizes) / 1000:.0f} kB |\n")


def measure_cpu(browser: Browser) -> None:
    with running() as server:
        declare(server)
        stop = Event()
        changes = Process(target=change, args=(server.url.removeprefix("http://"), stop), daemon=True)
        changes.start()
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        print(
            f"| view of {BREAKERS:,} breakers over {SECONDS:g} s | events | renderer "
            "| the browser's other processes |"
        )
        print("|---|---|---|---|")
        for view in ("breakers", ""):
            page.goto(f"{server.url}/#/{view}")
            page.wait_for_timeout(8_000)
            before, at, began = cpu(browser), events(server), time.monotonic()
            page.wait_for_timeout(SECONDS * 1_000)
            after, passed = cpu(browser), time.monotonic() - began
            rate = (events(server) - at) / passed
            by_kind = {kind: (after[kind] - before.get(kind, 0.0)) / passed for kind in after}
            rest = sum(by_kind.values()) - by_kind.get("renderer", 0.0)
            what = view or "overview, with nearly all of them broken"
            print(
                f"| {what} | {rate:.0f}/s | {by_kind['renderer']:.2f} cores | {rest:.2f} cores |", flush=True
            )
        page.close()
        stop.set()
        changes.join()


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and then what was started is stopped
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        measure_load(browser)
        measure_cpu(browser)
        browser.close()


if __name__ == "__main__":
    main()
