"""The HTTP of the client: what it reads, when it sends again, threads and forks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

import fuseboard
from fuseboard import current
from fuseboard.resilience import circuit_breaker, get_circuit_breaker
from fuseboard.settings import Settings
from fuseboard.transport import HttpTransport, Request
from fuseboard.wire import ProtocolError, Response, ResponseReader, Target

from conftest import Server, finished, python
from misbehaving import Misbehaving, answer, request

# reading


def read(data: bytes, step: int) -> Response | None:
    reader = ResponseReader()
    for at in range(0, len(data), step):
        response = reader.feed(data[at : at + step])
        if response is not None:
            assert at + step >= len(data), "it ended before its last byte"
            return response
    return None


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_an_answer_is_read_in_pieces_of_any_size(step: int) -> None:
    response = read(b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "a"\r\n\r\nhello', step)
    assert response is not None
    assert (response.status, response.body, response.keep_alive) == (200, b"hello", True)
    assert response.header("etag") == '"a"'
    assert response.header("missing") is None


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_a_chunked_answer_is_read_in_pieces_of_any_size(step: int) -> None:
    data = (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n1;ext=1\r\n \r\nA\r\nworld12345\r\n0\r\ntrailer: x\r\n\r\n"
    )
    response = read(data, step)
    assert response is not None
    assert response.body == b"hello world12345"


@pytest.mark.parametrize("step", [1, 1000])
def test_interim_answers_are_skipped(step: int) -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    response = read(data, step)
    assert response is not None
    assert (response.status, response.body) == (204, b"")


def test_an_answer_may_last_until_the_end_of_the_connection() -> None:
    reader = ResponseReader()
    assert reader.feed(b"HTTP/1.0 200 OK\r\n\r\nhel") is None
    assert reader.feed(b"lo") is None
    response = reader.end()
    assert (response.body, response.keep_alive) == (b"hello", False)


@pytest.mark.parametrize(
    ("head", "keep"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nConnection: Keep-Alive", True),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive", True),
    ],
)
def test_it_knows_whether_the_connection_may_be_kept(head: bytes, keep: bool) -> None:
    response = ResponseReader().feed(head + b"\r\n\r\n")
    assert response is not None
    assert response.keep_alive is keep


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc",
        b"x" * 70000,
    ],
)
def test_nonsense_is_an_error(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        ResponseReader().feed(data)


def test_a_request_cannot_be_split() -> None:
    target = Target("http://[::1]:80/base/", None)
    with pytest.raises(ValueError):
        target.encode("GET", "/x y")
    with pytest.raises(ValueError):
        target.encode("GET", "/x", None, {"a": "b\r\nc"})
    with pytest.raises(ValueError):
        Settings(token="a\r\nb")
    assert target.encode("GET", "/x").startswith(b"GET /base/x HTTP/1.1\r\nhost: [::1]:80\r\n")


# sending


def transport(url: str, **settings: float) -> HttpTransport:
    return HttpTransport(Settings(url=url, **settings))  # type: ignore[arg-type]


def both_ways(carrier: HttpTransport) -> list[int]:
    """The statuses of three requests of a thread and three of a coroutine."""

    async def three() -> list[int]:
        return [(await carrier.request_async(Request("GET", "/"))).status for _ in range(3)]

    return [carrier.request(Request("GET", "/")).status for _ in range(3)] + asyncio.run(three())


def test_connections_are_kept() -> None:
    def script(sock: socket.socket, number: int) -> None:
        while True:
            request(sock)
            sock.sendall(answer({}))

    with Misbehaving(script) as server:
        assert both_ways(transport(server.url)) == [200] * 6
        assert server.connections == 2


def test_a_connection_that_was_closed_between_requests_is_replaced() -> None:
    def script(sock: socket.socket, number: int) -> None:
        request(sock)
        sock.sendall(answer({}))
        sock.close()

    with Misbehaving(script) as server:
        assert both_ways(transport(server.url)) == [200] * 6


def test_connection_close_is_obeyed() -> None:
    def script(sock: socket.socket, number: int) -> None:
        request(sock)
        sock.sendall(answer({}, 200, "connection: close"))

    with Misbehaving(script) as server:
        assert both_ways(transport(server.url)) == [200] * 6
        assert server.connections == 6


def test_a_request_is_not_sent_again_after_the_answer_began() -> None:
    seen = []

    def script(sock: socket.socket, number: int) -> None:
        request(sock)
        sock.sendall(answer({}))
        seen.append(request(sock))
        sock.sendall(b"HTTP/1.1 2")
        sock.close()

    with Misbehaving(script) as server:
        carrier = transport(server.url)
        carrier.request(Request("POST", "/", b"{}"))
        with pytest.raises(fuseboard.FuseboardUnavailable):
            carrier.request(Request("POST", "/", b"{}"))
        assert len(seen) == server.connections == 1


def test_a_request_is_not_sent_again_after_a_timeout() -> None:
    seen = []

    def script(sock: socket.socket, number: int) -> None:
        while True:
            seen.append(request(sock))
            if len(seen) == 1:
                sock.sendall(answer({}))

    with Misbehaving(script) as server:
        carrier = transport(server.url, timeout=0.2)
        carrier.request(Request("POST", "/", b"{}"))
        with pytest.raises(fuseboard.FuseboardUnavailable):
            carrier.request(Request("POST", "/", b"{}"))
        time.sleep(0.1)
        assert len(seen) == 2


def test_large_bodies_go_both_ways() -> None:
    big = "x" * 5_000_000

    def script(sock: socket.socket, number: int) -> None:
        while True:
            got = request(sock).partition(b"\r\n\r\n")[2]
            sock.sendall(answer(json.loads(got)))

    with Misbehaving(script) as server:
        carrier = transport(server.url, timeout=20)
        body = json.dumps(big).encode()
        assert carrier.request(Request("POST", "/", body)).json() == big
        response = asyncio.run(carrier.request_async(Request("POST", "/", body)))
        assert response.json() == big


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate of 127.0.0.1 that this process trusts."""
    if shutil.which("openssl") is None:
        pytest.fail("openssl is missing, which makes the certificate: run `make tools`")
    path = tmp_path / "both.pem"
    command = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=test "
        f"-addext subjectAltName=IP:127.0.0.1 -keyout {path} -out {tmp_path / 'cert.pem'}"
    )
    subprocess.run(command.split(), check=True, capture_output=True)
    path.write_text(path.read_text() + (tmp_path / "cert.pem").read_text())
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    return path


def test_https_works_both_ways(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(sock: socket.socket, number: int) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            for _ in range(2):
                request(tls)
                tls.sendall(answer({}))

    with Misbehaving(script) as server:
        carrier = transport(server.url.replace("http:", "https:"), connect_timeout=2)
        assert both_ways(carrier) == [200] * 6
        carrier.close()


def test_a_certificate_that_is_not_trusted_is_an_absence(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def script(sock: socket.socket, number: int) -> None:
        context.wrap_socket(sock, server_side=True).close()

    with Misbehaving(script) as server:
        carrier = transport(server.url.replace("http:", "https:"), connect_timeout=2)
        with pytest.raises(fuseboard.FuseboardUnavailable, match="certificate"):
            carrier.request(Request("GET", "/"))


def test_other_loops_work_too(server: Server, name: str) -> None:
    uvloop = pytest.importorskip("uvloop")

    @circuit_breaker(name)
    async def guarded() -> int:
        await asyncio.sleep(0)
        return 1

    async def many() -> int:
        return sum(await asyncio.gather(*[guarded() for _ in range(200)]))

    loop = uvloop.new_event_loop()
    try:
        assert loop.run_until_complete(many()) == 200
    finally:
        loop.close()
    assert get_circuit_breaker(name).metrics.success_calls == 200


def test_every_loop_has_its_own_connections(server: Server, name: str) -> None:
    @circuit_breaker(name)
    async def guarded() -> int:
        return 1

    async def many() -> int:
        return sum(await asyncio.gather(*[guarded() for _ in range(20)]))

    assert [asyncio.run(many()) for _ in range(5)] == [20] * 5
    totals: list[int] = []
    threads = [threading.Thread(target=lambda: totals.append(asyncio.run(many()))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals == [20] * 5
    assert get_circuit_breaker(name).metrics.success_calls == 200


def test_threads_share_a_board(server: Server, name: str) -> None:
    guarded = circuit_breaker(name)(lambda: 1)
    threads = [threading.Thread(target=lambda: [guarded() for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert get_circuit_breaker(name).metrics.success_calls == 400


def test_a_forked_child_is_a_client_of_its_own(server: Server, name: str) -> None:
    code = """
        import os, sys
        from fuseboard import current
        from fuseboard.resilience import circuit_breaker, get_circuit_breaker

        @circuit_breaker("forking")
        def call():
            return os.getpid()

        call()
        parent = current.board().client
        for n in range(4):
            pid = os.fork()
            if pid == 0:
                for _ in range(10):
                    assert call() == os.getpid()
                assert current.board().client != parent
                current.board().flush()
                os._exit(0)
            call()
            assert os.waitpid(pid, 0)[1] == 0
            call()
        print(get_circuit_breaker("forking").metrics.success_calls)
    """
    assert finished(python(code, server.url)).strip() == "49"


def test_a_fork_inside_a_call_reports_once(server: Server, name: str) -> None:
    code = """
        import os
        from fuseboard import current
        from fuseboard.resilience import circuit_breaker, get_circuit_breaker

        def fork():
            return os.fork()

        pid = circuit_breaker("forking")(fork)()
        if pid == 0:
            current.board().flush()
            os._exit(0)
        os.waitpid(pid, 0)
        print(get_circuit_breaker("forking").metrics.success_calls)
    """
    assert finished(python(code, server.url)).strip() == "1"


def test_a_signal_handler_may_make_guarded_calls(server: Server, name: str) -> None:
    guarded = circuit_breaker(name)(lambda: 1)
    before = signal.signal(signal.SIGALRM, lambda *_: guarded())
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for _ in range(300):
            assert guarded() == 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    metrics = get_circuit_breaker(name).metrics
    assert metrics.success_calls == metrics.total_calls >= 300


def test_an_interrupt_while_asking_gives_the_permit_back(server: Server, name: str) -> None:
    guarded = circuit_breaker(name, failure_threshold=1, timeout_seconds=0.2, half_open_max_calls=1)
    with pytest.raises(ZeroDivisionError):
        guarded(lambda: 1 / 0)()
    time.sleep(0.25)
    server.freeze()

    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Interrupt):
            guarded(lambda: 1)()
    finally:
        signal.signal(signal.SIGALRM, before)
    server.thaw()
    time.sleep(0.4)
    # the only half-open permit was given to a caller that was gone
    assert guarded(lambda: 1)() == 1


def test_the_client_says_who_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSEBOARD_CLIENT", "bot-7")
    monkeypatch.setenv("FUSEBOARD_TOKEN", "s3cret")
    seen: list[bytes] = []

    def script(sock: socket.socket, number: int) -> None:
        while True:
            seen.append(request(sock))
            sock.sendall(answer({"allowed": True, "call_id": None, "breaker_state": "closed"}))

    with Misbehaving(script) as server:
        fuseboard.configure(url=server.url)
        circuit_breaker("x")(lambda: 1)()
        assert b'"client":"bot-7"' in seen[0]
        assert b"authorization: Bearer s3cret\r\n" in seen[0]
        assert "s3cret" not in repr(current.board().settings)
        monkeypatch.delenv("FUSEBOARD_CLIENT")
        fuseboard.configure(url=server.url)
        circuit_breaker("x")(lambda: 1)()
        assert f"-{os.getpid()}-".encode() in next(data for data in seen if b"bot-7" not in data)
