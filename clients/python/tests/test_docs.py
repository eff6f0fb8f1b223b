"""What the guides in ``docs/`` show is what happens: commands and programs run against a real server."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import BINARY, Server

DOCS = Path(__file__).resolve().parents[3] / "docs"
BLOCK = re.compile(
    r"^(?:<!-- (?P<note>.*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
PEERS = ("aiobreaker", "limits", "purgatory", "pybreaker", "pyrate_limiter", "tenacity")


def run(command: list[str], folder: Path, url: str) -> str:
    search = f"{Path(sys.executable).parent}:{BINARY.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "FUSEBOARD_URL": url, "PATH": search},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def follow(guide: str, folder: Path, url: str) -> list[str]:
    """Do what the guide says; which kinds of blocks it had."""
    kinds = []
    out = ""
    for block in BLOCK.finditer((DOCS / guide).read_text()):
        note, kind, text = block["note"] or "", block["kind"], block["text"]
        if note == "not run":
            continue
        kinds.append(kind)
        if note.startswith("file: "):
            (folder / note.removeprefix("file: ")).write_text(text)
        elif kind == "python":
            run([sys.executable, "-c", text], folder, url)
        elif kind == "sh":
            out = run(["bash", "-euo", "pipefail", "-c", text], folder, url)
        elif kind == "text":
            place = 0
            for line in text.splitlines():
                place = out.find(line.rstrip("…"), place)
                assert place >= 0, f"{line!r} is not in\n{out}"
                place += len(line.rstrip("…"))
    return kinds


def test_quick_start(server: Server, tmp_path: Path) -> None:
    kinds = follow("quick-start.md", tmp_path, server.url)
    assert kinds.count("sh") == kinds.count("text") == 7


def test_from_a_breaker_library(server: Server, tmp_path: Path) -> None:
    missing = [name for name in PEERS if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {missing}")
    kinds = follow("from-a-breaker-library.md", tmp_path, server.url)
    assert kinds.count("python") == 13


def test_links_lead_somewhere() -> None:
    for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md", DOCS.parent / "examples" / "README.md"]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
