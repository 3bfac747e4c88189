"""The live dialect: shapes and judgements as the real service was seen to have them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import (
    FORMATS,
    Answer,
    Neto,
    add_customers,
    another_site,
    change_customers,
    customer,
    customers_of,
    find_customers,
    new_username,
    rows,
    to_body,
)

from recontact.actions import ACTIONS
from recontact.store import keys


@pytest.fixture(scope="module")
def live(shared: Neto) -> Iterator[Neto]:
    """A live site in Sydney, beside the documented one of the server."""
    with another_site(shared, "Australia/Sydney", dialect="live") as site:
        yield site


@pytest.fixture(params=["live", "documented"])
def either(request: pytest.FixtureRequest, shared: Neto, live: Neto) -> tuple[Neto, bool]:
    """A site of each dialect, and whether it is live."""
    return (live, True) if request.param == "live" else (shared, False)


def send(neto: Neto, action: str, tree: Any, format: str = "json") -> Answer:
    return neto.call(format, action, tree)


# -- shapes in JSON ------------------------------------------------------------------------------


def some_logs(neto: Neto, count: int) -> list[int]:
    return neto.add(*({"Notes": "x"} for _ in range(count))) if count else []


def add_logs(neto: Neto, count: int) -> Answer:
    items = [{"Notes": "x"}] * count or [{"Notes": "x" * 65_536}]
    return send(neto, "AddCustomerLog", {"CustomerLogs": items})


def update_logs(neto: Neto, count: int) -> Answer:
    log_ids = some_logs(neto, count)
    items = [{"LogID": log_id, "Notes": "y"} for log_id in log_ids] or [{"LogID": 9_999_999}]
    return send(neto, "UpdateCustomerLog", {"CustomerLogs": items, "Filter": {"Limit": 100}})


def add_some_customers(neto: Neto, count: int) -> Answer:
    items = [{"Username": new_username()} for _ in range(count)] or [{"Username": "x" * 26}]
    return change_customers(neto, "AddCustomer", *items)


def update_some_customers(neto: Neto, count: int) -> Answer:
    names = add_customers(neto, *({"Username": new_username()} for _ in range(count or 1)))
    items = [{"Username": name, "ABN": "1"} for name in names[:count]] or [{"Username": "nobody"}]
    return change_customers(neto, "UpdateCustomer", *items)


def get_logs(neto: Neto, count: int) -> Answer:
    return neto.get(LogID=some_logs(neto, count) or 9_999_999, OutputSelector="LogID")


def get_some_customers(neto: Neto, count: int) -> Answer:
    names = [new_username() for _ in range(count)]
    if names:
        add_customers(neto, *({"Username": name} for name in names))
    return find_customers(neto, Username=names or "nobody")


LISTS = {
    "AddCustomerLog": ("CustomerLog", add_logs),
    "UpdateCustomerLog": ("CustomerLog", update_logs),
    "GetCustomerLog": ("CustomerLog", get_logs),
    "AddCustomer": ("Customer", add_some_customers),
    "UpdateCustomer": ("Customer", update_some_customers),
    "GetCustomer": ("Customer", get_some_customers),
}


def test_the_list_of_every_action_is_looked_at() -> None:
    assert set(LISTS) == set(ACTIONS)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("action", LISTS)
def test_a_live_list_of_an_add_or_update_is_bare_when_it_has_one_and_empty_text_when_none(
    either: tuple[Neto, bool], action: str, count: int
) -> None:
    neto, is_live = either
    name, ask = LISTS[action]

    answer = ask(neto, count)

    shown = answer.tree[name]
    if is_live and not action.startswith("Get") and count < 2:
        assert shown == "" if count == 0 else set(shown) <= {"LogID", "Username"}
    else:
        assert isinstance(shown, list)
        assert len(shown) == count


def test_an_update_of_logs_without_a_filter_has_no_list(live: Neto) -> None:
    (log_id,) = live.add({})

    assert set(live.update("json", {"LogID": log_id, "Notes": "x"}).tree) == {"CurrentTime", "Ack"}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("Error", {"LogID": 1, "AllocatedTo": "x" * 101}),
        ("Warning", {"LogID": 1, "Colour": "red"}),
    ],
)
def test_a_live_message_is_bare_when_it_is_the_only_one_of_its_kind(
    either: tuple[Neto, bool], kind: str, item: dict[str, Any], count: int
) -> None:
    neto, is_live = either
    neto.add({})

    answer = neto.update("json", *([item] * count))

    messages = answer.tree["Messages"]
    assert list(messages) == [kind]
    assert answer.ack == kind
    if is_live and count == 1:
        assert messages[kind]["SeverityCode"] == kind
    else:
        assert [one["SeverityCode"] for one in messages[kind]] == [kind] * count


def test_one_error_beside_two_warnings_is_bare_and_they_are_not(live: Neto) -> None:
    (log_id,) = live.add({})
    warned = {"LogID": log_id, "Colour": "red"}

    answer = live.update("json", warned, {"LogID": "x"}, warned)

    assert isinstance(answer.tree["Messages"]["Error"], dict)
    assert isinstance(answer.tree["Messages"]["Warning"], list)
    assert isinstance(answer.tree["Messages"], dict)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_live_wrapper_in_a_record_is_a_list_of_one_object(
    either: tuple[Neto, bool], count: int
) -> None:
    neto, is_live = either
    username = new_username()
    address = {"ShippingAddress": {"ShipCity": "Perth"}} if count else {}
    add_customers(neto, {"Username": username} | address)
    if count:
        neto.add(*({"Username": username, "Notes": str(n)} for n in range(count)))

    one = customer(neto, username, "CustomerLog", "ShippingAddressBook", "BillingAddress")

    logs, book = one["CustomerLogs"], one["ShippingAddressBook"]
    if not is_live:
        assert [log["Notes"] for log in logs["CustomerLog"]] == ["0", "1"][:count]
        assert len(book["ShippingAddress"]) == (1 if count else 0)
    elif count:
        ((wrapper,), (book,)) = (logs, book)
        inside = wrapper["CustomerLog"]
        assert (list(wrapper), list(book)) == (["CustomerLog"], ["ShippingAddress"])
        assert book["ShippingAddress"]["ShipCity"] == "Perth"
        if count == 1:
            assert inside["Notes"] == "0"
        else:
            assert [log["Notes"] for log in inside] == ["0", "1"]
    else:
        assert (logs, book) == ("", "")
    assert isinstance(one["BillingAddress"], dict)


# -- shapes in XML -------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ACTIONS)
def test_the_root_of_a_live_answer_is_the_actions_name_with_response_behind(
    either: tuple[Neto, bool], action: str
) -> None:
    neto, is_live = either

    bodies = [
        neto.post(action, body, {"Accept": "text/xml"}) for body in (b"", b"<x>", b"{}", b"1")
    ]

    assert {answer.root for answer in bodies} == {f"{action}Response" if is_live else action}


def without_time(body: bytes) -> bytes:
    return re.sub(rb"<CurrentTime>[^<]*<", b"<", body)


def test_a_live_answer_in_xml_is_the_documented_one_but_for_its_root(neto: Neto) -> None:
    items = [{"Username": "ana", "Notes": "<&>", "DateRequiredFollowUp": "2026-11-24"}] * 2
    calls: list[tuple[str, Any]] = [
        ("AddCustomer", {"Customer": [{"Username": "ana", "ShippingAddress": {"ShipCity": "x"}}]}),
        ("AddCustomerLog", {"CustomerLogs": items}),
        ("AddCustomerLog", {"CustomerLogs": [{"Notes": "x" * 65_536}]}),
        ("UpdateCustomerLog", {"CustomerLogs": [{"LogID": 1, "Status": "Completed"}]}),
        ("UpdateCustomerLog", {"CustomerLogs": [{"LogID": 1}], "Filter": {"LogIDAfter": 0}}),
        ("UpdateCustomerLog", {}),
        ("UpdateCustomer", {"Customer": {"Username": "ana", "ABN": "1"}}),
        ("GetCustomerLog", {"Filter": {"LogIDAfter": 0, "OutputSelector": ["Notes", "Status"]}}),
        (
            "GetCustomer",
            {"Filter": {"ID": 1, "OutputSelector": ["CustomerLog", "ShippingAddressBook"]}},
        ),
        ("GetCustomer", {}),
    ]
    with another_site(neto, "UTC", dialect="live") as live:
        for action, tree in calls:
            documented, seen = (
                one.post(action, to_body("json", action, tree), {"Accept": "text/xml"})
                for one in (neto, live)
            )

            renamed = documented.body.replace(f"{action}>".encode(), f"{action}Response>".encode())
            assert without_time(seen.body) == without_time(renamed)


# -- milder judgements ---------------------------------------------------------------------------

OLD = {
    "AllocatedTo": "ana",
    "Status": "Recontacting",
    "LastContacted": "2026-11-20 10:30:00",
    "DateRequiredFollowUp": "2026-11-24",
    "Notes": "old",
}
MILD = [
    pytest.param(
        "Status", "Done", "CL012", "Status 'Done' does not exist, setting as {}", id="Status"
    ),
    pytest.param(
        "LastContacted",
        "soon",
        "CL013",
        "LastContacted 'soon' is not a date, field ignored",
        id="no date",
    ),
    pytest.param(
        "DateRequiredFollowUp",
        "2026-02-30",
        "CL013",
        "DateRequiredFollowUp '2026-02-30' is not a date, field ignored",
        id="no such day",
    ),
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("element", "value", "code", "said"), MILD)
def test_an_update_with_a_bad_status_or_date_applies_the_rest_in_a_live_site(
    either: tuple[Neto, bool], format: str, element: str, value: str, code: str, said: str
) -> None:
    neto, is_live = either
    (log_id,) = neto.add(OLD)

    answer = neto.update(format, {"LogID": log_id, "Notes": "new", element: value})

    log = neto.log(log_id)
    if is_live:
        message = f"{said.format('Recontacting')} in item 1 (LogID {log_id})"
        assert (answer.ack, answer.errors) == ("Warning", [])
        assert answer.warnings == [{"Message": message, "SeverityCode": "Warning"}]
        assert (log["Notes"], log["Revision"]) == ("new", "2")
    else:
        assert (answer.ack, answer.codes, log["Notes"]) == ("Error", [code], "old")
    assert log[element] == OLD[element]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("element", "value", "code", "said"), MILD)
def test_an_added_log_with_a_bad_status_or_date_has_the_rest_in_a_live_site(
    either: tuple[Neto, bool], format: str, element: str, value: str, code: str, said: str
) -> None:
    neto, is_live = either

    tree = {"CustomerLogs": {"CustomerLog": [OLD | {element: value}]}}
    answer = send(neto, "AddCustomerLog", tree, format)

    if is_live:
        assert (answer.ack, answer.errors) == ("Warning", [])
        message = f"{said.format('Require Recontact')} in item 1"
        assert answer.warnings == [{"Message": message, "SeverityCode": "Warning"}]
        log = neto.log(int(answer.log_ids[0]))
        without = OLD | {element: "Require Recontact" if element == "Status" else ""}
        assert {name: log[name] for name in OLD} == without
    else:
        assert (answer.ack, answer.codes, answer.logs) == ("Error", [code], [])


def test_each_bad_value_of_a_live_item_is_warned_of(live: Neto) -> None:
    (log_id,) = live.add(OLD)
    bad = {"Status": "Done", "LastContacted": "x", "DateRequiredFollowUp": "y", "Notes": "new"}

    answer = live.update("json", {"LogID": log_id} | bad)

    assert [one["Message"].split()[0] for one in answer.warnings] == [*bad][:3]
    log = live.log(log_id)
    assert {name: log[name] for name in OLD} == OLD | {"Notes": "new"}


def test_a_live_item_whose_values_are_all_bad_makes_no_revision(live: Neto) -> None:
    (log_id,) = live.add(OLD)

    answer = live.update("json", {"LogID": log_id, "Status": "Done"})

    assert answer.ack == "Warning"
    assert [one["Message"].split()[0] for one in answer.warnings] == ["Status"]
    assert live.log(log_id)["Revision"] == "1"


@pytest.mark.parametrize("format", FORMATS)
def test_an_unknown_log_is_a_warning_in_a_live_site_and_the_others_are_applied(
    either: tuple[Neto, bool], format: str
) -> None:
    neto, is_live = either
    (log_id,) = neto.add(OLD)

    answer = neto.update(
        format,
        {"LogID": 9_999_999, "Notes": "new", "Status": "Done"},
        {"LogID": log_id, "Notes": "new"},
        {"LogID": 9_999_998},
    )

    assert neto.log(log_id)["Notes"] == "new"
    if is_live:
        assert (answer.ack, answer.errors) == ("Warning", [])
        assert answer.warnings == [
            {"Message": f"Cannot find CustomerLog {n}", "SeverityCode": "Warning"}
            for n in (9_999_999, 9_999_998)
        ]
    else:
        assert answer.codes == ["CL012", "CL002", "CL002"]


def test_an_update_of_unknown_logs_only_is_still_a_warning(live: Neto) -> None:
    answer = live.update("json", {"LogID": 9_999_999})

    assert answer.tree["Ack"] == "Warning"
    assert answer.tree["Messages"] == {
        "Warning": {"Message": "Cannot find CustomerLog 9999999", "SeverityCode": "Warning"}
    }


@pytest.mark.parametrize("format", FORMATS)
def test_a_log_of_an_unknown_customer_is_not_added_and_warned_of_in_a_live_site(
    either: tuple[Neto, bool], format: str
) -> None:
    neto, is_live = either
    items = [{"Username": "nobody", "Notes": "lost"}, {"CustomerName": "Bob"}]

    tree = {"CustomerLogs": {"CustomerLog": items}}
    answer = send(neto, "AddCustomerLog", tree, format)

    assert len(answer.log_ids) == 1
    assert neto.log(int(answer.log_ids[0]))["CustomerName"] == "Bob"
    if is_live:
        warning = {"Message": "Cannot find Customer nobody", "SeverityCode": "Warning"}
        assert (answer.ack, answer.errors, answer.warnings) == ("Warning", [], [warning])
    else:
        assert answer.codes == ["CL003"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_update_of_an_unknown_customer_is_a_warning_in_a_live_site(
    either: tuple[Neto, bool], format: str
) -> None:
    neto, is_live = either
    (username,) = add_customers(neto, {"Username": new_username()})
    items = [{"Username": "nobody", "ABN": "1"}, {"Username": username, "ABN": "1"}]

    answer = change_customers(neto, "UpdateCustomer", *items, format=format)

    assert [one["Username"] for one in customers_of(answer)] == [username]
    if is_live:
        warning = {"Message": "Cannot find Customer nobody", "SeverityCode": "Warning"}
        assert (answer.ack, answer.errors, answer.warnings) == ("Warning", [], [warning])
    else:
        assert answer.codes == ["CL003"]
    assert customers_of(find_customers(neto, Username="nobody")) == []


@pytest.mark.parametrize(
    ("element", "value", "said"),
    [
        ("DateOfBirth", "x", "DateOfBirth 'x' is not a date, field ignored"),
    ],
)
def test_a_bad_date_of_a_customer_is_a_warning_in_a_live_site(
    live: Neto, element: str, value: str, said: str
) -> None:
    username = new_username()

    added = change_customers(
        live, "AddCustomer", {"Username": username, element: value, "ABN": "1"}
    )
    updated = change_customers(
        live, "UpdateCustomer", {"Username": username, element: value, "ABN": "2"}
    )

    for answer in (added, updated):
        (warning,) = answer.warnings
        assert warning["Message"] == f"{said} in item 1 (Username {username})"
    one = customer(live, username)
    assert (one[element], one["ABN"]) == ("", "2")


@pytest.mark.parametrize(
    ("element", "value"), [("Type", "Supplier"), ("Gender", "x"), ("Active", "maybe")]
)
def test_a_bad_word_other_than_a_status_is_an_error_in_a_live_site_too(
    live: Neto, element: str, value: str
) -> None:
    item = {"Username": new_username(), element: value}

    assert change_customers(live, "AddCustomer", item).codes == ["CL012"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("action", "item", "codes"),
    [
        pytest.param("UpdateCustomerLog", {"Notes": "x"}, ["CL001"], id="no LogID"),
        pytest.param("UpdateCustomerLog", {"LogID": "x"}, ["CL011"], id="no integer"),
        pytest.param(
            "UpdateCustomerLog", {"LogID": 1, "Notes": "x" * 65_536}, ["CL010"], id="long"
        ),
        pytest.param("UpdateCustomerLog", {"LogID": 1, "Revision": 99}, ["CL004"], id="revision"),
        pytest.param(
            "UpdateCustomerLog", {"LogID": 1, "Notes": {"b": "x"}}, ["CL016"], id="object"
        ),
        pytest.param(
            "UpdateCustomerLog", {"LogID": 1, "Status": {"b": "x"}}, ["CL016"], id="no word"
        ),
        pytest.param(
            "UpdateCustomerLog",
            {"LogID": 1, "Status": "Done", "AllocatedTo": "x" * 101},
            ["CL010"],
            id="beside a bad Status",
        ),
        pytest.param("AddCustomerLog", {"AllocatedTo": "x" * 256}, ["CL010"], id="long in Add"),
        pytest.param("AddCustomer", {"ABN": "x"}, ["CL001"], id="no Username"),
        pytest.param("AddCustomer", {"Username": "Known"}, ["CL007"], id="there already"),
        pytest.param(
            "AddCustomer", {"Username": "new", "CreditLimit": "x"}, ["CL017"], id="number"
        ),
        pytest.param(
            "UpdateCustomer",
            {"Username": "known", "BillingAddress": "x"},
            ["CL018"],
            id="no address",
        ),
    ],
)
def test_other_errors_are_errors_in_a_live_site_too(
    live: Neto, format: str, action: str, item: dict[str, Any], codes: list[str]
) -> None:
    live.add({})
    change_customers(live, "AddCustomer", {"Username": "known"})
    before = (
        rows(live, "SELECT count(*) FROM revision"),
        rows(live, "SELECT count(*) FROM customer_revision"),
    )
    tree = (
        {"Customer": [item]} if "Log" not in action else {"CustomerLogs": {"CustomerLog": [item]}}
    )

    answer = send(live, action, tree, format)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", codes)
    assert answer.warnings == []
    after = (
        rows(live, "SELECT count(*) FROM revision"),
        rows(live, "SELECT count(*) FROM customer_revision"),
    )
    assert after == before


@pytest.mark.parametrize("action", ["GetCustomerLog", "UpdateCustomerLog"])
@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ({"Status": "Done"}, "CL012"),
        ({"DateAddedFrom": "soon"}, "CL013"),
        ({"Colour": "red"}, "CL030"),
        ({"Limit": 0}, "CL011"),
    ],
)
def test_a_wrong_filter_is_an_error_in_a_live_site_too(
    live: Neto, action: str, filters: dict[str, Any], code: str
) -> None:
    (log_id,) = live.add(OLD)
    tree = {
        "CustomerLogs": [{"LogID": log_id, "Notes": "lost"}],
        "Filter": filters | {"OutputSelector": "Notes"},
    }

    answer = send(live, action, tree)

    assert (answer.ack, answer.codes) == ("Error", [code])
    assert answer.tree["CustomerLog"] == ([] if action.startswith("Get") else "")
    assert live.log(log_id)["Notes"] == "old"


def test_a_call_without_a_filter_is_an_error_in_a_live_site_too(live: Neto) -> None:
    answer = live.post("GetCustomer", b"")

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", ["CL031"])
    assert answer.tree["Customer"] == []


# -- the HTTP status of refusals -------------------------------------------------------------------


@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
@pytest.mark.parametrize(
    ("action", "body", "code", "http_status"),
    [
        pytest.param("AddCustomerLog", b"{", "RC010", 200, id="unreadable JSON"),
        pytest.param("AddCustomerLog", b"[]", "RC010", 200, id="a list"),
        pytest.param("AddCustomerLog", b'{"a": NaN}', "RC010", 200, id="not a number"),
        pytest.param("AddCustomerLog", b"<x>", "RC011", 400, id="unreadable XML"),
        pytest.param("AddCustomerLog", b"<!DOCTYPE x><x/>", "RC013", 400, id="doctype"),
        pytest.param("AddCustomerLog", b"x", "RC012", 400, id="neither"),
        pytest.param("AddCustomerLog", b"<GetCustomer/>", "RC008", 400, id="another action's"),
        pytest.param("AddCustomerLog", b"[" * 40 + b"]" * 40, "RC010", 200, id="deep list"),
        pytest.param("AddCustomerLog", b'{"a":' * 40 + b"1" + b"}" * 40, "RC015", 400, id="deep"),
        pytest.param("Nothing", b"{}", "RC007", 400, id="unknown action"),
        pytest.param(None, b"{}", "RC006", 400, id="no action"),
    ],
)
def test_a_body_that_is_no_json_has_http_200_in_a_live_site(
    either: tuple[Neto, bool],
    accept: str,
    action: str | None,
    body: bytes,
    code: str,
    http_status: int,
) -> None:
    neto, is_live = either

    answer = neto.post(action, body, {"Accept": accept})

    assert answer.codes == [code]
    assert answer.status == (http_status if is_live else 400)
    assert answer.ack == "Error"
    if answer.format == "json":
        assert isinstance(answer.tree["Messages"]["Error"], dict if is_live else list)
    else:
        root = (action if action != "Nothing" else None) or "NetoAPI"
        assert answer.root == (f"{root}Response" if is_live else root)


@pytest.mark.parametrize("may", ["read", "write"])
def test_a_key_that_may_not_gets_http_200_in_a_live_site(
    shared: Neto, live: Neto, may: str
) -> None:
    action = {"read": "AddCustomerLog", "write": "GetCustomerLog"}[may]
    with live.store.begin() as connection:
        site = keys.keys(connection)[keys.digest_of(live.key)].site
    there, here = live.new_key(site=site, may=[may]), shared.new_key(may=[may])

    seen = live.post(action, b"{}", {"NETOAPI_KEY": there})
    documented = shared.post(action, b"{}", {"NETOAPI_KEY": here})

    assert (seen.status, seen.codes, seen.tree["Ack"]) == (200, ["RC005"], "Error")
    assert isinstance(seen.tree["Messages"]["Error"], dict)
    assert (documented.status, documented.codes) == (403, ["RC005"])
    assert isinstance(documented.tree["Messages"]["Error"], list)


STRANGERS: dict[str, dict[str, str | None]] = {
    "no key": {"NETOAPI_KEY": None},
    "an unknown key": {"NETOAPI_KEY": "rk_somebody_else"},
    "two keys": {"NETOAPI_KEY": "rk_one", "Authorization": "Bearer rk_two"},
}


@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_is_answered_as_documented_where_any_site_is(
    shared: Neto, live: Neto, stranger: str, accept: str
) -> None:
    answer = live.post("GetCustomerLog", b"{}", {"Accept": accept} | STRANGERS[stranger])

    assert (answer.status, answer.ack, len(answer.errors)) == (401, "Error", 1)
    if accept == "text/xml":
        assert answer.root == "GetCustomerLog"
    else:
        assert isinstance(answer.tree["Messages"]["Error"], list)


def test_a_stranger_is_answered_as_the_real_service_does_where_all_sites_are_live(
    neto: Neto,
) -> None:
    def set_dialect(dialect: str) -> None:
        with neto.store.begin() as connection:
            keys.set_site(connection, keys.find_site(connection, None), dialect=dialect)

    def seen(accept: str = "application/json") -> list[Answer]:
        return [
            neto.post("GetCustomerLog", b"{}", {"Accept": accept} | headers)
            for headers in STRANGERS.values()
        ]

    set_dialect("live")
    neto.wait_for(lambda: seen()[0].status == 200)

    for answer in seen():
        assert (answer.status, answer.tree["Ack"]) == (200, "Error")
        assert isinstance(answer.tree["Messages"]["Error"], dict)
    assert seen()[1].tree["Messages"]["Error"]["Message"] == "Invalid API key"
    assert {answer.root for answer in seen("text/xml")} == {"GetCustomerLogResponse"}
    set_dialect("documented")
    neto.wait_for(lambda: seen()[0].status == 401)
    assert {answer.status for answer in seen()} == {401}


def test_a_users_key_without_its_username_has_http_200_where_all_sites_are_live(
    neto: Neto,
) -> None:
    with neto.store.begin() as connection:
        keys.set_site(connection, keys.find_site(connection, None), dialect="live")
    key = neto.new_key(username="ana")
    neto.wait_for(
        lambda: (
            (
                neto.post(
                    "GetCustomer", b"", {"NETOAPI_KEY": key, "NETOAPI_USERNAME": "ana"}
                ).status,
                neto.post("GetCustomer", b"", {"NETOAPI_KEY": None}).status,
            )
            == (200, 200)
        )
    )

    answer = neto.post("GetCustomer", b"", {"NETOAPI_KEY": key})

    assert (answer.status, answer.codes) == (200, ["RC001"])


def test_the_journal_has_the_status_that_was_answered(shared: Neto, live: Neto) -> None:
    broken = live.post("AddCustomerLog", b"{")
    warned = live.update("json", {"LogID": 9_999_999})

    def found() -> dict[str, tuple[Any, ...]]:
        return {
            request: tuple(facts)
            for request, *facts in rows(
                live, "SELECT hex(request), http_status, ack, errors, warnings FROM journal"
            )
        }

    def id_of(answer: Answer) -> str:
        return answer.headers["X-Request-Id"].replace("-", "").upper()

    live.wait_for(lambda: id_of(broken) in found())
    assert found()[id_of(broken)] == (200, "Error", 1, 0)
    assert found()[id_of(warned)] == (200, "Warning", 0, 1)


def test_what_a_php_client_reads_is_there(live: Neto) -> None:
    """sfinktah/neto reads ['Messages']['Error']['Message'] (contradictions.md 3.8)."""
    answer = json.loads(live.post("UpdateCustomerLog", b"{}").body)

    assert answer["Messages"]["Error"]["Message"] == "No CustomerLog in the request"
