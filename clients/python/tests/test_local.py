"""What decides while the server is away, driven by a clock of the test's own."""

from __future__ import annotations

import pytest

from fuseboard.board import Board
from fuseboard.breakers import BreakerReplica
from fuseboard.following import Follower
from fuseboard.leases import LeasedLimiter
from fuseboard.local import LocalBreaker, LocalBucket
from fuseboard.settings import Settings
from fuseboard.specs import CircuitBreakerConfig, RateLimiterConfig


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> LocalBreaker:
    return LocalBreaker(
        CircuitBreakerConfig("x", failure_threshold=2, timeout_seconds=10, half_open_max_calls=2), clock
    )


def run(breaker: LocalBreaker, outcome: str) -> bool:
    permit, _ = breaker.admit()
    if permit is None:
        return False
    breaker.settle(permit, outcome)
    return True


def test_it_opens_tries_again_and_closes(breaker: LocalBreaker, clock: Clock) -> None:
    assert [run(breaker, "failure") for _ in range(3)] == [True, True, False]
    assert breaker.admit() == (None, 10.0)
    clock.now += 10
    assert breaker.state == "half_open"
    assert run(breaker, "failure")
    assert breaker.state == "open"
    clock.now += 10
    assert run(breaker, "success")
    assert breaker.state == "closed"
    assert breaker.failures == 0


def test_half_open_counts_those_inside(breaker: LocalBreaker, clock: Clock) -> None:
    breaker.follow("open", 0.0)
    first, second, third = (breaker.admit()[0] for _ in range(3))
    assert first is not None and second is not None and third is None
    breaker.settle(first, "ignored")
    assert breaker.admit()[0] is not None


def test_an_outcome_of_an_earlier_state_moves_nothing(breaker: LocalBreaker, clock: Clock) -> None:
    old, _ = breaker.admit()
    assert old is not None
    assert [run(breaker, "failure") for _ in range(2)] == [True, True]
    breaker.settle(old, "success")
    assert breaker.state == "open"


def test_it_follows_the_server(breaker: LocalBreaker, clock: Clock) -> None:
    breaker.follow("open", 40.0)
    assert breaker.admit() == (None, 40.0)
    breaker.follow("closed", None)
    assert breaker.state == "closed"
    breaker.follow("forced_open", None)
    assert breaker.state == "open"
    breaker.reset()
    assert breaker.state == "closed"


def test_failures_that_the_server_counted_count_when_it_is_gone(breaker: LocalBreaker) -> None:
    breaker.tally("failure")
    assert run(breaker, "failure")
    assert breaker.state == "open"


def test_a_bucket_starts_empty_and_never_exceeds_its_rate(clock: Clock) -> None:
    bucket = LocalBucket(rate=2.0, burst=1.0, clock=clock)
    granted: list[float] = []
    for _ in range(40):
        wait = bucket.reserve(1.0, float("inf"))
        assert wait is not None
        granted.append(clock.now + wait)
        clock.now += 0.1
    assert granted[0] == pytest.approx(100.5)
    for i, start in enumerate(granted):
        for j in range(i, len(granted)):
            assert j - i <= 2.0 * (granted[j] - start) + 1e-6


def test_a_bucket_refuses_beyond_the_patience_and_takes_nothing(clock: Clock) -> None:
    bucket = LocalBucket(rate=1.0, burst=2.0, clock=clock)
    clock.now += 10
    assert bucket.reserve(2.0, 0.0) == 0.0
    assert bucket.reserve(1.0, 0.5) is None
    assert bucket.reserve(1.0, 1.0) == pytest.approx(1.0)
    bucket.give_back(1.0)
    assert bucket.reserve(1.0, 1.0) == pytest.approx(1.0)


def test_names_that_the_stream_has_no_room_for_leave_it_as_it_is() -> None:
    board, config = Board(Settings()), CircuitBreakerConfig("b")
    replica = BreakerReplica(config, LocalBreaker(config), lambda: None)
    breakers = {f"b{i}": replica for i in range(1000)}
    asked = Follower(board, breakers, {})._path()
    assert Follower(board, {**breakers, "more": replica}, {})._path() == asked
    leased = LeasedLimiter(RateLimiterConfig("l"))
    long = {"l" * 100 + str(i): leased for i in range(1000)}
    assert len(Follower(board, breakers, long)._path()) <= 48 * 1024
