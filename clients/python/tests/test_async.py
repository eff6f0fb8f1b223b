"""Coroutines: cancellation, finalisation, and loops that end early."""

from __future__ import annotations

import asyncio
import gc
import socket
import time

import pytest

import fuseboard
from fuseboard import current
from fuseboard.resilience import circuit_breaker, get_circuit_breaker, rate_limit

from conftest import Server, eventually, finished, python
from misbehaving import ALLOWED, Misbehaving, answer, request


@pytest.mark.asyncio
async def test_a_cancelled_call_is_ignored_and_gives_its_permit_back(server: Server, name: str) -> None:
    calls = 0

    @circuit_breaker(name, failure_threshold=1, timeout_seconds=0.2, half_open_max_calls=1)
    async def guarded() -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ValueError
        if calls == 2:
            await asyncio.sleep(60)
        return "ticker"

    with pytest.raises(ValueError):
        await guarded()
    await asyncio.sleep(0.25)
    task = asyncio.create_task(guarded())
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    current.board().flush()
    assert await guarded() == "ticker"
    assert get_circuit_breaker(name).metrics.failure_calls == 1


@pytest.mark.asyncio
async def test_a_call_cancelled_while_it_waits_for_its_token_gives_the_permit_back(
    server: Server, client: fuseboard.Client, name: str
) -> None:
    @rate_limit(name, requests_per_second=0.5, burst_size=1)
    @circuit_breaker(name)
    async def guarded() -> str:
        return "ticker"

    await guarded()
    task = asyncio.create_task(guarded())
    await asyncio.sleep(0.2)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert get_circuit_breaker(name).get_state().get("in_flight", 0) == 0


@pytest.mark.asyncio
@pytest.mark.parametrize("answered", ["before", "after"])
async def test_a_call_cancelled_while_it_asks_gives_the_permit_back(name: str, answered: str) -> None:
    seen: list[bytes] = []

    asked = 0

    def script(sock: socket.socket, number: int) -> None:
        nonlocal asked
        while True:
            seen.append(data := request(sock))
            if b"POST /v1/calls " in data:
                asked += 1
                if asked == 2 and answered == "after":
                    time.sleep(0.2)
                sock.sendall(answer({**ALLOWED, "call_id": "lost" if asked == 2 else "c1"}))
            else:
                sock.sendall(answer({"items": []}))

    with Misbehaving(script) as server:
        fuseboard.configure(url=server.url)

        calls = 0

        @circuit_breaker(name)
        async def guarded() -> None:
            nonlocal calls
            calls += 1

        await guarded()
        task = asyncio.create_task(guarded())
        for _ in range(3):
            await asyncio.sleep(0)
        if answered == "before":
            time.sleep(0.1)  # the answer waits in the socket, unread
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for _ in range(200):
            if b'"lost"' in seen[-1]:
                break
            await asyncio.sleep(0.02)
        assert b'"call_id":"lost","outcome":"ignored"' in seen[-1]
        assert calls == 1
        fuseboard.configure()


def test_a_coroutine_that_is_dropped_gives_its_permit_back(server: Server, name: str) -> None:
    @circuit_breaker(name)
    async def guarded() -> None:
        await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    try:
        task = loop.create_task(guarded())
        loop.run_until_complete(asyncio.wait({task}, timeout=0.3))
        assert not task.done()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task
    finally:
        loop.close()
    del loop
    gc.collect()
    metrics = get_circuit_breaker(name).get_state()
    assert metrics.get("in_flight", 0) == 0
    assert metrics["metrics"]["failure_calls"] == 0


def test_a_loop_that_ends_in_the_middle_leaves_no_permit_behind(
    server: Server, client: fuseboard.Client
) -> None:
    code = """
        import asyncio
        from fuseboard.resilience import circuit_breaker

        @circuit_breaker("loops")
        async def call():
            await asyncio.sleep(60)

        async def main():
            tasks = [asyncio.create_task(call()) for _ in range(10)]
            await asyncio.sleep(0.3)

        asyncio.run(main())
    """
    finished(python(code, server.url))
    eventually(lambda: client.breaker_get("loops").get("in_flight", 0) == 0)
    assert client.breaker_get("loops")["metrics"]["failure_calls"] == 0


def test_idle_connections_outlive_no_loop_noisily(server: Server) -> None:
    code = """
        import asyncio, gc
        from fuseboard.resilience import circuit_breaker

        @circuit_breaker("loops")
        async def call():
            return 1

        for _ in range(5):
            asyncio.run(call())
        gc.collect()
    """
    process = python(code, server.url, PYTHONWARNINGS="error", PYTHONDEVMODE="1")
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")


@pytest.mark.asyncio
async def test_many_at_once(server: Server, name: str) -> None:
    @circuit_breaker(name)
    async def guarded(n: int) -> int:
        await asyncio.sleep(0.001)
        return n

    assert await asyncio.gather(*[guarded(n) for n in range(1000)]) == list(range(1000))
    assert get_circuit_breaker(name).metrics.success_calls == 1000
