"""Two shops in one database: nothing of the one is in any answer to the other."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import (
    ALL_SELECTORS,
    BILLING_ADDRESS,
    CUSTOMER_TEXTS,
    FORMATS,
    SHIPPING_ADDRESS,
    Answer,
    Neto,
    add_customers,
    another_site,
    change_customers,
    rows,
    site_of,
    to_body,
)

from recontact.fields import GET_CUSTOMER, GET_CUSTOMER_LOG

OURS, THEIRS = "ourmark", "theirmark"
LOGS = 6
"""Logs of ours; theirs are five more."""
CROWD = 260
"""Logs so many that a search asks the index."""


def fill(site: Neto, mark: str, logs: int) -> None:
    """
    Customers `same` and `<mark>1`, and so many logs, all with `mark`.

    In the other site the same numbers and the username `same` mean others.
    """
    texts = {name: f"{mark}{name}"[:limit] for name, limit in CUSTOMER_TEXTS.items()}
    details = texts | {
        "BillingAddress": {n: f"{mark}{n}"[:limit] for n, limit in BILLING_ADDRESS.items()},
        "ShippingAddress": {n: f"{mark}{n}"[:limit] for n, limit in SHIPPING_ADDRESS.items()},
    }
    add_customers(site, details | {"Username": "same"}, details | {"Username": f"{mark}1"})
    log = {
        "AllocatedTo": f"{mark} agent",
        "FollowUpType": f"{mark} phone",
        "CustomerName": f"{mark} name",
        "Notes": f"{mark} notes and common words",
        "LastContacted": "2026-11-20 10:30:00",
        "DateRequiredFollowUp": "2026-11-24",
    }
    named = [{"Username": "same"}, {"Username": f"{mark}1"}]
    site.add(*(log | name for name in named), *([log] * (logs - 2)))


@pytest.fixture(scope="module")
def sites(shared: Neto) -> Iterator[tuple[Neto, Neto]]:
    """Ours and theirs, which has five logs and a customer more than ours."""
    with another_site(shared, "UTC") as ours, another_site(shared, "Australia/Sydney") as theirs:
        fill(ours, OURS, LOGS)
        fill(theirs, THEIRS, LOGS + 5)
        add_customers(theirs, {"Username": f"{THEIRS}2"})
        yield ours, theirs


def everything(site: Neto) -> list[bytes]:
    """All that a site can read of itself, but for the time."""
    calls = [
        ("GetCustomerLog", {"LogIDAfter": 0, "Limit": 10_000, "OutputSelector": ALL_SELECTORS}),
        (
            "GetCustomer",
            {"IDAfter": 0, "Limit": 10_000, "OutputSelector": list(GET_CUSTOMER.selectors)},
        ),
    ]
    return [
        re.sub(rb'"CurrentTime":"[^"]*"', b"", site.call("json", action, {"Filter": tree}).body)
        for action, tree in calls
    ]


# -- every filter, with what is theirs ---------------------------------------------------------

# What finds nothing of ours, for it is theirs.
LOG_FILTERS: dict[str, Any] = {
    "LogID": [LOGS + 1, LOGS + 5],
    "Username": [f"{THEIRS}1", f"{THEIRS}2"],
    "AllocatedTo": f"{THEIRS} agent",
    "CustomerName": f"{THEIRS} NAME",
    "FollowUpType": f"{THEIRS} phone",
    "Status": "Completed",
    "DateRequiredFollowUpFrom": "2026-11-25",
    "DateRequiredFollowUpTo": "2026-11-23",
    "LastContactedFrom": "2026-11-21",
    "LastContactedTo": "2026-11-20",
    "DateAddedFrom": "2999-01-01",
    "DateAddedTo": "2020-01-01",
    "DateUpdatedFrom": "2999-01-01",
    "DateUpdatedTo": "2020-01-01",
    "Search": THEIRS,
    "LogIDAfter": LOGS,
}
# What finds all of ours and would find theirs.
WIDE_LOG_FILTERS: dict[str, Any] = {
    "LogID": list(range(1, LOGS + 6)),
    "Username": ["same", f"{OURS}1", f"{THEIRS}1", ""],
    "AllocatedTo": [f"{OURS} agent", f"{THEIRS} agent", ""],
    "CustomerName": [f"{OURS} name", f"{THEIRS} name"],
    "FollowUpType": [f"{OURS} phone", f"{THEIRS} phone"],
    "Status": ["Require Recontact", "Completed"],
    "DateRequiredFollowUpFrom": "2026-11-24",
    "DateRequiredFollowUpTo": "2026-11-24",
    "LastContactedFrom": "2026-11-20 10:30:00",
    "LastContactedTo": "2026-11-20 10:30:00",
    "DateAddedFrom": "2020-01-01",
    "DateAddedTo": "2999-01-01",
    "DateUpdatedFrom": "2020-01-01",
    "DateUpdatedTo": "2999-01-01",
    "Search": "words common",
    "LogIDAfter": 0,
}
CUSTOMER_FILTERS: dict[str, Any] = {
    "ID": 3,
    "Username": [f"{THEIRS}1", f"{THEIRS}2"],
    "Type": "Prospect",
    "Active": "False",
    "OnCreditHold": "True",
    "NewsletterSubscriber": "True",
    "Email": f"{THEIRS}EmailAddress",
    "Company": f"{THEIRS}BillCompany",
    "UserGroup": f"{THEIRS}UserGroup",
    "BillState": f"{THEIRS}BillState",
    "DateAddedFrom": "2999-01-01",
    "DateAddedTo": "2020-01-01",
    "DateUpdatedFrom": "2999-01-01",
    "DateUpdatedTo": "2020-01-01",
    "IDAfter": 2,
}
WIDE_CUSTOMER_FILTERS: dict[str, Any] = {
    "ID": [1, 2, 3],
    "Username": ["same", f"{OURS}1", f"{THEIRS}1"],
    "Type": ["Customer", "Prospect"],
    "Active": "True",
    "OnCreditHold": "False",
    "NewsletterSubscriber": "False",
    "Email": [f"{OURS}EmailAddress", f"{THEIRS}EmailAddress", ""],
    "Company": [f"{OURS}BillCompany", f"{THEIRS}BillCompany", ""],
    "UserGroup": [f"{OURS}UserGroup", f"{THEIRS}UserGroup"],
    "BillState": [f"{OURS}BillState", f"{THEIRS}BillState"],
    "DateAddedFrom": "2020-01-01",
    "DateAddedTo": "2999-01-01",
    "DateUpdatedFrom": "2020-01-01",
    "DateUpdatedTo": "2999-01-01",
    "IDAfter": 0,
}


def test_every_filter_is_tried() -> None:
    paging = {"Page", "Limit", "HistoryBefore"}
    assert set(LOG_FILTERS) == set(WIDE_LOG_FILTERS) == set(GET_CUSTOMER_LOG.filters) - paging
    assert set(CUSTOMER_FILTERS) == set(GET_CUSTOMER.filters) - paging
    assert set(WIDE_CUSTOMER_FILTERS) == set(GET_CUSTOMER.filters) - paging


def listed(answer: Answer) -> int:
    lists = [answer.tree.get(name, []) for name in ("CustomerLog", "Customer")]
    return sum(map(len, lists))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", LOG_FILTERS)
@pytest.mark.parametrize("action", ["GetCustomerLog", "UpdateCustomerLog"])
def test_no_filter_of_logs_finds_theirs(
    sites: tuple[Neto, Neto], action: str, name: str, format: str
) -> None:
    ours, _ = sites
    items = {"CustomerLogs": {"CustomerLog": [{"LogID": 1, "AllocatedTo": f"{OURS} agent"}]}}
    answers = [
        ours.call(
            format,
            action,
            {
                "Filter": {name: filters[name], "Limit": 10_000, "OutputSelector": ALL_SELECTORS},
            }
            | (items if action.startswith("Update") else {}),
        )
        for filters in (LOG_FILTERS, WIDE_LOG_FILTERS)
    ]

    assert [(answer.ack, listed(answer)) for answer in answers] == [
        ("Success", 0),
        ("Success", LOGS),
    ]
    assert all(THEIRS.encode() not in answer.body for answer in answers)
    assert answers[1].body.count(OURS.encode()) >= 4 * LOGS


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", CUSTOMER_FILTERS)
def test_no_filter_of_customers_finds_theirs(
    sites: tuple[Neto, Neto], name: str, format: str
) -> None:
    ours, _ = sites
    selectors = list(GET_CUSTOMER.selectors)
    narrow, wide = (
        ours.call(
            format, "GetCustomer", {"Filter": {name: value[name], "OutputSelector": selectors}}
        )
        for value in (CUSTOMER_FILTERS, WIDE_CUSTOMER_FILTERS)
    )

    assert (narrow.ack, listed(narrow)) == ("Success", 0)
    assert (wide.ack, listed(wide)) == ("Success", 2)
    assert THEIRS.encode() not in narrow.body + wide.body
    assert wide.body.count(OURS.encode()) > 2 * 80


def test_the_filters_do_find_what_is_theirs_for_them(sites: tuple[Neto, Neto]) -> None:
    """Or the tests above would not show anything."""
    _, theirs = sites
    narrow = ("LogID", "Username", "AllocatedTo", "CustomerName", "FollowUpType", "Search")
    found = [theirs.get(**{name: LOG_FILTERS[name]}, Limit=10_000).log_ids for name in narrow]
    customers = [
        listed(
            theirs.call("json", "GetCustomer", {"Filter": {name: value, "OutputSelector": "ID"}})
        )
        for name, value in CUSTOMER_FILTERS.items()
        if name in ("ID", "Username", "Email", "Company", "UserGroup", "BillState", "IDAfter")
    ]

    assert [len(log_ids) for log_ids in found] == [2, 1, *[LOGS + 5] * 4]
    assert customers == [1, 2, 2, 2, 2, 2, 1]


def test_a_page_has_ours_alone(sites: tuple[Neto, Neto]) -> None:
    ours, _ = sites
    selectors = {"OutputSelector": ALL_SELECTORS, "Limit": 4}
    pages = [ours.get(LogIDAfter=0, Page=page, **selectors) for page in range(4)]

    assert [listed(page) for page in pages] == [4, 2, 0, 0]
    assert THEIRS.encode() not in b"".join(page.body for page in pages)


def test_no_search_finds_theirs_whatever_the_index_has_seen(neto: Neto) -> None:
    with another_site(neto, "UTC") as ours, another_site(neto, "UTC") as theirs:
        fill(ours, OURS, CROWD)
        fill(theirs, THEIRS, CROWD + 5)
        for _ in ("noted", "fed"):
            for search in (THEIRS, THEIRS[:5], f"common {THEIRS[:3]}", "common", OURS):
                answer = ours.get(Search=search, Limit=10_000)

                assert THEIRS.encode() not in answer.body
                assert listed(answer) == (CROWD if search in ("common", OURS) else 0)
            assert listed(theirs.get(Search=THEIRS, Limit=10_000)) == CROWD + 5
            neto.wait_for(lambda: not rows(neto, "SELECT 1 FROM search_pending"))


# -- every message, and every write ----------------------------------------------------------------

REFUSED: list[tuple[str, Any, list[str]]] = [
    ("UpdateCustomerLog", {"LogID": LOGS + 1, "Notes": "x"}, ["CL002"]),
    ("UpdateCustomerLog", {"LogID": LOGS + 5, "Notes": "x", "Revision": 1}, ["CL002"]),
    ("UpdateCustomerLog", {"LogID": LOGS + 5, "Status": "Done"}, ["CL012", "CL002"]),
    ("UpdateCustomerLog", {"LogID": 1, "Revision": 99, "Notes": "x"}, ["CL004"]),
    ("UpdateCustomerLog", {"LogID": 1, "Notes": "x" * 65_536}, ["CL010"]),
    ("UpdateCustomerLog", {"LogID": 2, "LastContacted": "soon"}, ["CL013"]),
    ("AddCustomerLog", {"Username": "<theirs>2", "Notes": "x"}, ["CL003"]),
    ("AddCustomerLog", {"Username": "<THEIRS>1", "Notes": "x"}, ["CL003"]),
    ("AddCustomerLog", {"Status": "Done"}, ["CL012"]),
    ("AddCustomer", {"Username": "SAME", "ABN": "x"}, ["CL007"]),
    ("AddCustomer", {"Username": "new", "Gender": "x"}, ["CL012"]),
    ("UpdateCustomer", {"Username": "<theirs>1", "ABN": "x"}, ["CL003"]),
    ("UpdateCustomer", {"Username": "<theirs>2", "ABN": "x", "Revision": 1}, ["CL003"]),
    ("UpdateCustomer", {"Username": "same", "ABN": "x", "Revision": 7}, ["CL004"]),
    ("UpdateCustomer", {"Username": "same", "CreditLimit": "x"}, ["CL017"]),
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("action", "item", "codes"), REFUSED)
def test_no_message_says_anything_of_theirs(
    sites: tuple[Neto, Neto], format: str, action: str, item: dict[str, Any], codes: list[str]
) -> None:
    ours, theirs = sites
    before = everything(ours), everything(theirs)
    sent = json.loads(
        json.dumps(item).replace("<theirs>", THEIRS).replace("<THEIRS>", THEIRS.upper())
    )
    tree = {"CustomerLogs": {"CustomerLog": [sent]}} if "Log" in action else {"Customer": [sent]}

    answer = ours.call(format, action, tree)

    assert answer.codes == codes
    what_we_sent = str(sent.get("Username", "")).encode()
    told = answer.body.replace(what_we_sent, b"") if what_we_sent else answer.body
    assert THEIRS.encode() not in told.lower()
    assert (everything(ours), everything(theirs)) == before


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dialect", ["documented", "live"])
def test_the_same_numbers_and_names_are_others_in_each_site(
    neto: Neto, format: str, dialect: str
) -> None:
    with (
        another_site(neto, "UTC", dialect) as ours,
        another_site(neto, "Australia/Sydney") as theirs,
    ):
        for site in (ours, theirs):
            add_customers(site, {"Username": "same"})
            site.add({"Username": "same"}, {"Username": "same"})
        before = everything(theirs)

        updated = ours.update(format, {"LogID": 1, "Notes": OURS}, {"LogID": 2, "Revision": 1})
        renewed = change_customers(
            ours, "UpdateCustomer", {"Username": "SAME", "ABN": OURS}, format=format
        )
        added = ours.call(format, "AddCustomerLog", {"CustomerLogs": [{"Username": "same"}] * 3})
        more = change_customers(ours, "AddCustomer", {"Username": "new"}, format=format)

        assert {a.ack for a in (updated, renewed, added, more)} == {"Success"}
        assert added.log_ids == ["3", "4", "5"]
        assert everything(theirs) == before
        assert theirs.add({"Username": "same"}) == [3]
        assert add_customers(theirs, {"Username": "NEW"}) == ["NEW"]
        assert OURS.encode() not in b"".join(everything(theirs))


def test_a_change_is_entered_in_its_own_site_alone(neto: Neto) -> None:
    with another_site(neto, "UTC") as ours, another_site(neto, "UTC") as theirs:
        numbers = site_of(ours), site_of(theirs)
        for site, mark in ((ours, OURS), (theirs, THEIRS)):
            add_customers(site, {"Username": "same", "ABN": mark})
            site.add({"Username": "same", "Notes": mark})
            change_customers(site, "UpdateCustomer", {"Username": "same", "ABN": f"{mark}2"})
            site.update("json", {"LogID": 1, "Notes": f"{mark}2"})

        for number, mark, other in (
            (numbers[0], OURS, THEIRS),
            (numbers[1], THEIRS, OURS),
        ):
            for table, texts in (
                ("revision", "changes"),
                ("customer_revision", "changes"),
                ("journal_body", "CAST(request_body AS TEXT)"),
            ):
                kept = rows(neto, f"SELECT {texts} FROM {table} WHERE site = ?", number)
                assert len(kept) == (4 if table == "journal_body" else 2), table
                assert all(mark in text and other not in text for (text,) in kept)


def test_a_call_is_answered_for_the_site_of_its_key_whatever_else_it_says(
    sites: tuple[Neto, Neto],
) -> None:
    ours, theirs = sites
    tree = {"Filter": {"LogID": 1, "OutputSelector": "Notes"}}
    body = to_body("json", "GetCustomerLog", tree)

    for headers in (
        {"Host": "theirs.example"},
        {"NETOAPI_USERNAME": "theirs"},
        {"X-Forwarded-Host": "theirs.example"},
    ):
        answer = ours.post("GetCustomerLog", body, headers)
        assert (listed(answer), THEIRS.encode() in answer.body) == (1, False)
    both = ours.post("GetCustomerLog", body, {"Authorization": f"Bearer {theirs.key}"})
    assert (both.status, both.codes) == (401, ["RC003"])
