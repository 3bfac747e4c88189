"""Laws that hold for any input, and the inputs that once broke one."""

import gzip
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import FORMATS, Answer, Neto, from_xml, to_body, to_xml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from recontact import actions, wire
from recontact.catalogue import CATALOGUE
from recontact.fields import ADD_CUSTOMER_LOG, GET_CUSTOMER_LOG, UPDATE_CUSTOMER_LOG, Shape
from recontact.messages import Format, Reply
from recontact.values import quote, quote_name

ACTIONS = tuple(actions.ACTIONS)
TEXTS = ("AllocatedTo", "FollowUpType", "CustomerName", "Notes")

through_http = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
in_memory = settings(max_examples=300, deadline=None)

in_xml = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff").filter(
    lambda c: c >= " " or c in "\t\n\r"
)
any_character = st.characters() | st.characters(categories=["Cs", "Cc"])
text_in_xml = st.text(in_xml, max_size=50)
any_text = st.text(any_character, max_size=30)


def is_well_formed(answer: Answer, accept: str) -> bool:
    """Whether it is what SPEC §2 says; that its body can be parsed is seen when it is made."""
    assert answer.format == ("json" if "json" in accept else "xml")
    assert answer.status in (200, 400, 413)
    assert answer.headers["X-Request-Id"]
    assert answer.tree["CurrentTime"]
    expected = "Error" if answer.errors else "Warning" if answer.warnings else "Success"
    assert answer.ack == expected
    assert answer.status == 200 or len(answer.errors) == 1
    assert all(answer.codes)
    return True


accepts = st.sampled_from(["application/json", "text/xml"])
any_action = st.sampled_from(ACTIONS)


# -- any bytes ---------------------------------------------------------------------------------

GOOD = [
    to_body(format, "UpdateCustomerLog", tree)
    for format in FORMATS
    for tree in (
        {"CustomerLogs": {"CustomerLog": [{"LogID": 1, "Notes": "é"}, {"LogID": "2"}]}},
        {"Filter": {"LogID": ["1"], "DateAddedFrom": "2026-11-23", "OutputSelector": "LogID"}},
    )
]
PIECES = [
    *(b"<", b">", b"/>", b"</", b"<CustomerLog>", b"<Filter>", b"&amp;", b"&x;", b"&#0;", b"]]>"),
    *(b"<![CDATA[", b"<!--", b"-->", b"<!DOCTYPE x>", b"<?xml version='1.0' encoding='utf-16'?>"),
    *(b"<?xml version='1.0' encoding='iso-8859-1'?>", b"{", b"}", b"[", b"]", b'"', b":", b","),
    *(b'"CustomerLogs"', b'"CustomerLog"', b'"LogID"', b'"Filter"', b"1", b"-", b"e9", b"true"),
    *(b"NaN", b"\\u", b"\\ud800", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0", b" ", b"\n"),
    *(b"\xc3", b"\xa9", b"\xed\xa0\x80", b"\x1f\x8b\x08", b"x"),
]


@st.composite
def mutilated(draw: st.DrawFn) -> bytes:
    """A good body with a few bytes cut out, put in or replaced."""
    body = draw(st.sampled_from(GOOD))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body)))
        end = start + draw(st.integers(0, 10))
        put = draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(body))
        body = body[:start] + put + body[end:]
    return body


bodies = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join),
    mutilated(),
    st.builds(
        lambda text, codec: text.encode(codec, errors="ignore"),
        st.sampled_from([body.decode() for body in GOOD]) | st.text(max_size=50),
        st.sampled_from(["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-7"]),
    ),
)


@through_http
@given(
    body=bodies, action=any_action, accept=accepts, packed=st.sampled_from([None, "right", "wrong"])
)
def test_any_bytes_get_a_well_formed_answer(
    shared: Neto, body: bytes, action: str, accept: str, packed: str | None
) -> None:
    headers = {"Accept": accept} | ({"Content-Encoding": "gzip"} if packed else {})

    answer = shared.post(action, gzip.compress(body) if packed == "right" else body, headers)

    assert is_well_formed(answer, accept)


@through_http
@given(
    action=st.sampled_from(ACTIONS) | st.text(st.characters(max_codepoint=0xFF), max_size=20),
    key=st.text(st.characters(max_codepoint=0xFF), max_size=20) | st.none(),
    accept=accepts,
)
def test_any_headers_get_a_well_formed_answer(
    shared: Neto, action: str, key: str | None, accept: str
) -> None:
    def sendable(text: str) -> bytes:
        return "".join(c for c in text if c >= " " and c != "\x7f").strip(" \xa0").encode("latin-1")

    headers: list[tuple[str, Any]] = [("NETOAPI_ACTION", sendable(action)), ("Accept", accept)]
    headers += [("NETOAPI_KEY", shared.key if key is None else sendable(key))]
    response = shared.http.post("/do/WS/NetoAPI", headers=headers)
    answer = Answer(response.status_code, response.headers, response.content)

    assert answer.format == ("json" if "json" in accept else "xml")
    assert answer.status in (200, 400, 401)


# -- any values --------------------------------------------------------------------------------

KNOWN = [
    *("CustomerLogs", "customerlogs", "CustomerLog", "CUSTOMERLOG", "Filter", "OutputSelector"),
    *UPDATE_CUSTOMER_LOG.item,
    *ADD_CUSTOMER_LOG.item,
    *GET_CUSTOMER_LOG.filters,
]
names = st.sampled_from(KNOWN)
dates = st.datetimes().map(str) | st.datetimes().map(datetime.isoformat) | st.dates().map(str)
plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(0, 20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", " ", "0", "1", "Completed", "LogID", "2026-11-23", "0000-00-00"]),
    dates,
    any_text,
)
json_trees = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | any_text, inner, max_size=5)
    ),
    max_leaves=12,
)
json_calls = st.one_of(
    json_trees,
    st.dictionaries(names | any_text, json_trees, max_size=4),
    st.fixed_dictionaries({"CustomerLogs": json_trees}),
    st.fixed_dictionaries({"Filter": json_trees}),
    st.fixed_dictionaries(
        {"CustomerLogs": st.fixed_dictionaries({"CustomerLog": st.lists(json_trees, max_size=4)})}
    ),
    st.fixed_dictionaries(
        {"CustomerLogs": st.lists(st.dictionaries(names, json_trees, max_size=5), max_size=4)}
    ),
)


@through_http
@given(tree=json_calls, action=any_action, accept=accepts)
@example(tree={"CustomerLogs": {"CustomerLog": [3]}}, action="UpdateCustomerLog", accept="text/xml")
def test_any_json_gets_a_well_formed_answer(
    shared: Neto, tree: Any, action: str, accept: str
) -> None:
    answer = shared.post(action, json.dumps(tree).encode(), {"Accept": accept})

    assert is_well_formed(answer, accept)
    assert answer.status == (200 if isinstance(tree, dict) else 400)


xml_names = names | st.from_regex(r"[A-Za-zé_][A-Za-z0-9é_.-]{0,9}", fullmatch=True).filter(
    lambda name: not name.lower().startswith("xml")
)
xml_trees = st.recursive(
    text_in_xml | st.sampled_from(["1", "Completed", "LogID", "2026-11-23"]),
    lambda inner: st.dictionaries(
        xml_names, inner | st.lists(inner, min_size=1, max_size=3), max_size=4
    ),
    max_leaves=12,
)


@through_http
@given(tree=xml_trees, action=any_action, accept=accepts)
def test_any_xml_gets_a_well_formed_answer(
    shared: Neto, tree: Any, action: str, accept: str
) -> None:
    answer = shared.post(action, to_xml(action, tree), {"Accept": accept})

    assert is_well_formed(answer, accept)
    assert answer.status == 200


# -- both formats say the same -----------------------------------------------------------------

values = st.one_of(
    text_in_xml,
    st.integers(-1, 10**11).map(str),
    st.integers(-1, 10**11),
    dates,
    st.sampled_from(["Completed", "recontacting", "None", "", " ", "0000-00-00"]),
)
items = st.lists(st.dictionaries(names | xml_names, values, max_size=6), max_size=4)
filters = st.dictionaries(
    names | xml_names, values | st.lists(values, min_size=1, max_size=3), max_size=5
)


def both(shape: Shape, tree: Any) -> list[Any]:
    """What the call means in each format, but the format."""
    calls = [
        wire.decode(json.dumps(tree).encode(), shape),
        wire.decode(to_xml(shape.action, tree), shape),
    ]
    return [(call.items, call.query, sorted(call.passed_over)) for call in calls]


@in_memory
@given(items=items, shape=st.sampled_from([ADD_CUSTOMER_LOG, UPDATE_CUSTOMER_LOG]))
def test_xml_and_json_of_the_same_items_are_the_same_call(items: Any, shape: Shape) -> None:
    one, other = both(shape, {"CustomerLogs": {"CustomerLog": items}})

    assert one == other


@in_memory
@given(filter=filters)
def test_xml_and_json_of_the_same_filter_are_the_same_call(filter: Any) -> None:
    one, other = both(GET_CUSTOMER_LOG, {"Filter": filter})

    assert one == other


# -- what is written is read back --------------------------------------------------------------


@settings(through_http, max_examples=50)  # each makes a dozen calls
@given(
    added=st.dictionaries(st.sampled_from(TEXTS), text_in_xml),
    updated=st.dictionaries(st.sampled_from(TEXTS), text_in_xml, min_size=1),
    formats=st.tuples(st.sampled_from(FORMATS), st.sampled_from(FORMATS)),
)
def test_text_that_is_written_is_read_back_in_both_formats(
    shared: Neto, added: dict[str, str], updated: dict[str, str], formats: tuple[str, str]
) -> None:
    def stored(texts: dict[str, str]) -> dict[str, str]:
        return {name: "" if text.isspace() else text for name, text in texts.items()}

    (log_id,) = shared.add(added, format=formats[0])
    expected = dict.fromkeys(TEXTS, "") | stored(added)
    for format in FORMATS:
        log = shared.log(log_id, format)
        assert {name: log[name] for name in TEXTS} == expected

    for _ in range(2):  # the second time changes nothing
        assert shared.update(formats[1], {"LogID": log_id} | updated).ack == "Success"
    changed = expected | stored(updated)
    for format in FORMATS:
        log = shared.log(log_id, format)
        assert {name: log[name] for name in TEXTS} == changed
        assert log["Revision"] == ("1" if changed == expected else "2")


offsets = st.integers(-23 * 60, 23 * 60).map(lambda m: timezone(timedelta(minutes=m)))


@settings(through_http, max_examples=80)
@given(
    moment=st.datetimes(
        datetime(1000, 1, 2), datetime(9999, 12, 30), timezones=offsets
    ),  # a day from the edges, so that its offset stays within
    format=st.sampled_from(FORMATS),
)
def test_an_instant_is_read_back_in_utc(shared: Neto, moment: datetime, format: str) -> None:
    sent = moment.isoformat()
    utc = moment.astimezone(UTC).replace(microsecond=0, tzinfo=None)

    (log_id,) = shared.add({"LastContacted": sent, "DateRequiredFollowUp": sent}, format=format)

    log = shared.log(log_id, format)
    written = utc.isoformat(" ")
    midnight = "(UTC)" if written.endswith("00:00:00") else ""
    assert log["LastContacted"] == log["LastContactedUTC"] == written
    assert log["DateRequiredFollowUp"] == written + midnight
    again = {"LogID": log_id, "LastContacted": written, "DateRequiredFollowUp": written + midnight}
    shared.update(format, again)
    assert shared.log(log_id)["Revision"] == "1"


# -- answers -----------------------------------------------------------------------------------

elements = st.dictionaries(
    st.from_regex(r"[A-Z][A-Za-z]{0,9}", fullmatch=True).filter(
        lambda name: name not in ("Error", "Warning", "CustomerLog")
    ),
    st.text(in_xml, max_size=20),
    min_size=1,
    max_size=5,
)


@in_memory
@given(
    records=st.lists(elements, max_size=4),
    facts=st.lists(st.tuples(st.sampled_from(sorted(CATALOGUE)), any_text), max_size=4),
)
def test_an_answer_that_is_encoded_and_parsed_is_the_same(records: Any, facts: Any) -> None:
    reply = Reply("GetCustomerLog", "CustomerLog", records=records)
    every = ("element", "key", "value", "action", "header", "root", "record", "item", "kept")
    for code, text in facts:
        shown = dict.fromkeys((*every, "encoding", "request", "method"), quote_name(text))
        reply.add([CATALOGUE[code].message(f"Item 1: got {quote(text)}.", **shown)])
    now = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)

    in_json = json.loads(wire.encode(reply, Format.JSON, now))
    root, in_xml = from_xml(wire.encode(reply, Format.XML, now))

    assert root == "GetCustomerLog"
    assert in_json == {"CustomerLog": []} | in_xml
    assert in_json["CustomerLog"] == records
    assert in_json["CurrentTime"] == "2026-11-23 07:30:00"
    messages = in_json.get("Messages", {})
    assert sum(map(len, messages.values())) == len(facts)


@in_memory
@given(text=any_text | st.text(any_character, min_size=81))
def test_a_quoted_text_is_short_on_one_line_and_safe(text: str) -> None:
    shown = quote(text)

    assert shown.isprintable()
    assert len(shown) <= 82 + 9 * sum(not c.isprintable() for c in text[:80])


# -- what once broke a law ---------------------------------------------------------------------

CORPUS = sorted((Path(__file__).parent / "corpus").iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=[path.name for path in CORPUS])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_body_that_once_broke_a_law_is_answered(shared: Neto, path: Path, action: str) -> None:
    packed = {"Content-Encoding": "gzip"} if path.suffix == ".gz" else {}
    for accept in ("application/json", "text/xml"):
        answer = shared.post(action, path.read_bytes(), {"Accept": accept} | packed)

        assert is_well_formed(answer, accept)
    assert shared.add({"Notes": "and the next call is not harmed"})
