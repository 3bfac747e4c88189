"""Every message of the catalogue is reached, and says what SPEC §2 asks of it."""

import gzip
import re
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from conftest import (
    KEY,
    PATIENCE,
    Answer,
    Neto,
    TestClock,
    another_site,
    json_call,
    serving,
    xml_call,
)

from recontact.catalogue import CATALOGUE, Severity
from recontact.store import queries

ADD, UPDATE, GET = "AddCustomerLog", "UpdateCustomerLog", "GetCustomerLog"
ADD_CUSTOMER = "AddCustomer"
OTHERS_REACH = {"CL037", "RC021", "RC022", "RC030", "RC031", "RC032"}
"""
503 and 500: test_store.py reaches these, on databases that fail; 429: test_limits.py; CL037: the
end of this page.
"""


def item(elements: str) -> Callable[[Neto], Answer]:
    """UpdateCustomerLog of log 1 with these elements, in JSON."""
    return lambda neto: neto.post(UPDATE, json_call(f'{{"LogID": 1, {elements}}}'))


def customer(elements: str) -> Callable[[Neto], Answer]:
    """AddCustomer of a new one with these elements, in JSON."""
    body = f'{{"Customer": {{"Username": "ana", {elements}}}}}'.encode()
    return lambda neto: neto.post(ADD_CUSTOMER, body)


def live(reach: Callable[[Neto], Answer]) -> Callable[[Neto], Answer]:
    """The same, to a site that answers in the live dialect, with a log 1."""

    def reach_live(neto: Neto) -> Answer:
        with another_site(neto, "UTC", dialect="live") as site:
            site.add({"Notes": "one"})
            return reach(site)

    return reach_live


def find(filters: str, selectors: str = '"LogID"') -> Callable[[Neto], Answer]:
    body = f'{{"Filter": {{{filters}, "OutputSelector": {selectors}}}}}'
    return lambda neto: neto.post(GET, body.encode())


def post(body: bytes, **headers: str | None) -> Callable[[Neto], Answer]:
    sent = {name.replace("__", "-"): value for name, value in headers.items()}
    return lambda neto: neto.post(UPDATE, body, sent)  # type: ignore[arg-type]


def doubled_key(neto: Neto) -> Answer:
    headers = [("NETOAPI_ACTION", GET), ("NETOAPI_KEY", KEY), ("NETOAPI_KEY", KEY)]
    answer = neto.http.post("/do/WS/NetoAPI", headers=headers)
    return Answer(answer.status_code, answer.headers, answer.content)


def put(neto: Neto) -> Answer:
    answer = neto.http.put("/do/WS/NetoAPI")
    return Answer(answer.status_code, answer.headers, answer.content)


def by_hand(rest: str, pass_time: float = 0) -> Callable[[Neto], Answer]:
    """
    What no HTTP library would send: more headers, and a body or a part of one.

    pass_time: so many seconds go by once it is there.
    """
    head = f"POST /do/WS/NetoAPI HTTP/1.1\r\nHost: x\r\nNETOAPI_KEY: {KEY}\r\n"
    head += f"Accept: application/json\r\nNETOAPI_ACTION: {GET}\r\n"

    def send(neto: Neto) -> Answer:
        url = httpx.URL(neto.url)
        with socket.create_connection((url.host, url.port), timeout=PATIENCE) as connection:
            sent = (head + rest).encode()
            connection.sendall(sent)
            if pass_time:
                neto.server.connection(connection, received=len(sent))
                neto.server.pass_time(pass_time)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
        top, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = top.decode().split("\r\n")
        headers = httpx.Headers([tuple(line.split(": ", 1)) for line in lines])
        return Answer(int(status.split()[1]), headers, body)

    return send


def strict_call(item: str) -> Callable[[Neto], Answer]:
    """UpdateCustomerLog of this item, all or nothing."""
    return post(json_call(item), Prefer="handling=strict")


def after_another_call(neto: Neto) -> Answer:
    neto.post(UPDATE, json_call('{"LogID": 1}'), {"Idempotency-Key": "order-1042"})
    return neto.post(UPDATE, json_call('{"LogID": 2}'), {"Idempotency-Key": "order-1042"})


def after_an_erasure(neto: Neto) -> Answer:
    repeat = {"Idempotency-Key": "order-1041"}
    neto.post(UPDATE, json_call('{"LogID": 1}'), repeat)
    with neto.store.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE idempotency SET fingerprint = X'' WHERE idempotency_key = 'order-1041'"
        )
    return neto.post(UPDATE, json_call('{"LogID": 1}'), repeat)


REACHED: dict[str, Callable[[Neto], Answer]] = {
    "CL001": lambda neto: neto.update("json", {"Notes": "x"}),
    "CL002": lambda neto: neto.update("json", {"LogID": 99, "Notes": "x"}),
    "CL003": lambda neto: neto.call(
        "json", ADD, {"CustomerLogs": {"CustomerLog": {"Username": "zoe"}}}
    ),
    "CL004": item('"Revision": 9'),
    "CL005": post(json_call("[3]")),
    "CL006": item('"Nota": "x"'),
    "CL007": customer('"Username": "BOB"'),
    "CL008": lambda neto: neto.call("json", ADD, {"CustomerLogs": {"CustomerLog": {"Nota": "x"}}}),
    "CL009": strict_call('{"LogID": 1, "Note": "x"}'),
    "CL010": item(f'"FollowUpType": "{"x" * 51}"'),
    "CL011": item('"Revision": "1_0"'),
    "CL012": item('"Status": "Done"'),
    "CL013": item('"LastContacted": "soon"'),
    "CL014": item(r'"Notes": "\u0000"'),
    "CL015": post(
        xml_call("<CustomerLog><LogID>1</LogID><Notes>a</Notes><Notes>b</Notes></CustomerLog>")
    ),
    "CL016": item('"Notes": true'),
    "CL017": customer('"CreditLimit": "much"'),
    "CL018": customer('"BillingAddress": "Main Street 1"'),
    "CL020": post(b""),
    "CL030": find('"Colour": "red"'),
    "CL031": find('"Page": 0'),
    "CL032": find('"LogID": 1', '"Colour"'),
    "CL033": find('"LogIDAfter": [1, 2]'),
    "CL034": lambda neto: neto.post(GET, b'{"Filter": [1]}'),
    "CL035": find('"LogID": []'),
    "CL036": find('"Search": "?!"'),
    "CL040": live(lambda neto: neto.update("json", {"LogID": 99, "Notes": "x"})),
    "CL041": live(
        lambda neto: neto.call("json", ADD, {"CustomerLogs": {"CustomerLog": {"Username": "zoe"}}})
    ),
    "CL042": live(item('"Status": "Done"')),
    "CL043": live(item('"LastContacted": "soon"')),
    "CL044": strict_call('{"LogID": 1, "Status": "Done"}'),
    "RC001": post(b"", NETOAPI_KEY="rk_unknown"),
    "RC002": post(b"", NETOAPI_KEY=None),
    "RC003": post(b"", Authorization="Bearer another"),
    "RC004": doubled_key,
    "RC005": lambda neto: neto.post(UPDATE, b"", {"NETOAPI_KEY": neto.new_key(may=["read"])}),
    "RC006": post(b"", NETOAPI_ACTION=None),
    "RC007": post(b"", NETOAPI_ACTION="DeleteCustomerLog"),
    "RC008": post(b"<AddCustomerLog/>"),
    "RC010": post(b"{oops"),
    "RC011": post(b"<oops"),
    "RC012": post(b"oops"),
    "RC013": post(b"<!DOCTYPE x><x/>"),
    "RC014": post(b"{}", Content__Encoding="gzip"),
    "RC015": post(b'{"a":' * 50 + b"1" + b"}" * 50),
    "RC016": post(json_call("[" + "{}," * 9 + "{}]")),
    "RC017": put,
    "RC018": by_hand("Content-Length: 9\r\n\r\n{", pass_time=20),
    "RC019": post(gzip.compress(b" " * 100_000), Content__Encoding="gzip"),
    "RC020": post(b"{}", Content__Encoding="br"),
    "RC023": by_hand("A\0: b\r\n\r\n"),
    "RC024": by_hand("A: b\r\n" * 100 + "\r\n"),
    "RC025": post(b"", Idempotency__Key=""),
    "RC026": after_another_call,
    "RC027": post(b"", Recontact__Dry__Run="yes"),
    "RC028": after_an_erasure,
}


BESIDE = {"CL009": ["CL009", "CL044"], "CL044": ["CL012", "CL044"]}
"""The codes of an answer in which a message does not stand alone."""


def message_of(answer: Answer, code: str) -> dict[str, str]:
    """The message of that code."""
    if CATALOGUE[code].severity is Severity.WARNING:
        (message,) = answer.warnings
        return message
    assert answer.codes == BESIDE.get(code, [code])
    return answer.errors[answer.codes.index(code)]


@pytest.fixture(scope="module")
def strict(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    """A server with low limits, log 1, and customer Bob."""
    path = tmp_path_factory.mktemp("strict") / "recontact.db"
    shutil.copy(template, path)
    limits = {"item_limit": 9, "body_limit": 50_000}
    with serving(path, TestClock(), **limits) as neto:
        neto.add({"Notes": "one"})
        assert neto.call("json", ADD_CUSTOMER, {"Customer": {"Username": "Bob"}}).ack == "Success"
        yield neto


def test_every_message_of_the_catalogue_is_in_the_table() -> None:
    assert REACHED.keys() | OTHERS_REACH == CATALOGUE.keys()


@pytest.mark.parametrize("code", sorted(REACHED))
def test_each_message_is_reached_and_explains_itself(strict: Neto, code: str) -> None:
    entry = CATALOGUE[code]

    answer = REACHED[code](strict)

    assert answer.status == entry.http_status
    message = message_of(answer, code)
    if entry.severity is Severity.WARNING:
        assert list(message) == ["Message", "SeverityCode"]
        # The real service names what it cannot find, and no more.
        assert "item 1" in message["Message"] or message["Message"].startswith("Cannot find ")
    else:
        assert list(message) == ["Message", "SeverityCode", "Description"]
        assert re.fullmatch(rf".*[.…>}}] \[{code}\]", message["Description"], re.DOTALL)
    assert answer.ack == message["SeverityCode"] == entry.severity.value
    assert 5 < len(message["Message"]) < 150
    assert "{" not in message["Message"]


@pytest.mark.parametrize(
    "code", sorted(c for c in REACHED.keys() - {"CL006", "CL009"} if c < "CL020")
)
def test_an_error_of_an_item_says_which(strict: Neto, code: str) -> None:
    (error,) = REACHED[code](strict).errors

    name = ""
    if code in ("CL007", "CL017", "CL018"):
        name = r" \(Username \w+\)"
    elif code not in ("CL001", "CL003", "CL005", "CL008"):
        name = r" \(LogID \d+\)"
    assert re.match(f"Item 1{name}: ", error["Description"])


def test_the_codes_of_the_catalogue_are_its_keys_and_every_text_ends_as_a_sentence() -> None:
    for code, entry in CATALOGUE.items():
        assert entry.code == code
        assert re.fullmatch(r"(CL|RC)\d{3}", code)
        assert (code < "D") == (entry.http_status == 200)
        assert entry.cause.endswith(".")
        assert entry.way_out.endswith(".")
        assert not entry.text.endswith(".")


@pytest.mark.parametrize(
    ("limit", "most", "codes"),
    [
        ("MOST_LOGS", 4, []),
        ("MOST_LOGS", 3, ["CL037"]),
        ("MOST_TEXT", 8, []),
        ("MOST_TEXT", 7, ["CL037"]),
    ],
)
def test_the_logs_of_many_customers_are_answered_up_to_a_limit(
    neto: Neto, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, codes: list[str]
) -> None:
    customers = [{"Username": "ana"}, {"Username": "bob"}]
    assert neto.call("json", ADD_CUSTOMER, {"Customer": customers}).ack == "Success"
    neto.add(*[{"Username": "ana", "Notes": "ab"}, {"Username": "bob", "Notes": "cd"}] * 2)
    # The package has the function of that name in the module's place.
    module = sys.modules["recontact.actions.get_customer"]
    monkeypatch.setattr(module, limit, most)

    asked = {"IDAfter": 0, "OutputSelector": "CustomerLog"}
    answer = neto.call("json", "GetCustomer", {"Filter": asked})

    assert answer.codes == codes
    assert len(answer.tree["Customer"]) == (0 if codes else 2)
    if codes:
        assert "the 2 customers of this page have over" in answer.body.decode()


@pytest.mark.parametrize(("most", "codes"), [(3_000, []), (1_000, ["CL037"])])
def test_a_page_is_answered_up_to_a_length(
    neto: Neto, monkeypatch: pytest.MonkeyPatch, most: int, codes: list[str]
) -> None:
    neto.add({"Notes": "n" * 500}, {"Notes": "n" * 600}, {"Notes": "n"})
    items = {"Customer": [{"Username": "ana", "InternalNotes": "n" * 1_100}]}
    assert neto.call("json", ADD_CUSTOMER, items).ack == "Success"
    monkeypatch.setattr(queries, "MOST_TEXT", most)

    assert neto.get(LogIDAfter=0).codes == codes
    assert neto.get(LogIDAfter=0, Limit=1).codes == []
    asked = {"IDAfter": 0, "OutputSelector": "Username"}
    assert neto.call("json", "GetCustomer", {"Filter": asked}).codes == codes

    tree = {
        "CustomerLogs": {"CustomerLog": {"LogID": 3, "AllocatedTo": "ana"}},
        "Filter": {"LogIDAfter": 0, "OutputSelector": "LogID"},
    }
    assert neto.call("json", "UpdateCustomerLog", tree).codes == codes
    assert neto.log(3)["AllocatedTo"] == ("" if codes else "ana")
