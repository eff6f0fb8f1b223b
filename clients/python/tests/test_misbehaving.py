"""A server that answers what no server should never hangs a caller.

Bounds are generous: they tell seconds from forever, not milliseconds.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

import pytest

import fuseboard
from fuseboard import current
from fuseboard.resilience import circuit_breaker

from conftest import eventually
from misbehaving import ALLOWED, Misbehaving, answer, request, slowly


@pytest.fixture(autouse=True)
def patience() -> None:
    """The timeouts are the defaults: they are what is tested here."""


def duration(func: Callable[[], object]) -> float:
    start = time.monotonic()
    func()
    return time.monotonic() - start


def away() -> bool:
    return current.board().presence.away


def bounded_and_allowed(url: str, name: str, bound: float = 3.0, calls: int = 20) -> None:
    """Both kinds of calls pass, soon."""
    guarded = circuit_breaker(name)(lambda: "ticker")

    @circuit_breaker(name)
    async def later() -> str:
        return "ticker"

    async def many() -> list[str]:
        return await asyncio.gather(*[later() for _ in range(calls)])

    fuseboard.configure(url=url)
    start = time.monotonic()
    assert [guarded() for _ in range(calls)] == ["ticker"] * calls
    assert time.monotonic() - start < bound
    fuseboard.configure(url=url)
    start = time.monotonic()
    assert asyncio.run(many()) == ["ticker"] * calls
    assert time.monotonic() - start < bound


def silent(sock: socket.socket, number: int) -> None:
    time.sleep(60)


def half_an_answer(sock: socket.socket, number: int) -> None:
    request(sock)
    sock.sendall(answer(ALLOWED)[:60])
    sock.close()


def half_an_answer_then_silence(sock: socket.socket, number: int) -> None:
    request(sock)
    sock.sendall(answer(ALLOWED)[:60])
    time.sleep(60)


def drips(sock: socket.socket, number: int) -> None:
    request(sock)
    slowly(sock, answer(ALLOWED) * 10, 0.3)


def closes_at_once(sock: socket.socket, number: int) -> None:
    sock.close()


def closes_after_the_request(sock: socket.socket, number: int) -> None:
    request(sock)
    sock.close()


def not_http(sock: socket.socket, number: int) -> None:
    request(sock)
    sock.sendall(b"220 smtp.example ESMTP\r\n\r\n")


def not_json(sock: socket.socket, number: int) -> None:
    while True:
        request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>")


def json_but_no_object(sock: socket.socket, number: int) -> None:
    while True:
        request(sock)
        sock.sendall(answer([1, 2, 3]))


def endless_head(sock: socket.socket, number: int) -> None:
    request(sock)
    while True:
        sock.sendall(b"x: " + b"y" * 8192 + b"\r\n")


def sheds(sock: socket.socket, number: int) -> None:
    while True:
        request(sock)
        sock.sendall(answer({"code": "overloaded"}, 503, "retry-after: 1"))


def breaks(sock: socket.socket, number: int) -> None:
    while True:
        request(sock)
        sock.sendall(answer({"code": "internal"}, 500))


@pytest.mark.parametrize(
    "script",
    [
        silent,
        half_an_answer,
        half_an_answer_then_silence,
        drips,
        closes_at_once,
        closes_after_the_request,
        not_http,
        not_json,
        json_but_no_object,
        endless_head,
        sheds,
        breaks,
    ],
    ids=lambda script: script.__name__,
)
def test_a_misbehaving_server_never_hangs_a_caller(
    script: Callable[[socket.socket, int], None], nowhere: str, name: str
) -> None:
    with Misbehaving(script) as server:
        bounded_and_allowed(server.url, name)


def test_a_server_that_answers_probes_but_no_calls_costs_ever_fewer_timeouts(nowhere: str, name: str) -> None:
    def script(sock: socket.socket, number: int) -> None:
        while True:
            if request(sock).startswith(b"GET /livez"):
                sock.sendall(answer({"status": "ok"}))
            else:
                time.sleep(60)

    with Misbehaving(script) as server:
        fuseboard.configure(url=server.url, timeout=0.2)
        guarded = circuit_breaker(name)(lambda: "ticker")
        slow = 0
        end = time.monotonic() + 6
        while time.monotonic() < end:
            slow += duration(guarded) > 0.15
            time.sleep(0.01)
        assert 1 <= slow <= 4


def test_a_proxy_whose_server_is_away_is_no_server_that_is_back(nowhere: str, name: str) -> None:
    asked: list[bytes] = []

    def script(sock: socket.socket, number: int) -> None:
        while True:
            asked.append(request(sock).split(b" ", 2)[1])
            sock.sendall(answer({"code": "bad_gateway"}, 502))

    with Misbehaving(script) as server:
        fuseboard.configure(url=server.url)
        guarded = circuit_breaker(name)(lambda: "ticker")
        guarded()
        eventually(lambda: asked.count(b"/livez") >= 2)
        assert away()
        guarded()
        assert asked.count(b"/v1/calls") == 1


def test_an_address_that_swallows_packets_costs_one_connect_timeout(nowhere: str, name: str) -> None:
    # a listener whose queue is full drops further connections
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        time.sleep(0.05)
        bounded_and_allowed(f"http://127.0.0.1:{listener.getsockname()[1]}", name)
        for filler in fillers:
            filler.close()


def test_a_name_that_does_not_resolve_costs_one_connect_timeout(
    nowhere: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: object, **__: object) -> list[object]:
        time.sleep(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    bounded_and_allowed("http://board.example:7077", name)


def test_a_wrong_request_is_an_error_not_an_absence(nowhere: str, name: str) -> None:
    def script(sock: socket.socket, number: int) -> None:
        while True:
            request(sock)
            sock.sendall(answer({"status": 401, "code": "unauthorized", "detail": "no token"}, 401))

    with Misbehaving(script) as server:
        fuseboard.configure(url=server.url)
        with pytest.raises(fuseboard.FuseboardError) as refused:
            circuit_breaker(name)(lambda: "ticker")()
        assert (refused.value.status, refused.value.code) == (401, "unauthorized")
        assert not isinstance(refused.value, fuseboard.FuseboardUnavailable)
