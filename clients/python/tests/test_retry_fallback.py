"""The contract's lines about retry and fallback. They need no server."""

from __future__ import annotations

import asyncio
import time

import pytest

from fuseboard.resilience import MaxRetriesExceededError, fallback, retry


class Flaky:
    def __init__(self, failures: int, error: type[BaseException] = ValueError) -> None:
        self.calls = 0
        self.failures = failures
        self.error = error

    def __call__(self, value: int = 1) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"failure {self.calls}")
        return value

    async def later(self, value: int = 1) -> int:
        await asyncio.sleep(0)
        return self(value)


def test_attempts_include_the_first() -> None:
    flaky = Flaky(2)
    assert retry(max_attempts=3, initial_delay=0)(flaky)(7) == 7
    assert flaky.calls == 3


def test_at_the_end_the_last_exception_is_the_cause() -> None:
    flaky = Flaky(9)
    with pytest.raises(MaxRetriesExceededError) as given_up:
        retry(max_attempts=3, initial_delay=0)(flaky)()
    assert flaky.calls == 3
    assert isinstance(given_up.value.__cause__, ValueError)
    assert str(given_up.value.__cause__) == "failure 3"


@pytest.mark.asyncio
async def test_coroutine_functions_are_retried_alike() -> None:
    flaky = Flaky(2)
    assert await retry(max_attempts=3, initial_delay=0)(flaky.later)(7) == 7
    with pytest.raises(MaxRetriesExceededError):
        await retry(max_attempts=2, initial_delay=0)(Flaky(9).later)()


def test_other_exceptions_are_not_retried() -> None:
    flaky = Flaky(1, KeyError)
    with pytest.raises(KeyError):
        retry(max_attempts=3, initial_delay=0, exceptions=(ValueError,))(flaky)()
    assert flaky.calls == 1


def test_delays_grow_up_to_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(MaxRetriesExceededError):
        retry(max_attempts=6, initial_delay=1.0, max_delay=5.0, exponential_base=2.0)(Flaky(9))()
    assert slept == [1, 2, 4, 5, 5]


def test_a_huge_number_of_attempts_does_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with pytest.raises(MaxRetriesExceededError):
        retry(max_attempts=2000, max_delay=3.0)(Flaky(9999))()
    assert slept[-1] == 3.0


@pytest.mark.asyncio
async def test_cancellation_is_not_retried() -> None:
    calls = 0

    @retry(max_attempts=5, initial_delay=0)
    async def forever() -> None:
        nonlocal calls
        calls += 1
        await asyncio.sleep(60)

    task = asyncio.create_task(forever())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == 1


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError):
        retry(max_attempts=0)
    with pytest.raises(ValueError):
        retry(initial_delay=-1)


def test_any_exception_gives_the_default() -> None:
    assert fallback(default_value=9)(Flaky(1))() == 9
    assert fallback(default_value=9)(Flaky(0))(3) == 3
    assert fallback()(Flaky(1))() is None


def test_any_exception_gives_what_the_function_makes_of_the_arguments() -> None:
    assert fallback(fallback_func=lambda value: value * 10)(Flaky(1))(4) == 40


@pytest.mark.asyncio
async def test_coroutine_functions_fall_back_to_either_kind() -> None:
    async def later(value: int) -> int:
        return value * 100

    assert await fallback(default_value=9)(Flaky(1).later)() == 9
    assert await fallback(fallback_func=lambda value: value * 10)(Flaky(1).later)(4) == 40
    assert await fallback(fallback_func=later)(Flaky(1).later)(4) == 400


def test_what_is_no_exception_passes() -> None:
    with pytest.raises(KeyboardInterrupt):
        fallback(default_value=9)(Flaky(1, KeyboardInterrupt))()
