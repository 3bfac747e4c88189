"""UpdateCustomerLog, through HTTP, in both formats."""

from typing import Any

import pytest
from conftest import FORMATS, Neto

FULL = {
    "AllocatedTo": "ana",
    "FollowUpType": "Phone",
    "CustomerName": "Bob Stone",
    "LastContacted": "2026-11-20 10:30:00",
    "DateRequiredFollowUp": "2026-11-24",
    "Status": "Recontacting",
    "Notes": "asked for a quote",
}


@pytest.fixture
def log_id(neto: Neto) -> int:
    return neto.add(FULL)[0]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("element", "sent", "read_back"),
    [
        ("AllocatedTo", "Bea", "Bea"),
        ("AllocatedTo", "x" * 100, "x" * 100),
        ("FollowUpType", "é" * 50, "é" * 50),
        ("CustomerName", "\U0001f600" * 100, "\U0001f600" * 100),
        ("LastContacted", "2026-11-23T07:30:00+11:00", "2026-11-22 20:30:00"),
        ("DateRequiredFollowUp", "2026-12-01", "2026-12-01"),
        ("DateRequiredFollowUp", "2026-12-01 08:15:00", "2026-12-01 08:15:00"),
        ("Status", "completed", "Completed"),
        ("Notes", 'two\nlines\tand <b> & "quotes"', 'two\nlines\tand <b> & "quotes"'),
    ],
)
def test_an_element_that_is_sent_is_set_and_the_others_stay(
    neto: Neto, log_id: int, format: str, element: str, sent: str, read_back: str
) -> None:
    before = neto.log(log_id)

    answer = neto.update(format, {"LogID": log_id, element: sent})

    assert (answer.status, answer.ack, answer.errors, answer.warnings) == (200, "Success", [], [])
    after = neto.log(log_id, format)
    assert after[element] == read_back
    dates = ("Date", "Last") if element.startswith(("Date", "Last")) else ("DateUpdated",)
    assert {k: v for k, v in after.items() if not k.startswith((element, *dates, "Revision"))} == {
        k: v for k, v in before.items() if not k.startswith((element, *dates, "Revision"))
    }


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"Status": "Done"}, "CL012", id="status outside the list"),
        pytest.param({"AllocatedTo": "x" * 101}, "CL010", id="AllocatedTo one too long"),
        pytest.param({"FollowUpType": "x" * 51}, "CL010", id="FollowUpType one too long"),
        pytest.param({"CustomerName": "x" * 101}, "CL010", id="CustomerName one too long"),
        pytest.param({"Notes": "x" * 65_536}, "CL010", id="Notes one too long"),
        pytest.param({"LastContacted": "yesterday"}, "CL013", id="not a date"),
        pytest.param({"LastContacted": "2026-02-29"}, "CL013", id="a day that does not exist"),
        pytest.param({"DateRequiredFollowUp": "24/11/2026"}, "CL013", id="another order"),
        pytest.param({"Revision": "2"}, "CL004", id="another revision"),
        pytest.param({"Revision": "x"}, "CL011", id="no revision"),
        pytest.param({"Notes": {"b": "bold"}}, "CL016", id="elements in place of text"),
    ],
)
def test_a_refused_item_says_why_and_changes_nothing(
    neto: Neto, log_id: int, format: str, change: dict[str, Any], code: str
) -> None:
    before = neto.log(log_id)

    answer = neto.update(format, {"LogID": log_id, "CustomerName": "Other"} | change)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", [code])
    (error,) = answer.errors
    (element,) = change
    assert element in error["Description"] or code == "CL004"
    assert f"Item 1 (LogID {log_id})" in error["Description"]
    assert neto.log(log_id) == before


@pytest.mark.parametrize("format", FORMATS)
def test_each_item_stands_alone(neto: Neto, format: str) -> None:
    one, two, three = neto.add(FULL, FULL, FULL)

    answer = neto.update(
        format,
        {"LogID": one, "Status": "Completed"},
        {"LogID": two, "Status": "Done"},
        {"LogID": 99, "Status": "Completed"},
        {"Status": "Completed"},
        {"LogID": three, "Status": "Completed"},
    )

    assert answer.ack == "Error"
    assert [error["Message"] for error in answer.errors] == [
        "Status 'Done' does not exist",
        "Cannot find CustomerLog 99",
        "LogID is a required field and is missing",
    ]
    assert answer.errors[2]["Description"].startswith("Item 4: LogID is missing")
    statuses = [neto.log(log_id)["Status"] for log_id in (one, two, three)]
    assert statuses == ["Completed", "Recontacting", "Completed"]


def test_a_later_item_sees_an_earlier_one_of_the_same_log(neto: Neto, log_id: int) -> None:
    answer = neto.update(
        "json",
        {"LogID": log_id, "Notes": "first", "Revision": 1},
        {"LogID": log_id, "AllocatedTo": "bea", "Revision": 2},
        {"LogID": log_id, "AllocatedTo": "cyn", "Revision": 2},
    )

    assert answer.codes == ["CL004"]
    log = neto.log(log_id)
    assert (log["Notes"], log["AllocatedTo"], log["Revision"]) == ("first", "bea", "3")


def test_what_changes_nothing_makes_no_revision(neto: Neto, log_id: int) -> None:
    neto.clock.move(hours=1)

    answer = neto.update("json", {"LogID": log_id} | FULL)

    assert answer.ack == "Success"
    log = neto.log(log_id)
    assert log["Revision"] == "1"
    assert log["DateUpdated"] == log["DateAdded"]


@pytest.mark.parametrize("empty", ["", "  ", "0000-00-00", "0000-00-00 00:00:00"])
def test_an_empty_date_clears(neto: Neto, log_id: int, empty: str) -> None:
    neto.update("json", {"LogID": log_id, "DateRequiredFollowUp": empty, "LastContacted": empty})

    log = neto.log(log_id)
    assert (log["DateRequiredFollowUp"], log["LastContacted"]) == ("", "")


def test_empty_text_clears_null_and_empty_status_leave(neto: Neto, log_id: int) -> None:
    answer = neto.update(
        "json",
        {"LogID": log_id, "AllocatedTo": "", "Notes": " \n ", "CustomerName": None, "Status": ""},
    )

    assert answer.ack == "Success"
    log = neto.log(log_id)
    assert (log["AllocatedTo"], log["Notes"]) == ("", "")
    assert (log["CustomerName"], log["Status"]) == ("Bob Stone", "Recontacting")


@pytest.mark.parametrize("format", FORMATS)
def test_text_that_add_took_is_never_too_long_for_update(neto: Neto, format: str) -> None:
    long = "x" * 255
    (log_id,) = neto.add({"AllocatedTo": long})

    kept = neto.update(format, {"LogID": log_id, "AllocatedTo": long, "Notes": "seen"})
    other = neto.update(format, {"LogID": log_id, "AllocatedTo": "y" * 255, "Notes": "lost"})

    assert (kept.ack, other.codes) == ("Success", ["CL010"])
    log = neto.log(log_id)
    assert (log["AllocatedTo"], log["Notes"]) == (long, "seen")


def test_unknown_elements_are_passed_over_and_named(neto: Neto, log_id: int) -> None:
    answer = neto.update("json", {"LogID": log_id, "Username": "bob", "Notes": "new"})

    assert answer.ack == "Success"
    assert answer.headers["Recontact-Passed-Over"] == "Username"
    assert neto.log(log_id)["Notes"] == "new"


@pytest.mark.parametrize("format", FORMATS)
def test_an_item_of_unknown_elements_only_is_warned_of(
    neto: Neto, log_id: int, format: str
) -> None:
    answer = neto.update(
        format, {"LogID": log_id, "notes": "lower case", "Nöte\U0001f600"[:4]: "x"}
    )

    assert (answer.ack, answer.errors) == ("Warning", [])
    assert answer.warnings == [
        {"Message": f"Nothing to update in item 1 (LogID {log_id})", "SeverityCode": "Warning"}
    ]
    assert answer.headers["Recontact-Passed-Over"] == "notes, N\\xf6te"


@pytest.mark.parametrize(
    "tree", [{}, {"CustomerLogs": {}}, {"CustomerLogs": {"CustomerLog": []}}, {"CustomerLogs": ""}]
)
@pytest.mark.parametrize("format", FORMATS)
def test_a_call_without_items_is_told_the_shape(neto: Neto, format: str, tree: Any) -> None:
    answer = neto.call(format, "UpdateCustomerLog", tree)

    assert (answer.status, answer.codes) == (200, ["CL020"])
    assert '{"CustomerLogs": {"CustomerLog": [{"LogID": "…"}]}}' in answer.errors[0]["Description"]
