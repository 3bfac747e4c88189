"""How values are read and written back (SPEC §3): tables of each boundary and its neighbour."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import FORMATS, Answer, Neto, json_call, to_xml, xml_call

TEXTS = ("AllocatedTo", "FollowUpType", "CustomerName", "Notes")
ELEMENTS = (*TEXTS, "LastContacted", "DateRequiredFollowUp", "Status")


def update(neto: Neto, body: bytes) -> Answer:
    return neto.post("UpdateCustomerLog", body)


def elements(log: dict[str, str]) -> dict[str, str]:
    return {name: log[name] for name in ELEMENTS}


def set_json(neto: Neto, log_id: int, name: str, literal: str) -> Answer:
    """Update one element with a JSON literal, written as it is."""
    return update(neto, json_call(f'{{"LogID": {log_id}, "{name}": {literal}}}'))


@pytest.fixture
def log_id(shared: Neto) -> int:
    return shared.add(
        {
            "AllocatedTo": "ana",
            "FollowUpType": "Phone",
            "CustomerName": "Bob Stone",
            "LastContacted": "2026-11-20 10:30:00",
            "DateRequiredFollowUp": "2026-11-24",
            "Status": "Recontacting",
            "Notes": "before",
        }
    )[0]


# -- Integer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "write",
    [
        pytest.param(str, id="digits"),
        pytest.param(lambda n: f" {n} ", id="blanks around"),
        pytest.param(lambda n: f"\n\t{n}\n", id="lines around"),
        pytest.param(lambda n: f"{n:010}", id="10 digits"),
        pytest.param(lambda n: n, id="JSON integer"),
    ],
)
def test_an_integer_is_read_from_digits(
    shared: Neto, log_id: int, format: str, write: Callable[[int], Any]
) -> None:
    answer = shared.update(format, {"LogID": write(log_id), "Notes": "found"})

    assert answer.ack == "Success"
    assert shared.log(log_id)["Notes"] == "found"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param("9999999999", "CL002", id="the largest"),
        pytest.param("10000000000", "CL011", id="one more"),
        pytest.param("00000000001", "CL011", id="11 digits"),
        pytest.param("0", "CL011", id="0"),
        pytest.param("0000000000", "CL011", id="ten noughts"),
        pytest.param("-1", "CL011", id="minus"),
        pytest.param("-0", "CL011", id="minus nought"),
        pytest.param("+1", "CL011", id="plus"),
        pytest.param("1.0", "CL011", id="point"),
        pytest.param("1.", "CL011", id="point alone"),
        pytest.param("1e3", "CL011", id="exponent"),
        pytest.param("1_0", "CL011", id="underscore"),
        pytest.param("1 0", "CL011", id="blank inside"),
        pytest.param("1,000", "CL011", id="comma"),
        pytest.param("0x1", "CL011", id="hexadecimal"),
        pytest.param("\u0661", "CL011", id="Arabic digit"),
        pytest.param("\uff11", "CL011", id="fullwidth digit"),
        pytest.param("\u00b9", "CL011", id="superscript"),
        pytest.param("\U0001d7cf", "CL011", id="mathematical digit"),
        pytest.param("one", "CL011", id="word"),
        pytest.param("1" * 5_000, "CL011", id="5,000 digits"),
        pytest.param("", "CL001", id="empty"),
        pytest.param(" \n", "CL001", id="blank"),
    ],
)
def test_an_integer_is_ten_ascii_digits_at_most(
    shared: Neto, format: str, sent: str, code: str
) -> None:
    answer = shared.update(format, {"LogID": sent, "Notes": "lost"})

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", [code])
    assert len(answer.body) < 1_000


@pytest.mark.parametrize(
    ("literal", "code"),
    [
        ("9999999999", "CL002"),
        ("10000000000", "CL011"),
        ("18446744073709551616", "CL011"),
        ("0", "CL011"),
        ("-0", "CL011"),
        ("-1", "CL011"),
        ("1.0", "CL011"),
        ("1e0", "CL011"),
        ("1e3", "CL011"),
        ("1E400", "CL011"),
        pytest.param("1" * 5_000, "CL011", id="5,000 digits"),
        ("true", "CL016"),
        ("false", "CL016"),
        ("null", "CL001"),
        ('"1_0"', "CL011"),
        (r'"\u0661"', "CL011"),
        ("[1]", "CL016"),
        ("[]", "CL016"),
        ("{}", "CL016"),
        ('{"LogID": 1}', "CL016"),
    ],
)
def test_an_integer_in_json_is_an_integer_or_its_digits(
    shared: Neto, log_id: int, literal: str, code: str
) -> None:
    answer = update(shared, json_call(f'{{"LogID": {literal}, "Notes": "lost"}}'))

    assert (answer.status, answer.codes) == (200, [code])


# -- text --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "character",
    [
        pytest.param("x", id="x"),
        pytest.param("é", id="2 bytes"),
        pytest.param("\u20ac", id="3 bytes"),
        pytest.param("\U0001f600", id="4 bytes"),
        pytest.param("\u0301", id="combining"),
        pytest.param("\r", id="CR"),
        pytest.param("\r\n", id="CRLF"),
    ],
)
@pytest.mark.parametrize(
    ("action", "name", "limit"),
    [
        ("UpdateCustomerLog", "AllocatedTo", 100),
        ("UpdateCustomerLog", "FollowUpType", 50),
        ("UpdateCustomerLog", "CustomerName", 100),
        ("UpdateCustomerLog", "Notes", 65_535),
        ("AddCustomerLog", "AllocatedTo", 255),
        ("AddCustomerLog", "FollowUpType", 50),
        ("AddCustomerLog", "CustomerName", 100),
        ("AddCustomerLog", "Notes", 65_535),
    ],
)
def test_text_is_counted_in_code_points_and_a_crlf_as_one(
    shared: Neto, log_id: int, format: str, action: str, name: str, limit: int, character: str
) -> None:
    longest = "x" + character * (limit - 1)
    over = {"LogID": log_id, name: longest + "x"}

    fits = shared.call(
        format, action, {"CustomerLogs": {"CustomerLog": {"LogID": log_id, name: longest}}}
    )
    refused = shared.call(format, action, {"CustomerLogs": {"CustomerLog": over}})

    assert fits.ack == "Success"
    assert refused.codes == ["CL010"]
    description = refused.errors[0]["Description"]
    assert f"{name} is {limit + 1} characters long, and at most {limit} are allowed" in description
    kept = int(fits.log_ids[0]) if action == "AddCustomerLog" else log_id
    assert shared.log(kept)[name] == longest


def test_the_limit_of_notes_is_a_setting(serve: Callable[..., Any]) -> None:
    with serve(notes_limit=255) as neto:
        (log_id,) = neto.add({"Notes": "x" * 255})
        for format in FORMATS:
            assert neto.update(format, {"LogID": log_id, "Notes": "y" * 256}).codes == ["CL010"]
        assert neto.log(log_id)["Notes"] == "x" * 255


@pytest.mark.parametrize("sent_in", FORMATS)
@pytest.mark.parametrize("read_in", FORMATS)
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("  blanks around\t ", id="outer blanks"),
        pytest.param("\nlines\n\n", id="outer lines"),
        pytest.param("a\r\nb", id="CRLF"),
        pytest.param("a\rb\n\rc", id="CR"),
        pytest.param("a\tb", id="tab"),
        pytest.param("<b>&amp;</b> &lt; ]]> <![CDATA[x]]> <!-- -->", id="markup"),
        pytest.param("\"quotes\" 'and' \\n \\u0041", id="quotes"),
        pytest.param("e\u0301 \u00e9", id="not normalised"),
        pytest.param("a\u00a0\u2028\u2029\u0085b", id="other line ends"),
        pytest.param("a\x7f\x80\x9fb", id="DEL and C1"),
        pytest.param("a\ufeffb", id="BOM inside"),
        pytest.param("a\ufdd0\U0001fffe\U0010ffffb", id="noncharacters of XML"),
        pytest.param("\ud7ff\ue000\ufffd\U00010000", id="edges of XML"),
        pytest.param("\U0001f469\u200d\U0001f4bb \u202eabc", id="joiners"),
        pytest.param("0000-00-00", id="no date"),
        pytest.param("null", id="null"),
        pytest.param("=1+1; DROP TABLE site; -- %s {x}", id="code"),
    ],
)
def test_text_comes_back_exactly_as_it_was_sent(
    shared: Neto, log_id: int, sent_in: str, read_in: str, text: str
) -> None:
    sent = dict.fromkeys(TEXTS, text)

    answer = shared.update(sent_in, {"LogID": log_id} | sent)

    assert answer.ack == "Success"
    log = shared.log(log_id, read_in)
    assert {name: log[name] for name in TEXTS} == sent


@pytest.mark.parametrize(
    ("literal", "text"),
    [
        ("0", "0"),
        ("-5", "-5"),
        ("1.50", "1.50"),
        ("1e3", "1e3"),
        ("1E+400", "1E+400"),
        ("0.1", "0.1"),
        ("12345678901234567890", "12345678901234567890"),
        pytest.param("7" * 100, "7" * 100, id="100 digits"),
        pytest.param("7" * 5_000, "7" * 5_000, id="5,000 digits"),
        pytest.param("0." + "7" * 5_000, "0." + "7" * 5_000, id="5,000 places"),
        (r'"\u00e9\ud83d\ude00\/"', "é\U0001f600/"),
    ],
)
def test_a_json_number_is_taken_for_the_text_it_is_written_as(
    shared: Neto, log_id: int, literal: str, text: str
) -> None:
    answer = set_json(shared, log_id, "Notes", literal)

    assert (answer.status, answer.ack) == (200, "Success")
    assert shared.log(log_id)["Notes"] == text


@pytest.mark.parametrize("literal", ["true", "false", "[]", '["x"]', "{}", '{"a": "b"}'])
@pytest.mark.parametrize("name", ELEMENTS)
def test_what_is_no_plain_value_is_refused(
    shared: Neto, log_id: int, name: str, literal: str
) -> None:
    before = elements(shared.log(log_id))

    answer = set_json(shared, log_id, name, literal)

    assert answer.codes == ["CL016"]
    assert elements(shared.log(log_id)) == before


# -- absent, null, empty -----------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("empty", ["", " ", "\n", "\t \r\n"], ids=["empty", "blank", "LF", "more"])
@pytest.mark.parametrize("name", ELEMENTS)
def test_an_element_sent_empty_is_cleared_but_not_the_status(
    shared: Neto, log_id: int, format: str, name: str, empty: str
) -> None:
    before = elements(shared.log(log_id))

    answer = shared.update(format, {"LogID": log_id, name: empty, "Notes": empty})

    assert answer.ack == "Success"
    cleared = {"Notes": ""} | ({name: ""} if name != "Status" else {})
    assert elements(shared.log(log_id)) == before | cleared


@pytest.mark.parametrize("empty", ["0000-00-00", "0000-00-00 00:00:00", " 0000-00-00 "])
@pytest.mark.parametrize("format", FORMATS)
def test_the_date_of_noughts_clears_a_date(
    shared: Neto, log_id: int, format: str, empty: str
) -> None:
    change = {"LastContacted": empty, "DateRequiredFollowUp": empty}

    answer = shared.update(format, {"LogID": log_id} | change)

    assert answer.ack == "Success"
    log = shared.log(log_id)
    assert (log["LastContacted"], log["DateRequiredFollowUp"]) == ("", "")


@pytest.mark.parametrize("name", ELEMENTS)
def test_null_leaves_an_element_as_it_is(shared: Neto, log_id: int, name: str) -> None:
    before = elements(shared.log(log_id))
    other = "Notes" if name != "Notes" else "CustomerName"

    answer = shared.update("json", {"LogID": log_id, name: None, other: "new"})

    assert answer.ack == "Success"
    assert elements(shared.log(log_id)) == before | {other: "new"}


@pytest.mark.parametrize(
    "written", ["<Notes/>", "<Notes></Notes>", "<Notes> <!-- none --> </Notes>"]
)
def test_an_empty_xml_element_clears(shared: Neto, log_id: int, written: str) -> None:
    item = f"<CustomerLog><LogID>{log_id}</LogID>{written}</CustomerLog>"

    assert update(shared, xml_call(item)).ack == "Success"
    assert shared.log(log_id)["Notes"] == ""


# -- DateTime ----------------------------------------------------------------------------------

INSTANTS = [
    ("2026-11-23 07:30:00", "2026-11-23 07:30:00"),
    (" 2026-11-23 07:30:00\n", "2026-11-23 07:30:00"),
    ("2026-11-23 07:30:00(UTC)", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00Z", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00.0", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00.9", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00.000Z", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00.9999999Z", "2026-11-23 07:30:00"),
    ("2026-11-23T18:04:05.1234567+11:00", "2026-11-23 07:04:05"),
    ("2026-11-23T07:30:00+11:00", "2026-11-22 20:30:00"),
    ("2026-11-23T07:30:00+1100", "2026-11-22 20:30:00"),
    ("2026-11-23T07:30:00-09:30", "2026-11-23 17:00:00"),
    ("2026-11-23T07:30:00-0930", "2026-11-23 17:00:00"),
    ("2026-11-23T07:30:00+00:00", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00-00:00", "2026-11-23 07:30:00"),
    ("2026-11-23T07:30:00+14:00", "2026-11-22 17:30:00"),
    ("2026-11-23T07:30:00+23:59", "2026-11-22 07:31:00"),
    ("2024-02-29 12:00:00", "2024-02-29 12:00:00"),
    ("2000-02-29 12:00:00", "2000-02-29 12:00:00"),
    ("2026-11-23 23:59:59", "2026-11-23 23:59:59"),
    ("1969-12-31 23:59:59", "1969-12-31 23:59:59"),
    ("2038-01-19 03:14:08", "2038-01-19 03:14:08"),
    ("1000-01-01 00:00:01", "1000-01-01 00:00:01"),
    ("0999-12-31T23:59:59-00:01", "1000-01-01 00:00:59"),
    ("9999-12-31 23:59:59", "9999-12-31 23:59:59"),
    ("9999-12-31T23:59:59+00:01", "9999-12-31 23:58:59"),
]
MIDNIGHTS_OF_A_ZONE = [
    "2026-12-01 00:00:00(UTC)",
    "2026-12-01T00:00:00Z",
    "2026-12-01T00:00:00.9Z",
    "2026-12-01T00:00:00+00:00",
    "2026-12-01T11:00:00+11:00",
    "2026-11-30T19:00:00-0500",
]
DAYS = [
    "2026-12-01",
    " 2026-12-01 ",
    "2026-12-01 00:00:00",
    "2026-12-01T00:00:00",
    "2026-12-01T00:00:00.0000000",
]
NO_DATES = [
    "2026-11-23 07:30",
    "2026-11-23 7:30:00",
    "2026-11-23T07:30Z",
    "2026-11-23T07:30:00+11",
    "2026-11-23T07:30:00+1:00",
    "2026-11-23T07:30:00 +11:00",
    "2026-11-23 07:30:00+11:00",
    "2026-11-23 07:30:00Z",
    "2026-11-23T07:30:00(UTC)",
    "2026-11-23 07:30:00(AEST)",
    "2026-11-23(UTC)",
    "2026-11-23Z",
    "2026-11-23T07:30:00.12345678Z",
    "2026-11-23 07:30:00.5",
    "2026-11-23T",
    "2026-11",
    "2026",
    "20261123",
    "20261123T073000Z",
    "2026-1-2",
    "26-11-23",
    "12026-11-23",
    "-2026-11-23",
    "2026/11/23",
    "23-11-2026",
    "24/11/2026",
    "11/23/2026 07:30:00",
    "2026-W47-1",
    "2026-327",
    "Mon, 23 Nov 2026 07:30:00 GMT",
    "1795419000",
    "yesterday",
    "now",
    "(UTC)",
    "\u0662\u0660\u0662\u0666-11-23",
    "\uff12\uff10\uff12\uff16-11-23",
    "2026-11-23 07:30:00 2026-11-23 07:30:00",
]
NO_SUCH_MOMENTS = [
    "2026-02-29",
    "2100-02-29",
    "2026-04-31",
    "2026-11-00",
    "2026-00-23",
    "2026-13-01",
    "2026-11-32",
    "2026-11-23 24:00:00",
    "2026-11-23 23:60:00",
    "2026-11-23 23:59:60",
    "2026-11-23T07:30:00+24:00",
    "2026-11-23T07:30:00+11:60",
    "0999-12-31",
    "0999-12-31 23:59:59",
    "1000-01-01T00:00:00+00:01",
    "1000-01-01T00:00:59+00:01",
    "0001-01-01T00:00:00+01:00",
    "0000-01-01",
    "0000-00-00 00:00:01",
    "0000-00-00T00:00:00",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T13:00:00-11:00",
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        *INSTANTS,
        *((sent, "2026-12-01 00:00:00") for sent in (*MIDNIGHTS_OF_A_ZONE, *DAYS)),
        ("1000-01-01", "1000-01-01 00:00:00"),
        ("1000-01-01T00:00:00.9", "1000-01-01 00:00:00"),
        ("9999-12-31", "9999-12-31 00:00:00"),
    ],
)
def test_a_date_and_time_is_kept_in_utc_to_the_second(
    shared: Neto, log_id: int, format: str, sent: str, stored: str
) -> None:
    assert shared.update(format, {"LogID": log_id, "LastContacted": sent}).ack == "Success"
    assert shared.log(log_id, format)["LastContacted"] == stored


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("sent", "written"),
    [
        *INSTANTS,
        *((sent, "2026-12-01 00:00:00(UTC)") for sent in MIDNIGHTS_OF_A_ZONE),
        *((sent, "2026-12-01") for sent in DAYS),
        ("2026-12-01 00:00:01", "2026-12-01 00:00:01"),
        ("2026-11-30 23:59:59", "2026-11-30 23:59:59"),
        ("2026-12-01T00:00:00+11:00", "2026-11-30 13:00:00"),
        ("1000-01-01", "1000-01-01"),
        ("1000-01-01 00:00:00(UTC)", "1000-01-01 00:00:00(UTC)"),
        ("9999-12-31", "9999-12-31"),
        ("9999-12-31T00:00:00Z", "9999-12-31 00:00:00(UTC)"),
    ],
)
def test_a_follow_up_is_a_day_or_an_instant_and_says_which(
    shared: Neto, log_id: int, format: str, sent: str, written: str
) -> None:
    assert shared.update(format, {"LogID": log_id, "DateRequiredFollowUp": sent}).ack == "Success"
    log = shared.log(log_id, format)
    assert log["DateRequiredFollowUp"] == written

    again = shared.update(format, {"LogID": log_id, "DateRequiredFollowUp": written})

    assert again.ack == "Success"
    assert shared.log(log_id)["Revision"] == log["Revision"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["LastContacted", "DateRequiredFollowUp"])
@pytest.mark.parametrize("sent", [*NO_DATES, *NO_SUCH_MOMENTS])
def test_what_is_no_date_is_refused(
    shared: Neto, log_id: int, format: str, name: str, sent: str
) -> None:
    answer = shared.update(format, {"LogID": log_id, name: sent})

    assert (answer.status, answer.codes) == (200, ["CL013"])
    (error,) = answer.errors
    assert error["Message"] == f"{name} '{sent}' is not a date"
    wrong = "exist" if sent in NO_SUCH_MOMENTS else "must be written"
    assert wrong in error["Description"]
    assert shared.log(log_id)["Revision"] == "1"


@pytest.mark.parametrize("literal", ["20261123", "2026", "0", "1.5"])
def test_a_number_is_no_date(shared: Neto, log_id: int, literal: str) -> None:
    assert set_json(shared, log_id, "LastContacted", literal).codes == ["CL013"]


def test_a_day_and_the_instant_it_starts_at_are_different_values(shared: Neto, log_id: int) -> None:
    for revision, sent in enumerate(("2026-12-01", "2026-12-01T00:00:00Z", "2026-12-01"), 2):
        shared.update("json", {"LogID": log_id, "DateRequiredFollowUp": sent})

        assert shared.log(log_id)["Revision"] == str(revision)


# -- Status ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ("Require Recontact", "Require Recontact"),
        ("REQUIRE RECONTACT", "Require Recontact"),
        ("recontacting", "Recontacting"),
        ("  Completed\n", "Completed"),
        ("cOmPlEtEd", "Completed"),
        ("", "Recontacting"),
        (" ", "Recontacting"),
    ],
)
def test_a_status_is_read_without_regard_to_case_and_blanks(
    shared: Neto, log_id: int, format: str, sent: str, stored: str
) -> None:
    assert shared.update(format, {"LogID": log_id, "Status": sent, "Notes": "n"}).ack == "Success"
    assert shared.log(log_id, format)["Status"] == stored


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "sent",
    [
        "Complete",
        "Completed.",
        "RequireRecontact",
        "Require  Recontact",
        "Require_Recontact",
        "None",
        "0",
        "Recontacting, Completed",
        pytest.param("\uff23ompleted", id="fullwidth"),
    ],
)
def test_a_status_outside_the_list_is_refused(
    shared: Neto, log_id: int, format: str, sent: str
) -> None:
    answer = shared.update(format, {"LogID": log_id, "Status": sent, "Notes": "lost"})

    assert answer.codes == ["CL012"]
    assert answer.errors == [
        {
            "Message": f"Status '{sent}' does not exist",
            "SeverityCode": "Error",
            "Description": f"Item 1 (LogID {log_id}): Status must be one of Require Recontact, "
            f"Recontacting, Completed; got '{sent}'. [CL012]",
        }
    ]
    assert shared.log(log_id)["Notes"] == "before"


# -- characters that XML cannot carry ----------------------------------------------------------

NOT_IN_XML = [
    r"\u0000",
    r"\u0001",
    r"\b",
    r"\u000b",
    r"\f",
    r"\u001b",
    r"\u001c",
    r"\u001f",
    r"\ud800",
    r"\udbff",
    r"\udc00",
    r"\udfff",
    r"\udc00\ud800",
    r"\ufffe",
    r"\uffff",
]


@pytest.mark.parametrize("around", ["{}", "a{}b", " {} "])
@pytest.mark.parametrize("character", NOT_IN_XML)
def test_text_that_xml_cannot_carry_is_refused_in_json_too(
    shared: Neto, log_id: int, character: str, around: str
) -> None:
    before = elements(shared.log(log_id))
    literal = f'"{around.format(character)}"'

    for name in TEXTS:
        answer = set_json(shared, log_id, name, literal)

        assert (answer.status, answer.codes) == (200, ["CL014"])
        first = json.loads(literal).strip(" a")[0]
        assert f"{name} has the character U+{ord(first):04X}" in answer.errors[0]["Description"]
    assert elements(shared.log(log_id)) == before


@pytest.mark.parametrize("name", ["LogID", "LastContacted", "DateRequiredFollowUp", "Status"])
@pytest.mark.parametrize("character", [r"\u0000", r"\u001f", r"\ud800", r"\uffff"])
@pytest.mark.parametrize("valid_beside_it", [False, True])
def test_no_other_type_takes_such_a_character_for_a_blank(
    shared: Neto, log_id: int, name: str, character: str, valid_beside_it: bool
) -> None:
    before = elements(shared.log(log_id))
    valid = {"LogID": str(log_id), "Status": "Completed"}.get(name, "2026-11-20")
    literal = f'"{valid if valid_beside_it else ""}{character}"'
    item = f'{{"LogID": "{log_id}", "{name}": {literal}, "Notes": "lost"}}'

    answer = update(shared, json_call(item))

    assert (answer.status, answer.ack, len(answer.errors)) == (200, "Error", 1)
    assert elements(shared.log(log_id)) == before


@pytest.mark.parametrize(
    "reference", ["&#0;", "&#8;", "&#x1F;", "&#xD800;", "&#xFFFE;", "&#xFFFF;", "&#x110000;"]
)
def test_an_xml_reference_to_such_a_character_is_no_xml(shared: Neto, reference: str) -> None:
    item = f"<CustomerLog><LogID>1</LogID><Notes>{reference}</Notes></CustomerLog>"

    answer = update(shared, xml_call(item))

    assert (answer.status, answer.codes) == (400, ["RC011"])


@pytest.mark.parametrize(
    "character", [r"\u0009", r"\n", r"\r", r"\u007f", r"\u0085", r"\ud83d\ude00"]
)
def test_their_neighbours_are_taken(shared: Neto, log_id: int, character: str) -> None:
    literal = f'"a{character}b"'

    assert set_json(shared, log_id, "Notes", literal).ack == "Success"
    assert shared.log(log_id, "xml")["Notes"] == json.loads(literal)


# -- unknown and doubled elements --------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("item", "passed_over"),
    [
        ({"Username": "bob"}, "Username"),
        ({"notes": "x", "NOTES": "y"}, "notes, NOTES"),
        ({"DateAdded": "x", "CustomerLog": "y"}, "DateAdded, CustomerLog"),
        ({"Customer": {"Username": "bob", "Notes": "lost"}}, "Customer"),
        ({"Schlüssel": "x"}, r"Schl\xfcssel"),
        ({"x" * 81: "x"}, "x" * 79 + r"\u2026"),
        (
            {f"Field{n}": "x" for n in range(23)},
            ", ".join(f"Field{n}" for n in range(20)) + ", and 3 more",
        ),
    ],
    ids=["Username", "case", "not its own", "object", "no ASCII", "long", "many"],
)
def test_an_unknown_element_is_passed_over_and_named(
    shared: Neto, log_id: int, format: str, item: dict[str, Any], passed_over: str
) -> None:
    answer = shared.update(format, {"LogID": log_id, "Notes": "new"} | item)

    assert answer.ack == "Success"
    assert answer.headers["Recontact-Passed-Over"] == passed_over
    assert shared.log(log_id)["Notes"] == "new"


@pytest.mark.parametrize("format", FORMATS)
def test_unknown_elements_around_the_items_are_named_too(
    shared: Neto, log_id: int, format: str
) -> None:
    tree = {
        "Credentials": {"Key": "x"},
        "CustomerLogs": {"Count": "1", "CustomerLog": {"LogID": log_id, "Notes": "new"}},
    }

    answer = shared.call(format, "UpdateCustomerLog", tree)

    assert answer.ack == "Success"
    assert set(answer.headers["Recontact-Passed-Over"].split(", ")) == {"Credentials", "Count"}


@pytest.mark.parametrize(
    ("elements", "acknowledged"),
    [
        ('"Status": ""', "Success"),
        ('"Notes": null', "Success"),
        ('"Notes": "before"', "Success"),
        ('"Status": "", "Colour": "red"', "Success"),
        ('"Colour": "red"', "Warning"),
        ('"Colour": null', "Warning"),
        ('"notes": "x", "Username": "bob"', "Warning"),
    ],
)
def test_only_an_item_of_unknown_elements_is_warned_of(
    shared: Neto, log_id: int, elements: str, acknowledged: str
) -> None:
    answer = update(shared, json_call(f'{{"LogID": {log_id}, {elements}}}'))

    assert (answer.ack, answer.errors) == (acknowledged, [])
    assert shared.log(log_id)["Revision"] == "1"


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_named_when_all_elements_are_known(
    shared: Neto, log_id: int, format: str
) -> None:
    answer = shared.update(format, {"LogID": log_id, "Notes": "new", "Revision": 1})

    assert "Recontact-Passed-Over" not in answer.headers


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (r"\ud800", r"\ud800"),
        (r"\u0000", r"\u0000"),
        (r"a\r\nSet-Cookie: x", r"a\u000d\u000aSet-Cookie: x"),
        (r"\uffff\u202e", r"\uffff\u202e"),
        ("", ""),
    ],
)
def test_a_name_of_any_characters_is_passed_over(
    shared: Neto, log_id: int, name: str, shown: str
) -> None:
    answer = update(shared, json_call(f'{{"LogID": {log_id}, "Notes": "new", "{name}": 1}}'))

    assert (answer.status, answer.ack) == (200, "Success")
    assert answer.headers["Recontact-Passed-Over"] == shown
    assert shared.log(log_id)["Notes"] == "new"


@pytest.mark.parametrize("action", ["AddCustomerLog", "UpdateCustomerLog", "GetCustomerLog"])
def test_no_name_of_one_call_harms_another_call(shared: Neto, log_id: int, action: str) -> None:
    body = rb'{"\ud800": 1, "Filter": {"LogID": "1", "OutputSelector": ["\udfff", "LogID"]}}'

    statuses = []
    for revision in range(3):
        statuses.append(shared.post(action, body).status)
        note = f"{action} {revision}"
        statuses.append(shared.update("json", {"LogID": log_id, "Notes": note}).status)

    assert statuses == [200] * 6


@pytest.mark.parametrize(
    ("doubled", "codes"),
    [
        ("<Notes>a</Notes><Notes>b</Notes>", ["CL015"]),
        ("<Notes>a</Notes><AllocatedTo>x</AllocatedTo><Notes>a</Notes>", ["CL015"]),
        ("<Notes/><Notes/>", ["CL015"]),
        ("<Status/><Status>Completed</Status>", ["CL015"]),
        ("<LogID>1</LogID>", ["CL015"]),
        ("<Revision>1</Revision><Revision>1</Revision>", ["CL015"]),
        ("<LastContacted/><LastContacted/><Notes/><Notes/><Notes/>", ["CL015", "CL015"]),
    ],
    ids=["twice", "apart", "empty", "status", "LogID", "Revision", "two elements"],
)
def test_a_doubled_xml_element_is_an_error_of_its_item(
    shared: Neto, log_id: int, doubled: str, codes: list[str]
) -> None:
    (other,) = shared.add({})
    bad = f"<CustomerLog><LogID>{log_id}</LogID>{doubled}</CustomerLog>"
    good = f"<CustomerLog><LogID>{other}</LogID><Notes>new</Notes></CustomerLog>"

    answer = update(shared, xml_call(bad + good))

    assert answer.codes == codes
    assert shared.log(log_id)["Revision"] == "1"
    assert shared.log(other)["Notes"] == "new"


def test_a_doubled_unknown_xml_element_is_passed_over(shared: Neto, log_id: int) -> None:
    item = f"<CustomerLog><LogID>{log_id}</LogID><X/><X/><Notes>new</Notes></CustomerLog>"

    answer = update(shared, xml_call(item))

    assert (answer.ack, answer.headers["Recontact-Passed-Over"]) == ("Success", "X")


@pytest.mark.parametrize(
    "item",
    [
        '"LogID": {}, "Notes": "first", "Notes": "last"',
        '"LogID": 999999, "Notes": "last", "LogID": {}',
        '"LogID": {}, "Notes": ["x"], "Notes": "last"',
        '"LogID": {}, "Status": "none such", "Status": "Completed", "Notes": "last"',
    ],
    ids=["Notes", "LogID", "list first", "wrong first"],
)
def test_of_a_doubled_json_name_the_last_counts(shared: Neto, log_id: int, item: str) -> None:
    answer = update(shared, json_call("{" + item.replace("{}", str(log_id)) + "}"))

    assert answer.ack == "Success"
    assert shared.log(log_id)["Notes"] == "last"


def test_of_a_doubled_json_wrapper_the_last_counts(shared: Neto, log_id: int) -> None:
    first = '"CustomerLogs": {"CustomerLog": {"LogID": 999999}}'
    last = f'"CustomerLogs": {{"CustomerLog": {{"LogID": {log_id}, "Notes": "last"}}}}'

    assert update(shared, f"{{{first}, {last}}}".encode()).ack == "Success"
    assert shared.log(log_id)["Notes"] == "last"


# -- wrappers, lists, items --------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ("customerlogs", "customerlog"),
        ("CUSTOMERLOGS", "CUSTOMERLOG"),
        ("customerLogs", "CustomerLog"),
        ("CustomerLogs", "customerLog"),
    ],
)
def test_wrappers_are_matched_without_regard_to_case(
    shared: Neto, log_id: int, format: str, outer: str, inner: str
) -> None:
    tree = {outer: {inner: [{"LogID": log_id, "Notes": "new"}]}}

    answer = shared.call(format, "UpdateCustomerLog", tree)

    assert answer.ack == "Success"
    assert "Recontact-Passed-Over" not in answer.headers
    assert shared.log(log_id)["Notes"] == "new"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["logid", "LogId", "LOGID", "Log_ID"])
def test_elements_are_matched_letter_by_letter(shared: Neto, format: str, name: str) -> None:
    answer = shared.update(format, {name: 1, "Notes": "lost"})

    assert answer.codes == ["CL001"]
    assert answer.headers["Recontact-Passed-Over"] == name


ONE = {"LogID": 1_000_001}
TWO = {"LogID": 1_000_002}


@pytest.mark.parametrize(
    ("tree", "items"),
    [
        pytest.param({"CustomerLogs": {"CustomerLog": [ONE, TWO]}}, 2, id="list"),
        pytest.param({"CustomerLogs": {"CustomerLog": [ONE]}}, 1, id="list of one"),
        pytest.param({"CustomerLogs": {"CustomerLog": ONE}}, 1, id="object"),
        pytest.param({"CustomerLogs": [ONE, TWO]}, 2, id="outer list"),
        pytest.param({"CustomerLogs": [{"CustomerLog": ONE}]}, 1, id="outer, object"),
        pytest.param({"CustomerLogs": [{"CustomerLog": [ONE, TWO]}]}, 2, id="outer, list"),
        pytest.param({"CustomerLogs": [{"CustomerLog": ONE}, TWO]}, 2, id="outer, either"),
        pytest.param({"CustomerLogs": [ONE, {"customerlog": [TWO]}]}, 2, id="outer, case"),
    ],
)
def test_wherever_a_list_is_documented_one_object_is_taken_too(
    shared: Neto, tree: Any, items: int
) -> None:
    answer = shared.call("json", "UpdateCustomerLog", tree)

    assert answer.codes == ["CL002"] * items
    positions = [error["Description"].split(" (")[0] for error in answer.errors]
    assert positions == [f"Item {n}" for n in range(1, items + 1)]


@pytest.mark.parametrize(
    "body",
    [
        "<CustomerLogs>{one}{two}</CustomerLogs>",
        "<CustomerLogs>{one}</CustomerLogs><CustomerLogs>{two}</CustomerLogs>",
        "<CustomerLogs>\n {one} and some text <!-- a note --> {two}\n</CustomerLogs>",
        "<CustomerLogs>{one}<Other/>{two}</CustomerLogs>",
    ],
    ids=["one wrapper", "two wrappers", "text between", "element between"],
)
def test_xml_items_are_taken_wherever_they_stand(shared: Neto, body: str) -> None:
    one, two = (f"<CustomerLog><LogID>{item['LogID']}</LogID></CustomerLog>" for item in (ONE, TWO))
    inside = body.format(one=one, two=two)

    answer = update(shared, f"<UpdateCustomerLog>{inside}</UpdateCustomerLog>".encode())

    assert [error["Message"] for error in answer.errors] == [
        "Cannot find CustomerLog 1000001",
        "Cannot find CustomerLog 1000002",
    ]


@pytest.mark.parametrize(
    ("body", "bad"),
    [
        pytest.param(json_call('[3, "x", true, null, [], [ONE], 1.5, ONE]'), 7, id="in the list"),
        pytest.param(b'{"CustomerLogs": [3, "x", true, null, 1.5, ONE]}', 5, id="in the outer one"),
        pytest.param(json_call("3"), 1, id="in its place"),
        pytest.param(json_call('"x"'), 1, id="text in its place"),
        pytest.param(b'{"CustomerLogs": 3}', 1, id="in the wrapper's place"),
        pytest.param(xml_call("<CustomerLog>3</CustomerLog>"), 1, id="XML text"),
        pytest.param(
            xml_call("<CustomerLog>3</CustomerLog><CustomerLog>4</CustomerLog>"), 2, id="XML texts"
        ),
    ],
)
def test_an_item_that_is_no_object_is_an_error_of_that_item(
    shared: Neto, log_id: int, body: bytes, bad: int
) -> None:
    good = b"ONE" in body
    one = f'{{"LogID": {log_id}, "Notes": "new"}}'.encode()

    answer = update(shared, body.replace(b"ONE", one))

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", ["CL005"] * bad)
    positions = [error["Description"].split(":")[0] for error in answer.errors]
    assert positions == [f"Item {n}" for n in range(1, bad + 1)]
    assert shared.log(log_id)["Notes"] == ("new" if good else "before")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"CustomerLogs": null}',
        b'{"CustomerLogs": ""}',
        b'{"CustomerLogs": []}',
        b'{"CustomerLogs": {}}',
        json_call("null"),
        json_call("[]"),
        b'{"Other": {"LogID": 1}}',
        b"<UpdateCustomerLog/>",
        b"<UpdateCustomerLog> </UpdateCustomerLog>",
        xml_call(""),
        xml_call(" \n "),
        b"",
        b" \r\n\t",
        b"\xef\xbb\xbf",
    ],
)
def test_a_call_without_items_is_an_error(shared: Neto, body: bytes) -> None:
    assert update(shared, body).codes == ["CL020"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_item_lacks_its_log_id(shared: Neto, format: str) -> None:
    tree = {"CustomerLogs": {"CustomerLog": [{}, {}]}}

    answer = shared.call(format, "UpdateCustomerLog", tree)

    assert answer.codes == ["CL001", "CL001"]


# -- XML ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "text"),
    [
        pytest.param("a<!-- x -->b", "ab", id="comment"),
        pytest.param("<!-- x -->ab", "ab", id="comment first"),
        pytest.param("a<?php x ?>b", "ab", id="instruction"),
        pytest.param("a<![CDATA[<b> & ]]>c", "a<b> & c", id="CDATA"),
        pytest.param("<![CDATA[a]]><![CDATA[b]]>", "ab", id="two CDATA"),
        pytest.param("<![CDATA[]]>", "", id="empty CDATA"),
        pytest.param("&lt;&gt;&amp;&quot;&apos;", "<>&\"'", id="five entities"),
        pytest.param("&#97;&#x62;&#x1F600;&#13;&#10;", "ab\U0001f600\r\n", id="references"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line ends"),
    ],
)
def test_xml_text_is_read_as_xml_says(shared: Neto, log_id: int, written: str, text: str) -> None:
    item = f"<CustomerLog><LogID>{log_id}</LogID><Notes>{written}</Notes></CustomerLog>"

    assert update(shared, xml_call(item)).ack == "Success"
    assert shared.log(log_id)["Notes"] == text


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            '<UpdateCustomerLog xmlns="urn:x"><CustomerLogs><CustomerLog>'
            "<LogID>{}</LogID><Notes>new</Notes></CustomerLog></CustomerLogs></UpdateCustomerLog>",
            id="default",
        ),
        pytest.param(
            '<a:UpdateCustomerLog xmlns:a="urn:x"><a:CustomerLogs><a:CustomerLog>'
            '<b:LogID xmlns:b="urn:y">{}</b:LogID><a:Notes>new</a:Notes></a:CustomerLog>'
            "</a:CustomerLogs></a:UpdateCustomerLog>",
            id="prefixes",
        ),
        pytest.param(
            '<UpdateCustomerLog version="1"><CustomerLogs type="array"><CustomerLog LogID="7">'
            '<LogID id="8">{}</LogID><Notes xml:space="preserve" Notes="x">new</Notes>'
            "</CustomerLog></CustomerLogs></UpdateCustomerLog>",
            id="attributes",
        ),
    ],
)
def test_namespaces_and_attributes_are_ignored(shared: Neto, log_id: int, body: str) -> None:
    answer = update(shared, body.format(log_id).encode())

    assert answer.ack == "Success"
    assert shared.log(log_id)["Notes"] == "new"


XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


@pytest.mark.parametrize(
    ("attribute", "kept"),
    [
        ('xsi:nil="true"', True),
        ('xsi:nil="1"', True),
        ('xsi:nil="false"', False),
        ('nil="true"', False),
        ("", False),
    ],
)
@pytest.mark.parametrize("name", TEXTS)
def test_a_nil_element_is_left_as_it_is_like_a_json_null(
    shared: Neto, log_id: int, name: str, attribute: str, kept: bool
) -> None:
    before = shared.log(log_id)[name]
    nil = f"<{name} {XSI} {attribute}/><Status>Completed</Status>"
    item = f"<CustomerLog><LogID>{log_id}</LogID>{nil}</CustomerLog>"

    assert update(shared, xml_call(item)).ack == "Success"
    log = shared.log(log_id)
    assert (log[name], log["Status"]) == (before if kept else "", "Completed")


def test_one_name_in_two_namespaces_is_doubled(shared: Neto, log_id: int) -> None:
    item = (
        f"<CustomerLog><LogID>{log_id}</LogID><Notes>a</Notes>"
        '<x:Notes xmlns:x="urn:x">b</x:Notes></CustomerLog>'
    )

    assert update(shared, xml_call(item)).codes == ["CL015"]


@pytest.mark.parametrize("name", ELEMENTS)
def test_elements_in_place_of_a_value_are_refused(shared: Neto, log_id: int, name: str) -> None:
    item = f"<CustomerLog><LogID>{log_id}</LogID><{name}>a<b>c</b></{name}></CustomerLog>"

    assert update(shared, xml_call(item)).codes == ["CL016"]
    assert shared.log(log_id)["Revision"] == "1"


# -- JSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "literal",
    [
        "NaN",
        "Infinity",
        "-Infinity",
        "01",
        "-01",
        "+1",
        ".5",
        "1.",
        "1.e3",
        "1e",
        "-",
        "0x10",
        "1_0",
        "'x'",
        "x",
        "None",
        "True",
        "undefined",
        "[1,]",
        '{"a":1,}',
        "[1 2]",
        r'"\x41"',
        r'"\u00g0"',
        r'"\u12"',
        '"x',
        "1 // c",
        "/* c */ 1",
        "tru",
        '{"a" 1}',
        "{1: 2}",
        "{null: 2}",
        pytest.param('"a\nb"', id="raw LF"),
        pytest.param('"a\tb"', id="raw tab"),
        pytest.param('"\0"', id="raw NUL"),
        pytest.param("\u0661", id="Arabic digit"),
        pytest.param('"\ud800"', id="raw surrogate"),
    ],
)
def test_what_rfc_8259_does_not_allow_is_no_json(shared: Neto, log_id: int, literal: str) -> None:
    answer = set_json(shared, log_id, "Notes", literal)

    assert (answer.status, answer.codes) == (400, ["RC010"])
    assert answer.errors[0]["Message"] == "JSON Error"
    assert shared.log(log_id)["Notes"] == "before"


@pytest.mark.parametrize("tail", ["}", "{}", ",", "x", "null", "\x00", "\x0b", "\xa0", "//"])
def test_nothing_may_follow_the_json_object(shared: Neto, log_id: int, tail: str) -> None:
    body = json_call(f'{{"LogID": {log_id}, "Notes": "lost"}}')

    assert update(shared, body + b" \r\n\t").ack == "Success"
    assert update(shared, body + tail.encode()).codes == ["RC010"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
@pytest.mark.parametrize("format", FORMATS)
def test_a_body_cut_short_is_refused(shared: Neto, log_id: int, format: str, cut: int) -> None:
    tree = {"CustomerLogs": {"CustomerLog": {"LogID": log_id, "Notes": "lost"}}}
    body = json.dumps(tree).encode() if format == "json" else to_xml("UpdateCustomerLog", tree)

    answer = update(shared, body[:-cut])

    code = "RC010" if format == "json" else "RC011"
    assert (answer.status, answer.codes) == (400, [code])
    assert shared.log(log_id)["Notes"] == "before"


def test_a_json_error_says_where(shared: Neto) -> None:
    answer = update(shared, b'{"CustomerLogs":\n  {"CustomerLog": [oops]}}')

    assert "line 2, column 20" in answer.errors[0]["Description"]


def test_an_xml_error_says_where(shared: Neto) -> None:
    answer = update(shared, b"<UpdateCustomerLog>\n  <CustomerLogs>\n</UpdateCustomerLog>")

    assert "line 3" in answer.errors[0]["Description"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_long_wrong_value_is_quoted_shortly_and_on_one_line(
    shared: Neto, log_id: int, format: str
) -> None:
    sent = "<&'\"\n\u202e" + "é" * 1_000

    answer = shared.update(format, {"LogID": log_id, "Status": sent, "LastContacted": sent})

    assert sorted(answer.codes) == ["CL012", "CL013"]
    for error in answer.errors:
        quoted = "'<&'\"\\u000a\\u202e" + "é" * 73 + "…'"
        assert quoted in error["Message"]
        assert quoted in error["Description"]
