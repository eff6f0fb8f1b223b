#!/usr/bin/env python3
"""Ten minutes of everything at once, and whether the server's memory stays flat.

Workers call, acquire, push, raise and end alerts, report checks, back up, follow the events and go away, ask
wrongly, and declare and delete, each in a loop, over a bounded number of names. Before that, what the server
remembers of repeated requests and of alerts that are over is filled to its bounds, which would take hours
otherwise. Memory is looked at every SECONDS/60; the first third is the warm-up, in which all else fills. Exit
code 1 if the last third has more than LIMIT_MIB above the second. SECONDS, WORKERS (of each kind), PAUSE
(seconds between their turns), ONLY (kinds of workers) and LIMIT_MIB (environment) change what is done.
"""

import concurrent.futures
import functools
import http.client
import itertools
import json
import os
import random
import socket
import statistics
import sys
import threading
import time
import uuid

import processes

SECONDS = int(os.environ.get("SECONDS", "600"))
WORKERS = int(os.environ.get("WORKERS", "2"))
PAUSE = float(os.environ.get("PAUSE", "0.02"))
ONLY = os.environ.get("ONLY", "").split()
LIMIT_MIB = float(os.environ.get("LIMIT_MIB", "3"))
NAMES = 200
# A few more than the server remembers.
KEYS, ENDED = 66_000, 10_500
CONFIG = """
[limits]
max_events = 20000
max_events_per_resource = 100
max_results_per_check = 100
[alerts]
max_alerts = 12000
"""
HEADERS = {"Authorization": f"Bearer {processes.TOKEN}", "Content-Type": "application/json"}


class Worker(threading.Thread):
    """One kind of client. Any answer of 500 and above, or none, ends the run."""

    def __init__(self, port, work, stop, seed):
        super().__init__(daemon=True)
        self.port, self.work, self.stop, self.random = port, work, stop, random.Random(seed)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.requests, self.failure = 0, None

    def ask(self, method, path, body=None, headers=None, text=None):
        payload = text if text is not None else None if body is None else json.dumps(body)
        self.connection.request(method, path, payload, {**HEADERS, **(headers or {})})
        answer = self.connection.getresponse()
        content = answer.read()
        self.requests += 1
        if answer.status >= 500:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return answer.status, content

    def name(self, kind):
        return f"{kind}{self.random.randrange(NAMES)}"

    def run(self):
        try:
            while not self.stop.is_set():
                self.work(self)
                time.sleep(PAUSE)
        except Exception as error:  # told by the main thread
            self.failure = error
            self.stop.set()


def calls(w):
    body = {"breaker": w.name("b"), "limiters": [{"name": w.name("l"), "tokens": 1}], "client": w.name("c")}
    status, content = w.ask("POST", "/v1/calls", body)
    if status == 200 and (call := json.loads(content).get("call_id")) and w.random.random() < 0.9:
        outcome = w.random.choice(["success", "success", "failure"])
        w.ask(
            "POST",
            "/v1/outcomes",
            {"outcomes": [{"call_id": call, "outcome": outcome, "duration_seconds": 0.1}]},
        )


def acquires(w):
    w.ask("POST", f"/v1/limiters/{w.name('l')}/acquire", {"tokens": 1, "client": w.name("c")})
    w.ask("POST", "/v1/retry-policies/soak/attempts", {"attempt": 1, "error": "timeout"})


def pushes(w):
    samples = [
        {"name": "soak_total", "type": "counter", "value": 1, "labels": {"n": w.name("s")}},
        {"name": "soak_seconds", "type": "timer", "value": w.random.random(), "labels": {"n": w.name("s")}},
    ]
    w.ask("POST", "/v1/metrics", {"samples": samples}, {"Idempotency-Key": str(uuid.uuid4())})
    text = f"# TYPE soak_gauge gauge\nsoak_gauge {w.random.random()}\n"
    w.ask(
        "PUT",
        f"/ttl/1/metrics/job/soak/instance/{uuid.uuid4()}",
        headers={"Content-Type": "text/plain"},
        text=text,
    )


def alerts(w):
    body = {
        "metric_name": "soak_loss",
        "value": w.random.choice([0.1, 0.9]),
        "labels": {"bot": w.name("bot")},
    }
    w.ask("POST", "/v1/alerts/check", body)
    w.ask("GET", "/v1/alerts?limit=5")


def checks(w):
    result = {"status": w.random.choice(["green", "yellow", "red"]), "message": "soak"}
    w.ask("POST", f"/v1/checks/{w.name('check')}/results", result)
    w.ask("GET", "/v1/health")


def backups(w):
    document = {"trades": [w.random.random() for _ in range(5000)]}
    w.ask(
        "POST",
        "/v1/backups",
        {"backup_type": "soak", "data": document},
        {"Idempotency-Key": str(uuid.uuid4())},
    )
    w.ask("POST", "/v1/backups/prune", {})
    time.sleep(0.2)


def declarations(w):
    name = f"passing-{uuid.uuid4()}"
    w.ask("PUT", f"/v1/breakers/{name}", {"failure_threshold": 2})
    w.ask("POST", f"/v1/breakers/{name}/state", {"target": "forced_open", "ttl_seconds": 5})
    w.ask("DELETE", f"/v1/breakers/{name}")
    w.ask("PUT", "/v1/silences-that-are-not", {})


def followers(w):
    with socket.create_connection(("127.0.0.1", w.port), 30) as s:
        token = processes.TOKEN
        path = w.random.choice(["/v1/events", "/v1/replica?breakers=b1,b2"])
        s.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        s.settimeout(w.random.random())
        try:
            while s.recv(65536):
                pass
        except TimeoutError:
            pass
    w.requests += 1


def nonsense(w):
    w.ask("POST", "/v1/calls", text="{" * w.random.randrange(1, 2000))
    w.ask("GET", f"/v1/breakers/{uuid.uuid4()}")
    w.ask("GET", "/metrics", headers={"Authorization": "Bearer " + uuid.uuid4().hex})
    with socket.create_connection(("127.0.0.1", w.port), 30) as s:
        s.sendall(b"POST /v1/metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{")
    time.sleep(0.05)


def pages(w):
    for path in ("/metrics", "/v1/breakers", "/v1/events", "/v1/metrics", "/v1/board", "/"):
        w.ask("GET", path)
    time.sleep(0.1)


KINDS = [calls, acquires, pushes, alerts, checks, backups, declarations, followers, nonsense, pages]


def prepare(port):
    api = processes.Api(port)
    for i in range(NAMES):
        api("PUT", f"/v1/breakers/b{i}", '{"failure_threshold": 3, "timeout_seconds": 0.5}')
        api("PUT", f"/v1/limiters/l{i}", '{"requests_per_second": 100}')
        api("PUT", f"/v1/checks/check{i}", '{"kind": "push"}')
    api("PUT", "/v1/retry-policies/soak", '{"max_attempts": 3}')
    api("PUT", "/v1/retention/soak", '{"keep_last": 5}')
    api(
        "POST",
        "/v1/thresholds",
        '{"metric_name": "soak_loss", "threshold": 0.5, "message_template": "loss {value:.1%}"}',
    )


def warm(port, begin):
    """An eighth of all keys and alerts."""
    api = processes.Api(port)
    for i in range(begin, KEYS, 8):
        api(
            "POST",
            "/v1/metrics",
            '{"samples": [{"name": "warm", "type": "counter", "value": 1}]}',
            {"Idempotency-Key": f"warm-{i}"},
        )
    for _ in range(begin, ENDED, 8):
        for value in (0.9, 0.1):
            check = {"metric_name": "soak_loss", "value": value, "labels": {"bot": f"warm-{begin}"}}
            api("POST", "/v1/alerts/check", json.dumps(check))


def main():
    stop = threading.Event()
    with processes.fuseboard(threads=2, core=None, config=CONFIG) as (pid, port):
        prepare(port)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(functools.partial(warm, port), range(8)))
        print(f"   filled  {processes.rss_mib(pid):.1f} MiB", flush=True)
        kinds = [kind for kind in KINDS if not ONLY or kind.__name__ in ONLY]
        workers = [Worker(port, kind, stop, seed) for seed, kind in enumerate(kinds * WORKERS)]
        for worker in workers:
            worker.start()
        seen, begin = [], time.monotonic()
        for step in itertools.count(1):
            if stop.wait(max(begin + step * SECONDS / 60 - time.monotonic(), 0)) or step > 60:
                break
            seen.append(processes.rss_mib(pid))
            if step % 6 == 0:
                done = sum(worker.requests for worker in workers)
                print(f"{step * SECONDS / 60:5.0f} s  {seen[-1]:6.1f} MiB  {done:9,} requests", flush=True)
        stop.set()
        for worker in workers:
            worker.join(60)
        if failures := [
            f"{worker.work.__name__}: {worker.failure!r}" for worker in workers if worker.failure
        ]:
            raise SystemExit("\n".join(failures))
        third = len(seen) // 3
        thirds = [statistics.median(seen[i * third : (i + 1) * third]) for i in range(3)]
        print("medians of the thirds: " + ", ".join(f"{mib:.1f} MiB" for mib in thirds))
        print(
            f"peak {processes.peak_mib(pid):.1f} MiB, {sum(worker.requests for worker in workers):,} requests"
        )
        sys.exit(thirds[2] - thirds[1] > LIMIT_MIB)


main()
