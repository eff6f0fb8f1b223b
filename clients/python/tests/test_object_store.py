"""Backups whose content lies in S3: the server against moto, which speaks S3's protocol."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Server, eventually, free_port

KEY = "00000000000000000000000000000000000000000000000000000000000000a1"
#: Larger than a chunk, and not in the way that a parser would write it.
PRICES = ",".join(f'{{"price":{n * 7919 % 90001}.10}}' for n in range(20_000))
DOCUMENT = ('{ "trades":[' + PRICES + "] }").encode()


#: moto looks whether a request is signed, not how.
SCOPE = "an-id/20260101/eu-central-1/s3/aws4_request"
SIGNED = f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=0"


def ask(method: str, url: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


class S3:
    """``moto_server`` as a child process. What it has is gone with it."""

    def __init__(self, **env: str) -> None:
        self.port = free_port()
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, bucket: str | None = "backups") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **self._env},
        )
        eventually(self.is_up, timeout=60)
        if bucket is not None:
            assert ask("PUT", f"{self.url}/{bucket}")[0] == 200

    def is_up(self) -> bool:
        assert self._process is not None and self._process.poll() is None
        try:
            return ask("GET", f"{self.url}/moto-api/")[0] == 200
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def objects(self) -> list[str]:
        status, listing = ask("GET", f"{self.url}/backups?list-type=2")
        assert status == 200
        assert b"<IsTruncated>false" in listing
        return re.findall(r"<Key>(.*?)</Key>", listing.decode())

    def forget_bucket(self) -> None:
        assert ask("POST", f"{self.url}/moto-api/reset")[0] == 200


@pytest.fixture
def s3() -> Iterator[S3]:
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[Any]:
    """Starts servers that use a bucket of a service."""
    running: list[Server] = []

    def start(s3: S3, bucket: str = "backups", **env: str) -> Server:
        config = tmp_path / "fuseboard.toml"
        config.write_text(
            f'[backup]\nstore = "s3://{bucket}/boards/one"\ns3_endpoint = "{s3.url}"\n'
            's3_region = "eu-central-1"\ns3_allow_http = true\n'
        )
        keys = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-secret", "NO_PROXY": "127.0.0.1"}
        running.append(Server(tmp_path / "board.db", "--config", str(config), **{**keys, **env}))
        return running[-1]

    yield start
    for server in running:
        server.kill()


def create(board: Server, document: bytes = DOCUMENT) -> dict[str, Any]:
    status, body = ask("POST", f"{board.url}/v1/backups", b'{"data":' + document + b"}")
    assert status == 201, body
    view: dict[str, Any] = json.loads(body)
    return view


def data(board: Server, view: dict[str, Any]) -> tuple[int, bytes]:
    return ask("GET", f"{board.url}/v1/backups/{view['backup_id']}/data")


def refusal(answer: tuple[int, bytes]) -> str:
    """What a 503 of the object store says."""
    status, body = answer
    problem = json.loads(body)
    assert (status, problem["code"]) == (503, "storage_unavailable"), problem
    detail: str = problem["detail"]
    assert "s3://" in detail, "it says where"
    return detail


def errors(board: Server) -> list[list[str]]:
    """What verifications have noted with the backups."""
    return [item["errors"] for item in json.loads(ask("GET", f"{board.url}/v1/backups")[1])["items"]]


@pytest.mark.parametrize("key", ["", KEY], ids=["plain", "encrypted"])
def test_objects_come_with_backups_and_go_with_them(s3: S3, boards: Any, key: str, tmp_path: Path) -> None:
    s3.start()
    board = boards(s3, FUSEBOARD_BACKUP_KEY=key)
    view = create(board)
    names = s3.objects()
    assert len(names) > 5
    assert all(name.startswith("boards/one/") for name in names)
    assert data(board, view) == (200, DOCUMENT)
    assert create(board)["stored_bytes"] == 0, "the same content is shared"
    assert s3.objects() == names
    # Nothing of it is in the database.
    board.kill()
    assert b"price" not in (tmp_path / "board.db").read_bytes()
    board.start()
    assert data(board, view) == (200, DOCUMENT)
    status, verdict = ask("POST", f"{board.url}/v1/backups/{view['backup_id']}/verify")
    assert (status, json.loads(verdict)) == (200, {"valid": True, "errors": []})
    for item in json.loads(ask("GET", f"{board.url}/v1/backups")[1])["items"]:
        assert ask("DELETE", f"{board.url}/v1/backups/{item['backup_id']}")[0] == 204
    eventually(lambda: s3.objects() == ["boards/one/fuseboard-store"], timeout=60)


def test_a_service_that_is_away_is_503_and_no_damage(s3: S3, boards: Any) -> None:
    board = boards(s3)
    assert "127.0.0.1" in refusal(ask("POST", f"{board.url}/v1/backups", b'{"data":{"a":1}}'))
    assert json.loads(ask("GET", f"{board.url}/v1/backups")[1])["items"] == []
    s3.start()
    view = create(board)
    assert data(board, view) == (200, DOCUMENT)
    s3.stop()
    refusal(data(board, view))
    refusal(ask("POST", f"{board.url}/v1/backups/{view['backup_id']}/verify"))
    refusal(ask("POST", f"{board.url}/v1/backups", b'{"data":{"b":2}}'))
    assert ask("GET", f"{board.url}/readyz")[0] == 200, "all else goes on"
    # It comes back without the bucket, then with an empty one.
    s3.start(bucket=None)
    assert "NoSuchBucket" in refusal(data(board, view))
    assert ask("PUT", f"{s3.url}/backups")[0] == 200
    assert "marker is gone" in refusal(data(board, view))
    assert errors(board) == [[]]
    # After a start as well.
    board.kill()
    s3.forget_bucket()
    assert ask("PUT", f"{s3.url}/backups")[0] == 200
    board.start()
    assert "marker is gone" in refusal(data(board, view))


def test_one_lost_object_is_damage(s3: S3, boards: Any) -> None:
    s3.start()
    board = boards(s3)
    view = create(board)
    lost = next(name for name in s3.objects() if not name.endswith("fuseboard-store"))
    assert ask("DELETE", f"{s3.url}/backups/{lost}", Authorization=SIGNED)[0] == 204
    status, body = data(board, view)
    assert (status, json.loads(body)["code"]) == (500, "backup_corrupt"), body
    assert "object is gone" in errors(board)[0][0]


def test_a_wrong_bucket_and_wrong_credentials_are_named(boards: Any, tmp_path: Path) -> None:
    s3 = S3(INITIAL_NO_AUTH_ACTION_COUNT="2")
    try:
        s3.start()
        board = boards(s3, bucket="nowhere")
        assert "NoSuchBucket" in refusal(ask("POST", f"{board.url}/v1/backups", b'{"data":{}}'))
        board = boards(s3)
        detail = refusal(ask("POST", f"{board.url}/v1/backups", b'{"data":{"a":1}}'))
        assert "InvalidAccessKeyId" in detail, detail
        assert "a-secret" not in detail
        log = tmp_path / "board.log"
        eventually(lambda: "InvalidAccessKeyId" in log.read_text(), timeout=30)
        assert "a-secret" not in log.read_text()
    finally:
        s3.stop()
