"""What a call touches in local mode: counts, leased tokens, and the stream that moves them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest

from fuseboard.breakers import BreakerReplica
from fuseboard.leases import LeasedLimiter
from fuseboard.local import LocalBreaker
from fuseboard.spans import ALWAYS, CLOSED_DOOR, NEVER, Span, clock
from fuseboard.specs import CircuitBreakerConfig, RateLimiterConfig
from fuseboard.taps import NO_LIMIT, Lease, Tap
from fuseboard.wire import Chunks, ProtocolError


def told(span: Span) -> list[tuple[str, int, int]]:
    return [(run.outcome, run.count, run.slow) for run in span.collect()]


def test_runs_keep_the_order_of_outcomes() -> None:
    span = Span(1, slow_after=2.0)
    for _ in range(3):
        span.ok()
    span.ended("failure", 0.1, "x")
    span.ended("failure", 3.0)
    span.ok()
    span.ended("ignored", 9.0)
    span.ended("success", 5.0)
    span.ok()
    assert told(span) == [
        ("success", 3, 0),
        ("failure", 2, 1),
        ("success", 1, 0),
        ("ignored", 1, 0),
        ("success", 1, 1),
        ("success", 1, 0),
    ]
    assert told(span) == []
    span.ok()
    assert told(span) == [("success", 1, 0)]


def test_failures_in_a_row_are_those_since_the_last_success() -> None:
    span = Span(1)
    span.ended("failure", 0.0)
    span.ended("ignored", 0.0)
    span.ended("failure", 0.0)
    assert span.failures == 2
    span.ok()
    span.ended("failure", 0.0)
    assert span.failures == 1


def test_no_outcome_is_lost_or_counted_twice_by_threads() -> None:
    span, rounds = Span(1), 20_000
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    seen: list[tuple[str, int, int]] = []
    done = threading.Event()

    def collect() -> None:
        while not done.is_set():
            seen.extend(told(span))

    def call(fail: bool) -> None:
        for i in range(rounds):
            if fail and i % 10 == 0:
                span.ended("failure", 0.0)
            else:
                span.ok()

    reader = threading.Thread(target=collect)
    callers = [threading.Thread(target=call, args=(i == 0,)) for i in range(4)]
    try:
        for thread in (reader, *callers):
            thread.start()
        for thread in callers:
            thread.join()
    finally:
        done.set()
        reader.join()
        sys.setswitchinterval(interval)
    while rest := told(span):
        seen += rest
    sums = {key: sum(count for outcome, count, _ in seen if outcome == key) for key in ("success", "failure")}
    assert sums == {"success": 4 * rounds - rounds // 10, "failure": rounds // 10}


def test_a_token_says_itself_until_when_it_may_be_used() -> None:
    tap = Tap("l")
    assert tap.take() == NEVER
    tap.turn(Lease("a", 2, 10.0))
    old = tap.take
    assert tap.take() == 10.0
    assert tap.turn(Lease("b", 1, 20.0)) == ("a", 1)
    # whoever had looked before finds nothing, and never the deadline of another lease
    assert old() == NEVER
    assert (tap.take(), tap.take()) == (20.0, NEVER)
    assert tap.used() == 2
    assert tap.turn(None) == ("b", 0)
    assert NO_LIMIT.take() == ALWAYS


def test_tokens_that_are_given_back_are_spent_again_or_returned() -> None:
    tap = Tap("l")
    tap.turn(Lease("a", 3, 10.0))
    tap.give_back(tap.take_one())
    tap.give_back(tap.take_one())
    assert tap.turn(None) == ("a", 3)
    assert tap.used() == 0


def test_no_token_is_spent_twice_by_threads() -> None:
    tap, given, back, spent = Tap("l"), [0], [0], [0, 0, 0]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    done = threading.Event()

    def spend(i: int) -> None:
        while not done.is_set():
            if tap.take() > NEVER:
                spent[i] += 1

    threads = [threading.Thread(target=spend, args=(i,)) for i in range(3)]
    try:
        for thread in threads:
            thread.start()
        for i in range(300):
            given[0] += 500
            before = tap.turn(Lease(str(i), 500, 1.0))
            back[0] += before[1] if before else 0
    finally:
        done.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    last = tap.turn(None)
    assert last is not None
    assert sum(spent) == given[0] - back[0] - last[1]


def limiter(**config: object) -> LeasedLimiter:
    leased = LeasedLimiter(RateLimiterConfig("l", 10))
    leased.learn({"name": "l", "algorithm": "token_bucket", "config": config})
    return leased


def grant(leased: LeasedLimiter, span: float = 1.0) -> int:
    leased.tap.misses += 1
    renewal = leased.next()
    assert renewal is not None
    answer = {"allowed": True, "lease_id": "x", "tokens": renewal.wanted, "expires_in_seconds": span}
    leased.answered(renewal, {"lease": answer})
    return renewal.wanted


def test_a_limiter_that_nobody_uses_leases_nothing() -> None:
    assert limiter().next() is None
    leased = limiter()
    grant(leased)
    last = leased.next(last=True)
    assert last is not None
    assert last.item()["release"] == [{"lease_id": "x", "unused_tokens": 1}]
    assert "tokens" not in last.item()


def test_short_periods_make_short_leases_and_calls_in_flight_none() -> None:
    leased = limiter(period_seconds=1.0, lease_seconds=5.0)
    assert leased.lease_seconds == 0.2
    leased.learn({"algorithm": "concurrency", "config": {"limit": 2}})
    leased.tap.misses += 1
    assert leased.next() is None


def test_a_penalty_ends_the_lease() -> None:
    leased = limiter()
    grant(leased)
    leased.learn({"algorithm": "token_bucket", "blocked_seconds": 5.0})
    assert leased.tap.take() == NEVER
    leased.tap.misses += 1
    renewal = leased.next()
    assert renewal is not None
    assert renewal.wanted == 0 and renewal.releases == [("x", 1)]


def test_a_lease_ends_here_no_later_than_there() -> None:
    leased = limiter()
    before = clock()
    grant(leased, 0.5)
    assert leased.tap.take() <= clock() + 0.5
    assert leased.tap.lease is not None and leased.tap.lease.deadline >= before + 0.5


@pytest.fixture
def breaker() -> BreakerReplica:
    config = CircuitBreakerConfig("b", failure_threshold=9)
    return BreakerReplica(config, LocalBreaker(config), lambda: None)


def hear(breaker: BreakerReplica, state: str | None, generation: int, **more: object) -> None:
    config = {"failure_threshold": 3, "timeout_seconds": 10.0}
    breaker.hear({"state": state, "generation": generation, "config": config, **more}, clock() + 3)


def fails(breaker: BreakerReplica, times: int) -> None:
    for _ in range(times):
        breaker.span.ended("failure", 0.0)


def test_the_door_is_open_while_it_is_closed(breaker: BreakerReplica) -> None:
    assert breaker.span is CLOSED_DOOR
    hear(breaker, "closed", 1)
    first = breaker.span
    assert first.fresh > clock()
    hear(breaker, "open", 2, retry_after_seconds=5.0)
    assert breaker.span is CLOSED_DOOR and first.fresh == NEVER
    assert 4 < (breaker.refuses() or 0) <= 5
    hear(breaker, "closed", 1)
    assert breaker.span is CLOSED_DOOR, "older than what is known"
    hear(breaker, "half_open", 3)
    assert breaker.refuses() is None
    hear(breaker, "closed", 4)
    assert breaker.span.generation == 4 and breaker.span is not first
    breaker.lost()
    breaker.heard(clock() + 3)
    assert breaker.span.fresh > clock()


def test_it_trips_at_once_by_the_servers_threshold_and_the_server_has_the_last_word(
    breaker: BreakerReplica,
) -> None:
    hear(breaker, "closed", 1)
    span = breaker.span
    fails(breaker, 3)
    assert span.fresh == NEVER and breaker.shown == "open"
    assert 9 < (breaker.refuses() or 0) <= 10
    breaker.heard(clock() + 3)
    hear(breaker, "closed", 1)
    assert span.fresh == NEVER, "what was said before it knew"
    (report,) = breaker.reports()
    assert report.tripped and report.item()["runs"] == [{"outcome": "failure", "count": 3}]
    breaker.answered(report, {"breaker_state": "closed", "generation": 1}, clock() + 3)
    assert breaker.span is span and span.fresh > clock()
    fails(breaker, 1)
    assert span.fresh == NEVER
    (report,) = breaker.reports()
    answer = {"breaker_state": "open", "generation": 2, "retry_after_seconds": 7.0}
    breaker.answered(report, answer, clock() + 3)
    assert breaker.generation == 2 and 6 < (breaker.refuses() or 0) <= 7
    assert [r.sequence for r in breaker.reports()] == [] and report.sequence == 2


def test_one_process_does_not_trip_what_takes_two(breaker: BreakerReplica) -> None:
    config = {"failure_threshold": 3, "min_reporters": 2}
    breaker.hear({"state": "closed", "generation": 1, "config": config}, clock() + 3)
    fails(breaker, 50)
    assert breaker.span.fresh > clock()


def test_what_ended_late_is_reported_for_its_own_generation(breaker: BreakerReplica) -> None:
    hear(breaker, "closed", 1)
    old = breaker.span
    hear(breaker, "open", 2)
    hear(breaker, "closed", 4)
    old.ended("failure", 0.0)
    breaker.span.ended("failure", 0.0)
    breaker.reject()
    items = [report.item() for report in breaker.reports()]
    assert [(item["generation"], item["sequence"]) for item in items] == [(1, 1), (4, 2)]
    assert sum(item.get("rejected", 0) for item in items) == 1


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 7, 1000])
def test_chunks_however_they_are_cut(cut: int) -> None:
    chunks, whole = Chunks(), b"5\r\nhello\r\n1;x=y\r\n \r\n5\r\nworld\r\n"
    got = b"".join(chunks.feed(whole[i : i + cut]) for i in range(0, len(whole), cut))
    assert got == b"hello world" and not chunks.ended
    assert chunks.feed(b"0\r\n\r\n") == b"" and chunks.ended


@pytest.mark.parametrize("bad", [b"nonsense\r\n", b"1\r\nab", b"1\r\na\rb", b"0\r\n\r\nmore"])
def test_what_is_no_chunk_is_refused(bad: bytes) -> None:
    with pytest.raises(ProtocolError):
        Chunks().feed(bad)


def test_clocks_agree_with_the_servers() -> None:
    ticks: Callable[[], float] = clock
    assert ticks() <= ticks()
