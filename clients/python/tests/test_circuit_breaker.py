"""The contract's lines about breakers, against a real server."""

from __future__ import annotations

import asyncio
import inspect
import pickle
import time

import pytest

import fuseboard
from fuseboard.resilience import (
    CircuitBreaker,
    CircuitBreakerConfig,
    CircuitBreakerOpenError,
    CircuitBreakerState,
    MaxRetriesExceededError,
    circuit_breaker,
    get_circuit_breaker,
    retry,
)

from conftest import Server

pytestmark = pytest.mark.usefixtures("server")


class Boom(Exception):
    pass


def fail() -> None:
    raise Boom("exchange down")


def fails(guarded: object, times: int, error: type[Exception] = Boom) -> None:
    assert callable(guarded)
    for _ in range(times):
        with pytest.raises(error):
            guarded()


def test_it_opens_after_that_many_consecutive_failures(name: str) -> None:
    guarded = circuit_breaker(name, failure_threshold=3)(fail)
    fails(guarded, 3)
    with pytest.raises(CircuitBreakerOpenError) as refused:
        guarded()
    assert refused.value.name == name
    assert refused.value.retry_after_seconds == pytest.approx(60, abs=5)
    assert get_circuit_breaker(name).state == "open"


def test_a_success_resets_the_count(name: str) -> None:
    outcomes = iter([Boom, Boom, None, Boom, Boom, Boom])

    @circuit_breaker(name, failure_threshold=3)
    def guarded() -> None:
        error = next(outcomes)
        if error:
            raise error

    fails(guarded, 2)
    guarded()
    fails(guarded, 2)
    assert get_circuit_breaker(name).state == "closed"
    fails(guarded, 1)
    assert get_circuit_breaker(name).state == "open"


def test_a_success_after_the_timeout_closes_it(name: str) -> None:
    down = True

    @circuit_breaker(name, failure_threshold=1, timeout_seconds=0.3)
    def guarded() -> str:
        if down:
            raise Boom
        return "ticker"

    fails(guarded, 1)
    fails(guarded, 1, CircuitBreakerOpenError)
    time.sleep(0.35)
    down = False
    assert guarded() == "ticker"
    assert get_circuit_breaker(name).state == "closed"


def test_a_failure_after_the_timeout_opens_it_again(name: str) -> None:
    guarded = circuit_breaker(name, failure_threshold=2, timeout_seconds=0.3)(fail)
    fails(guarded, 2)
    time.sleep(0.35)
    fails(guarded, 1)
    fails(guarded, 1, CircuitBreakerOpenError)


def test_half_open_admits_only_so_many_at_once(name: str) -> None:
    async def scenario() -> None:
        release = asyncio.Event()
        down = True

        @circuit_breaker(name, failure_threshold=1, timeout_seconds=0.2, half_open_max_calls=2)
        async def guarded() -> str:
            if down:
                raise Boom
            await release.wait()
            return "ticker"

        with pytest.raises(Boom):
            await guarded()
        await asyncio.sleep(0.25)
        down = False
        trials = [asyncio.create_task(guarded()) for _ in range(5)]
        done, pending = await asyncio.wait(trials, timeout=1)
        assert len(pending) == 2
        assert all(isinstance(task.exception(), CircuitBreakerOpenError) for task in done)
        release.set()
        assert await asyncio.gather(*pending) == ["ticker", "ticker"]
        assert get_circuit_breaker(name).state == "closed"

    asyncio.run(scenario())


@pytest.mark.asyncio
async def test_coroutine_functions_are_guarded_alike(name: str) -> None:
    @circuit_breaker(name, failure_threshold=2)
    async def guarded(down: bool) -> str:
        await asyncio.sleep(0)
        if down:
            raise Boom
        return "ticker"

    assert await guarded(False) == "ticker"
    for _ in range(2):
        with pytest.raises(Boom):
            await guarded(True)
    with pytest.raises(CircuitBreakerOpenError):
        await guarded(False)


def test_get_state_has_the_shape_of_the_contract(name: str) -> None:
    guarded = circuit_breaker(name, failure_threshold=2)(fail)
    circuit_breaker(name)(lambda: None)()
    fails(guarded, 2)
    fails(guarded, 1, CircuitBreakerOpenError)
    state = get_circuit_breaker(name).get_state()
    metrics = {k: v for k, v in state["metrics"].items() if k.endswith("_calls")}
    metrics = {k: metrics[k] for k in ("total_calls", "success_calls", "failure_calls", "rejected_calls")}
    assert state["name"] == name
    assert state["state"] == "open"
    assert state["threshold"] == 2
    assert state["failure_count"] >= 0
    assert metrics == {"total_calls": 4, "success_calls": 1, "failure_calls": 2, "rejected_calls": 1}
    assert state["metrics"]["success_rate"] == pytest.approx(0.25)


def test_the_state_and_metrics_properties(name: str) -> None:
    circuit_breaker(name)(lambda: None)()
    breaker = get_circuit_breaker(name)
    assert breaker.state is CircuitBreakerState.CLOSED
    assert breaker.get_state()["state"] == breaker.state
    assert breaker.state in {"closed"}, "the plain string is equal, and hashes alike"
    assert f"{breaker.state}" == "closed"
    assert breaker.metrics.success_calls == breaker.metrics.total_calls == 1
    assert breaker.metrics.success_rate == 1.0


def test_a_breaker_that_nobody_used_is_closed_and_stays_unknown(name: str, client: fuseboard.Client) -> None:
    state = get_circuit_breaker(name).get_state()
    assert state["state"] == "closed"
    assert state["metrics"]["total_calls"] == 0
    assert state["metrics"]["success_rate"] == 0.0
    with pytest.raises(fuseboard.FuseboardError) as unknown:
        client.breaker_get(name)
    assert (unknown.value.status, unknown.value.code) == (404, "not_found")


def test_reset_closes_it(name: str) -> None:
    guarded = circuit_breaker(name, failure_threshold=1)(fail)
    fails(guarded, 1)
    fails(guarded, 1, CircuitBreakerOpenError)
    get_circuit_breaker(name).reset()
    assert get_circuit_breaker(name).state == "closed"
    fails(guarded, 1)


def test_reset_of_a_breaker_that_nobody_used_is_no_error(name: str) -> None:
    get_circuit_breaker(name).reset()


def test_get_or_create_keeps_the_first_configuration(name: str, client: fuseboard.Client) -> None:
    first = get_circuit_breaker(name, CircuitBreakerConfig(name, failure_threshold=2))
    assert get_circuit_breaker(name, CircuitBreakerConfig(name, failure_threshold=9)) is first
    guarded = circuit_breaker(name, failure_threshold=7)(fail)
    fails(guarded, 2)
    fails(guarded, 1, CircuitBreakerOpenError)
    assert client.breaker_get(name)["config"]["failure_threshold"] == 2


def test_a_breaker_of_the_operator_is_never_changed(name: str, client: fuseboard.Client) -> None:
    client.breaker_put(name, {"failure_threshold": 2, "timeout_seconds": 30})
    guarded = circuit_breaker(name, failure_threshold=5)(fail)
    fails(guarded, 2)
    fails(guarded, 1, CircuitBreakerOpenError)
    assert client.breaker_get(name)["config"]["failure_threshold"] == 2


def test_a_deleted_breaker_is_declared_again(name: str, client: fuseboard.Client) -> None:
    guarded = circuit_breaker(name, failure_threshold=4)(lambda: "ticker")
    assert guarded() == "ticker"
    client.breaker_delete(name)
    assert guarded() == "ticker"
    assert client.breaker_get(name)["config"]["failure_threshold"] == 4


def test_only_expected_exceptions_count(name: str) -> None:
    breaker = CircuitBreaker(CircuitBreakerConfig(name, failure_threshold=2, expected_exception=Boom))

    async def scenario() -> None:
        def wrong() -> None:
            raise ValueError

        for _ in range(4):
            with pytest.raises(ValueError):
                await breaker.call(wrong)
        for _ in range(2):
            with pytest.raises(Boom):
                await breaker.call(fail)
        with pytest.raises(CircuitBreakerOpenError):
            await breaker.call(wrong)

    asyncio.run(scenario())
    assert breaker.metrics.failure_calls == 2


def test_an_ignored_exception_does_not_reset_the_count(name: str) -> None:
    errors = iter([Boom, ValueError, Boom])

    @circuit_breaker(name, failure_threshold=2, expected_exception=Boom)
    def guarded() -> None:
        raise next(errors)

    for error in (Boom, ValueError, Boom):
        with pytest.raises(error):
            guarded()
    assert get_circuit_breaker(name).state == "open"


def test_a_retry_that_gave_up_is_judged_by_what_it_gave_up_on(name: str) -> None:
    @circuit_breaker(name, failure_threshold=1, expected_exception=Boom)
    @retry(max_attempts=2, initial_delay=0)
    def guarded() -> None:
        raise Boom

    with pytest.raises(MaxRetriesExceededError):
        guarded()
    assert get_circuit_breaker(name).state == "open"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError, GeneratorExit])
def test_what_is_no_exception_is_ignored_and_gives_its_permit_back(
    name: str, error: type[BaseException]
) -> None:
    calls = iter([Boom, error, None])

    @circuit_breaker(name, failure_threshold=1, timeout_seconds=0.2, half_open_max_calls=1)
    def guarded() -> str:
        problem = next(calls)
        if problem:
            raise problem
        return "ticker"

    fails(guarded, 1)
    time.sleep(0.25)
    with pytest.raises(error):
        guarded()  # takes the only half-open permit
    get_circuit_breaker(name).get_state()
    assert guarded() == "ticker"
    assert get_circuit_breaker(name).metrics.failure_calls == 1


@pytest.mark.asyncio
async def test_call_takes_plain_and_coroutine_functions(name: str) -> None:
    breaker = CircuitBreaker(CircuitBreakerConfig(name))

    async def add_later(a: int, b: int = 0) -> int:
        await asyncio.sleep(0)
        return a + b

    def add(a: int, b: int = 0) -> int:
        return a + b

    assert await breaker.call(add, 1, b=2) == 3
    assert await breaker.call(add_later, 1, b=2) == 3
    assert await breaker.call(lambda: add_later(2, 2)) == 4
    assert breaker.metrics.success_calls == 3


def test_functions_keep_their_names_and_signatures(name: str) -> None:
    @circuit_breaker(name)
    def fetch(symbol: str, *, depth: int = 5) -> dict[str, int]:
        """Fetch."""
        return {symbol: depth}

    assert fetch.__name__ == "fetch"
    assert fetch.__doc__ == "Fetch."
    assert str(inspect.signature(fetch)) == "(symbol: 'str', *, depth: 'int' = 5) -> 'dict[str, int]'"
    assert fetch("BTC/EUR") == {"BTC/EUR": 5}

    @circuit_breaker(name)
    async def fetch_later() -> None: ...

    assert inspect.iscoroutinefunction(fetch_later)
    assert not inspect.iscoroutinefunction(fetch)


def test_methods_are_guarded(name: str) -> None:
    class Exchange:
        price = 7

        @circuit_breaker(name)
        def ticker(self) -> int:
            return self.price

    assert Exchange().ticker() == 7


def test_generator_functions_are_refused(name: str) -> None:
    with pytest.raises(TypeError):

        @circuit_breaker(name)
        def stream() -> object:
            yield 1


@pytest.mark.parametrize("bad", ["", "kraken api", "ü", "-x", "a" * 129, "a/b"])
def test_names_are_checked_where_they_are_written(bad: str) -> None:
    with pytest.raises(ValueError):
        circuit_breaker(bad)


@pytest.mark.parametrize(
    "config",
    [
        {"failure_threshold": 0},
        {"timeout_seconds": 0},
        {"timeout_seconds": float("nan")},
        {"half_open_max_calls": 0},
    ],
)
def test_configurations_are_checked_where_they_are_written(config: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        circuit_breaker("x", **config)  # type: ignore[arg-type]


def test_an_operators_override_reads_as_what_callers_meet(name: str, client: fuseboard.Client) -> None:
    guarded = circuit_breaker(name)(lambda: "ticker")
    guarded()
    client.breaker_state_set(name, "forced_open", reason="exchange maintenance")
    fails(guarded, 1, CircuitBreakerOpenError)
    state = get_circuit_breaker(name).get_state()
    assert (state["state"], state["board_state"]) == ("open", "forced_open")


def test_the_error_survives_pickling() -> None:
    error = CircuitBreakerOpenError("open", name="x", retry_after_seconds=3.0)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.name, again.retry_after_seconds) == ("open", "x", 3.0)


def test_outcomes_arrive_without_a_next_call(name: str, server: Server, client: fuseboard.Client) -> None:
    circuit_breaker(name)(lambda: None)()
    end = time.monotonic() + 5
    while client.breaker_get(name)["metrics"]["success_calls"] != 1:
        assert time.monotonic() < end
        time.sleep(0.02)
