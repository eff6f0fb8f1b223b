"""What every example stands on: a server that runs already, and the demo's emulated exchange."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

import fuseboard
from fuseboard.settings import settings_from

EXCHANGE = Path(__file__).resolve().parent.parent / "demo" / "exchange.py"


def board() -> fuseboard.Client:
    """The plain client of the server at ``FUSEBOARD_URL``; ends the program with a word of advice if there is none."""
    url = settings_from().url
    client = fuseboard.Client()
    try:
        client.livez()
    except fuseboard.FuseboardUnavailable:
        sys.exit(f"There is no server at {url}. Start one with `make run`, or say where it is: FUSEBOARD_URL=…")
    print(f"Board: {url}")
    return client


class EmulatedExchange:
    """``demo/exchange.py`` as a child process: answers like Kraken, bans who asks too often, fails on command."""

    def __enter__(self) -> EmulatedExchange:
        self._process = subprocess.Popen([sys.executable, str(EXCHANGE)], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        found = re.search(r"http://\S+", self._process.stdout.readline())
        if found is None:
            self.__exit__(None, None, None)
            sys.exit(f"{EXCHANGE} did not start")
        self.url = found[0]
        print(f"Emulated exchange: {self.url}, bans above 10 requests in any second")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def control(self, **order: Any) -> None:
        """``fail=True``, ``fail_next=2``, ``factor=0.8``, ``reset=True``."""
        request = Request(f"{self.url}/control", json.dumps(order).encode(), method="POST")
        urlopen(request, timeout=5).close()

    def stats(self) -> dict[str, int]:
        """What it has seen since the last reset."""
        with urlopen(f"{self.url}/stats", timeout=5) as answer:
            found: dict[str, int] = json.load(answer)
            return found


def heading(text: str) -> None:
    """A part of what an example prints."""
    print(f"\n== {text}", flush=True)
