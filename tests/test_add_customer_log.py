"""AddCustomerLog, through HTTP, in both formats."""

from typing import Any

import pytest
from conftest import FORMATS, Answer, Neto, another_site, json_call, xml_call

FULL = {
    "AllocatedTo": "ana",
    "FollowUpType": "Phone",
    "CustomerName": "Bob Stone",
    "LastContacted": "2026-11-20 10:30:00",
    "DateRequiredFollowUp": "2026-11-24",
    "Status": "Recontacting",
    "Notes": "asked for a quote",
}


def add(neto: Neto, format: str, *items: dict[str, Any]) -> Answer:
    return neto.call(format, "AddCustomerLog", {"CustomerLogs": {"CustomerLog": list(items)}})


@pytest.mark.parametrize("format", FORMATS)
def test_a_log_is_added_with_all_its_elements(shared: Neto, format: str) -> None:
    answer = add(shared, format, FULL)

    assert (answer.status, answer.ack, answer.errors, answer.warnings) == (200, "Success", [], [])
    assert list(answer.tree) == ["CustomerLog", "CurrentTime", "Ack"]
    log = shared.log(int(answer.log_ids[0]), format)
    assert {name: log[name] for name in FULL} == FULL
    assert log["Revision"] == "1"
    assert log["DateAdded"] == log["DateUpdated"]


def test_the_answer_lists_the_log_ids_as_documented(shared: Neto) -> None:
    as_json = add(shared, "json", FULL)
    as_xml = add(shared, "xml", FULL, FULL)

    (log_id,) = as_json.log_ids
    assert as_json.tree["CustomerLog"] == [{"LogID": log_id}]
    assert as_xml.root == "AddCustomerLog"
    assert as_xml.log_ids == [str(int(log_id) + 1), str(int(log_id) + 2)]
    listed = "".join(f"<CustomerLog><LogID>{n}</LogID></CustomerLog>" for n in as_xml.log_ids)
    assert f"<AddCustomerLog>{listed}<CurrentTime>" in as_xml.body.decode()


@pytest.mark.parametrize("format", FORMATS)
def test_log_ids_count_from_1_and_an_item_that_is_refused_takes_none(
    neto: Neto, format: str
) -> None:
    answer = add(neto, format, FULL, {"Status": "Done"}, FULL, {"LastContacted": "soon"})
    later = add(neto, format, FULL)

    assert (answer.ack, answer.log_ids) == ("Error", ["1", "2"])
    assert [error["Description"].split(":")[0] for error in answer.errors] == ["Item 2", "Item 4"]
    assert (later.ack, later.log_ids) == ("Success", ["3"])


@pytest.mark.parametrize("format", FORMATS)
def test_a_call_whose_items_all_fail_lists_none(shared: Neto, format: str) -> None:
    answer = add(shared, format, {"Status": "Done"})

    assert (answer.ack, answer.logs) == ("Error", [])
    if format == "json":
        assert answer.tree["CustomerLog"] == []
    assert b"<CustomerLog" not in answer.body


def test_each_site_counts_its_own_logs_and_sees_no_others(neto: Neto) -> None:
    neto.add(FULL, FULL)
    with another_site(neto, "Australia/Sydney") as other:
        (log_id,) = other.add({"Notes": "theirs"})

        assert log_id == 1
        assert other.get(LogIDAfter=0).log_ids == ["1"]
        refused = other.update("json", {"LogID": 2, "Notes": "lost"})
        assert refused.errors[0]["Message"] == "Cannot find CustomerLog 2"
    assert neto.log(1)["Notes"] == FULL["Notes"]


@pytest.mark.parametrize(
    "body",
    [
        json_call("[{}, {}]"),
        xml_call("<CustomerLog/><CustomerLog> </CustomerLog>", "AddCustomerLog"),
    ],
    ids=FORMATS[::-1],
)
def test_every_element_is_optional(shared: Neto, body: bytes) -> None:
    answer = shared.post("AddCustomerLog", body)

    assert answer.ack == "Success"
    for log_id in answer.log_ids:
        log = shared.log(int(log_id))
        assert {name: log[name] for name in FULL} == dict.fromkeys(FULL, "") | {
            "Status": "Require Recontact"
        }


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        ({}, "Require Recontact"),
        ({"Status": ""}, "Require Recontact"),
        ({"Status": "None"}, "Require Recontact"),
        ({"Status": "completed"}, "Completed"),
    ],
)
def test_a_status_not_given_is_require_recontact(
    shared: Neto, format: str, sent: dict[str, str], stored: str
) -> None:
    answer = add(shared, format, sent)

    assert (answer.ack, answer.warnings) == ("Success", [])
    assert shared.log(int(answer.log_ids[0]))["Status"] == stored


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("log_id", [0, "0", 1, "1", "", "none", -5, "1e3"])
def test_a_log_id_that_is_sent_is_ignored(shared: Neto, format: str, log_id: Any) -> None:
    (before,) = shared.add({})

    answer = add(shared, format, {"LogID": log_id, "Notes": "new"})

    assert (answer.ack, answer.log_ids) == ("Success", [str(before + 1)])


def test_what_netodotnet_sends_is_added_without_a_remark(shared: Neto) -> None:
    item = '{"LogID":0,"CustomerName":"Bob","LastContacted":"2026-11-23T18:04:05.1234567+11:00"'
    body = json_call("[" + item + ',"Status":"None"}]')

    answer = shared.post("AddCustomerLog", body)

    assert answer.ack == "Success"
    assert "Recontact-Passed-Over" not in answer.headers
    assert shared.log(int(answer.log_ids[0]))["LastContacted"] == "2026-11-23 07:04:05"


@pytest.mark.parametrize("format", FORMATS)
def test_an_unknown_customer_is_an_error(shared: Neto, format: str) -> None:
    answer = add(shared, format, {"Username": "bob"}, {"CustomerName": "Bob"})

    assert answer.codes == ["CL003"]
    (error,) = answer.errors
    assert error["Message"] == "Cannot find Customer bob"
    assert error["Description"].startswith("Item 1: ")
    assert len(answer.log_ids) == 1


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("username", "codes"),
    [("", []), (" ", []), ("x" * 25, ["CL003"]), ("x" * 26, ["CL010"]), ("a\tb<&>", ["CL003"])],
)
def test_a_username_has_25_characters_and_may_be_empty(
    shared: Neto, format: str, username: str, codes: list[str]
) -> None:
    answer = add(shared, format, {"Username": username, "CustomerName": "Bob"})

    assert answer.codes == codes


def test_a_username_of_null_is_as_if_absent(shared: Neto) -> None:
    assert add(shared, "json", {"Username": None}).ack == "Success"


@pytest.mark.parametrize("format", FORMATS)
def test_an_error_of_each_element_is_named(shared: Neto, format: str) -> None:
    wrong = {
        "AllocatedTo": "x" * 256,
        "FollowUpType": "x" * 51,
        "CustomerName": "x" * 101,
        "LastContacted": "soon",
        "DateRequiredFollowUp": "2026-02-30",
        "Status": "Done",
        "Notes": "x" * 65_536,
    }

    answer = add(shared, format, wrong)

    assert [error["Message"].split()[0] for error in answer.errors] == list(wrong)
    assert answer.log_ids == []


@pytest.mark.parametrize("format", FORMATS)
def test_elements_of_other_actions_are_passed_over(shared: Neto, format: str) -> None:
    answer = add(shared, format, {"Revision": "9", "DateAdded": "2020-01-01", "Notes": "new"})

    assert answer.ack == "Success"
    assert answer.headers["Recontact-Passed-Over"] == "Revision, DateAdded"
    assert shared.log(int(answer.log_ids[0]))["Revision"] == "1"


@pytest.mark.parametrize("body", [b"", b"{}", json_call("[]"), b"<AddCustomerLog/>"])
def test_a_call_without_items_is_told_the_shape(shared: Neto, body: bytes) -> None:
    answer = shared.post("AddCustomerLog", body)

    assert (answer.status, answer.codes, answer.logs) == (200, ["CL020"], [])
    description = answer.errors[0]["Description"]
    assert '{"CustomerLogs": {"CustomerLog": [{"AllocatedTo": "…"}]}}' in description


@pytest.mark.parametrize("format", FORMATS)
def test_a_large_batch_keeps_its_order(shared: Neto, format: str) -> None:
    answer = add(shared, format, *({"CustomerName": f"Number {n}"} for n in range(1_000)))

    first = int(answer.log_ids[0])
    assert answer.log_ids == [str(first + n) for n in range(1_000)]
    logs = shared.get(LogIDAfter=first - 1, Limit=1_000, OutputSelector="CustomerName").logs
    assert [log["CustomerName"] for log in logs] == [f"Number {n}" for n in range(1_000)]


def test_the_times_of_a_log_are_the_clocks(neto: Neto) -> None:
    neto.clock.move(days=400)
    before = neto.clock.now()

    (log_id,) = neto.add(FULL)

    after = neto.clock.now()
    log = neto.log(log_id)
    assert f"{before:%F %T}" <= log["DateAdded"] <= f"{after:%F %T}"


@pytest.mark.parametrize("format", FORMATS)
def test_an_item_with_unknown_elements_only_is_refused_and_one_without_any_is_added(
    shared: Neto, format: str
) -> None:
    answer = add(shared, format, {"CustName": "x", "Note": "hello"}, {"LogID": "0"})

    assert (answer.codes, len(answer.log_ids)) == (["CL008"], 1)
    assert answer.headers["Recontact-Passed-Over"] == "CustName, Note"
