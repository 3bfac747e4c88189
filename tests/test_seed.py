"""The page the project began with: each of its samples, posted as it stands."""

import json
import re
from typing import Any

import pytest
from conftest import FORMATS, Answer, Neto, from_xml
from lxml import etree

XML_POST = """<?xml version="1.0" encoding="utf-8"?>
<UpdateCustomerLog>
<CustomerLogs>
<CustomerLog>
<LogID>(Integer)</LogID>
<AllocatedTo>(String)</AllocatedTo>
<FollowUpType>(String)</FollowUpType>
<CustomerName>(String)</CustomerName>
<LastContacted>(DateTime)</LastContacted>
<DateRequiredFollowUp>(DateTime)</DateRequiredFollowUp>
<Status></Status>
<Notes>(String)</Notes>
</CustomerLog>
</CustomerLogs>
</UpdateCustomerLog>"""

JSON_POST = """{
"CustomerLogs": {
"CustomerLog": [ {
"LogID":"Integer",
"AllocatedTo":"String",
"FollowUpType":"String",
"CustomerName":"String",
"LastContacted":"DateTime",
"DateRequiredFollowUp":"DateTime",
"Status":"Enumeration",
"Notes":"String"
} ]
}
}"""

XML_RESPONSE = """<?xml version="1.0" encoding="utf-8"?>
<UpdateCustomerLog>
<Messages>
<Error>
<Message>(String)</Message>
<SeverityCode>(String)</SeverityCode>
<Description>(String)</Description>
</Error>
<Warning>
<Message>(String)</Message>
<SeverityCode>(String)</SeverityCode>
</Warning>
</Messages>
</UpdateCustomerLog>"""

JSON_RESPONSE = """{
"Messages": {
"Error": [ {
"Message":"String",
"SeverityCode":"String",
"Description":"String"
} ] , "Warning": [ {
"Message":"String",
"SeverityCode":"String"
} ]
}
}"""

POST = {"xml": XML_POST, "json": JSON_POST}

VALUES = {
    "AllocatedTo": "ana",
    "FollowUpType": "Phone",
    "CustomerName": "Bob Stone",
    "LastContacted": "2026-11-20 10:30:00",
    "DateRequiredFollowUp": "2026-11-24",
    "Status": "Recontacting",
    "Notes": "asked for a quote",
}


def filled(format: str, values: dict[str, Any]) -> bytes:
    """The sample with `values` in its places; an element without a value stays as it is."""
    sample = POST[format]
    for name, value in values.items():
        place, new = {
            "xml": (rf"<{name}>[^<]*</{name}>", f"<{name}>{value}</{name}>"),
            "json": (rf'"{name}":"\w*"', f'"{name}":"{value}"'),
        }[format]
        sample, places = re.subn(place, new, sample)
        assert places == 1
    return sample.encode()


@pytest.fixture(scope="module")
def users_key(shared: Neto) -> str:
    key = shared.new_key(username="ana")
    known = {"NETOAPI_KEY": key, "NETOAPI_USERNAME": "ana"}
    shared.wait_for(lambda: shared.post("UpdateCustomerLog", headers=known).status == 200)
    return key


def post(neto: Neto, key: str, format: str, body: bytes) -> Answer:
    """POST with the headers that the page lists for the format, and no others of ours."""
    accept = {"Accept": "application/json"} if format == "json" else {}
    answer = neto.http.post(
        "/do/WS/NetoAPI",
        content=body,
        headers={"NETOAPI_ACTION": "UpdateCustomerLog", "NETOAPI_USERNAME": "ana"}
        | {"NETOAPI_KEY": key}
        | accept,
    )
    return Answer(answer.status_code, answer.headers, answer.content)


@pytest.mark.parametrize("format", FORMATS)
def test_the_sample_with_real_values_sets_all_of_them(
    shared: Neto, users_key: str, format: str
) -> None:
    (log_id,) = shared.add({"Notes": "before"})

    answer = post(shared, users_key, format, filled(format, VALUES | {"LogID": log_id}))

    assert (answer.status, answer.format, answer.ack) == (200, format, "Success")
    assert "Messages" not in answer.tree
    log = shared.log(log_id, format)
    assert {name: log[name] for name in VALUES} == VALUES


def test_the_xml_sample_has_an_empty_status_which_leaves_it(shared: Neto, users_key: str) -> None:
    (log_id,) = shared.add({"Status": "Completed"})
    sent = {name: value for name, value in VALUES.items() if name != "Status"}

    body = filled("xml", sent | {"LogID": log_id})
    answer = post(shared, users_key, "xml", body)

    assert b"<Status></Status>" in body
    assert answer.ack == "Success"
    log = shared.log(log_id)
    assert {name: log[name] for name in VALUES} == VALUES | {"Status": "Completed"}


@pytest.mark.parametrize("format", FORMATS)
def test_the_sample_with_its_places_unfilled_is_told_of_each(
    shared: Neto, users_key: str, format: str
) -> None:
    answer = post(shared, users_key, format, POST[format].encode())

    assert (answer.status, answer.ack) == (200, "Error")
    places = ["LogID", "LastContacted", "DateRequiredFollowUp"]
    assert [error["Message"].split()[0] for error in answer.errors] == (
        places if format == "xml" else [*places, "Status"]
    )
    assert set(answer.codes) == {"CL011", "CL013"} | ({"CL012"} if format == "json" else set())
    assert all(error["Description"].startswith("Item 1: ") for error in answer.errors)


@pytest.mark.parametrize("format", FORMATS)
def test_messages_have_the_elements_of_the_sample_answer(
    shared: Neto, users_key: str, format: str
) -> None:
    (log_id,) = shared.add({})
    bad, odd = f'"LogID":"{log_id}","Status":"x"', f'"LogID":"{log_id}","Nota":"x"'
    body = f'{{"CustomerLogs":{{"CustomerLog":[{{{bad}}},{{{odd}}}]}}}}'.encode()

    answer = post(shared, users_key, format, body)

    documented = json.loads(JSON_RESPONSE)["Messages"]
    assert answer.tree["Messages"].keys() == documented.keys()
    for severity, (sample,) in documented.items():
        (message,) = answer.tree["Messages"][severity]
        assert list(message) == list(sample)
        assert message["SeverityCode"] == severity
        assert all(message.values())
    assert list(answer.tree) == ["CurrentTime", "Ack", "Messages"]


def test_an_xml_answer_begins_as_the_sample_does(shared: Neto, users_key: str) -> None:
    answer = post(shared, users_key, "xml", filled("xml", {"LogID": 999_999}))

    declaration, root = XML_RESPONSE.splitlines()[:2]
    assert answer.body.decode().startswith(f"{declaration}\n{root}")
    documented, _ = from_xml(XML_RESPONSE.encode())
    assert answer.root == documented
    assert not etree.fromstring(answer.body).nsmap


@pytest.mark.parametrize("format", FORMATS)
def test_each_limit_of_the_page_holds(shared: Neto, users_key: str, format: str) -> None:
    limits = {"AllocatedTo": 100, "FollowUpType": 50, "CustomerName": 100}
    (log_id,) = shared.add({})
    longest = {name: "x" * limit for name, limit in limits.items()}

    full = post(shared, users_key, format, filled(format, VALUES | {"LogID": log_id} | longest))

    assert full.ack == "Success"
    for name, limit in limits.items():
        over = VALUES | {"LogID": log_id, name: "y" * (limit + 1)}
        assert post(shared, users_key, format, filled(format, over)).codes == ["CL010"]
    log = shared.log(log_id)
    assert {name: log[name] for name in limits} == longest


@pytest.mark.parametrize("status", ["Require Recontact", "Recontacting", "Completed"])
@pytest.mark.parametrize("format", FORMATS)
def test_each_status_of_the_page_is_taken(
    shared: Neto, users_key: str, format: str, status: str
) -> None:
    (log_id,) = shared.add({})

    body = filled(format, VALUES | {"LogID": log_id, "Status": status})

    assert post(shared, users_key, format, body).ack == "Success"
    assert shared.log(log_id)["Status"] == status
