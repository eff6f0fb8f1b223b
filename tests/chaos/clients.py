"""What each kind of client does, a step at a time."""

from __future__ import annotations

import base64
import http.client
import random
import socket
import time
from collections.abc import Callable
from typing import Any

from board import Refused, exchange
from ledger import Entry, Ledger

# As short as makes rounds short, and longer than anybody holds anything.
LEASE_SECONDS = 3.0
HALF_OPEN_CALLS = 2
SLOTS = 3
LIMITERS: dict[str, dict[str, Any]] = {
    "sliding": {"algorithm": "sliding_window", "limit": 20, "period_seconds": 1},
    "fixed": {"algorithm": "fixed_window", "limit": 20, "period_seconds": 1},
    "bucket": {"algorithm": "token_bucket", "requests_per_second": 20, "burst_size": 5},
    "slots": {"algorithm": "concurrency", "limit": SLOTS, "lease_seconds": LEASE_SECONDS},
}
PROBED = {
    "failure_threshold": 3,
    "timeout_seconds": 0.3,
    "half_open_max_calls": HALF_OPEN_CALLS,
    "half_open_successes": 2,
    "call_timeout_seconds": LEASE_SECONDS,
}
ALERT = {"metric_name": "chaos", "threshold": 0.5, "message_template": "{value} is too much"}


class Lost(Exception):
    """Nobody knows whether the request was heard."""


class Client:
    """One process of the fleet."""

    def __init__(self, ledger: Ledger, port: int, rng: random.Random) -> None:
        self.ledger, self.port, self.rng = ledger, port, rng
        self.connection: http.client.HTTPConnection | None = None
        self.breaker: str | None = None
        self.steps = 0

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            return exchange(self.connection, method, path, body, **headers)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise Lost from error

    def until_promised(self, entry: Entry, method: str, path: str, body: Any) -> Any:
        """As a careful client does it: the same request with the same key until it is answered."""
        for attempt in range(40):
            try:
                return self.send(method, path, body, Idempotency_Key=entry["id"])
            except Lost:
                pass
            except Refused as refusal:
                # What was refused for good tells of a mistake of this harness. The first one may be at work.
                assert refusal.status in (429, 503) or b"idempotency_in_progress" in refusal.body, refusal
            time.sleep(self.rng.random() * min(0.02 * 2**attempt, 0.5))
        return None


def write(client: Client) -> None:
    """Things that must be on disk once they are answered."""
    client.steps += 1
    kinds = [put_breaker, move_breaker, raise_alert, store_backup]
    kinds[client.steps % len(kinds)](client)


def put_breaker(client: Client) -> None:
    config = {"failure_threshold": client.rng.randint(1, 99), "timeout_seconds": client.rng.randint(1, 9999)}
    entry = client.ledger.asked("breaker", config=config)
    if client.until_promised(entry, "PUT", f"/v1/breakers/{entry['id']}", config) is not None:
        client.ledger.promised(entry)
        client.breaker = entry["id"]


def move_breaker(client: Client) -> None:
    if client.breaker is None:
        return
    entry = client.ledger.asked("state", breaker=client.breaker)
    body = {"target": "forced_open", "reason": entry["id"]}
    if client.until_promised(entry, "POST", f"/v1/breakers/{client.breaker}/state", body) is not None:
        client.ledger.promised(entry)
    # A second override of the same breaker would be refused.
    client.breaker = None


def raise_alert(client: Client) -> None:
    entry = client.ledger.asked("alert")
    body = {"metric_name": ALERT["metric_name"], "value": 1, "labels": {"op": entry["id"]}}
    answer = client.until_promised(entry, "POST", "/v1/alerts/check", body)
    if answer is None:
        return
    client.ledger.promised(entry, alert=answer["alerts"][0]["id"])
    if client.rng.random() < 0.9:
        over = client.ledger.asked("resolved", of=entry["id"])
        if client.until_promised(over, "POST", "/v1/alerts/check", {**body, "value": 0}) is not None:
            client.ledger.promised(over)


def store_backup(client: Client) -> None:
    noise = base64.b64encode(client.rng.randbytes(client.rng.choice([30, 3_000, 100_000]))).decode()
    entry = client.ledger.asked("backup", data={"noise": noise})
    body = {"backup_type": "chaos", "data": entry["data"], "labels": {"op": entry["id"]}}
    answer = client.until_promised(entry, "POST", "/v1/backups", body)
    if answer is not None:
        client.ledger.promised(entry, backup=answer["backup_id"])


def take(client: Client) -> None:
    """Tokens, at once or after a wait."""
    limiter = client.rng.choice(["sliding", "fixed", "bucket"])
    wait = client.rng.choice([0, 0, 0.3])
    entry = client.ledger.asked("token", limiter=limiter)
    answer = client.send("POST", f"/v1/limiters/{limiter}/acquire", {"max_wait_seconds": wait})
    if answer["allowed"]:
        client.ledger.promised(entry, wait=answer["wait_seconds"] or 0)
    time.sleep(client.rng.random() * 0.02)


def hold(client: Client) -> None:
    """A permit that is given back."""
    entry = client.ledger.asked("slot")
    answer = client.send("POST", "/v1/limiters/slots/acquire", {})
    if not answer["allowed"]:
        time.sleep(client.rng.random() * 0.03)
        return
    client.ledger.promised(entry)
    time.sleep(client.rng.random() * 0.05)
    client.ledger.write({"id": entry["id"], "released": time.monotonic()})
    client.send("POST", "/v1/limiters/slots/release", {"lease_id": answer["lease_id"]})


def probe(client: Client) -> None:
    """Calls of an upstream that fails more often than not."""
    entry = client.ledger.asked("probe")
    answer = client.send("POST", "/v1/calls", {"breaker": "probed"})
    if not answer["allowed"]:
        time.sleep(client.rng.random() * 0.05)
        return
    client.ledger.promised(entry, state=answer["breaker_state"])
    time.sleep(client.rng.random() * 0.05)
    client.ledger.write({"id": entry["id"], "released": time.monotonic()})
    outcome = {"outcome": client.rng.choice(["failure", "failure", "success"]), "duration_seconds": 0.01}
    client.send("POST", f"/v1/calls/{answer['call_id']}/outcome", outcome)


def count(client: Client) -> None:
    """Increments, each sent once."""
    entry = client.ledger.asked("increment")
    client.send(
        "POST", "/v1/metrics", {"samples": [{"name": "chaos_done", "type": "counter", "op": "increment"}]}
    )
    client.ledger.promised(entry)
    time.sleep(client.rng.random() * 0.02)


HALVES = [
    b"",
    b"\x16\x03\x01\x02\x00\x01",
    b"POST /v1/backups HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n",
    b"POST /v1/backups HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n{",
    b"PUT /v1/breakers/half HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    b"GET /" + b"a" * 9000,
]


def mumble(client: Client) -> None:
    """Requests that are never whole."""
    half = client.rng.choice(HALVES)
    with socket.create_connection(("127.0.0.1", client.port), timeout=5) as peer:
        peer.sendall(half[: client.rng.randint(0, len(half))])
        time.sleep(client.rng.random() * 0.1)


KINDS: dict[str, Callable[[Client], None]] = {
    "write": write,
    "take": take,
    "hold": hold,
    "probe": probe,
    "count": count,
    "mumble": mumble,
}
