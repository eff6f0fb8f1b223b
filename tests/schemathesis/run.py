"""Starts a server and tries openapi.yaml on it, as schemathesis.toml says.

What follows on the command line goes to schemathesis.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
BINARY = os.environ.get("FUSEBOARD_BIN") or HERE.parents[1] / "target/debug/fuseboard"
TOKEN = "a-token-that-may-do-everything"
# Requests name addresses at random: nobody is called.
CONFIG = "[outbound]\nallow_only = true\n"


def main() -> int:
    """Run, and be what the run was."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        server, url = start(folder)
        try:
            return schemathesis(url, folder)
        finally:
            server.kill()
            server.wait()


def start(folder: Path) -> tuple[subprocess.Popen[str], str]:
    """A server with a database of its own, and where it is."""
    (folder / "fuseboard.toml").write_text(CONFIG)
    command = [str(BINARY), "serve", "--listen", "127.0.0.1:0", "--db", str(folder / "board.db")]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--config", str(folder / "fuseboard.toml")],
            env={**os.environ, "FUSEBOARD_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert server.stdout is not None
    for line in server.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return server, found[0]
    raise SystemExit("the server did not start: " + (folder / "server.log").read_text())


def schemathesis(url: str, folder: Path) -> int:
    """What it says. It leaves its notes in the folder."""
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program), "--config-file", str(HERE / "schemathesis.toml")]
    command += ["run", f"{url}/openapi.json", "-H", f"Authorization: Bearer {TOKEN}", *sys.argv[1:]]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": str(HERE / "hooks.py"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
