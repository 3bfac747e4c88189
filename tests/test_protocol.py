"""HTTP itself, by raw bytes: requests framed two ways, slow ones, large ones, and too many."""

import asyncio
import gc
import gzip
import re
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
from conformance import check_answer
from conftest import (
    KEY,
    PATIENCE,
    RECONTACT,
    Answer,
    Neto,
    QuickServer,
    Served,
    observed,
    rows,
    served,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_http import FIND
from test_server import locked

from recontact import neto_api, protocol
from recontact.config import Config, SettingError, load
from recontact.protocol import (
    HEAD_LIMIT,
    HEADERS_LIMIT,
    IDLE_LIMIT,
    PACE,
    PIPELINE_LIMIT,
    HttpProtocol,
)

PATH = "/do/WS/NetoAPI"
GET, ADD = "GetCustomerLog", "AddCustomerLog"
ONE = b'{"CustomerLogs": {"CustomerLog": {"Notes": "one"}}}'
MIB = 2**20


def request(
    *lines: str | bytes,
    body: bytes = b"",
    action: str = GET,
    key: str = KEY,
    start: str = f"POST {PATH} HTTP/1.1",
    host: str = "Host: x",
) -> bytes:
    """A request with these lines among its headers; its body is as it is, with no length."""
    named = [start, host, f"NETOAPI_ACTION: {action}", f"NETOAPI_KEY: {key}"]
    head = [line.encode("latin-1") if isinstance(line, str) else line for line in [*named, *lines]]
    return b"\r\n".join([*filter(None, head), b"", b""]) + body


def sized(body: bytes, *lines: str, **other: Any) -> bytes:
    """A good request."""
    return request(f"Content-Length: {len(body)}", *lines, body=body, **other)


def chunked(body: bytes, size: int = 10**9) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in pieces) + b"0\r\n\r\n"


GOOD = sized(FIND)
HIDDEN = sized(b'{"CustomerLogs": {"CustomerLog": {"Notes": "hidden"}}}', action=ADD)


class Raw:
    """A connection on which bytes go out as they are, and answers are read one by one."""

    def __init__(self, url: str, buffer: int = 0) -> None:
        address = httpx.URL(url)
        self.socket = socket.socket()
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.settimeout(PATIENCE)
        self.socket.connect((address.host, address.port))
        self._answers = self.socket.makefile("rb")
        self.sent = 0  # bytes

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.sent += len(data)

    def has_more(self) -> bool:
        """Whether there is something to read, or the connection is closed."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def end(self) -> None:
        """Say that no more will come."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def head(self) -> tuple[int, httpx.Headers]:
        line = self._answers.readline()
        assert line.startswith(b"HTTP/1.1 "), line
        headers = []
        while field := self._answers.readline().strip():
            name, _, value = field.decode().partition(": ")
            headers.append((name, value))
        return int(line.split()[1]), httpx.Headers(headers)

    def answer(self) -> Answer:
        """The next answer, which must be as the API describes it."""
        status, headers = self.head()
        body = self._answers.read(int(headers["content-length"]))
        answer = Answer(status, headers, body)
        assert headers["x-request-id"]
        check_answer(answer.root or GET, answer.format, body, status)
        return answer

    def rest(self) -> bytes:
        """All that still comes before the connection is closed."""
        came = b""
        try:
            while more := self._answers.read1():
                came += more
        except ConnectionResetError:
            return came or b"reset"
        return came

    def close(self) -> None:
        self._answers.close()
        self.socket.close()

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connected(neto: Neto | Served, buffer: int = 0) -> Raw:
    return Raw(neto.url, buffer)


def refusal(raw: Raw, status: int, code: str) -> Answer:
    """The answer, which must be this refusal and the last on its connection."""
    answer = raw.answer()
    assert (answer.status, answer.ack, answer.codes) == (status, "Error", [code])
    assert answer.headers["connection"] == "close"
    raw.end()
    assert raw.rest() in (b"", b"reset")
    return answer


def count(neto: Neto) -> int:
    ((number,),) = rows(neto, "SELECT count(*) FROM customer_log")
    return int(number)


# -- one request, framed one way -------------------------------------------------------------------

CHUNKS = chunked(ONE)
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {len(ONE)}"


def framed(*lines: str | bytes, body: bytes = ONE, **other: Any) -> bytes:
    """AddCustomerLog with these lines and body, and behind it another request."""
    return request(*lines, body=body, action=ADD, **other) + HIDDEN


def raw_chunks(chunks: bytes) -> bytes:
    return framed(CHUNKED, body=chunks)


N = len(ONE)
NOT_HTTP = {
    # Content-Length and Transfer-Encoding
    "length, then chunked": framed(LENGTH, CHUNKED, body=CHUNKS),
    "chunked, then length": framed(CHUNKED, LENGTH, body=CHUNKS),
    "chunked, length 0": framed(CHUNKED, "Content-Length: 0", body=CHUNKS),
    "two lengths": framed(LENGTH, "Content-Length: 0"),
    "two lengths, alike": framed(LENGTH, LENGTH),
    "a list of lengths": framed(f"Content-Length: {N}, {N}"),
    "a length with plus": framed(f"Content-Length: +{N}"),
    "a length with minus": framed("Content-Length: -1"),
    "a length in hex": framed(f"Content-Length: {N:#x}"),
    "a length with an underscore": framed("Content-Length: 5_1"),
    "a length with a fraction": framed(f"Content-Length: {N}.0"),
    "a length of two numbers": framed("Content-Length: 5 1"),
    "a length in other digits": framed("Content-Length: \u0665\u0661".encode()),
    "a length without digits": framed("Content-Length: "),
    "a length behind a control": framed(f"Content-Length: \x0b{N}"),
    "a length over 64 bits": framed("Content-Length: 18446744073709551667"),
    # Transfer-Encoding
    "another coding": framed("Transfer-Encoding: xchunked", body=CHUNKS),
    "identity": framed("Transfer-Encoding: identity", body=CHUNKS),
    "gzip, chunked": framed("Transfer-Encoding: gzip, chunked", body=CHUNKS),
    "chunked, identity": framed("Transfer-Encoding: chunked, identity", body=CHUNKS),
    "chunked twice": framed(CHUNKED, CHUNKED, body=CHUNKS),
    "chunked twice in one": framed("Transfer-Encoding: chunked, chunked", body=CHUNKS),
    "identity, and chunked": framed("Transfer-Encoding: identity", CHUNKED, body=CHUNKS),
    "chunked, and identity": framed(CHUNKED, "Transfer-Encoding: identity", body=CHUNKS),
    "chunked behind a comma": framed("Transfer-Encoding: ,chunked", body=CHUNKS),
    "chunked before a comma": framed("Transfer-Encoding: chunked,", body=CHUNKS),
    "chunked in quotes": framed('Transfer-Encoding: "chunked"', body=CHUNKS),
    "chunked with a parameter": framed("Transfer-Encoding: chunked;q=1", body=CHUNKS),
    "chunked behind a control": framed("Transfer-Encoding: \x0bchunked", body=CHUNKS),
    "no coding": framed("Transfer-Encoding:", body=CHUNKS),
    "chunked in HTTP/1.0": framed(CHUNKED, body=CHUNKS, start=f"POST {PATH} HTTP/1.0"),
    "chunked in HTTP/1.0, kept": framed(
        CHUNKED, "Connection: keep-alive", body=CHUNKS, start=f"POST {PATH} HTTP/1.0"
    ),
    # headers
    "a blank before the colon": framed("Transfer-Encoding : chunked", body=CHUNKS),
    "a tab before the colon": framed("Transfer-Encoding\t: chunked", body=CHUNKS),
    "a blank before the name": framed(" Transfer-Encoding: chunked", LENGTH),
    "a blank before the first name": framed(LENGTH, host=" Host: x"),
    "a folded line": framed("A: b", " c", LENGTH),
    "a line folded by a tab": framed("A: b", "\tc", LENGTH),
    "a folded coding": framed("Transfer-Encoding:", " chunked", body=CHUNKS),
    "a bare line feed": framed("A: b\nTransfer-Encoding: chunked", LENGTH),
    "bare line feeds everywhere": framed(LENGTH).replace(b"\r\n", b"\n"),
    "a bare carriage return": framed("A: b\rTransfer-Encoding: chunked", LENGTH),
    "a carriage return too many": framed("A: b\r", LENGTH),
    "a NUL in a value": framed("A: b\0c", LENGTH),
    "a NUL in a name": framed("A\0: b", LENGTH),
    "a control in a value": framed("A: \x01", LENGTH),
    "a name that is no ASCII": framed("\xe9: b", LENGTH),
    "a name in brackets": framed("(A): b", LENGTH),
    "no name": framed(": b", LENGTH),
    "no colon": framed("A", LENGTH),
    "no Host": framed(LENGTH, host=""),
    "two Hosts": framed(LENGTH, "Host: y"),
    # the request line
    "a small method": framed(LENGTH, start=f"post {PATH} HTTP/1.1"),
    "an unknown method": framed(LENGTH, start=f"FROB {PATH} HTTP/1.1"),
    "a tab behind the method": framed(LENGTH, start=f"POST\t{PATH} HTTP/1.1"),
    "a blank in the target": framed(LENGTH, start=f"POST {PATH} x HTTP/1.1"),
    "a blank at the end": framed(LENGTH, start=f"POST {PATH} HTTP/1.1 "),
    "a NUL in the target": framed(LENGTH, start=f"POST {PATH}\0 HTTP/1.1"),
    "a target that is no ASCII": framed(LENGTH, start=f"POST {PATH}\xe9 HTTP/1.1"),
    "no path": framed(LENGTH, start="POST http://x HTTP/1.1"),
    "a target without a host": framed(LENGTH, start=f"POST http://{PATH} HTTP/1.1"),
    "no version": framed(LENGTH, start=f"POST {PATH}"),
    "HTTP/0.9": framed(LENGTH, start=f"POST {PATH} HTTP/0.9"),
    "HTTP/1.2": framed(LENGTH, start=f"POST {PATH} HTTP/1.2"),
    "HTTP/2.0": framed(LENGTH, start=f"POST {PATH} HTTP/2.0"),
    "HTTP/11": framed(LENGTH, start=f"POST {PATH} HTTP/11"),
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
    "CONNECT": framed(LENGTH, start="CONNECT x:80 HTTP/1.1"),
    "CONNECT to the address": framed(LENGTH, start=f"CONNECT {PATH} HTTP/1.1"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) + HIDDEN,
    # chunks
    "a chunk with plus": raw_chunks(b"+" + CHUNKS),
    "a chunk with minus": raw_chunks(b"-" + CHUNKS),
    "a chunk in 0x": raw_chunks(b"0x" + CHUNKS),
    "a chunk with an underscore": raw_chunks(b"3_3\r\n" + ONE + b"\r\n0\r\n\r\n"),
    "a chunk without a length": raw_chunks(b"\r\n" + CHUNKS),
    "a blank before a chunk": raw_chunks(b" " + CHUNKS),
    "a blank behind its length": raw_chunks(CHUNKS.replace(b"\r\n", b" \r\n", 1)),
    "a chunk without CR": raw_chunks(CHUNKS.replace(b"\r\n", b"\n", 1)),
    "a chunk without LF": raw_chunks(CHUNKS.replace(b"\r\n", b"\r", 1)),
    "a chunk that does not end": raw_chunks(CHUNKS.replace(ONE + b"\r\n", ONE)),
    "a chunk that ends elsewhere": raw_chunks(CHUNKS.replace(ONE + b"\r\n", ONE + b"XX")),
    "a chunk over 64 bits": raw_chunks(b"10000000000000033\r\n" + ONE + b"\r\n0\r\n\r\n"),
    "an extension with LF": raw_chunks(CHUNKS.replace(b"\r\n", b";a\nb\r\n", 1)),
    "an extension with CR": raw_chunks(CHUNKS.replace(b"\r\n", b";a\rb\r\n", 1)),
    "a length in the trailer": raw_chunks(CHUNKS[:-2] + b"Content-Length: 9\r\n\r\n"),
    "a coding in the trailer": raw_chunks(CHUNKS[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"),
    "a folded trailer": raw_chunks(CHUNKS[:-2] + b"A: b\r\n c\r\n\r\n"),
}


@pytest.mark.parametrize("name", NOT_HTTP)
def test_what_could_be_read_in_two_ways_is_refused_whole(shared: Neto, name: str) -> None:
    before = count(shared)
    with connected(shared) as raw:
        raw.send(NOT_HTTP[name])

        answer = refusal(raw, 400, "RC023")

    assert answer.format == "xml"
    assert count(shared) == before, "a part of it was run"


READ_ONE_WAY = {
    "as it should be": framed(LENGTH),
    "zeros before the length": framed(f"Content-Length: 000{N}"),
    "blanks around the length": framed(f"Content-Length:\t {N} \t"),
    "names in any case": framed(f"content-LENGTH: {N}"),
    "chunked": framed(CHUNKED, body=CHUNKS),
    "chunked in any case": framed("transfer-encoding: CHUNKED ", body=CHUNKS),
    "chunks of one byte": framed(CHUNKED, body=chunked(ONE, 1)),
    "zeros before a chunk": raw_chunks(b"00000" + CHUNKS),
    "an extension": raw_chunks(CHUNKS.replace(b"\r\n", b';a="b"\r\n', 1)),
    "a trailer": raw_chunks(CHUNKS[:-2] + b"A: b\r\n\r\n"),
    "empty lines before": b"\r\n\r\n" + framed(LENGTH),
    "the whole address": framed(LENGTH, start=f"POST http://x{PATH}?a=b HTTP/1.1"),
    "another scheme": framed(LENGTH, start=f"POST ftp://user:x@[::1]{PATH} HTTP/1.1"),
    "a fragment": framed(LENGTH, start=f"POST {PATH}#there HTTP/1.1"),
    "the path in code": framed(LENGTH, start="POST /do/WS/Neto%41PI HTTP/1.1"),
    "bytes above ASCII in a value": framed("A: \xe9\xff", LENGTH),
    "an empty Host": framed(LENGTH, host="Host:"),
    "another protocol": framed("Connection: Upgrade", "Upgrade: websocket", LENGTH),
    "another protocol, chunked": framed(
        "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", CHUNKED, body=CHUNKS
    ),
}


@pytest.mark.parametrize("name", READ_ONE_WAY)
@pytest.mark.parametrize("apart", [False, True], ids=["in one piece", "byte by byte"])
def test_what_is_legal_is_read_in_one_way(shared: Neto, name: str, apart: bool) -> None:
    before = count(shared)
    with connected(shared) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (bytes([b]) for b in READ_ONE_WAY[name]) if apart else [READ_ONE_WAY[name]]:
            raw.send(piece)

        for _ in range(2):
            assert raw.answer().ack == "Success"
        raw.end()
        assert raw.rest() == b""

    assert count(shared) == before + 2


def test_an_http_1_0_client_is_answered_and_let_go(shared: Neto) -> None:
    with connected(shared) as raw:
        waits = "Expect: 100-continue"  # which HTTP/1.0 does not know
        raw.send(sized(FIND, waits, start=f"POST {PATH} HTTP/1.0", host="") + HIDDEN)

        assert raw.answer().ack == "Success"
        assert raw.rest() == b""


@pytest.mark.parametrize("body", [CHUNKS, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_the_body_of_a_wish_for_another_protocol_is_no_request(shared: Neto, body: bytes) -> None:
    """Java's client sends this with every POST; the parser takes such a body for a request."""
    with connected(shared) as raw:
        raw.send(request("Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(body)}"))
        time.sleep(0.05)
        raw.send(body + GOOD)

        assert raw.answer().codes == ["RC012"]
        assert raw.answer().ack == "Success"


def test_a_trailer_brings_no_key(shared: Neto) -> None:
    bare = request(CHUNKED, key="").replace(b"NETOAPI_KEY: \r\n", b"")
    assert b"KEY" not in bare
    with connected(shared) as raw:
        raw.send(bare + chunked(FIND)[:-2] + f"NETOAPI_KEY: {KEY}\r\n\r\n".encode())

        assert raw.answer().codes == ["RC002"]


@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
def test_broken_http_is_refused_in_the_format_that_was_asked_for(shared: Neto, accept: str) -> None:
    with connected(shared) as raw:
        raw.send(request(f"Accept: {accept}", "A: b", "A\0: b"))

        answer = refusal(raw, 400, "RC023")

    assert answer.format == ("json" if "json" in accept else "xml")
    assert "Invalid header token" in answer.errors[0]["Description"]


def test_broken_http_has_its_line_in_the_log(database: Path) -> None:
    with served(database) as server:
        with connected(server) as raw:
            raw.send(b"nonsense\r\n\r\n")
            answer = refusal(raw, 400, "RC023")
        assert server.stop() == 0

    lines = [one for one in server.log_lines() if one["event"] == "request"]
    assert [(line["request_id"], line["http_status"]) for line in lines] == [
        (answer.headers["x-request-id"], 400)
    ]


@pytest.mark.parametrize(
    "target", ["*", "//", "/%00", "/%ff%0d%0a", "http://[::1]/", "/" + "a" * 9_000]
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "QUERY"])
def test_an_odd_target_is_no_defect(shared: Neto, method: str, target: str) -> None:
    with connected(shared) as raw:
        raw.send(f"{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

        status, headers = raw.head()
        body = raw.rest()

    assert status in (200, 303, 403, 404, 405)
    assert len(body) == (0 if method == "HEAD" else int(headers["content-length"]))


def test_head_gets_no_body_also_where_http_is_broken(shared: Neto) -> None:
    for line in ("A: b", "A\0: b"):
        with connected(shared) as raw:
            raw.send(request(line, "Connection: close", start=f"HEAD {PATH} HTTP/1.1"))
            status, headers = raw.head()
            raw.end()

            assert status == (405 if line == "A: b" else 400)
            assert int(headers["content-length"]) > 0
            assert raw.rest() == b""


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_where_the_bytes_are_cut_changes_no_answer(shared: Neto, data: st.DataObject) -> None:
    names = sorted(NOT_HTTP)
    sent = [(GOOD, 200), (request(CHUNKED, body=chunked(FIND, 7)), 200), (sized(b"{"), 400)]
    sent = data.draw(st.lists(st.sampled_from(sent), max_size=3))
    last = NOT_HTTP[data.draw(st.sampled_from(names))]
    stream = b"".join(one for one, _ in sent) + last
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8)))
    before = count(shared)
    with connected(shared) as raw:
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
            with suppress(ConnectionError):
                raw.send(stream[start:end])
            time.sleep(0.0005)

        assert [raw.answer().status for _ in sent] == [status for _, status in sent]
        refusal(raw, 400, "RC023")
    assert count(shared) == before


# -- one after the other ---------------------------------------------------------------------------


def test_requests_sent_ahead_are_answered_in_order(shared: Neto) -> None:
    """And one that is broken in its turn: who gets the 400 first would think the others refused."""
    last = max((int(log["LogID"]) for log in shared.get(LogIDAfter=0).logs), default=0)
    with connected(shared) as raw:
        adds = b"".join(
            sized(b'{"CustomerLogs": {"CustomerLog": {"Notes": "%d"}}}' % n, action=ADD)
            for n in range(5)
        )
        raw.send(adds + b"nonsense" + HIDDEN)

        added = [raw.answer() for _ in range(5)]
        refusal(raw, 400, "RC023")

    assert [answer.ack for answer in added] == ["Success"] * 5
    kept = shared.get(LogIDAfter=last).logs
    assert [log["Notes"] for log in kept] == list("01234")


def test_of_requests_sent_ahead_only_so_many_wait(shared: Neto) -> None:
    with connected(shared) as raw:
        raw.send(GOOD * 1_000)

        good = 0
        while (answer := raw.answer()).status == 200:
            good += 1
        assert (answer.status, answer.codes) == (503, ["RC030"])
        assert int(answer.headers["retry-after"]) > 0
        raw.end()
        assert raw.rest() == b""
    assert PIPELINE_LIMIT <= good < 100


def test_a_client_that_ends_its_side_gets_its_answer(shared: Neto) -> None:
    before = count(shared)
    with connected(shared) as raw:
        raw.send(sized(ONE, action=ADD))
        raw.end()

        assert raw.answer().ack == "Success"
        assert raw.rest() == b""
    assert count(shared) == before + 1


def test_a_client_that_goes_away_is_no_defect(database: Path) -> None:
    with served(database) as server:
        with locked(database), connected(server) as raw:
            raw.send(sized(ONE, action=ADD) + GOOD)
            time.sleep(0.2)
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        time.sleep(0.5)
        good_answer(server)
        assert server.stop() == 0

    assert [line for line in server.log_lines() if line.get("level") == "error"] == []


def test_nothing_is_left_of_a_connection_that_is_gone(serve: Callable[..., Any]) -> None:
    """Not even until the garbage collector comes, which is seldom."""

    def alive() -> int:
        return sum(isinstance(one, HttpProtocol) for one in gc.get_objects())

    broken = [NOT_HTTP["two lengths"], NOT_HTTP["a chunk with plus"]]
    upgrade = READ_ONE_WAY["another protocol, chunked"]
    gc.collect()
    before = alive()
    with serve() as neto:
        gc.disable()
        try:
            for data in [GOOD, GOOD * 20, GOOD * 60, GOOD[:40], GOOD[:-3], upgrade, *broken]:
                for read in (False, True):
                    with connected(neto) as raw:
                        raw.send(data)
                        if read:
                            raw.end()
                            raw.rest()
            Neto.wait_for(lambda: neto.server.pass_time(TIMEOUT) or alive() <= before)
        finally:
            gc.enable()


def test_half_a_request_is_none(shared: Neto) -> None:
    before = count(shared)
    for part in (GOOD[:50], sized(ONE, action=ADD)[:-1]):
        with connected(shared) as raw:
            raw.send(part)
            raw.end()

            assert raw.rest() == b""
    assert count(shared) == before


# -- size ------------------------------------------------------------------------------------------


def padded(length: int, where: str) -> bytes:
    """A request whose request line and headers have so many bytes, as they are counted."""
    line = f"POST {PATH} HTTP/1.1"
    if where == "target":
        line = f"POST {PATH}?PAD HTTP/1.1"
    extra = {"header": ["A: PAD"], "headers": [f"A{n}: PAD" for n in range(50)], "target": []}[
        where
    ]
    made = sized(FIND, *extra, start=line)
    pads = made.count(b"PAD")
    size = len(made) - len(FIND) - len("POST  HTTP/1.1\r\n\r\n") - 3 * pads
    each, rest = divmod(length - size, pads)
    made = made.replace(b"PAD", b"x" * (each + rest), 1)
    return made.replace(b"PAD", b"x" * each)


@pytest.mark.parametrize("path", [PATH, "/healthz"])
def test_a_long_body_earns_no_long_trailer(shared: Neto, path: str) -> None:
    with connected(shared) as raw:
        raw.send(request(CHUNKED, start=f"POST {path} HTTP/1.1") + chunked(b"x" * 2**21)[:-2])
        with suppress(ConnectionError):  # it is let go before all of it is sent
            raw.send(b"X: ")
            for _ in range(512):  # more than the system holds for a server that reads no more
                raw.send(b"c" * 2**17)
            pytest.fail("64 MiB of a trailer were taken")
    assert shared.http.get("/healthz").status_code == 200


def test_too_much_of_accept_is_refused_as_any_header(shared: Neto) -> None:
    with connected(shared) as raw:
        raw.send(sized(FIND, "Accept: application/json" + "," * 40_000))
        over = raw.answer()
        assert (over.status, over.codes) == (431, ["RC024"])


@pytest.mark.parametrize("where", ["target", "header", "headers"])
@pytest.mark.parametrize("apart", [False, True], ids=["in one piece", "in pieces"])
def test_headers_may_have_so_many_bytes(shared: Neto, where: str, apart: bool) -> None:
    def sent(length: int) -> Answer:
        data = padded(length, where)
        with connected(shared) as raw:
            for at in range(0, len(data), 999 if apart else len(data)):
                raw.send(data[at : at + (999 if apart else len(data))])
            return raw.answer()

    assert sent(HEAD_LIMIT - 100).ack == "Success"
    over = sent(HEAD_LIMIT + 100)
    assert (over.status, over.codes) == (431, ["RC024"])
    assert str(HEAD_LIMIT) in over.errors[0]["Description"]


def test_there_may_be_so_many_headers(shared: Neto) -> None:
    def sent(number: int) -> Answer:
        # Four are there already: Host, the action, the key, the length.
        with connected(shared) as raw:
            raw.send(sized(FIND, *[f"A{n}: b" for n in range(number - 4)]))
            return raw.answer()

    assert sent(HEADERS_LIMIT).ack == "Success"
    over = sent(HEADERS_LIMIT + 1)
    assert (over.status, over.codes) == (431, ["RC024"])


ENDLESS = {
    "a target": (b"POST /", b"x" * 1_000),
    "a header's name": (b"POST / HTTP/1.1\r\n", b"x" * 1_000),
    "a header's value": (b"POST / HTTP/1.1\r\nA: ", b"x" * 1_000),
    "headers": (b"POST / HTTP/1.1\r\n", b"A: b\r\n" * 100),
    "empty lines": (b"", b"\r\n" * 500),
    "an extension": (request(CHUNKED, body=b"1;a="), b"x" * 1_000),
    "extensions": (request(CHUNKED), (b"1;" + b"x" * 1_000 + b"\r\n \r\n")),
    "a chunk's length": (request(CHUNKED), b"0" * 1_000),
    "a trailer": (request(CHUNKED, body=b"0\r\nA: "), b"x" * 1_000),
    "trailers": (request(CHUNKED, body=b"0\r\n"), b"A: b\r\n" * 100),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_has_no_end_is_cut(shared: Neto, name: str) -> None:
    start, more = ENDLESS[name]
    with connected(shared) as raw:
        # So that the system holds little for a server that does not come to read.
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        raw.send(start)
        with suppress(ConnectionError):
            while raw.sent < 4 * MIB and not raw.has_more():
                raw.send(more)

        refusal(raw, 431, "RC024")
    assert raw.sent < 2 * MIB, "it was read on"


# -- before the body -------------------------------------------------------------------------------

WAITS = "Expect: 100-continue"


def told_to_go_on(raw: Raw) -> bool:
    return raw.socket.recv(25, socket.MSG_WAITALL | socket.MSG_PEEK).startswith(
        b"HTTP/1.1 100 Continue\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("length", "other", "status"),
    [
        (len(FIND), {"key": "rk_unknown"}, 401),
        (len(FIND), {"action": "Nothing"}, 400),
        (8 * MIB + 1, {}, 413),
        (10**15, {}, 413),
    ],
)
def test_who_waits_to_send_what_is_refused_is_not_told_to_go_on(
    shared: Neto, length: int, other: dict[str, str], status: int
) -> None:
    with connected(shared) as raw:
        raw.send(request(f"Content-Length: {length}", WAITS, **other))

        answer = raw.answer()
        assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_who_waits_to_send_is_told_to_go_on_in_turn(shared: Neto) -> None:
    with connected(shared) as raw:
        raw.send(GOOD + request(f"Content-Length: {len(FIND)}", WAITS))
        assert raw.answer().ack == "Success"
        status, headers = raw.head()
        assert (status, len(headers)) == (100, 0)
        raw.send(FIND)

        assert raw.answer().ack == "Success"


# -- time ------------------------------------------------------------------------------------------

TIMEOUT = Config().request_timeout

SLOW = {
    "no end of the target": (b"POST /do", b"x", "RC018"),
    "no end of a name": (b"POST / HTTP/1.1\r\n", b"x", "RC018"),
    "no end of a value": (b"POST / HTTP/1.1\r\nA: ", b"x", "RC018"),
    "header by header": (b"POST / HTTP/1.1\r\n", b"A: b\r\n", "RC018"),
    "nothing after a part": (b"POST / HTTP/1.1\r\n", b"", "RC018"),
    "a body byte by byte": (request("Content-Length: 1000"), b" ", "RC018"),
    "no body": (request("Content-Length: 1000"), b"", "RC018"),
    "chunks of a byte": (request(CHUNKED), b"1\r\n \r\n", "RC018"),
    "half a chunk": (request(CHUNKED, body=b"5\r\n{"), b"", "RC018"),
    "no last chunk": (request(CHUNKED, body=chunked(FIND)[:-5]), b"", "RC018"),
    "an extension": (request(CHUNKED, body=b"1;a="), b"x", "RC018"),
    "trailers": (request(CHUNKED, body=b"0\r\n"), b"A: b\r\n", "RC018"),
    "after a good one": (GOOD + b"POST / HT", b"", "RC018"),
    "behind a good one": (GOOD + request("Content-Length: 9"), b"", "RC018"),
    "nothing": (b"", b"", ""),
    "empty lines": (b"", b"\r\n", ""),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_is_not_whole_in_time_is_cut(shared: Neto, name: str) -> None:
    start, more, code = SLOW[name]
    with connected(shared) as raw:
        raw.send(start)
        if start.startswith(GOOD):
            assert raw.answer().ack == "Success"
        for _ in range(3):
            shared.server.connection(raw.socket, raw.sent)
            shared.server.pass_time(0.3 * TIMEOUT)
            assert not raw.has_more()
            raw.send(more)
        shared.server.connection(raw.socket, raw.sent)
        shared.server.pass_time(0.11 * TIMEOUT)

        if code:
            answer = refusal(raw, 408, code)
            assert f"{TIMEOUT:g} s" in answer.errors[0]["Description"]
        else:
            assert raw.rest() in (b"", b"reset")


@pytest.mark.parametrize("last", ["", "Connection: close"])
def test_an_answer_that_is_not_taken_is_dropped(neto: Neto, last: str) -> None:
    """Held back by the client, it would hold its memory and its connection for ever."""
    ask = f"GET /openapi.json HTTP/1.1\r\nHost: x\r\n{last}\r\n".replace(
        "\r\n\r\n", "\r\n"
    ).encode()
    ask += b"\r\n"
    whole = len(neto.http.get("/openapi.json").content)
    with connected(neto, buffer=4_096) as raw:
        asked = 1 if last else 30
        neto.add(*[{"Notes": "x" * 60_000}] * 100)
        if last:
            body = b'{"Filter": {"LogIDAfter": 0, "OutputSelector": "Notes"}}'
            ask, whole = sized(body, last), 6_000_000
        raw.send(ask * asked)
        connection = neto.server.connection(raw.socket, raw.sent)
        Neto.wait_for(lambda: connection.flow and connection.flow.write_paused)
        # Twice: since it was paused the system may have taken some.
        for _ in range(2):
            neto.server.pass_time(TIMEOUT + 1)

        assert len(raw.rest()) < asked * whole


def test_an_answer_sent_in_parts_that_is_not_taken_is_dropped() -> None:
    """We have none such yet, and the one who writes the first will not think of it."""
    done = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(100):
                await send({"type": "http.response.body", "body": b"x" * MIB, "more_body": True})
        finally:
            done.set()

    config = uvicorn.Config(
        app,
        http=observed(Config()),
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = QuickServer(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            Neto.wait_for(lambda: hasattr(server, "loop"))
            with Raw(f"http://127.0.0.1:{listener.getsockname()[1]}", 4_096) as raw:
                raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                connection = server.connection(raw.socket, raw.sent)
                Neto.wait_for(lambda: connection.flow.write_paused)
                assert not done.is_set()
                for _ in range(2):
                    server.pass_time(TIMEOUT + 1)
                assert done.wait(PATIENCE)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


def test_a_slow_reader_is_not_cut_as_long_as_it_reads(neto: Neto) -> None:
    neto.add(*[{"Notes": "x" * 60_000}] * 100)
    body = b'{"Filter": {"LogIDAfter": 0, "OutputSelector": "Notes"}}'
    with connected(neto, buffer=65_536) as raw:
        connection = neto.server.connection(raw.socket)
        unsent = connection.transport.get_write_buffer_size
        # So that the server holds the answer, and not the system.
        theirs = connection.transport.get_extra_info("socket")
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
        raw.send(sized(body))
        status, headers = raw.head()
        left = int(headers["content-length"])
        passed = 0
        while left:
            before = unsent()
            taken = len(raw._answers.read(min(left, 300_000)))
            assert taken, "it was cut"
            left -= taken
            Neto.wait_for(lambda before=before: unsent() <= max(0, before - PACE))
            neto.server.pass_time(TIMEOUT + 1)
            passed += 1
        assert (status, passed > 10) == (200, True)


def test_a_connection_between_two_calls_is_not_slow(neto: Neto) -> None:
    with connected(neto) as raw:
        for _ in range(2):
            raw.send(GOOD)
            assert raw.answer().ack == "Success"
            neto.server.pass_time(3 * TIMEOUT)
        raw.send(GOOD)
        assert raw.answer().ack == "Success"


def test_a_connection_without_calls_is_closed_in_the_end(neto: Neto) -> None:
    with connected(neto) as raw:
        raw.send(GOOD)
        assert raw.answer().ack == "Success"
        neto.server.pass_time(0.9 * IDLE_LIMIT)
        assert not raw.has_more()
        neto.server.pass_time(0.11 * IDLE_LIMIT)

        assert raw.rest() == b""


@pytest.mark.parametrize("next_one", [GOOD[:40], GOOD[:-3]], ids=["in its headers", "in its body"])
def test_a_call_in_work_is_never_cut_for_the_one_behind_it(neto: Neto, next_one: bytes) -> None:
    with connected(neto) as raw:
        with locked(neto.path):
            raw.send(sized(ONE, action=ADD) + next_one)
            neto.server.connection(raw.socket, raw.sent)
            neto.server.pass_time(3 * TIMEOUT)
        assert raw.answer().ack == "Success"
        raw.send(GOOD[len(next_one) :])

        assert raw.answer().ack == "Success"


# -- number ----------------------------------------------------------------------------------------


def good_answer(server: Neto | Served) -> None:
    """A good call on a connection of its own."""
    with connected(server) as raw:
        raw.send(GOOD)
        assert raw.answer().ack == "Success"


@contextmanager
def held(
    server: Neto | Served, number: int, begin: bytes, idle: bool = False
) -> Iterator[list[Raw]]:
    """So many connections on each of which this was sent and, if it is a call, answered."""
    with ExitStack() as stack:
        some = [stack.enter_context(connected(server)) for _ in range(number)]
        for raw in some:
            raw.send(begin)
            if idle:
                assert raw.answer().ack == "Success"
        yield some


def test_idle_connections_make_room(serve: Callable[..., Any]) -> None:
    with serve(connection_limit=5) as neto, held(neto, 5, GOOD, idle=True) as (first, *others):
        good_answer(neto)

        assert first.rest() == b"", "the one that was idle longest stays"
        for raw in others:
            raw.send(GOOD)
            assert raw.answer().ack == "Success"


@pytest.mark.parametrize("part", [b"", GOOD[:40], GOOD[:-3]], ids=["silent", "headers", "body"])
def test_slow_connections_make_room_for_good_ones(serve: Callable[..., Any], part: bytes) -> None:
    with serve(connection_limit=5) as neto, held(neto, 5, part) as (first, *others):
        for raw in (first, *others):
            neto.server.connection(raw.socket, raw.sent)
        neto.server.pass_time(protocol.PATIENCE + 0.1)
        good_answer(neto)

        answer = refusal(first, 503, "RC030")
        assert int(answer.headers["retry-after"]) > 0


@pytest.fixture
def young(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is slow yet, however long the machine stands still."""
    monkeypatch.setattr(protocol, "PATIENCE", PATIENCE)


@pytest.mark.usefixtures("young")
def test_who_finds_no_place_is_told_so(serve: Callable[..., Any]) -> None:
    with serve(connection_limit=3) as neto, held(neto, 3, GOOD[:40]) as young:
        with connected(neto) as raw:
            raw.send(GOOD)  # which is not read
            answer = refusal(raw, 503, "RC030")
        for one in young:
            one.send(GOOD[40:])
            assert one.answer().ack == "Success", "those who were there lost their place"
        good_answer(neto)

    assert int(answer.headers["retry-after"]) > 0
    assert "3 connections" in answer.errors[0]["Description"]


@pytest.mark.usefixtures("young")
def test_those_who_are_told_are_bounded_too(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    all_there = threading.Event()

    async def drain(_receive: Any) -> None:
        """None of those who are told goes before the last has come."""
        await asyncio.to_thread(all_there.wait, PATIENCE)

    monkeypatch.setattr(neto_api, "drain", drain)
    with serve(connection_limit=5) as neto, held(neto, 5, GOOD[:40]), held(neto, 20, b"") as more:
        Neto.wait_for(lambda: neto.server.config.http.made == 25)
        all_there.set()
        ended = [raw.rest() for raw in more]

    assert sum(text.startswith(b"HTTP/1.1 503") for text in ended) == 5
    assert sum(text in (b"", b"reset") for text in ended) == 15


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit files in other ways")
def test_more_connections_than_files_stop_the_start(database: Path) -> None:
    short_of_files = ("sh", "-c", 'ulimit -n 1000; exec "$@"', "sh", *RECONTACT)
    said = r"900 connections need 1900 open files.* 1000"
    with (
        pytest.raises(AssertionError, match=said),
        served(database, "--connection-limit", "900", program=short_of_files),
    ):
        pass


# -- 500 connections -------------------------------------------------------------------------------


class Dripping:
    """Sends a byte on each connection now and then, until the end of the block."""

    def __init__(self, connections: list[Raw], byte: bytes) -> None:
        self._connections, self._byte = connections, byte
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    def _drip(self) -> None:
        while not self._over.wait(0.2):
            for raw in self._connections:
                with suppress(OSError):
                    raw.send(self._byte)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


MANY = {
    "idle": (GOOD, b"", True),
    "silent": (b"", b"", False),
    "slow headers": (b"POST / HTTP/1.1\r\nA: ", b"x", False),
    "slow bodies": (request("Content-Length: 100000"), b" ", False),
    "slow chunks": (request(CHUNKED), b"1\r\n \r\n", False),
    "unread answers": (b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 8, b"", False),
}


def computed(server: Served) -> float:
    """Seconds that its process computes while it gives a good answer, and what else it has to."""
    process = psutil.Process(server.process.pid)
    before = sum(process.cpu_times()[:2])
    good_answer(server)
    return sum(process.cpu_times()[:2]) - before


@pytest.mark.parametrize("kind", MANY)
def test_while_500_are_held_a_good_request_is_answered_soon(database: Path, kind: str) -> None:
    begin, drop, idle = MANY[kind]
    with served(database) as server:
        good_answer(server)
        with held(server, 500, begin, idle) as some, Dripping(some if drop else [], drop):
            if kind == "unread answers":  # 500 times 8 answers are made first
                Neto.wait_for(lambda: computed(server) < 0.25)
            took = sorted(computed(server) for _ in range(9))
        assert server.stop() == 0

    assert took[4] < 0.25


# -- memory ----------------------------------------------------------------------------------------


def most_memory(server: Served) -> float:
    """The most memory that the process ever had, in MiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1_024


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_bodies_that_stop_half_way_have_so_much_memory_and_no_more(database: Path) -> None:
    limits = ("--bodies-limit", str(16 * MIB), "--body-limit", str(8 * MIB))
    with served(database, *limits) as server, ExitStack() as stack:
        good_answer(server)
        before = most_memory(server)
        many = []
        for _ in range(60):
            raw = stack.enter_context(connected(server))
            many.append(raw)
            with suppress(ConnectionError):
                raw.send(request(f"Content-Length: {6 * MIB}", body=b" " * (5 * MIB)))
        good_answer(server)
        grown = most_memory(server) - before
        for raw in many:
            raw.end()
        told = [raw.rest() for raw in many]

    assert grown < 70, f"300 MiB were offered, and it grew by {grown:.0f}"
    refused = [text for text in told if b"HTTP/1.1 503" in text]
    assert len(refused) >= 55
    assert all(b"retry-after: 1" in text and b"RC030" in text for text in refused)


def test_bodies_of_others_are_not_refused_for_one_that_stalls(serve: Callable[..., Any]) -> None:
    with (
        serve(body_limit=MIB, bodies_limit=MIB) as neto,
        connected(neto) as stalled,
        connected(neto) as other,
    ):
        stalled.send(request(f"Content-Length: {MIB}", body=b" " * 900_000))
        neto.server.connection(stalled.socket, stalled.sent)
        padding = b" " * 600_000
        other.send(sized(FIND + padding))

        assert other.answer().ack == "Success"
        answer = refusal(stalled, 503, "RC030")
        assert int(answer.headers["retry-after"]) > 0
        other.send(sized(FIND + padding))
        assert other.answer().ack == "Success", "what was held was not given back"


def test_a_body_that_there_is_no_room_for_is_refused_before_it_is_read(
    serve: Callable[..., Any],
) -> None:
    with (
        serve(body_limit=MIB, bodies_limit=MIB) as neto,
        connected(neto) as working,
        connected(neto) as other,
        connected(neto) as small,
    ):
        with locked(neto.path):
            working.send(sized(ONE + b" " * (MIB - 100), action=ADD))
            neto.server.connection(working.socket, working.sent)
            other.send(request("Content-Length: 100000", WAITS))
            answer = refusal(other, 503, "RC030")
            small.send(GOOD)
            assert small.answer().ack == "Success"
        assert working.answer().ack == "Success"

    assert str(MIB) in answer.errors[0]["Description"]


def test_what_was_packed_counts_unpacked(serve: Callable[..., Any]) -> None:
    packed = gzip.compress(ONE + b" " * 600_000)
    with serve(body_limit=MIB, bodies_limit=MIB) as neto, ExitStack() as stack:
        some = [stack.enter_context(connected(neto)) for _ in range(4)]
        with locked(neto.path):
            for raw in some:
                raw.send(sized(packed, "Content-Encoding: gzip", action=ADD))
            Neto.wait_for(lambda: sum(raw.has_more() for raw in some) == 3)
        answers = [raw.answer() for raw in some]

    assert sorted(answer.status for answer in answers) == [200, 503, 503, 503]


def test_the_limit_of_all_bodies_is_no_less_than_that_of_one(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="bodies_limit must be at least body_limit, 2000; got 1"):
        load({"body_limit": 2_000, "bodies_limit": 1_999}, {}, tmp_path)
