"""Prometheus' own client pushes as to a Pushgateway."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Summary,
    delete_from_gateway,
    push_to_gateway,
    pushadd_to_gateway,
)
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from conftest import Server, eventually

READERS = {"text/plain": parse_text, "application/openmetrics-text": parse_openmetrics}
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def page(server: Server, job: str, accept: str) -> Samples:
    """What the page has of a job, in one of its formats."""
    request = urllib.request.Request(f"{server.url}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request) as response:
        families = list(READERS[accept](response.read().decode()))
    names = [family.name for family in families]
    assert len(names) == len(set(names)), accept
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if sample.labels.get("job") == job
    }


def samples(server: Server, job: str) -> Samples:
    """What the page has of a job that does not change, in both formats alike."""
    text, openmetrics = (page(server, job, accept) for accept in READERS)
    assert len(text) == len(openmetrics)
    return text


def registry(worker: int = 1) -> tuple[CollectorRegistry, Counter, Histogram]:
    """One metric of each kind."""
    own = CollectorRegistry()
    done = Counter("work_done", "What was done.", ["kind"], registry=own)
    took = Histogram("work_took_seconds", 'How long it "took".\nIn seconds.', buckets=(1, 2), registry=own)
    Gauge("work_left", "What is left.", registry=own).set(worker)
    Summary("work_size_bytes", "How much it was.", registry=own).observe(3)
    Info("work", "What it was.", registry=own).info({"version": '1"2\\3\n4'})
    done.labels("a").inc(worker)
    took.observe(1.5)
    return own, done, took


def test_push_pushadd_and_delete(server: Server) -> None:
    own, _, _ = registry()
    key = {"instance": "i/1", "empty": "", "path": "/var/tmp", "name": "Προμηθεύς"}
    push_to_gateway(server.url, job="batch/x", registry=own, grouping_key=key)
    labels = (
        ("empty", ""),
        ("instance", "i/1"),
        ("job", "batch/x"),
        ("name", "Προμηθεύς"),
        ("path", "/var/tmp"),
    )
    seen = samples(server, "batch/x")
    assert seen["work_left", labels] == 1
    assert seen["work_done_total", tuple(sorted((*labels, ("kind", "a"))))] == 1
    assert seen["work_took_seconds_bucket", tuple(sorted((*labels, ("le", "2"))))] == 1
    assert seen["work_took_seconds_count", labels] == 1
    assert seen["work_info", tuple(sorted((*labels, ("version", '1"2\\3\n4'))))] == 1
    assert seen["push_time_seconds", labels] > 1.7e9
    other = CollectorRegistry()
    Gauge("other", "Another.", registry=other).set(5)
    pushadd_to_gateway(server.url, job="batch/x", registry=other, grouping_key=key)
    assert samples(server, "batch/x")["other", labels] == 5
    assert "work_left" in {name for name, _ in samples(server, "batch/x")}
    push_to_gateway(server.url, job="batch/x", registry=other, grouping_key=key)
    assert "work_left" not in {name for name, _ in samples(server, "batch/x")}
    delete_from_gateway(server.url, job="batch/x", grouping_key=key)
    assert samples(server, "batch/x") == {}


def test_the_metrics_of_the_process_stand_beside_those_of_the_board(server: Server) -> None:
    push_to_gateway(server.url, job="python", registry=REGISTRY)
    names = {name for name, _ in samples(server, "python")}
    assert {"process_cpu_seconds_total", "python_info", "process_open_fds"} <= names


def test_a_push_that_does_not_fit_is_an_error(server: Server) -> None:
    own, _, _ = registry()
    push_to_gateway(server.url, job="a", registry=own)
    other = CollectorRegistry()
    Counter("work_left", "Not a gauge here.", registry=other)
    Gauge("work_done_total", "Not a counter here.", registry=other)
    with pytest.raises(urllib.error.HTTPError) as refused:
        push_to_gateway(server.url, job="b", registry=other)
    refused.value.close()
    assert refused.value.code == 400


def test_groups_survive_kill_9(server: Server) -> None:
    own, _, _ = registry()
    push_to_gateway(server.url, job="kept", registry=own)
    push_to_gateway(f"{server.url}/agg", job="sum", registry=own, grouping_key={"instance": "w"})
    before = samples(server, "kept"), samples(server, "sum")
    rows = "SELECT count(*) FROM push_groups"
    with contextlib.closing(sqlite3.connect(f"file:{server._db}?mode=ro", uri=True)) as database:
        eventually(lambda: database.execute(rows).fetchone() == (2,))
    server.kill()
    server.start()
    assert (samples(server, "kept"), samples(server, "sum")) == before
    push_to_gateway(f"{server.url}/agg", job="sum", registry=own, grouping_key={"instance": "w"})
    after = samples(server, "sum")
    assert after["work_done_total", (("instance", ""), ("job", "sum"), ("kind", "a"))] == 1


def test_eight_workers_are_summed_however_often_they_push(server: Server) -> None:
    rounds = 10

    def work(worker: int) -> None:
        own, done, took = registry(worker)
        for _ in range(rounds):
            done.labels("b").inc()
            took.observe(0.5)
            for push in (push_to_gateway, pushadd_to_gateway):
                push(f"{server.url}/agg", job="sum", registry=own, grouping_key={"instance": f"w{worker}"})

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    seen = samples(server, "sum")
    labels = (("instance", ""), ("job", "sum"))
    assert seen["work_done_total", (*labels, ("kind", "b"))] == 8 * rounds
    assert seen["work_done_total", (*labels, ("kind", "a"))] == sum(range(8))
    assert seen["work_took_seconds_count", labels] == 8 * (rounds + 1)
    assert seen["work_took_seconds_bucket", (*labels, ("le", "1"))] == 8 * rounds
    assert seen["work_size_bytes_sum", labels] == 8 * 3
    # A worker that was started again with the same name counts from nothing, and more than before.
    own, done, _ = registry(1)
    done.labels("b").inc(rounds + 5)
    push_to_gateway(f"{server.url}/agg", job="sum", registry=own, grouping_key={"instance": "w1"})
    assert samples(server, "sum")["work_done_total", (*labels, ("kind", "b"))] == 9 * rounds + 5
    delete_from_gateway(f"{server.url}/agg", job="sum", grouping_key={"instance": "w1"})
    assert samples(server, "sum")["work_done_total", (*labels, ("kind", "b"))] == 9 * rounds + 5


def test_a_group_with_a_time_goes(server: Server) -> None:
    own, _, _ = registry()
    push_to_gateway(f"{server.url}/ttl/86400", job="stays", registry=own)
    push_to_gateway(f"{server.url}/ttl/0.001", job="goes", registry=own)
    for accept in READERS:
        eventually(lambda accept=accept: not page(server, "goes", accept))
    assert samples(server, "stays")
