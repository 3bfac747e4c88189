"""The call as HTTP (SPEC §1): methods, headers, keys, formats, limits, refusals."""

import gzip
import http.client
import json
import select
import socket
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from conftest import FORMATS, KEY, PATIENCE, Answer, Neto, computing, json_call, to_body, xml_call

from recontact.store import keys

PATH = "/do/WS/NetoAPI"
GET, ADD, UPDATE = "GetCustomerLog", "AddCustomerLog", "UpdateCustomerLog"
FIND = b'{"Filter": {"LogID": "1", "OutputSelector": "LogID"}}'


def send(
    neto: Neto,
    headers: dict[str, str] | list[tuple[str, Any]],
    body: Any = FIND,
    method: str = "POST",
    path: str = PATH,
) -> Answer:
    """Send exactly these headers, but those that HTTP needs."""
    answer = neto.http.request(method, neto.url + path, content=body, headers=headers)
    return Answer(answer.status_code, answer.headers, answer.content)


def call(action: str = GET, **more: str) -> dict[str, str]:
    return {"NETOAPI_ACTION": action, "NETOAPI_KEY": KEY, "Accept": "application/json"} | more


class Connection:
    """A connection on which bytes go out as they are."""

    def __init__(self, neto: Neto) -> None:
        url = httpx.URL(neto.url)
        self.socket = socket.create_connection((url.host, url.port), timeout=PATIENCE)
        self.sent = 0  # bytes

    def send(self, *lines: str, body: bytes = b"", **headers: str) -> None:
        """Send a request: the headers of a good call, changed by `headers`, then `lines`."""
        sent = {"Host": "x"} | call() | {n.replace("__", "-"): v for n, v in headers.items()}
        head = [f"POST {PATH} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items()), *lines]
        self.send_bytes("\r\n".join([*head, "", ""]).encode("latin-1") + body)

    def send_bytes(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.sent += len(data)

    def answer(self) -> Answer:
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        return Answer(response.status, httpx.Headers(response.getheaders()), response.read())

    def has_answer(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def is_closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


@contextmanager
def connected(neto: Neto) -> Iterator[Connection]:
    connection = Connection(neto)
    with connection.socket:
        yield connection


# -- methods and addresses ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "PROPFIND", "TRACE"])
@pytest.mark.parametrize("headers", [{}, call()], ids=["bare", "whole call"])
def test_another_method_is_refused(shared: Neto, method: str, headers: dict[str, str]) -> None:
    answer = send(shared, headers, method=method)

    assert (answer.status, answer.codes) == (405, ["RC017"])
    assert "POST" in answer.headers["Allow"]
    assert answer.errors[0]["Message"] == f"Method {method} is not allowed"


def test_head_is_refused_too(shared: Neto) -> None:
    answer = shared.http.head(PATH)

    assert (answer.status_code, answer.content) == (405, b"")
    assert UUID(answer.headers["X-Request-Id"])


def test_a_browser_gets_a_page_that_says_what_this_address_is(shared: Neto) -> None:
    browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

    answer = shared.http.get(PATH, headers={"Accept": browser})

    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "POST" in answer.headers["Allow"]
    assert PATH in answer.text
    assert "NETOAPI_ACTION" in answer.text
    assert UPDATE in answer.text
    assert UUID(answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    "path",
    [
        PATH,
        PATH + "/",
        "/v1/stores/5" + PATH,
        "/a/b/c" + PATH + "/",
        PATH + "?x=1&y=%00",
        "/do/WS" + PATH,
        PATH + PATH,
        "/caf%C3%A9" + PATH,
    ],
)
def test_the_address_may_have_a_prefix_and_a_final_slash(shared: Neto, path: str) -> None:
    assert send(shared, call(), path=path).ack == "Success"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/do/WS/netoapi",
        "/do/ws/NetoAPI",
        PATH + "x",
        PATH + "/x",
        PATH + "//",
        "/xdo/WS/NetoAPI",
        "/do/WS/",
        "/NetoAPI",
    ],
)
def test_another_address_is_not_the_api(shared: Neto, path: str) -> None:
    answer = shared.http.post(shared.url + path, content=FIND, headers=call())

    assert answer.status_code in (403, 404, 405)  # 403: a form of the panel


# -- CORS --------------------------------------------------------------------------------------

SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def cors(shared: Neto) -> Neto:
    """The shared server, whose site lets in SHOP and another origin."""
    origins = f"https://other.example {SHOP}"
    with shared.store.begin() as connection:
        connection.exec_driver_sql("UPDATE site SET cors_origins = ?", (origins,))
    asked = {"Origin": SHOP}
    shared.wait_for(
        lambda: "access-control-allow-origin" in shared.http.options(PATH, headers=asked).headers
    )
    return shared


def test_a_preflight_of_a_listed_origin_is_answered(cors: Neto) -> None:
    wanted = "netoapi_action,netoapi_key,netoapi_username,x_access_key,x_secret_key"
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": f"{wanted},authorization,content-type",
    }

    answer = cors.http.options(PATH, headers=asked)

    assert answer.is_success
    assert answer.headers["Access-Control-Allow-Origin"] == SHOP
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().replace(" ", "").split(",")
    assert {*wanted.split(","), "authorization", "content-type", "accept"} <= set(allowed)
    assert "origin" in answer.headers["Vary"].lower()
    assert UUID(answer.headers["X-Request-Id"])


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://shop.example",
        SHOP + ".evil.example",
        SHOP + ":8443",
        "https://SHOP.example",
        "null",
        "*",
        "shop.example",
        f"https://other.example {SHOP}",
    ],
)
def test_no_other_origin_is_let_in(cors: Neto, origin: str) -> None:
    preflight = cors.http.options(PATH, headers={"Origin": origin})
    answer = send(cors, call(Origin=origin))

    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


def test_an_answer_to_a_listed_origin_says_so(cors: Neto) -> None:
    good = send(cors, call(Origin=SHOP))
    refused = send(cors, call("Nothing", Origin=SHOP))
    unknown = send(cors, call(NETOAPI_KEY=UNKNOWN, Origin=SHOP))  # a script must see why

    for answer in (good, refused, unknown):
        assert answer.headers["Access-Control-Allow-Origin"] == SHOP
        assert "X-Request-Id" in answer.headers["Access-Control-Expose-Headers"]
    assert "access-control-allow-origin" not in send(cors, call()).headers


def test_the_list_of_origins_is_empty_by_default(neto: Neto) -> None:
    answer = neto.http.options(PATH, headers={"Origin": SHOP})

    assert answer.is_success
    assert "POST" in answer.headers["Allow"]
    assert "access-control-allow-origin" not in answer.headers


# -- the action --------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [GET, GET.lower(), GET.upper(), "gETcUSTOMERlOG"])
def test_the_action_is_matched_without_regard_to_case(shared: Neto, action: str) -> None:
    answer = send(shared, call(action, Accept="text/xml"))

    assert (answer.ack, answer.root) == ("Success", GET)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param([], "RC006", id="none"),
        pytest.param([("NETOAPI_ACTION", "")], "RC006", id="empty"),
        pytest.param([("NETOAPI-ACTION", GET)], "RC006", id="hyphen"),
        pytest.param([("NETOAPI_ACTION", "DeleteCustomerLog")], "RC007", id="unknown"),
        pytest.param([("NETOAPI_ACTION", f"{GET}, {ADD}")], "RC007", id="two in one"),
        pytest.param([("NETOAPI_ACTION", "Get CustomerLog")], "RC007", id="blank inside"),
        pytest.param([("NETOAPI_ACTION", b"Get\xffCustomerLog\xe9")], "RC007", id="bytes"),
        pytest.param([("NETOAPI_ACTION", "<&'\"\\")], "RC007", id="markup"),
        pytest.param([("NETOAPI_ACTION", "x" * 5_000)], "RC007", id="long"),
        pytest.param([("NETOAPI_ACTION", GET)] * 2, "RC004", id="twice"),
        pytest.param([("NETOAPI_ACTION", GET), ("netoapi_action", ADD)], "RC004", id="two"),
        pytest.param([("NETOAPI_ACTION", GET), ("NETOAPI_ACTION", "")], "RC004", id="and empty"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
def test_there_must_be_one_known_action(
    shared: Neto, headers: list[tuple[str, Any]], code: str, accept: str
) -> None:
    answer = send(shared, [*headers, ("NETOAPI_KEY", KEY), ("Accept", accept)])

    assert (answer.status, answer.codes) == (400, [code])
    assert answer.root in ("", "NetoAPI")
    assert len(answer.body) < 1_500
    description = answer.errors[0]["Description"]
    if code == "RC006":
        assert "underscores_in_headers on" in description
    if code == "RC007":
        assert f"{UPDATE}, {ADD}, {GET}" in description


def test_the_vendors_curl_line_is_told_in_json_that_it_has_no_action(shared: Neto) -> None:
    packed = "application/json, Content-Type: application/json, NETOAPI_ACTION: GetCustomer"

    answer = send(shared, {"NETOAPI_KEY": KEY, "Accept": packed})

    assert (answer.status, answer.format, answer.codes) == (400, "json", ["RC006"])


def test_headers_in_any_case_are_read(shared: Neto) -> None:
    headers = {"netoapi_action": GET, "NetoApi_Key": KEY, "ACCEPT": "application/json"}

    assert send(shared, headers).ack == "Success"


# -- keys --------------------------------------------------------------------------------------

UNKNOWN = "rk_nobody_made_this_key"
ANA, JOSE = "<the key of the user ana>", "<the key of the user josé>"
OTHER = "<another site-wide key>"


@pytest.fixture(scope="module")
def made(shared: Neto) -> dict[str, str]:
    """The keys that stand for ANA, JOSE and OTHER."""
    users = {ANA: shared.new_key(username="ana"), JOSE: shared.new_key(username="josé")}
    return {**users, OTHER: shared.new_key(), KEY: KEY, UNKNOWN: UNKNOWN}


def in_full(made: dict[str, str], headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    for short, key in made.items():
        headers = [(name, value.replace(short, key)) for name, value in headers]
    return [("NETOAPI_ACTION", GET), *headers]


K, U, A, S, B = "NETOAPI_KEY", "NETOAPI_USERNAME", "X_ACCESS_KEY", "X_SECRET_KEY", "Authorization"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([(K, KEY)], id="site-wide"),
        pytest.param([(K, KEY), (U, "whoever")], id="site-wide, username"),
        pytest.param([(K, KEY), (U, "")], id="site-wide, empty username"),
        pytest.param([(K, ANA), (U, "ana")], id="user's"),
        pytest.param([(A, "any text"), (S, KEY)], id="add-on"),
        pytest.param([(A, "x"), (S, ANA)], id="add-on, user's"),
        pytest.param([(A, "x"), (S, ANA), (U, "bob")], id="add-on, username"),
        pytest.param([(B, f"Bearer {KEY}")], id="bearer"),
        pytest.param([(B, f"bearer {KEY}")], id="bearer, case"),
        pytest.param([(B, f"BEARER   {KEY}")], id="bearer, blanks"),
        pytest.param([(B, f"Bearer {ANA}")], id="bearer, user's"),
        pytest.param([(K, KEY), (B, f"Bearer {KEY}")], id="same in two"),
        pytest.param([(K, KEY), (A, "x"), (S, KEY), (B, f"Bearer {KEY}")], id="same in three"),
        pytest.param([(K, ANA), (U, "ana"), (A, "x"), (S, ANA)], id="user's in two"),
        pytest.param([(K, ""), (B, f"Bearer {KEY}")], id="empty, bearer"),
        pytest.param([(K, KEY), (A, ""), (S, ""), (B, "")], id="others empty"),
        pytest.param([(K, KEY), (A, "x")], id="half an add-on"),
        pytest.param([(K, KEY), (B, "Basic YW5hOng=")], id="another scheme"),
    ],
)
def test_a_key_is_known_in_each_form(
    shared: Neto, made: dict[str, str], headers: list[tuple[str, str]]
) -> None:
    answer = send(shared, in_full(made, headers))

    assert (answer.status, answer.ack) == (200, "Success")


@pytest.mark.parametrize("codec", ["utf-8", "latin-1"])
def test_a_username_is_read_in_both_encodings_that_clients_use(
    shared: Neto, made: dict[str, str], codec: str
) -> None:
    headers = [("NETOAPI_ACTION", GET), (K, made[JOSE]), (U, "josé".encode(codec))]

    assert send(shared, headers).status == 200


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param([], "RC002", id="none"),
        pytest.param([(K, "")], "RC002", id="empty"),
        pytest.param([(U, "ana")], "RC002", id="username alone"),
        pytest.param([("NETOAPI-KEY", KEY)], "RC002", id="hyphen"),
        pytest.param([(A, KEY)], "RC002", id="access key alone"),
        pytest.param([(S, KEY)], "RC002", id="secret key alone"),
        pytest.param([(A, ""), (S, KEY)], "RC002", id="access key empty"),
        pytest.param([(B, "Bearer")], "RC002", id="bearer of nothing"),
        pytest.param([(B, KEY)], "RC002", id="no scheme"),
        pytest.param([(B, f"Basic {KEY}")], "RC002", id="Basic"),
        pytest.param([(K, UNKNOWN)], "RC001", id="unknown"),
        pytest.param([(K, KEY[:-1])], "RC001", id="cut"),
        pytest.param([(K, KEY + "x")], "RC001", id="longer"),
        pytest.param([(K, KEY.upper())], "RC001", id="case"),
        pytest.param([(K, "x" * 5_000)], "RC001", id="long"),
        pytest.param([(K, b"\xff\xfe\xe9")], "RC001", id="bytes"),
        pytest.param([(A, "x"), (S, UNKNOWN)], "RC001", id="add-on, unknown"),
        pytest.param([(B, f"Bearer {UNKNOWN}")], "RC001", id="bearer, unknown"),
        pytest.param([(B, f"Bearer {KEY} x")], "RC001", id="bearer, more"),
        pytest.param([(K, ANA)], "RC001", id="user's alone"),
        pytest.param([(K, ANA), (U, "")], "RC001", id="user's, empty"),
        pytest.param([(K, ANA), (U, "bob")], "RC001", id="user's, another"),
        pytest.param([(K, ANA), (U, b"\xff")], "RC001", id="user's, bytes"),
        pytest.param([(K, KEY), (B, f"Bearer {OTHER}")], "RC003", id="two different"),
        pytest.param([(K, KEY), (B, f"Bearer {UNKNOWN}")], "RC003", id="one unknown"),
        pytest.param([(A, "x"), (S, OTHER), (K, KEY)], "RC003", id="add-on, another"),
        pytest.param([(A, "x"), (S, KEY), (B, f"Bearer {KEY[:-1]}")], "RC003", id="one cut"),
    ],
)
def test_no_key_no_call(
    shared: Neto, made: dict[str, str], headers: list[tuple[str, Any]], code: str
) -> None:
    if any(isinstance(value, bytes) for _, value in headers):
        sent: list[tuple[str, Any]] = [("NETOAPI_ACTION", GET)]
        sent += [(name, made.get(value, value)) for name, value in headers]
    else:
        sent = list(in_full(made, headers))

    answer = send(shared, sent, b"no body that could be read")

    assert (answer.status, answer.codes) == (401, [code])
    assert (answer.root, answer.ack) == (GET, "Error")


@pytest.mark.parametrize("name", [K, U, A, S, B])
@pytest.mark.parametrize("values", [("x", "x"), ("x", "y"), ("x", ""), ("", "")])
def test_a_doubled_credential_header_is_refused(
    shared: Neto, name: str, values: tuple[str, str]
) -> None:
    good = [(n, v) for n, v in call().items() if n != name]

    answer = send(shared, [*good, *((name, value) for value in values)])

    assert (answer.status, answer.codes) == (400, ["RC004"])
    assert answer.errors[0]["Message"] == f"Header {name.upper()} is given more than once"


def test_a_doubled_credential_of_a_known_action_is_refused_under_its_name(shared: Neto) -> None:
    answer = send(shared, [("NETOAPI_ACTION", GET), (K, KEY), (K, KEY)])

    assert (answer.codes, answer.root) == (["RC004"], GET)


def test_no_header_says_which_key_it_was(shared: Neto, made: dict[str, str]) -> None:
    """Who guesses keys learns nothing from the words, not even that one is a user's."""
    answers = [
        send(shared, call(NETOAPI_KEY=UNKNOWN)),
        send(shared, call(NETOAPI_KEY=made[ANA])),
        send(shared, call(NETOAPI_KEY=made[ANA], NETOAPI_USERNAME="bob")),
    ]

    assert len({answer.errors[0]["Description"] for answer in answers}) == 1
    assert all(answer.errors[0]["Message"] == "Invalid API key" for answer in answers)
    assert all(made[ANA] not in answer.body.decode() for answer in answers)


def test_without_any_header_of_ours_the_proxy_is_suspected(shared: Neto) -> None:
    answer = send(shared, {})

    assert answer.status == 401
    assert "underscores_in_headers on" in answer.errors[0]["Description"]


@pytest.mark.parametrize("blanks", [" {}", "{} ", "\t{}\t", "   {}   "])
def test_blanks_around_a_key_are_dropped(shared: Neto, blanks: str) -> None:
    with connected(shared) as connection:
        connection.send("Content-Length: 0", NETOAPI_KEY=blanks.format(KEY))
        assert connection.answer().status == 200
        bearer = f"Authorization: Bearer {blanks.format(KEY)}"
        connection.send(bearer, "Content-Length: 0", NETOAPI_KEY=" ")
        assert connection.answer().status == 200


def test_an_expired_key_is_unknown(neto: Neto) -> None:
    key = neto.new_key(expires_at=neto.clock.now() + timedelta(hours=1))
    neto.wait_for(lambda: send(neto, call(NETOAPI_KEY=key)).status == 200)

    neto.clock.move(minutes=59)
    assert send(neto, call(NETOAPI_KEY=key)).status == 200
    neto.clock.move(minutes=1)

    answer = send(neto, call(NETOAPI_KEY=key))
    assert (answer.status, answer.codes) == (401, ["RC001"])


def test_a_revoked_key_is_unknown_soon(neto: Neto) -> None:
    key = neto.new_key()
    with neto.store.begin() as connection:
        number = keys.keys(connection)[keys.digest_of(key)].key_id
        keys.revoke_key(connection, number, neto.clock.now())

    neto.wait_for(lambda: send(neto, call(NETOAPI_KEY=key)).codes == ["RC001"])
    assert send(neto, call()).status == 200


@pytest.mark.parametrize(
    ("may", "allowed"), [(("read",), {GET}), (("write",), {ADD, UPDATE}), ((), set())]
)
def test_a_key_may_do_what_it_was_made_for(shared: Neto, may: Any, allowed: set[str]) -> None:
    key = shared.new_key(may=may)

    for action in (GET, ADD, UPDATE):
        answer = send(shared, call(action, NETOAPI_KEY=key), b"")
        if action in allowed:
            assert answer.status == 200
        else:
            assert (answer.status, answer.codes) == (403, ["RC005"])
            assert answer.errors[0]["Message"] == f"The key may not call {action}"


# -- what is checked before the body -----------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"NETOAPI_KEY": UNKNOWN}, 401, id="key"),
        pytest.param({"NETOAPI_KEY": ""}, 401, id="no key"),
        pytest.param({"NETOAPI_ACTION": "Nothing"}, 400, id="action"),
    ],
)
@pytest.mark.parametrize(
    "length", ["Content-Length: 8000000", "Content-Length: 100", "Transfer-Encoding: chunked"]
)
def test_a_refusal_by_the_headers_comes_at_once(
    shared: Neto, headers: dict[str, str], status: int, length: str
) -> None:
    with connected(shared) as connection:
        connection.send(length, **headers)

        # Whoever waits for the body answers 408 in the end.
        assert connection.answer().status == status


def test_a_body_that_is_announced_too_large_is_refused_at_once(shared: Neto) -> None:
    with connected(shared) as connection:
        connection.send(f"Content-Length: {8 * 1024 * 1024 + 1}")

        answer = connection.answer()

        assert (answer.status, answer.codes) == (413, ["RC019"])


def test_a_refused_client_that_waits_to_send_is_not_told_to_go_on(shared: Neto) -> None:
    with connected(shared) as connection:
        waiting = ("Content-Length: 1000000", "Expect: 100-continue")
        connection.send(*waiting, NETOAPI_KEY=UNKNOWN)

        assert connection.socket.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 401"


def test_a_client_that_waits_to_send_is_told_to_go_on(shared: Neto) -> None:
    with connected(shared) as connection:
        connection.send(f"Content-Length: {len(FIND)}", "Expect: 100-continue")
        assert connection.socket.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 100"
        connection.socket.sendall(FIND)
        while connection.socket.recv(1, socket.MSG_PEEK) != b"H":  # the rest of the 100
            connection.socket.recv(1)

        assert connection.answer().status == 200


@pytest.mark.parametrize("length", [10, 60_000, 1_000_000, 8 * 1024 * 1024 + 1])
def test_a_sender_of_a_refused_body_gets_to_read_the_refusal(shared: Neto, length: int) -> None:
    for _ in range(3):
        answer = send(shared, call(NETOAPI_KEY=UNKNOWN), b"x" * length)

        assert (answer.status, answer.codes) == (401, ["RC001"])


@pytest.mark.parametrize("length", [0, 10, 60_000])
def test_after_a_refusal_the_connection_goes_on_or_is_closed_by_word(
    shared: Neto, length: int
) -> None:
    with connected(shared) as connection:
        body = b"x" * length
        connection.send(f"Content-Length: {length}", body=body, NETOAPI_KEY=UNKNOWN)
        refused = connection.answer()
        assert refused.status == 401

        if refused.headers.get("Connection") == "close":
            assert connection.is_closed()
        else:
            connection.send(f"Content-Length: {len(FIND)}", body=FIND)
            assert connection.answer().ack == "Success"


def test_a_connection_serves_many_calls(shared: Neto) -> None:
    bodies = [(FIND, 200), (b"{oops", 400), (b"", 200), (b"<x/>", 200), (b"\xff", 400), (FIND, 200)]
    with connected(shared) as connection:
        for body, status in bodies * 3:
            connection.send(f"Content-Length: {len(body)}", body=body)
            answer = connection.answer()

            assert answer.status == status
            assert answer.headers.get("Connection") != "close"


# -- the body's format -------------------------------------------------------------------------

NOTES = "é\u20ac \U0001f600 \u4e2d"


def noted(neto: Neto, body: bytes, **headers: str) -> tuple[Answer, str]:
    """The answer to an AddCustomerLog, and the Notes that it stored."""
    answer = neto.post(ADD, body, headers)
    return answer, neto.log(int(answer.log_ids[0]))["Notes"] if answer.logs else ""


def written(format: str, notes: str = NOTES) -> str:
    if format == "xml":
        item = f"<CustomerLog><Notes>{notes}</Notes></CustomerLog>"
        return xml_call(item, ADD).decode()
    return json.dumps({"CustomerLogs": {"CustomerLog": {"Notes": notes}}}, ensure_ascii=False)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("before", ["", " ", "\r\n\t \n", "\ufeff", "\ufeff \n"])
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "text/xml",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "application/json; charset=utf-16",
        "multipart/form-data",
        "\\",
    ],
)
def test_the_first_byte_tells_the_format_and_content_type_does_not(
    shared: Neto, format: str, before: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}

    answer, notes = noted(shared, (before + written(format)).encode(), **headers)

    assert (answer.ack, notes) == ("Success", NOTES)


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        b"=",
        b"LogID=1",
        b'"text"',
        b"3",
        b"true",
        b"null",
        b"--boundary",
        b"\\{}",
        b"(<x/>)",
        b"\0",
        b"\0\0\0",
        b"\xbb",
        b"\xbb\xef{}",
        b"\xa0{}",
        b"\xff",
        b"\xc3\x28",
        b"\x1f\x8b\x08",
    ],
)
def test_a_body_that_begins_otherwise_is_neither(shared: Neto, body: bytes) -> None:
    answer = shared.post(UPDATE, body)

    assert (answer.status, answer.codes) == (400, ["RC012"])


@pytest.mark.parametrize("body", [b"[]", b" [{}]", b"[1, 2]", b'[{"CustomerLogs": {}}]'])
def test_a_json_list_is_told_to_be_an_object(shared: Neto, body: bytes) -> None:
    answer = shared.post(UPDATE, body)

    assert (answer.status, answer.codes) == (400, ["RC010"])
    assert "send an object" in answer.errors[0]["Description"]


# -- encodings ---------------------------------------------------------------------------------


def declared(encoding: str) -> str:
    return f'<?xml version="1.0" encoding="{encoding}"?>\n'


@pytest.mark.parametrize(
    ("declaration", "codec"),
    [
        ("", "utf-8"),
        ('<?xml version="1.0"?>', "utf-8"),
        (declared("utf-8"), "utf-8"),
        (declared("UTF-8"), "utf-8"),
        ("<?xml version='1.0' encoding='Utf-8' standalone='yes' ?>", "utf-8"),
        (declared("utf-8"), "utf-8-sig"),
        ("", "utf-8-sig"),
        ("", "utf-16"),
        (declared("utf-16"), "utf-16"),
        (declared("UTF-16"), "utf-16-le"),
        (declared("utf-16"), "utf-16-be"),
        (declared("utf-16le"), "utf-16-le"),
        ("\ufeff" + declared("utf-16"), "utf-16-be"),
        ("\ufeff", "utf-16-be"),
    ],
)
def test_xml_is_read_in_utf_8_and_utf_16(shared: Neto, declaration: str, codec: str) -> None:
    answer, notes = noted(shared, (declaration + written("xml")).encode(codec))

    assert (answer.ack, notes) == ("Success", NOTES)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "iso-8859-1"])
def test_xml_is_read_in_iso_8859_1(shared: Neto, encoding: str) -> None:
    body = (declared(encoding) + written("xml", "caf\xe9 \xff\x80")).encode("latin-1")

    answer, notes = noted(shared, body)

    assert (answer.ack, notes) == ("Success", "caf\xe9 \xff\x80")


@pytest.mark.parametrize("encoding", ["US-ASCII", "us-ascii"])
def test_xml_is_read_in_us_ascii(shared: Neto, encoding: str) -> None:
    plain, notes = noted(shared, (declared(encoding) + written("xml", "caf&#233;")).encode())
    other, _ = noted(shared, (declared(encoding) + written("xml", "caf\xe9")).encode())

    assert (plain.ack, notes) == ("Success", "caf\xe9")
    assert (other.status, other.codes) == (400, ["RC011"])


@pytest.mark.parametrize(
    ("encoding", "codec"),
    [
        ("windows-1252", "cp1252"),
        ("iso-8859-15", "iso-8859-15"),
        ("utf-7", "utf-7"),
        ("gb18030", "gb18030"),
        ("Shift_JIS", "shift_jis"),
        ("koi8-r", "utf-8"),
        ("hex", "utf-8"),
        ("rot13", "utf-8"),
        ("x-unknown", "utf-8"),
        ("utf-32", "utf-8"),
    ],
)
def test_xml_in_another_encoding_is_refused(shared: Neto, encoding: str, codec: str) -> None:
    body = (declared(encoding) + written("xml", "abc")).encode(codec)

    answer = shared.post(ADD, body)

    assert (answer.status, answer.codes) == (400, ["RC011"])
    description = answer.errors[0]["Description"]
    assert encoding in description
    assert "UTF-8" in description


@pytest.mark.parametrize("codec", ["utf-32", "utf-32-le", "utf-32-be", "cp037"])
@pytest.mark.parametrize("format", FORMATS)
def test_bytes_in_another_encoding_are_refused(shared: Neto, format: str, codec: str) -> None:
    answer = shared.post(ADD, written(format, "abc").encode(codec))

    assert answer.status == 400
    assert answer.codes[0] in ("RC010", "RC011", "RC012")


@pytest.mark.parametrize("padding", ["", " "], ids=["even", "odd"])
def test_xml_that_says_utf_16_in_one_byte_letters_is_told_so(shared: Neto, padding: str) -> None:
    """What .NET's StringWriter makes: read as the UTF-8 it is, or refused in clear words."""
    body = (declared("utf-16") + written("xml") + padding).encode()

    answer, notes = noted(shared, body)

    if answer.status == 200:
        assert notes == NOTES
    else:
        assert answer.codes == ["RC011"]
        assert "utf-16" in answer.errors[0]["Description"].lower()


@pytest.mark.parametrize("start", ["<?xml ", '<?xml version="1.0" ', '<?xml version="1.0"?>'])
def test_no_long_declaration_holds_up_the_server(shared: Neto, start: str) -> None:
    with computing(2):
        answer = shared.post(ADD, (start + 'encoding="a" ' * 25_000).encode())

    assert (answer.status, answer.codes) == (400, ["RC011"])


def test_xml_whose_bom_and_declaration_differ_is_never_garbled(shared: Neto) -> None:
    answer, notes = noted(shared, (declared("iso-8859-1") + written("xml")).encode("utf-8-sig"))

    assert (answer.status, notes) in ((200, NOTES), (400, ""))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"caf\xe9", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"],
)
def test_bytes_that_are_no_utf_8_are_refused(shared: Neto, format: str, bad: bytes) -> None:
    answer = shared.post(ADD, written(format, "NOTES").encode().replace(b"NOTES", bad))

    assert (answer.status, answer.codes) == (400, ["RC010" if format == "json" else "RC011"])
    assert "UTF-8" in answer.errors[0]["Description"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be", "latin-1"])
def test_json_is_read_in_utf_8_only(shared: Neto, codec: str) -> None:
    answer = shared.post(ADD, written("json", "caf\xe9").encode(codec))

    assert answer.status == 400
    if codec == "utf-16-be":  # without a BOM it begins with a NUL
        assert answer.codes[0] in ("RC010", "RC012")
    else:
        assert answer.codes == ["RC010"]
        assert "UTF-8" in answer.errors[0]["Description"]


# -- XML that is no plain document -------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        pytest.param("<!DOCTYPE x>{}", id="bare"),
        pytest.param('<!-- a -->\n<?p q?>\n<!DOCTYPE x SYSTEM "file:///etc/passwd">{}', id="ext"),
        pytest.param('<!DOCTYPE x [<!ENTITY e "x">]>{}', id="internal"),
        pytest.param('<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1/x"> %p;]>{}', id="param"),
        pytest.param('<?xml version="1.0"?><!DOCTYPE x PUBLIC "a" "b">{}', id="public"),
        pytest.param("<!-- <x> --><!DOCTYPE x>{}", id="after a comment"),
        pytest.param("<?a ?><?b >?><!DOCTYPE x>{}", id="after instructions"),
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_doctype_is_refused(shared: Neto, document: str, codec: str) -> None:
    answer = shared.post(ADD, document.format(written("xml", "x")).encode(codec))

    assert (answer.status, answer.codes) == (400, ["RC013"])


@pytest.mark.parametrize("before", [" ", "\r\n\t", "\ufeff\n", '<?xml version="1.0"?> \n'])
def test_a_doctype_after_blanks_is_refused_too(shared: Neto, before: str) -> None:
    assert shared.post(ADD, f"{before}<!DOCTYPE x><x/>".encode()).codes == ["RC013"]


def test_entities_that_grow_are_refused_at_once(shared: Neto) -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(10))
    body = f'<!DOCTYPE x [<!ENTITY e0 "lol">{entities}]>{written("xml", "&e10;")}'.encode()

    assert shared.post(ADD, body).codes == ["RC013"]


@pytest.mark.parametrize(
    "document",
    [
        "<!-- <!DOCTYPE x> -->{}",
        "<?p <!DOCTYPE x> ?>{}",
        "{}<!-- <!DOCTYPE x> -->",
        '<?xml-stylesheet href="x"?>\n{}\n',
    ],
)
@pytest.mark.parametrize("notes", ["<![CDATA[<!DOCTYPE x>]]>", "&lt;!DOCTYPE x>"])
def test_the_word_doctype_elsewhere_is_text(shared: Neto, document: str, notes: str) -> None:
    body = document.format(written("xml", notes)).encode()

    assert noted(shared, body)[1] == "<!DOCTYPE x>"


@pytest.mark.parametrize(
    "document",
    [
        "<x>&foo;</x>",
        "<x>&nbsp;</x>",
        "<x>&</x>",
        "<x>&#x;</x>",
        "<x><y></x></y>",
        "<x/><y/>",
        "<x/>text",
        "<x",
        "<>",
        "</x>",
        "<x a=1/>",
        '<x a="1" a="2"/>',
        "<x>\x01</x>",
        "<x><!-- a -- b --></x>",
        "<x><![CDATA[</x>",
        "<?xml version='1.0'?><?xml version='1.0'?><x/>",
        '<?xml version="1.0" encoding=""?><x/>',
        "<!ELEMENT x ANY>",
        "<!-- only a comment -->",
        "<!--",
        "<?p",
        "<x>]]></x>",
        "<1/>",
    ],
)
def test_what_is_no_xml_is_refused(shared: Neto, document: str) -> None:
    answer = shared.post(ADD, document.encode())

    assert answer.status == 400
    assert answer.codes[0] in ("RC011", "RC013")


@pytest.mark.parametrize(
    ("action", "root", "refused"),
    [
        (UPDATE, UPDATE, False),
        (UPDATE, UPDATE.lower(), False),
        (UPDATE, UPDATE.upper(), False),
        (UPDATE.lower(), UPDATE, False),
        (UPDATE, "x:" + UPDATE, False),
        (UPDATE, "UpdateCustomerLogRequest", False),
        (UPDATE, "NetoAPI", False),
        (UPDATE, "CustomerLogs", False),
        (UPDATE, ADD, True),
        (UPDATE, GET, True),
        (UPDATE, ADD.lower(), True),
        (UPDATE, "x:" + ADD, True),
        (ADD, UPDATE, True),
        (GET, UPDATE, True),
    ],
)
def test_a_root_that_names_another_action_is_refused(
    shared: Neto, action: str, root: str, refused: bool
) -> None:
    answer = shared.post(action, f'<{root} xmlns:x="urn:x"/>'.encode())

    assert answer.status == (400 if refused else 200)
    assert (answer.codes == ["RC008"]) is refused
    if refused:
        name = root.removeprefix("x:")
        assert answer.errors[0]["Message"] == f"The body is for {name}, not for {action}"


# -- packed bodies -----------------------------------------------------------------------------

PLAIN = written("json").encode()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        pytest.param("gzip", gzip.compress(PLAIN), id="gzip"),
        pytest.param("GZip", gzip.compress(PLAIN), id="case"),
        pytest.param("x-gzip", gzip.compress(PLAIN), id="x-gzip"),
        pytest.param("gzip", gzip.compress(PLAIN, 0), id="level 0"),
        pytest.param("gzip", gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:]), id="members"),
        pytest.param("gzip", gzip.compress(b"") * 9 + gzip.compress(PLAIN), id="empty members"),
        pytest.param("gzip", gzip.compress(written("xml").encode("utf-16")), id="XML"),
        pytest.param("gzip", gzip.compress(b" " * 100_000 + PLAIN), id="large"),
        pytest.param("identity", PLAIN, id="identity"),
        pytest.param("", PLAIN, id="empty header"),
    ],
)
def test_a_gzip_body_is_unpacked(shared: Neto, encoding: str, body: bytes) -> None:
    answer, notes = noted(shared, body, **{"Content-Encoding": encoding})

    assert (answer.ack, notes) == ("Success", NOTES)


WHOLE = gzip.compress(PLAIN)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PLAIN, id="not packed"),
        pytest.param(WHOLE[:-1], id="cut by 1"),
        pytest.param(WHOLE[:-8], id="without trailer"),
        pytest.param(WHOLE[: len(WHOLE) // 2], id="half"),
        pytest.param(WHOLE[:5], id="half a head"),
        pytest.param(WHOLE[:-5] + b"\0" + WHOLE[-4:], id="wrong sum"),
        pytest.param(WHOLE[:-1] + b"\7", id="wrong length"),
        pytest.param(WHOLE + b"more", id="and more"),
        pytest.param(WHOLE + WHOLE[:9], id="second cut"),
        pytest.param(zlib.compress(PLAIN), id="zlib"),
        pytest.param(b"\x1f\x8b", id="magic alone"),
        pytest.param(b"\x1f\x8b\x08\xff" + b"\xff" * 50, id="garbage"),
    ],
)
def test_a_broken_gzip_body_is_refused(shared: Neto, body: bytes) -> None:
    answer = shared.post(ADD, body, {"Content-Encoding": "gzip"})

    assert (answer.status, answer.codes) == (400, ["RC014"])


@pytest.mark.parametrize("encoding", ["br", "deflate", "zstd", "gzip, gzip", "gzip, br", "\\", "é"])
def test_another_content_encoding_is_refused(shared: Neto, encoding: str) -> None:
    headers = call(ADD)
    body = gzip.compress(PLAIN)

    answer = send(shared, [*headers.items(), ("Content-Encoding", encoding.encode())], body)

    assert (answer.status, answer.codes) == (415, ["RC020"])
    assert answer.headers["Accept-Encoding"] == "gzip"


def test_a_gzip_of_gzip_is_unpacked_once(shared: Neto) -> None:
    twice = gzip.compress(gzip.compress(PLAIN))

    assert shared.post(ADD, twice, {"Content-Encoding": "gzip"}).codes == ["RC012"]


MIB = 1024 * 1024


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(gzip.compress(b"{" * (8 * MIB + 1), 1), id="one over"),
        pytest.param(gzip.compress(bytes(64 * MIB), 1), id="bomb"),
        pytest.param(gzip.compress(bytes(MIB), 1) * 50, id="bomb of members"),
        pytest.param(gzip.compress(b" " * 8 * MIB, 1) + gzip.compress(b" "), id="one more member"),
    ],
)
def test_a_body_too_large_when_unpacked_is_refused(shared: Neto, body: bytes) -> None:
    with computing(2):
        answer = shared.post(ADD, body, {"Content-Encoding": "gzip"})

    assert (answer.status, answer.codes) == (413, ["RC019"])
    assert str(8 * MIB) in answer.errors[0]["Description"]


def test_many_empty_gzip_members_hold_up_nothing(shared: Neto) -> None:
    member = gzip.compress(b"")
    body = member * (8 * MIB // len(member))

    with computing(3):
        answer = shared.post(ADD, body, {"Content-Encoding": "gzip"})

    assert answer.status in (200, 400)


# -- limits ------------------------------------------------------------------------------------


def chunked(body: bytes, size: int = 100) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


@pytest.mark.parametrize("way", ["length", "chunked", "gzip", "gzip, chunked"])
def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(
    serve: Callable[..., Any], way: str
) -> None:
    def sent(length: int) -> Answer:
        body = PLAIN + b" " * (length - len(PLAIN))
        packed = gzip.compress(body) if "gzip" in way else body
        headers = call(ADD) | ({"Content-Encoding": "gzip"} if "gzip" in way else {})
        return send(neto, headers, chunked(packed, 10) if "chunked" in way else packed)

    with serve(body_limit=2_000) as neto:
        fits, refused = sent(2_000), sent(2_001)

        assert (fits.status, fits.ack) == (200, "Success")
        assert (refused.status, refused.codes) == (413, ["RC019"])
        assert "2000 bytes" in refused.errors[0]["Description"]
        assert len(neto.get(LogIDAfter=0).logs) == 1


def test_a_body_without_end_is_refused_at_the_limit(shared: Neto) -> None:
    with connected(shared) as connection:
        connection.send("Transfer-Encoding: chunked")
        sent = 0
        with pytest.raises((ConnectionError, TimeoutError)):  # noqa: PT012
            while sent < 100 * MIB:
                if connection.has_answer():
                    answer = connection.answer()
                    assert (answer.status, answer.codes) == (413, ["RC019"])
                    raise ConnectionError
                connection.socket.sendall(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                sent += 65_536
        assert sent < 50 * MIB


@pytest.mark.parametrize("format", FORMATS)
def test_the_limit_of_items_holds_to_the_item(serve: Callable[..., Any], format: str) -> None:
    with serve(item_limit=3) as neto:

        def sent(items: int) -> Answer:
            tree = {"CustomerLogs": {"CustomerLog": [{"Notes": "x"}] * items}}
            return neto.call(format, ADD, tree)

        assert len(sent(3).log_ids) == 3
        refused = sent(4)
        assert (refused.status, refused.codes) == (400, ["RC016"])
        assert "4 items came, and the limit is 3" in refused.errors[0]["Description"]
        assert len(neto.get(LogIDAfter=0).logs) == 3


@pytest.mark.parametrize("format", FORMATS)
def test_a_call_has_1_000_items_at_most(shared: Neto, format: str) -> None:
    tree = {"CustomerLogs": {"CustomerLog": [{"LogID": 10**9}] * 1_001}}

    assert shared.call(format, UPDATE, tree).codes == ["RC016"]
    tree["CustomerLogs"]["CustomerLog"].pop()
    assert shared.call(format, UPDATE, tree).codes == ["CL002"] * 1_000


def nested(format: str, levels: int, list_too: bool = False) -> bytes:
    """A call of so many levels, the last of them in an element that nobody knows."""
    if format == "xml":
        inner = levels - 2
        return f"<{UPDATE}><Deep>{'<a>' * inner}{'</a>' * inner}</Deep></{UPDATE}>".encode()
    opening, closing = ("[", "]") if list_too else ('{"a":', "}")
    inner = levels - 1
    core = "" if list_too else "1"
    return f'{{"Deep":{opening * inner}{core}{closing * inner}}}'.encode()


@pytest.mark.parametrize("limit", [4, 32, 200])
@pytest.mark.parametrize(("format", "list_too"), [("xml", False), ("json", False), ("json", True)])
def test_the_limit_of_nesting_holds_to_the_level(
    serve: Callable[..., Any], limit: int, format: str, list_too: bool
) -> None:
    with serve(nesting_limit=limit) as neto:
        fits = neto.post(UPDATE, nested(format, limit, list_too))
        refused = neto.post(UPDATE, nested(format, limit + 1, list_too))

        assert fits.codes == ["CL020"]
        assert (refused.status, refused.codes) == (400, ["RC015"])
        assert f"{limit} levels" in refused.errors[0]["Description"]


def test_the_documented_shape_fits_the_least_limit_of_nesting(serve: Callable[..., Any]) -> None:
    with serve(nesting_limit=4) as neto:
        for format in FORMATS:
            assert neto.update(format, {"LogID": neto.add({})[0], "Notes": "x"}).ack == "Success"


@pytest.mark.parametrize("levels", [257, 5_000, 100_000, 1_000_000])
@pytest.mark.parametrize(("format", "list_too"), [("xml", False), ("json", False), ("json", True)])
def test_no_depth_brings_the_server_down(
    shared: Neto, levels: int, format: str, list_too: bool
) -> None:
    body = nested(format, levels, list_too)

    assert shared.post(UPDATE, body).codes == ["RC015" if levels < 131_072 else "RC016"]
    cut = shared.post(UPDATE, body[: len(body) // 2])
    assert cut.status == 400


@pytest.mark.parametrize("format", FORMATS)
def test_a_large_body_of_many_small_things_is_answered_soon(shared: Neto, format: str) -> None:
    many = {f"E{n}": "x" for n in range(100_000)}
    body = to_body(format, UPDATE, {"CustomerLogs": {"CustomerLog": {"LogID": 10**9} | many}})

    with computing(5):
        answer = shared.post(UPDATE, body)

    assert answer.codes == ["CL002"]
    assert len(answer.headers["Recontact-Passed-Over"]) < 2_000


# -- slow requests -----------------------------------------------------------------------------


def test_a_body_that_stops_is_refused_after_the_time_limit(serve: Callable[..., Any]) -> None:
    with serve(request_timeout=300.5) as neto, connected(neto) as connection:
        connection.send("Content-Length: 100", body=PLAIN[:50], NETOAPI_ACTION=ADD)
        neto.server.connection(connection.socket, connection.sent)

        neto.server.pass_time(200)
        assert not connection.has_answer()
        neto.server.pass_time(101)
        answer = connection.answer()

        assert (answer.status, answer.codes) == (408, ["RC018"])
        assert "300.5 s" in answer.errors[0]["Description"]
        assert connection.is_closed()
        assert neto.get(LogIDAfter=0).logs == []


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_trickles_is_refused_too(serve: Callable[..., Any], length: str) -> None:
    piece = b" " if "Length" in length else b"1\r\n \r\n"
    with serve(request_timeout=300) as neto, connected(neto) as connection:
        connection.send(length)
        for _ in range(4):
            neto.server.connection(connection.socket, connection.sent)
            assert not connection.has_answer()
            neto.server.pass_time(76)
            connection.send_bytes(piece)

        assert connection.answer().status == 408


# -- every answer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "format"),
    [
        pytest.param([], "xml", id="none"),
        pytest.param(["*/*"], "xml", id="any"),
        pytest.param([""], "xml", id="empty"),
        pytest.param(["text/xml"], "xml", id="xml"),
        pytest.param(["application/xml, text/html"], "xml", id="application/xml"),
        pytest.param(["application/*"], "xml", id="application/any"),
        pytest.param(["text/json"], "xml", id="text/json"),
        pytest.param(["application/json"], "json", id="json"),
        pytest.param(["Application/JSON;charset=utf-8"], "json", id="case"),
        pytest.param(["text/xml, application/json;q=0.1"], "json", id="both"),
        pytest.param(["text/xml", "application/json"], "json", id="two headers"),
    ],
)
@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"NETOAPI_KEY": UNKNOWN}, 401),
        ({"NETOAPI_ACTION": "Nothing"}, 400),
        ({"Content-Encoding": "br"}, 415),
        ({"body": b"oops"}, 400),
        ({"body": b"<x>"}, 400),
        ({"body": b"{"}, 400),
        ({"method": "PUT"}, 405),
        ({"body": b""}, 200),
    ],
)
def test_accept_decides_the_format_of_every_answer(
    shared: Neto, accept: list[str], format: str, change: dict[str, Any], status: int
) -> None:
    change = dict(change)
    body, method = change.pop("body", FIND), change.pop("method", "POST")
    headers = {n: v for n, v in (call() | change).items() if n != "Accept"}
    sent = [*headers.items(), *(("Accept", value) for value in accept)]
    if not accept:
        with connected(shared) as connection:
            lines = [f"{name}: {value}" for name, value in headers.items()]
            head = [f"{method} {PATH} HTTP/1.1", "Host: x", *lines, f"Content-Length: {len(body)}"]
            connection.socket.sendall("\r\n".join([*head, "", ""]).encode() + body)
            answer = connection.answer()
    else:
        answer = send(shared, sent, body, method)

    assert (answer.status, answer.format) == (status, format)
    assert list(answer.tree)[-3:] == ["CurrentTime", "Ack", "Messages"] or status == 200
    if format == "xml":
        assert answer.root == ("NetoAPI" if "Nothing" in str(change) else GET)


def test_every_answer_has_its_own_request_id(shared: Neto) -> None:
    answers = [
        *(send(shared, call()) for _ in range(20)),
        send(shared, call(NETOAPI_KEY=UNKNOWN)),
        send(shared, call("Nothing")),
        send(shared, call(), b"oops"),
        send(shared, call(**{"Content-Encoding": "br"})),
        send(shared, call(), method="PUT"),
        send(shared, [*call().items(), (K, KEY)]),
        send(shared, call(), b"x" * (8 * MIB + 1)),
    ]
    found = [answer.headers["X-Request-Id"] for answer in answers]
    found += [shared.http.options(PATH).headers["X-Request-Id"]]
    found += [shared.http.head(PATH).headers["X-Request-Id"]]

    assert len({UUID(each) for each in found}) == len(found) == 29


def test_the_current_time_is_the_clocks_in_utc(neto: Neto) -> None:
    neto.clock.move(days=1_000)
    before = neto.clock.now()

    answers = [send(neto, call()), send(neto, call(NETOAPI_KEY=UNKNOWN, Accept="text/xml"))]

    for answer in answers:
        moment = answer.tree["CurrentTime"]
        assert f"{before:%F %T}" <= moment <= f"{neto.clock.now():%F %T}"


def test_item_errors_are_http_200_and_an_error_refuses_no_other_item(shared: Neto) -> None:
    (log_id,) = shared.add({})
    body = json_call(f'[{{"LogID": 0}}, {{"LogID": {log_id}, "Notes": "new"}}]')

    answer = send(shared, call(UPDATE), body)

    assert (answer.status, answer.ack) == (200, "Error")
    assert shared.log(log_id)["Notes"] == "new"


@pytest.mark.parametrize("order", [1, -1], ids=["warning first", "error first"])
def test_an_error_counts_for_more_than_a_warning(shared: Neto, order: int) -> None:
    (log_id,) = shared.add({})
    items = [f'{{"LogID": {log_id}, "Colour": "red"}}', '{"LogID": 0}'][::order]

    answer = send(shared, call(UPDATE), json_call(f"[{', '.join(items)}]"))

    assert answer.ack == "Error"
    assert (answer.codes, len(answer.warnings)) == (["CL011"], 1)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"X_SECRET_KEY": "k"}, "X_SECRET_KEY came without X_ACCESS_KEY"),
        ({"X_ACCESS_KEY": "k"}, "X_ACCESS_KEY came without X_SECRET_KEY"),
        ({"Authorization": "Basic a2V5"}, "another form than Bearer"),
        ({"NETOAPI_USERNAME": "ana"}, "NETOAPI_USERNAME came without NETOAPI_KEY"),
        ({}, "underscores_in_headers on"),
    ],
)
def test_a_credential_that_came_in_part_is_told_what_is_missing(
    shared: Neto, headers: dict[str, str], says: str
) -> None:
    answer = shared.post("UpdateCustomerLog", b"", {"NETOAPI_KEY": None} | headers)  # type: ignore[arg-type]

    assert (answer.status, answer.codes) == (401, ["RC002"])
    assert says in answer.errors[0]["Description"]
