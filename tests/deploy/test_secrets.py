"""What is secret never comes out: not in the log at its most talkative, not in an answer, not in metrics."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import driving
from conftest import eventually
from server import BINARY, Server

TOKEN = "s3cret-of-the-environment"
#: Each is found by its middle, whatever it is wrapped in.
MARK = "hunter2"


def secret(name: str) -> str:
    return f"{name}-{MARK}-{name}"


#: Ports at which nobody listens, so that deliveries fail.
NOWHERE = "http://127.0.0.1:9"
RECEIVERS: dict[str, dict[str, Any]] = {
    "hook": {
        "kind": "webhook",
        "url": f"{NOWHERE}/{secret('path')}?key={secret('query')}",
        "hmac_secret": secret("hmac"),
        "headers": {"Authorization": f"Bearer {secret('bearer')}", "X-Api-Key": secret("apikey")},
    },
    "other": {
        "kind": "alertmanager",
        "url": NOWHERE,
        "headers": {"Authorization": f"Basic {secret('alertmanager')}"},
    },
    "slack": {"kind": "slack", "url": f"{NOWHERE}/services/T0/B0/{secret('slack')}"},
    "mail": {
        "kind": "email",
        "smtp_host": "127.0.0.1",
        "smtp_port": 9,
        "smtp_username": "board",
        "smtp_password": secret("smtp"),
        "from": "board@example.org",
        "to": ["ops@example.org"],
    },
}
HEADERS = {"Authorization": f"Basic {secret('basic')}", "Cookie": f"session={secret('cookie')}"}
CHECK = {"kind": "http", "url": f"{NOWHERE}/health", "headers": HEADERS, "interval_seconds": 1}
WEBHOOK = {"kind": "webhook", "url": f"{NOWHERE}/run", "headers": HEADERS}
SCHEDULE = {"cron": "@hourly", "action": WEBHOOK}
SOURCE = {"kind": "http", "url": f"{NOWHERE}/state", "headers": HEADERS}


URLS = (
    f"ftp://{secret('ftp')}/",
    f"http://user:{secret('userinfo')}@127.0.0.1:9/",
    f"http://127.0.0.1:99999/{secret('port')}",
    secret("no-url") + " \u0001",
)


class Talk:
    """Requests, and everything that came back."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.heard: dict[str, str] = {}

    def ask(self, method: str, path: str, body: Any = None, token: str = TOKEN) -> int:
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        request = urllib.request.Request(self.server.url + path, raw or None, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status, text = answer.status, f"{answer.headers} {answer.read().decode()}"
        except urllib.error.HTTPError as error:
            status, text = error.code, f"{error.headers} {error.read().decode()}"
        self.heard[f"{method} {path} {len(self.heard)}"] = text
        return status


def spoil(document: dict[str, Any]) -> list[Any]:
    """Ways of getting a body wrong with the secret in it."""
    text = json.dumps(document).encode()
    wrong = [{**document, "unknown_field": secret("unknown")}, text[:-1], text.replace(b'"kind"', b'"knid"')]
    wrong += [{**document, key: [document[key]]} for key in document]
    wrong += [{**document, key: {"nested": document[key]}} for key in document]
    wrong += [
        {**document, "url": f"ftp://{secret('ftp')}/"},
        {**document, "url": secret("no-url") + " \u0001"},
    ]
    return wrong


@pytest.fixture
def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("FUSEBOARD_LOG", "trace")
    monkeypatch.setenv("FUSEBOARD_BACKUP_KEY", KEY)
    monkeypatch.setenv("FUSEBOARD_BACKUP_PREVIOUS_KEYS", OLD_KEY)
    config = f"""
[receivers.from_file]
kind = "webhook"
url = "{NOWHERE}/{secret("filepath")}"
hmac_secret = "{secret("filehmac")}"
"""
    server = Server(tmp_path, config, token=TOKEN)
    try:
        yield Talk(server)
    finally:
        server.kill()


KEY, OLD_KEY = (hashlib.sha256(name.encode()).hexdigest() for name in ("now", "before"))


def leaks(text: str) -> list[str]:
    return re.findall(rf"[^\n]{{0,120}}(?:{MARK}|{TOKEN}|{KEY}|{OLD_KEY})[^\n]{{0,60}}", text)


def test_secrets_stay_where_they_were_put(talk: Talk, tmp_path: Path) -> None:
    for name, receiver in RECEIVERS.items():
        assert talk.ask("PUT", f"/v1/receivers/{name}", receiver) == 201, talk.heard
        assert talk.ask("GET", f"/v1/receivers/{name}") == 200
        for wrong in spoil(receiver):
            talk.ask("PUT", "/v1/receivers/wrong", wrong)
        talk.ask("POST", f"/v1/receivers/{name}/test", {})
    assert talk.ask("PUT", "/v1/checks/http", CHECK) == 201, talk.heard
    assert talk.ask("PUT", "/v1/schedules/hook", SCHEDULE) == 201, talk.heard
    state = {"kind": "create_backup", "backup_type": "state", "source": SOURCE}
    assert talk.ask("PUT", "/v1/schedules/state", {"cron": "@hourly", "action": state}) == 201, talk.heard
    for wrong in spoil(CHECK):
        talk.ask("PUT", "/v1/checks/wrong", wrong)
    for wrong in spoil(WEBHOOK):
        if isinstance(wrong, dict):
            talk.ask("PUT", "/v1/schedules/wrong", {"cron": "@hourly", "action": wrong})
    for name in ("hook", "state"):
        talk.ask("POST", f"/v1/schedules/{name}/run?wait_seconds=20", {})
        talk.ask("GET", f"/v1/schedules/{name}/runs")
    talk.ask("POST", "/v1/health/run", {})
    # An alert that nobody can be told of, at once.
    for name in RECEIVERS:
        route = {"receiver": name, "group_wait_seconds": 0, "continue": True}
        assert talk.ask("PUT", f"/v1/routes/{name}", route) == 201, talk.heard
    assert talk.ask("POST", "/v1/thresholds", {"metric_name": "m", "comparison": ">", "threshold": 0}) == 201
    talk.ask("POST", "/v1/alerts/check", {"metric_name": "m", "value": 1})
    eventually(lambda: told_in_vain(talk), "each receiver was tried")
    talk.ask("POST", "/v1/backups", {"backup_type": "t", "data": {"a": "b" * 10_000}})
    # Wrong tokens.
    talk.ask("GET", "/v1/breakers", token=secret("wrongtoken"))
    talk.ask("GET", f"/v1/breakers?token={secret('inquery')}")
    for path in LOOKS:
        talk.ask("GET", path)
    everything = {name: found for name, text in talk.heard.items() if (found := leaks(text))}
    assert everything == {}, everything
    log = (tmp_path / "server.log").read_text()
    # It said what it did, and nothing of what it used.
    assert '"level":"DEBUG"' in log and "/v1/receivers/{name}" in log
    assert leaks(log) == []


def told_in_vain(talk: Talk) -> bool:
    talk.ask("GET", "/metrics")
    page = list(talk.heard.values())[-1]
    failed = re.findall(r'attempts_total\{kind="(\w+)",result="failed"\} ([1-9]\d*)', page)
    return {kind for kind, _ in failed} == {"webhook", "alertmanager", "slack", "email"}


LOOKS = [
    "/v1/receivers",
    "/v1/checks",
    "/v1/checks/http",
    "/v1/checks/http/results",
    "/v1/schedules",
    "/v1/notifications",
    "/v1/events?limit=1000",
    "/v1/alerts",
    "/v1/tokens",
    "/v1/health",
    "/readyz?verbose",
    "/api/v2/receivers",
    "/api/v2/status",
    "/metrics",
]


def test_a_bucket_that_cannot_be_reached_is_named_without_its_keys(tmp_path: Path) -> None:
    config = tmp_path / "fuseboard.toml"
    bucket = f'store = "s3://bucket/prefix"\ns3_endpoint = "{NOWHERE}"\ns3_allow_http = true\n'
    config.write_text(f"[backup]\n{bucket}")
    keys = {"AWS_ACCESS_KEY_ID": secret("access"), "AWS_SECRET_ACCESS_KEY": secret("key")}
    command = [BINARY, "serve", "--listen", "127.0.0.1:0", "--db", tmp_path / "board.db", "--config", config]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={"FUSEBOARD_LOG": "trace", "FUSEBOARD_TOKEN": TOKEN, **keys}
        )
        # It tries for a while, and says so.
        eventually(lambda: "127.0.0.1:9" in (tmp_path / "log").read_text(), "it says what it cannot reach")
        process.kill()
        process.wait()
    assert leaks((tmp_path / "log").read_text()) == []


def test_only_admins_see_the_document_that_has_secrets(talk: Talk) -> None:
    talk.ask("PUT", "/v1/receivers/hook", RECEIVERS["hook"])
    for scope in ("read", "write"):
        talk.ask("POST", "/v1/tokens", {"name": scope, "scope": scope})
        made = re.search(r'"token":\s*"([^"]+)"', list(talk.heard.values())[-1])
        assert made
        assert talk.ask("GET", "/v1/board", token=made[1]) == 403
        assert talk.ask("GET", "/v1/tokens", token=made[1]) == 403
    assert talk.ask("GET", "/v1/board") == 200
    assert MARK in list(talk.heard.values())[-1]


def test_webhooks_get_the_signature_and_not_the_secret(talk: Talk) -> None:
    with driving.receiver() as url:
        talk.ask("PUT", "/v1/receivers/hook", {"kind": "webhook", "url": url, "hmac_secret": secret("hmac")})
        assert talk.ask("POST", "/v1/receivers/hook/test", {}) == 200, talk.heard
        (got,) = driving.RECEIVED[-1:]
    assert re.search(r"t=\d+,v1=[0-9a-f]{64}", got) and MARK not in got
