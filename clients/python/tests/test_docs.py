"""What the book and the README show is what happens: commands and programs run against a real server."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import fuseboard

from conftest import BINARY, Server

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs" / "src"
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
            follows(text, out)
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


#: Stands before the commands of a page, which run in one shell.
PRELUDE = """
set -euo pipefail
"""
#: What would go on for ever, or asks somebody who is not there.
SHIMS = {
    "curl": """
case " $* " in
*" -N "*) "$REAL" --max-time 2 "$@" || [ $? = 28 ];;
*) exec "$REAL" "$@";;
esac
""",
    "fuseboard": """
exec "$REAL" "$@"
""",
    "dump-state": "echo '{\"positions\": {}}'",
}
#: What stands for places of the reader's own.
README_PLACES = {
    "https://api.kraken.com/0/public/Time": "{url}/livez",
    "https://example.org/hook": "{hook}",
    "/data/*": "/etc/host*",
}


@contextmanager
def hook() -> Iterator[str]:
    """Somebody who takes what webhooks bring."""

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as taker:
        threading.Thread(target=taker.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{taker.server_address[1]}/"
        taker.shutdown()


def shell(page: Path, folder: Path, server: Server, places: dict[str, str]) -> int:
    """Do what the page says, in one shell; how many blocks of commands it had."""
    tools = folder / "tools"
    tools.mkdir()
    for name, text in SHIMS.items():
        real = BINARY if name == "fuseboard" else shutil.which(name)
        (tools / name).write_text(f"#!/bin/bash\nREAL={real}\n{text}")
        (tools / name).chmod(0o755)
    for document in ("state", "other", "now"):
        (folder / f"{document}.json").write_text('{"balance": 1}')
    blocks = [b for b in BLOCK.finditer(page.read_text()) if b["note"] != "not run"]
    script, wanted = PRELUDE, []
    for block in blocks:
        if block["kind"] == "sh":
            script += f"echo '=== {len(wanted)}'\n{block['text']}"
            wanted.append("")
        elif block["kind"] == "text":
            wanted[-1] = block["text"]
    for there, here in {"http://127.0.0.1:7077": server.url, **places}.items():
        script = script.replace(there, here)
    environment = {
        **os.environ,
        "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "FUSEBOARD_URL": server.url,
        "FUSEBOARD_DB": str(server._db),
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    outputs = re.split(r"^=== \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    for expected, out in zip(wanted, outputs, strict=True):
        follows(expected, out)
    return len(wanted)


def follows(expected: str, out: str) -> None:
    """Each line is there, in this order."""
    place = 0
    for line in expected.splitlines():
        place = out.find(line.rstrip("…"), place)
        assert place >= 0, f"{line!r} is not in\n{out}"
        place += len(line.rstrip("…"))


def test_the_api_guide(server: Server, tmp_path: Path) -> None:
    assert shell(DOCS / "api-guide.md", tmp_path, server, {}) == 16


def test_operations(server: Server, tmp_path: Path) -> None:
    with fuseboard.Client(server.url) as board:
        board.breaker_put("kraken_api", {})
    assert shell(DOCS / "operations.md", tmp_path, server, {}) == 4


def test_readme(server: Server, tmp_path: Path) -> None:
    with hook() as url:
        places = {there: here.format(url=server.url, hook=url) for there, here in README_PLACES.items()}
        assert shell(ROOT / "README.md", tmp_path, server, places) == 8


def test_the_api_guide_has_each_resource() -> None:
    guide = (DOCS / "api-guide.md").read_text()
    for path in re.findall(r"^  (/v1/[a-z-]+)", (ROOT / "openapi.yaml").read_text(), re.MULTILINE):
        assert path in guide, path


def commands(*words: str) -> list[str]:
    """What a command's help lists as commands of its own."""
    done = subprocess.run([BINARY, *words, "--help"], capture_output=True, text=True, check=True)
    listed = re.search(r"^Commands:\n(.*?)^\n?Options:", done.stdout, re.DOTALL | re.MULTILINE)
    found = re.findall(r"^  ([a-z-]+)", listed[1], re.MULTILINE) if listed else []
    return [word for word in found if word != "help"]


def test_the_command_line_is_all_there() -> None:
    shown: dict[str, list[str]] = {}
    for row in re.findall(r"^\| (`fuseboard .*?) \|", (DOCS / "command-line.md").read_text(), re.MULTILINE):
        command = ""
        for words in re.findall(r"`([^`]+)`", row):
            parts = words.removeprefix("fuseboard ").split()
            command = parts[0] if words.startswith("fuseboard ") else command
            shown.setdefault(command, []).extend(parts[1:] if words.startswith("fuseboard ") else parts)
    assert shown == {command: commands(command) for command in commands()}


def test_settings_are_all_there() -> None:
    page = (DOCS / "settings.md").read_text()
    serve = subprocess.run([BINARY, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    flags = set(re.findall(r"^\s+(?:-\w, )?(--[a-z-]+)", serve, re.MULTILINE)) - {"--help"}
    assert set(re.findall(r"^\| `(--[a-z-]+)`", page, re.MULTILINE)) == flags
    variables = set(re.findall(r"\[env: (FUSEBOARD_\w+)", serve))
    assert set(re.findall(r"`--[a-z-]+` \| `(FUSEBOARD_\w+)`", page)) == variables
    # What the code reads is in the example or on the page, and nothing else is on the page.
    page = page.split("## The file")[1]
    example = (ROOT / "fuseboard.toml").read_text()
    known = {key for file in (ROOT / "src/config").glob("*.rs") for key in sections(file.read_text())}
    assert {key for key in known if not re.search(rf"\b{key}\b", example + page)} == set()
    assert set(re.findall(r"`([a-z_0-9]+)`", page)) - known - {"plain", "json"} == set()


def sections(code: str) -> list[str]:
    """Fields of the structs that the file's sections are read into."""
    structs = re.findall(r"^pub struct \w+Section \{\n(.*?)^\}", code, re.DOTALL | re.MULTILINE)
    return [name for body in structs for name in re.findall(r"^    pub (\w+):", body, re.MULTILINE)]


def test_commands_that_are_not_run_exist() -> None:
    """Blocks and lines that need a machine of the reader's own name no command or flag that there is not."""
    known = {command: help_of(command) for command in commands()}
    for page in [*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"]:
        for command, rest in re.findall(r"\bfuseboard ([a-z]+)((?: [^\n`|&;#(]*)?)", page.read_text()):
            if command in known:
                for flag in re.findall(r"(?<!\S)(--[a-z-]+)", rest):
                    assert flag in known[command], f"{page.name}: fuseboard {command} {flag}"


def help_of(command: str) -> str:
    texts = [
        subprocess.run([BINARY, command, *words, "--help"], capture_output=True, text=True, check=True).stdout
        for words in ([], *([word] for word in commands(command)))
    ]
    return "".join(texts)


PAGES = [
    *DOCS.glob("*.md"),
    *(ROOT / name for name in ("README.md", "SECURITY.md", "CONTRIBUTING.md", "ARCHITECTURE.md")),
    ROOT / "examples" / "README.md",
    ROOT / "clients" / "python" / "README.md",
]


def anchor(heading: str) -> str:
    """As GitHub and mdBook make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for target, place in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", text):
            if "://" in target:
                continue
            file = page.parent / target if target else page
            assert file.exists(), f"{page.name}: {target}"
            if place and file.suffix == ".md":
                headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
                assert place in map(anchor, headings), f"{page.name}: {target}#{place}"


def test_the_book_has_each_page() -> None:
    listed = re.findall(r"\]\((.*?)\)", (DOCS / "SUMMARY.md").read_text())
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md") if page.name != "SUMMARY.md")
