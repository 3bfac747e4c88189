"""Hostile bodies: whatever stands in one, it is read as it is meant or refused in clear words."""

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hostile
import psutil
import pytest
from conftest import (
    FORMATS,
    FULL_CUSTOMER,
    PATIENCE,
    Answer,
    Neto,
    change_customers,
    computing,
    new_username,
    served,
    to_body,
)
from hostile import CALLS, DOCTYPES, PLAIN_JSON, PLAIN_XML, REACHING
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from worst_bodies import LIMIT, MIB, WORST, wrong_customers

from recontact import wire
from recontact.fields import ADD_CUSTOMER_LOG, UPDATE_CUSTOMER_LOG
from recontact.messages import MOST_PROBLEMS, RefusedError
from recontact.model import words
from recontact.wire import jsonwire

ADD, UPDATE, GET = "AddCustomerLog", "UpdateCustomerLog", "GetCustomerLog"
MANY = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "250")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""How often a law is tried; FUZZ_EXAMPLES=100000 for a night of it."""


def cases(table: dict[str, Any], *which: str) -> list[Any]:
    """A parameter for each fragment in a table of rules, named by its rule and by what it is."""
    return [
        pytest.param(one, id=f"{name} {ascii(one)[1:40]}")
        for name, rule in table.items()
        for group in (which or (None,))
        for one in (getattr(rule, group) if group else rule)
    ]


def noted(neto: Neto, body: bytes, **headers: str) -> tuple[Answer, str]:
    """The answer to an AddCustomerLog, and the Notes that it stored."""
    answer = neto.post(ADD, body, headers)
    return answer, neto.log(int(answer.log_ids[0]))["Notes"] if answer.logs else ""


def is_refused(answer: Answer, code: str) -> bool:
    """Whether the call was refused whole, and told the way out."""
    assert (answer.status, answer.codes, answer.logs) == (400, [code], [])
    description = answer.errors[0]["Description"]
    assert len(description) < 400
    assert description.isprintable()
    assert "\\u000a" not in description
    assert any(way in description for way in ("mend the body", ": send ", ". Send ", ": name "))
    return True


# -- JSON, rule by rule ----------------------------------------------------------------------------


def with_extra(value: str) -> bytes:
    """A call with this very text as the value of an element that nobody knows."""
    body = PLAIN_JSON.replace('"Notes"', f'"Extra": {value}, "Notes"')
    return body.encode(errors="surrogatepass")


@pytest.mark.parametrize("value", cases(hostile.JSON_VALUES, "taken"))
def test_what_json_allows_is_taken(shared: Neto, value: str) -> None:
    answer, notes = noted(shared, with_extra(value))

    assert (answer.status, answer.ack, notes) == (200, "Success", "kept")
    assert answer.headers["Recontact-Passed-Over"] == "Extra"


@pytest.mark.parametrize("value", cases(hostile.JSON_VALUES, "refused"))
def test_what_json_does_not_allow_is_refused(shared: Neto, value: str) -> None:
    assert is_refused(shared.post(ADD, with_extra(value)), "RC010")


@pytest.mark.parametrize("body", cases(hostile.JSON_BODIES))
def test_a_body_that_is_not_one_json_object_is_refused(shared: Neto, body: bytes) -> None:
    answer = shared.post(ADD, body)

    code = "RC012" if body[:1] not in (b"{", b"[") and body[:2] != b"\xff\xfe" else answer.codes[0]
    assert answer.status == 400
    assert answer.codes == [code]
    assert code in ("RC010", "RC012")


def test_of_a_doubled_name_the_last_counts_however_it_is_written(shared: Neto) -> None:
    body = PLAIN_JSON.replace('"Notes"', r'"Notes": "a", "\u004eotes": "b", "N\u006ftes"')

    assert noted(shared, body.encode())[1] == "kept"


# -- JSON, anywhere in a call ----------------------------------------------------------------------

VALUES = {
    "lone surrogate": r'"\ud800"',
    "half of a pair": r'"x\udc00"',
    "pair, turned round": r'"\ude00\ud83d"',
    "NUL": r'"\u0000"',
    "control": r'"\u001f"',
    "no character": r'"\uffff"',
    "escaped lines": r'"a\r\nSet-Cookie: b"',
    "bidi": r'"\u202e\u2066"',
    "markup": '"]]></Message><x>&amp;&x;"',
    "5,000 digits": "7" * 5_000,
    "5,000 digits, less than nothing": "-" + "7" * 5_000,
    "20 digits": "18446744073709551616",
    "huge": "1e400",
    "tiny": "1E-400",
    "long exponent": "1e" + "9" * 5_000,
    "minus nothing": "-0",
    "Arabic digits": '"\u0661"',
    "underscore": '"1_0"',
    "true": "true",
    "list": "[[]]",
    "object": '{"a": {}}',
    "null": "null",
}
NAMES = {name: value for name, value in VALUES.items() if value.startswith('"')}
SPOT = "<the spot>"


def spotted(tree: Any, text: str) -> bytes:
    """The tree in JSON, with this very text in place of the SPOT in it."""
    return json.dumps(tree).replace(json.dumps(SPOT), text).encode()


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("action", CALLS)
def test_no_value_anywhere_brings_a_call_down(shared: Neto, action: str, value: str) -> None:
    for tree in hostile.with_a_value_changed(CALLS[action], SPOT):
        answer = shared.post(action, spotted(tree, value))

        assert answer.status == (400 if tree == SPOT and value[0] != "{" else 200)
        assert all(answer.codes)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("action", CALLS)
def test_no_name_anywhere_brings_a_call_down(shared: Neto, action: str, name: str) -> None:
    for tree in hostile.with_a_name_changed(CALLS[action], SPOT):
        answer = shared.post(action, spotted(tree, name), {"Accept": "text/xml"})

        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
        assert answer.headers.get("Recontact-Passed-Over", "x").isascii()


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", r'"\ud8"', '"\x01"'])
@pytest.mark.parametrize("action", CALLS)
def test_what_is_no_json_is_refused_anywhere(shared: Neto, action: str, word: str) -> None:
    for tree in hostile.with_a_value_changed(CALLS[action], SPOT):
        if tree != SPOT:
            assert shared.post(action, spotted(tree, word)).codes == ["RC010"]


@pytest.mark.parametrize("name", ["lone surrogate", "NUL", "no character"])
def test_text_that_xml_cannot_carry_is_an_error_of_its_item(shared: Neto, name: str) -> None:
    body = f'{{"CustomerLogs": [{{"Notes": {VALUES[name]}}}, {{"Notes": "kept"}}]}}'

    answer, notes = noted(shared, body.encode())

    assert (answer.codes, notes) == (["CL014"], "kept")


# -- XML, rule by rule -----------------------------------------------------------------------------


def in_notes(text: str) -> bytes:
    return PLAIN_XML.replace("kept", text).encode(errors="surrogatepass")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        pytest.param(content, text, id=f"{name} {ascii(content)[1:40]}")
        for name, rule in hostile.XML_CONTENTS.items()
        for content, text in rule.taken.items()
    ],
)
def test_what_xml_allows_is_read(shared: Neto, content: str, text: str) -> None:
    answer, notes = noted(shared, in_notes(f"[{content}]"))

    assert (answer.ack, notes) == ("Success", f"[{text}]")


@pytest.mark.parametrize("content", cases(hostile.XML_CONTENTS, "refused"))
def test_what_xml_does_not_allow_is_refused(shared: Neto, content: str) -> None:
    assert is_refused(shared.post(ADD, in_notes(content)), "RC011")


@pytest.mark.parametrize("element", hostile.XML_ELEMENTS, ids=lambda text: text[:40])
def test_an_element_that_means_nothing_is_passed_over(shared: Neto, element: str) -> None:
    body = PLAIN_XML.replace("<Notes>", f"{element}<Notes>").encode()

    answer, notes = noted(shared, body)

    assert (answer.ack, notes) == ("Success", "kept")
    assert len(answer.headers["Recontact-Passed-Over"]) < 1_000


@pytest.mark.parametrize("document", hostile.XML_DOCUMENTS.taken)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_that_is_well_formed_is_read(shared: Neto, document: str, codec: str) -> None:
    body = document.replace("{}", PLAIN_XML).encode(codec)

    assert noted(shared, body)[1] == "kept"


@pytest.mark.parametrize("document", hostile.XML_DOCUMENTS.refused)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_document_that_is_not_is_refused(shared: Neto, document: str, codec: str) -> None:
    text = document.replace("{}", PLAIN_XML)

    answer = shared.post(ADD, text.encode(codec))

    assert is_refused(answer, "RC011" if text.lstrip()[0] == "<" else "RC012")


# -- encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", hostile.BAD_UTF_8.values(), ids=hostile.BAD_UTF_8)
@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("place", ["kept", "Notes", "CustomerLogs"])
def test_bytes_that_are_no_utf_8_are_refused(
    shared: Neto, format: str, place: str, bad: bytes
) -> None:
    body = (PLAIN_XML if format == "xml" else PLAIN_JSON).encode()
    at = body.index(place.encode()) + 1

    answer = shared.post(ADD, body[:at] + bad + body[at:])

    assert is_refused(answer, "RC011" if format == "xml" else "RC010")
    assert "UTF-8" in answer.errors[0]["Description"]


@pytest.mark.parametrize("bad", hostile.BAD_UTF_8.values(), ids=hostile.BAD_UTF_8)
@pytest.mark.parametrize("place", ["<a b='{}'/>", "<!-- {} -->", "<?p {}?>", "<![CDATA[{}]]>"])
def test_nor_where_nobody_looks(shared: Neto, place: str, bad: bytes) -> None:
    body = in_notes(place.format("BAD")).replace(b"BAD", bad)

    assert is_refused(shared.post(ADD, body), "RC011")


@pytest.mark.parametrize(("codec", "name"), hostile.ENCODINGS.items())
def test_a_declared_encoding_that_is_not_read_is_refused(
    shared: Neto, codec: str, name: str
) -> None:
    document = f"<?xml version='1.0' encoding='{name}'?>{in_notes(hostile.SMUGGLED).decode()}"

    answer = shared.post(ADD, document.encode(codec, errors="replace"))

    assert answer.status == 400
    assert answer.codes[0] in ("RC011", "RC012")
    if answer.codes == ["RC011"] and "utf-32" not in codec:
        assert name in answer.errors[0]["Description"]


@pytest.mark.parametrize("codec", hostile.ENCODINGS)
@pytest.mark.parametrize("format", FORMATS)
def test_an_undeclared_encoding_is_utf_8_or_refused(shared: Neto, format: str, codec: str) -> None:
    """What another would read as markup stays the text it is, or is refused."""
    plain = PLAIN_XML if format == "xml" else PLAIN_JSON
    body = plain.replace("kept", hostile.SMUGGLED).encode(codec, errors="replace")

    answer, notes = noted(shared, body)

    if answer.status == 200:
        assert f">{notes}<" in body.decode() or f'"{notes}"' in body.decode()
    else:
        assert answer.codes[0] in ("RC010", "RC011", "RC012")


BOMS = {"utf-8": b"\xef\xbb\xbf", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "": b""}


@pytest.mark.parametrize("bom", BOMS)
@pytest.mark.parametrize("declared", ["", "utf-8", "UTF-16", "us-ascii", "iso-8859-1"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "latin-1", "ascii"])
def test_bom_declaration_and_bytes_that_differ_garble_nothing(
    shared: Neto, codec: str, declared: str, bom: str
) -> None:
    """The BOM counts before the look of the bytes, and that before the declaration."""
    text = "abc" if codec == "ascii" else "caf\xe9 \xbcb\xbe"
    declaration = f"<?xml version='1.0' encoding='{declared}'?>" if declared else ""
    body = (declaration + PLAIN_XML.replace("kept", text)).encode(codec)

    answer, notes = noted(shared, BOMS[bom] + body)

    by_bytes = codec if "16" in codec else ""
    by_declaration = {"": "utf-8", "UTF-16": "utf-8", "us-ascii": "ascii"}.get(declared, declared)
    actual = bom or by_bytes or by_declaration
    try:
        said = body.decode(actual)
    except UnicodeDecodeError:
        said = ""
    if "<Notes>" in said:
        assert (answer.status, notes) == (200, said.partition("<Notes>")[2].partition("<")[0])
    else:
        assert (answer.status, notes) == (400, "")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("at", ["first", "last", "each"])
def test_a_nul_is_nowhere_read(shared: Neto, format: str, at: str) -> None:
    body = (PLAIN_XML if format == "xml" else PLAIN_JSON).encode()
    put = {"first": b"\0" + body, "last": body + b"\0", "each": body.replace(b"kept", b"ke\0pt")}

    answer = shared.post(ADD, put[at])

    assert answer.status == 400
    assert answer.codes[0] in ("RC010", "RC011", "RC012")


# -- DTDs, bombs, and what reaches out -------------------------------------------------------------


class Canary:
    """A file, a pipe and an address that nobody may look at; `sang` says which was."""

    SECRET = "the canary's secret"

    def __init__(self, folder: Path) -> None:
        self.file, self.pipe = folder / "canary.txt", folder / "pipe"
        self.file.write_text(self.SECRET)
        os.mkfifo(self.pipe)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._contacts = 0
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    @property
    def places(self) -> dict[str, str]:
        host, port = self._listener.getsockname()
        return {
            "file": self.file.as_uri(),
            "pipe": self.pipe.as_uri(),
            "url": f"http://{host}:{port}/canary.dtd",
        }

    def _listen(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            with connection:
                if connection.recv(4) == b"stop":
                    return
                self._contacts += 1

    def sang(self) -> set[str]:
        found = {"url"} if self._contacts else set()
        try:
            # Whoever opens the pipe waits there until somebody writes to it.
            os.close(os.open(self.pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return found
        return found | {"pipe"}

    def close(self) -> None:
        with closing(self._listener), socket.create_connection(self._listener.getsockname()) as end:
            end.sendall(b"stop")
            self._thread.join(PATIENCE)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    one = Canary(tmp_path)
    with closing(one):
        yield one


def test_the_canary_sings_when_somebody_looks(canary: Canary) -> None:
    """Or the tests below would not show anything."""
    assert canary.sang() == set()
    lax = etree.XMLParser(load_dtd=True, resolve_entities=True, no_network=False)
    document = f"<!DOCTYPE x [<!ENTITY e SYSTEM '{canary.file.as_uri()}'>]><x>&e;</x>"
    assert etree.fromstring(document, lax).text == Canary.SECRET

    with socket.create_connection(("127.0.0.1", int(canary.places["url"][17:].split("/")[0]))) as a:
        a.sendall(b"GET /")
    reader = threading.Thread(target=canary.pipe.read_bytes)
    reader.start()

    Neto.wait_for(lambda: canary.sang() == {"url", "pipe"})
    reader.join(PATIENCE)


def put(text: str, canary: Canary) -> str:
    """The text with the canary's places in it."""
    for name, place in canary.places.items():
        text = text.replace(f"{{{name}}}", place)
    return text


CODECS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]


@pytest.mark.parametrize("doctype", DOCTYPES.values(), ids=DOCTYPES)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_no_doctype_is_read(shared: Neto, canary: Canary, doctype: str, packed: bool) -> None:
    headers = {"Content-Encoding": "gzip"} if packed else {}
    for before in ("", "<?xml version='1.0'?>\n<!-- <!DOCTYPE y> --><?p?>"):
        document = before + put(doctype, canary) + PLAIN_XML.replace("kept", "&e10;")
        for codec in CODECS if len(document) < 100_000 else CODECS[:1]:
            body = document.encode(codec)
            sent = gzip.compress(body) if packed else body

            with computing(2):
                answer = shared.post(ADD, sent, headers)

            assert (answer.status, answer.codes) == (400, ["RC013"])
    assert canary.sang() == set()


@pytest.mark.parametrize(
    "before", ["\ufeff\ufeff", "\ufeff \ufeff", "\ufeff\x00", "<!-->\ufeff-->"]
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be"])
def test_no_doctype_is_read_behind_what_a_parser_may_skip(
    shared: Neto, canary: Canary, codec: str, before: str
) -> None:
    document = before + put(DOCTYPES["system, a pipe"], canary) + PLAIN_XML

    assert shared.post(ADD, document.encode(codec)).status == 400
    assert canary.sang() == set()


@pytest.mark.parametrize("codec", [codec for codec in hostile.ENCODINGS if codec != "utf-8"])
def test_no_doctype_is_read_in_an_encoding_of_its_own(
    shared: Neto, canary: Canary, codec: str
) -> None:
    declaration = f"<?xml version='1.0' encoding='{hostile.ENCODINGS[codec]}'?>"
    doctype = put(DOCTYPES["entity of an address"], canary)

    answer = shared.post(ADD, (declaration + doctype + PLAIN_XML).encode(codec))

    assert answer.status == 400
    assert answer.codes[0] in ("RC011", "RC012", "RC013")
    assert canary.sang() == set()


@pytest.mark.parametrize("reaching", REACHING.values(), ids=REACHING)
@pytest.mark.parametrize("place", ["before", "item", "root"])
def test_nothing_that_a_document_names_is_looked_at(
    shared: Neto, canary: Canary, place: str, reaching: str
) -> None:
    text = put(reaching, canary)
    body = PLAIN_XML
    if place == "before" and text.startswith("<?"):
        body = f"<?xml version='1.0'?>{text}{body}"
    elif place == "item":
        body = body.replace("<Notes>", f"{text}<Notes>")
    else:
        body = body.replace("</AddCustomerLog>", f"{text}</AddCustomerLog>")

    answer, notes = noted(shared, body.encode())

    assert (answer.ack, notes) == ("Success", "kept")
    assert Canary.SECRET.encode() not in answer.body
    assert canary.sang() == set()


def test_an_xinclude_in_a_text_includes_nothing(shared: Neto, canary: Canary) -> None:
    answer, notes = noted(shared, in_notes(put(REACHING["XInclude"], canary)))

    assert answer.codes == ["CL016"]  # elements where text is expected
    assert (notes, canary.sang()) == ("", set())


# -- depth -----------------------------------------------------------------------------------------

WAYS = ["XML", "XML, attributes", "XML, mixed", "JSON, objects", "JSON, arrays", "JSON, an item"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("levels", [100, 1_000, 100_000])
def test_depth_is_refused(shared: Neto, way: str, levels: int, packed: bool) -> None:
    body = hostile.nested(way, levels)
    headers = {"Content-Encoding": "gzip"} if packed else {}
    for part in (body, body[: len(body) // 2]):
        answer = shared.post(UPDATE, gzip.compress(part) if packed else part, headers)

        assert answer.status == 400
        if part is body and (levels < 100_000 or way != "XML, attributes"):
            assert answer.codes == ["RC015"]
    assert shared.add({"Notes": "and the next call is not harmed"})


# -- how much a body may hold ----------------------------------------------------------------------


def decodes(body: bytes, elements: int) -> bool:
    """Whether a body of so many elements at most may be this one."""
    try:
        wire.decode(body, UPDATE_CUSTOMER_LOG, wire.Limits(elements=elements))
    except RefusedError as error:
        refusal = error.message.description
    else:
        return True
    assert refusal.startswith(f"The limit is {elements} ")
    assert refusal.endswith("[RC016]")
    return False


json_trees = st.dictionaries(
    st.text(max_size=3),
    st.recursive(
        st.none() | st.integers(0, 9) | st.text('",[{}]:\\x', max_size=6),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text('",[{\\', max_size=3), inner, max_size=4)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def json_values(tree: Any) -> int:
    """Members and elements; an empty object or list counts as one more."""
    if not isinstance(tree, dict | list):
        return 0
    inside = tree.values() if isinstance(tree, dict) else tree
    return max(1, len(tree)) + sum(map(json_values, inside))


@MANY
@given(tree=json_trees)
def test_the_limit_of_values_holds_to_the_value(tree: Any) -> None:
    body = json.dumps({"x": tree}).encode()
    values = json_values({"x": tree})

    assert decodes(body, values)
    assert len(body) <= 2 * (values - 1) or not decodes(body, values - 1)


xml_texts = st.sampled_from(["", "=", "x = 'y'", "&lt;a b=''/&gt;", "<![CDATA[<a b=''>]]>", " "])
xml_between = st.sampled_from(
    ["", "<!-- <a b='c'/> -->", "<?p <a b='c'/>?>", "<!--->a-->", "\n", "="]
)
xml_attributes = st.sampled_from(
    ["", " b=''", " b = '>'", " b='\"' c=\"'\"", "\nxmlns:p = 'q'", " "]
)
xml_trees = st.recursive(
    st.builds("<a{}>{}</a>".format, xml_attributes, xml_texts) | st.sampled_from(["<a/>", "<b />"]),
    lambda inner: (
        st.builds("<a{}>{}{}{}</a>".format, xml_attributes, xml_between, inner, xml_between)
        | st.lists(inner, min_size=2, max_size=3).map(lambda some: f"<c>{''.join(some)}</c>")
    ),
    max_leaves=6,
)


@MANY
@given(document=xml_trees)
def test_the_limit_of_elements_holds_to_the_element_and_attribute(document: str) -> None:
    body = document.encode()
    root = etree.fromstring(body)
    spaces = document.replace("&lt;a b=''", "").count("xmlns:p = 'q'")
    elements = spaces + sum(1 + len(one.attrib) for one in root.iter() if isinstance(one.tag, str))

    assert decodes(body, elements)
    assert len(body) <= 4 * (elements - 1) or not decodes(body, elements - 1)


@pytest.mark.parametrize("format", FORMATS)
def test_signs_in_a_text_are_no_elements(shared: Neto, format: str) -> None:
    text = {"json": ",[{" * 100_000, "xml": "<a b=''/>" * 80_000}[format]
    body = to_body(
        "json", ADD, {"CustomerLogs": {"CustomerLog": [{"Notes": "kept"}, {"Extra": text}]}}
    )
    if format == "xml":
        body = PLAIN_XML.replace("<Notes>", f"<Extra><![CDATA[{text}]]></Extra><Notes>").encode()

    answer, notes = noted(shared, body)

    assert (answer.status, notes) == (200, "kept")


@pytest.mark.parametrize("format", FORMATS)
def test_a_thousand_customers_with_every_element_are_not_too_many(neto: Neto, format: str) -> None:
    short = {
        name: dict.fromkeys(value, "") if isinstance(value, dict) else ""
        for name, value in FULL_CUSTOMER.items()
    }
    items = [short | {"Username": f"user {n}"} for n in range(1_000)]

    answer = change_customers(neto, "AddCustomer", *items, format=format)

    assert answer.ack == "Success"


def test_an_item_is_told_its_first_problems_and_a_huge_answer_is_not_made(shared: Neto) -> None:
    answer = shared.post("AddCustomer", wrong_customers(100))

    assert answer.codes == ["CL016"] * MOST_PROBLEMS * 100
    assert len(answer.body) < MIB


def test_an_item_with_many_problems_is_not_applied(shared: Neto) -> None:
    username = new_username()
    wrong = json.loads(wrong_customers(1))["Customer"][0] | {"Username": username}

    answer = change_customers(shared, "AddCustomer", wrong, {"Username": username})

    assert len(answer.codes) == MOST_PROBLEMS
    assert len(answer.tree["Customer"]) == 1


# -- memory and time -------------------------------------------------------------------------------

FACTOR, CROWDED = 12, 16
"""
The limit of a body times this is what one may take while it is decoded, beside itself; times the
other where it has as many elements as may be, each as large as there is room for.
"""


def test_no_body_takes_much_memory_or_time() -> None:
    """Each of the worst bodies is decoded in a process of its own, which measures itself."""
    program = Path(__file__).with_name("worst_bodies.py")

    run = subprocess.run(
        [sys.executable, program], capture_output=True, timeout=10 * PATIENCE, check=True
    )

    measured = [json.loads(line) for line in run.stdout.splitlines()]
    assert [name for name, _, _ in measured] == list(WORST)
    for name, grown, seconds in measured:
        crowded = "all that may be" in name or "passwords" in name
        assert grown < (CROWDED if crowded else FACTOR) * LIMIT / MIB, name
        assert seconds < 2, name


ALIVE = 2.0
"""Seconds that a server computes at most before it answers that it is alive, whatever it chews."""
SERVED = 512
"""MiB that a server takes at most while eight of the worst come at once, again and again."""


def peak(process: int) -> int:
    """MiB of memory that a process has had at most, as Linux counts it."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1_024


def test_eight_of_the_worst_at_once_leave_a_server_alive_and_small(tmp_path: Path) -> None:
    names = [
        "XML, elements in elements",
        "XML, all that may be",
        "XML, a text and a password",
        "JSON, objects",
    ]
    answers: list[Answer] = []
    waits: list[float] = []

    def send(neto: Neto, body: bytes, headers: dict[str, str]) -> None:
        answers.append(neto.post(ADD, body, headers))

    with served(tmp_path / "recontact.db") as server:
        process = psutil.Process(server.process.pid)

        def computed() -> float:
            return sum(process.cpu_times()[:2])

        for name in names:
            body = WORST[name]()
            for sent, headers in (
                (body, {}),
                (gzip.compress(body, 1), {"Content-Encoding": "gzip"}),
            ):
                senders = [
                    threading.Thread(target=send, args=(server.neto, sent, headers))
                    for _ in range(8)
                ]
                for sender in senders:
                    sender.start()
                while any(sender.is_alive() for sender in senders):
                    began = computed()
                    assert server.neto.http.get("/healthz").status_code == 200
                    waits.append(computed() - began)
                for sender in senders:
                    sender.join()
        after = {"CustomerLogs": [{"Notes": "and the next call is not harmed"}]}
        server.neto.wait_for(lambda: server.neto.call("json", ADD, after).ack == "Success")
        assert peak(server.process.pid) < SERVED
        assert server.stop() == 0

    assert len(answers) == 8 * 2 * len(names)
    assert {answer.status for answer in answers} <= {200, 400, 503}
    assert {200, 400} <= {answer.status for answer in answers}
    assert max(waits) < ALIVE


def test_ten_thousand_marks_on_a_letter_are_no_work_for_the_search() -> None:
    """Python puts marks in order by looking at all before each, and no thread runs meanwhile."""
    text = "a" + "\u0300" * 5_000 + "\u0316" * 4_990 + " b"
    began = time.process_time()
    for _ in range(20):
        assert words(text) == ["a", "b"]
    assert time.process_time() - began < 1

    assert words("e\u0301" * 5_000) == ["e" * 64]  # one on each is how people write


# -- any bytes -------------------------------------------------------------------------------------

SEEDS = [
    (action, to_body(format, action, tree)) for action, tree in CALLS.items() for format in FORMATS
]
TOKENS = [
    *(
        b"<",
        b">",
        b"/>",
        b"</",
        b"<a>",
        b"</a>",
        b"&amp;",
        b"&x;",
        b"&#0;",
        b"&#xD800;",
        b"]]>",
        b"<?p?>",
    ),
    *(
        b"<![CDATA[",
        b"<!--",
        b"-->",
        b"<!DOCTYPE x>",
        b" xmlns='x'",
        b" xmlns:p='x'",
        b"p:",
        b" a='b'",
    ),
    *(b" xsi:nil='true'", b"<?xml version='1.0' encoding='utf-16'?>", b"<?xml version='1.0'?>"),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b",",
        b"null",
        b"true",
        b"NaN",
        b"-",
        b"e9",
        b"9" * 40,
        b"0",
    ),
    *(
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"\\uffff",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\0",
        b"\r\n",
        b" ",
    ),
    *(
        b"\xc3",
        b"\xa9",
        b"\xed\xa0\x80",
        b"\xc0\xbc",
        b"\xf0\x9f\x98\x80",
        b"\x1f\x8b\x08",
        b"Password",
    ),
]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """An action, and a good call to some action that was damaged in a few places."""
    action, body = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(body)))
        end = min(len(body), at + draw(st.integers(0, 12)))
        way = draw(st.sampled_from(["cut", "put", "bits", "double", "move", "many", "other"]))
        piece = body[at:end]
        if way == "put":
            piece = draw(st.sampled_from(TOKENS)) + piece
        elif way == "bits":
            piece = bytes(byte ^ draw(st.sampled_from([1, 2, 4, 8, 32, 128])) for byte in piece)
        elif way in ("double", "many"):
            piece *= 2 if way == "double" else draw(st.sampled_from([50, 1_000]))
        elif way == "move":
            other = draw(st.integers(0, len(body)))
            piece = body[other : other + 30]
        elif way == "other":
            _, another = draw(st.sampled_from(SEEDS))
            piece = another[at:]
        else:
            piece = b""
        body = body[:at] + piece + body[end:]
    codec = draw(st.sampled_from(["", "", "", "utf-16", "utf-16-be", "utf-8-sig", "latin-1"]))
    if codec:
        body = body.decode(errors="replace").encode(codec, errors="replace")
    return draw(st.sampled_from([action, *CALLS])), body


@MANY
@given(
    call=mutated(), accept=st.sampled_from(["application/json", "text/xml"]), packed=st.booleans()
)
def test_a_damaged_call_is_answered(
    shared: Neto, call: tuple[str, bytes], accept: str, packed: bool
) -> None:
    action, body = call
    headers = {"Accept": accept} | ({"Content-Encoding": "gzip"} if packed else {})
    sent = gzip.compress(body, 1) if packed else body

    with computing(5):
        answer = shared.post(action, sent, headers)

    assert answer.status in (200, 400)
    assert answer.status == 200 or len(answer.codes) == 1
    assert all(answer.codes)


def test_after_all_that_a_good_call_is_answered(shared: Neto) -> None:
    (log_id,) = shared.add({"Notes": "good"})

    assert shared.log(log_id)["Notes"] == "good"


@MANY
@given(call=mutated())
def test_json_is_read_quickly_only_where_it_is_read_slowly_too(call: tuple[str, bytes]) -> None:
    """Bytes have one meaning, whichever of the two readers comes to see them."""
    _, body = call
    try:
        quick = jsonwire.decode_quickly(body)
    except (ValueError, RecursionError):
        return
    assert json.loads(body.decode("utf-8-sig"), parse_float=str) == quick


@MANY
@given(call=mutated())
def test_no_password_of_a_damaged_call_is_kept(call: tuple[str, bytes]) -> None:
    _, body = call
    try:
        format = wire.decode(body, ADD_CUSTOMER_LOG).format
    except RefusedError:
        return
    kept = wire.without_passwords(body, format, 32)

    assert kept is None or b"password" not in kept.lower() or not _passwords(kept)


def _passwords(body: bytes) -> list[str]:
    """The passwords in a body, by a reader of its own."""
    found: list[str] = []

    def look(name: str, value: Any) -> None:
        if name.rpartition(":")[2].lower() == "password" and value not in ("***", "", None):
            found.append(value)

    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        for one in etree.fromstring(body).iter("{*}*"):
            name = etree.QName(one).localname
            look(name, "".join(one.itertext()))
            for attribute, value in one.attrib.items():
                look(etree.QName(attribute).localname, value)
    else:
        json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=lambda pairs: [look(name, value) for name, value in pairs],
        )
    return found


def test_a_larger_limit_of_bodies_lets_more_elements_in(serve: Callable[..., Any]) -> None:
    body = b"<UpdateCustomerLog>" + b"<a/>" * 200_000 + b"</UpdateCustomerLog>"
    with serve(body_limit=8 * 2**20) as neto:
        assert neto.post("UpdateCustomerLog", body).codes == ["RC016"]
    with serve(body_limit=16 * 2**20) as neto:
        assert neto.post("UpdateCustomerLog", body).codes == ["CL020"]
