"""The demonstration keeps its promise."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BINARY

DEMO = Path(__file__).resolve().parents[3] / "demo"


def test_four_bots_and_an_exchange_that_bans() -> None:
    pytest.importorskip("ccxt")
    done = subprocess.run(
        [sys.executable, str(DEMO / "run.py"), "--json", "--bin", str(BINARY)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["kept"] is True
