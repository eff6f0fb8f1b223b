"""A board on which something goes on, and a Prometheus that scrapes it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import driving
import seed
from server import Server

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def eventually(condition: Callable[[], Any], why: str, patience: float = 60) -> Any:
    """Wait until it holds; what it returned."""
    end = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < end, f"never: {why}"
        time.sleep(0.05)
    return found


def program(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is needed: run `make tools`"
    return found


@pytest.fixture(scope="session")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With something of everything that a server counts."""
    folder = tmp_path_factory.mktemp("board")
    server = Server(folder)
    try:
        seed.populate(server)
        driving.drive(server, folder / "board.db")
        eventually(lambda: "\nfuseboard_backups{" in shown(server), "what backups there are is counted")
        yield server
    finally:
        server.kill()


def shown(server: Server) -> str:
    with urllib.request.urlopen(server.url + "/metrics", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


@pytest.fixture(scope="session")
def page(board: Server) -> str:
    return shown(board)


class Prometheus:
    """A real one, which scrapes the board as deploy/ says."""

    def __init__(self, folder: Path, target: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        (folder / "prometheus.yml").write_text(
            # JSON is YAML.
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
                    "rule_files": [str(DEPLOY / "prometheus" / "rules.yml")],
                    "scrape_configs": [
                        {
                            "job_name": "fuseboard",
                            "honor_labels": True,
                            "static_configs": [{"targets": [target]}],
                        }
                    ],
                }
            )
        )
        command = [program("prometheus"), f"--config.file={folder}/prometheus.yml", "--log.level=error"]
        command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address=127.0.0.1:{port}"]
        with (folder / "prometheus.log").open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

    def get(self, path: str, **query: str) -> Any:
        address = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return {"status": "error", "error": error.read().decode()}
        except OSError:
            return {"status": "error", "error": "it does not listen"}

    def query(self, expression: str) -> list[dict[str, Any]]:
        answer = self.get("/api/v1/query", query=expression)
        assert answer["status"] == "success", f"{expression}\n{answer['error']}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


@pytest.fixture(scope="session")
def prometheus(board: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    running = Prometheus(tmp_path_factory.mktemp("prometheus"), board.url.removeprefix("http://"))
    try:
        eventually(lambda: running.get("/api/v1/query", query="up")["status"] == "success", "it listens")
        # A rate needs two scrapes.
        eventually(lambda: running.query("count_over_time(fuseboard_build_info[10m]) >= 3"), "three scrapes")
        yield running
    finally:
        running.process.kill()
        running.process.wait()
