"""GetCustomer, through HTTP: filters, selectors, order, paging, and the logs of customers."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import (
    BILLING_ADDRESS,
    FORMATS,
    FULL_CUSTOMER,
    SHIPPING_ADDRESS,
    Answer,
    Neto,
    TestClock,
    add_customers,
    another_site,
    change_customers,
    customers_of,
    find_customers,
    serving,
    to_body,
)

CUSTOMERS: list[dict[str, Any]] = [
    {
        "Username": "ana",
        "EmailAddress": "ana@shop.example",
        "SecondaryEmailAddress": "spare@shop.example",
        "BillingAddress": {"BillCompany": "Stone Ltd", "BillState": "NSW"},
        "UserGroup": "Trade",
        "NewsletterSubscriber": True,
    },
    {
        "Username": "Bea",
        "Type": "Prospect",
        "EmailAddress": "ANA@Shop.example",
        "Active": False,
        "BillingAddress": {"BillCompany": "STONE LTD"},
    },
    {"Username": "Jos\u00e9", "OnCreditHold": True, "UserGroup": "trade"},
    {
        "Username": "Stra\u00dfe",
        "BillingAddress": {"BillState": "nsw"},
        "ShippingAddress": {"ShipCompany": "Elsewhere", "ShipState": "VIC"},
    },
    {"Username": "a%b_c*", "UserGroup": "x" * 50, "Active": False, "OnCreditHold": True},
]


@pytest.fixture(scope="module")
def filled(shared: Neto) -> Neto:
    """Customers 1 to 5, the last of no Type; no test adds to them."""
    add_customers(shared, *CUSTOMERS)
    change_customers(shared, "UpdateCustomer", {"Username": "a%b_c*", "Type": ""})
    return shared


def ids(answer: Answer) -> list[int]:
    return [int(one["ID"]) for one in customers_of(answer)]


# -- filters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"ID": 2}, [2], id="one ID"),
        pytest.param({"ID": ["5", "1", "1", "99"]}, [1, 5], id="many IDs"),
        pytest.param({"ID": ""}, [], id="an ID is never empty"),
        pytest.param({"Username": "ANA"}, [1], id="case"),
        pytest.param({"Username": ["bea", "nobody", "JOSE\u0301"]}, [2, 3], id="many usernames"),
        pytest.param({"Username": "jose"}, [], id="accents count"),
        pytest.param({"Username": "STRASSE"}, [4], id="case folding"),
        pytest.param({"Username": "an"}, [], id="no prefix"),
        pytest.param({"Username": "A%B_C*"}, [5], id="operators are letters"),
        pytest.param({"Username": "%"}, [], id="no wildcard"),
        pytest.param({"Username": ""}, [], id="a username is never empty"),
        pytest.param({"Type": "prospect"}, [2], id="prospects"),
        pytest.param({"Type": "Customer"}, [1, 3, 4], id="customers"),
        pytest.param({"Type": ["Customer", "Prospect"]}, [1, 2, 3, 4], id="both types"),
        pytest.param({"Type": ""}, [5], id="no type"),
        pytest.param({"Type": ["", "Prospect"]}, [2, 5], id="no type or one"),
        pytest.param({"Active": "True"}, [1, 3, 4], id="active"),
        pytest.param({"Active": "n"}, [2, 5], id="not active"),
        pytest.param({"Active": ["0", "1"]}, [1, 2, 3, 4, 5], id="active or not"),
        pytest.param({"OnCreditHold": "y"}, [3, 5], id="on hold"),
        pytest.param({"OnCreditHold": "False"}, [1, 2, 4], id="not on hold"),
        pytest.param({"NewsletterSubscriber": "1"}, [1], id="subscribers"),
        pytest.param({"NewsletterSubscriber": "false"}, [2, 3, 4, 5], id="not subscribers"),
        pytest.param({"Email": "ana@SHOP.example"}, [1, 2], id="email"),
        pytest.param({"Email": "spare@shop.example"}, [], id="not the second email"),
        pytest.param({"Email": ""}, [3, 4, 5], id="no email"),
        pytest.param({"Company": "stone ltd"}, [1, 2], id="company"),
        pytest.param({"Company": "Elsewhere"}, [], id="not the company goods go to"),
        pytest.param({"Company": ["x", " "]}, [3, 4, 5], id="no company"),
        pytest.param({"UserGroup": "TRADE"}, [1, 3], id="group"),
        pytest.param({"UserGroup": "X" * 50}, [5], id="a group as long as Add takes"),
        pytest.param({"UserGroup": ""}, [2, 4], id="no group"),
        pytest.param({"BillState": "Nsw"}, [1, 4], id="state"),
        pytest.param({"BillState": "VIC"}, [], id="not the state goods go to"),
        pytest.param({"IDAfter": 0}, [1, 2, 3, 4, 5], id="after 0"),
        pytest.param({"IDAfter": "3"}, [4, 5], id="after 3"),
        pytest.param({"IDAfter": 9_999_999_999}, [], id="after the last"),
        pytest.param({"UserGroup": "trade", "OnCreditHold": "True"}, [3], id="both of two"),
        pytest.param({"Active": "False", "Type": "Customer"}, [], id="one of two"),
        pytest.param(
            {"IDAfter": 1, "Active": "False", "Email": ["", "ana@shop.example"], "ID": [1, 2, 5]},
            [2, 5],
            id="all of four",
        ),
    ],
)
def test_customers_are_found_by(
    filled: Neto, format: str, filters: dict[str, Any], found: list[int]
) -> None:
    answer = find_customers(filled, format, **filters)

    assert (answer.status, answer.ack, answer.warnings) == (200, "Success", [])
    assert ids(answer) == found


def test_a_boolean_of_json_is_a_filter(filled: Neto) -> None:
    assert ids(find_customers(filled, Active=False)) == [2, 5]
    assert ids(find_customers(filled, Active=[True, 0])) == [1, 2, 3, 4, 5]


def test_a_filter_of_null_is_as_if_absent(filled: Neto) -> None:
    assert ids(find_customers(filled, ID=2, Type=None)) == [2]
    assert find_customers(filled, ID=None).codes == ["CL031"]


@pytest.mark.parametrize("wrapper", ["Filter", "filter", "FILTER"])
def test_the_filter_may_be_written_in_whatever_case(filled: Neto, wrapper: str) -> None:
    tree = {wrapper: {"ID": "1", "OutputSelector": "ID"}}

    for format in FORMATS:
        assert ids(filled.call(format, "GetCustomer", tree)) == [1]


@pytest.fixture(scope="module")
def dated(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    """
    In Sydney, ana was added at 23:30 on 1 June 2030 and bea an hour later, on 2 June.

    On 3 June, at 09:00, ana was changed.
    """
    path = tmp_path_factory.mktemp("dated") / "recontact.db"
    shutil.copy(template, path)
    with (
        serving(path, TestClock()) as server,
        another_site(server, "Australia/Sydney") as site,
    ):
        for at, action, item in (
            (datetime(2030, 6, 1, 13, 30, tzinfo=UTC), "AddCustomer", {"Username": "ana"}),
            (datetime(2030, 6, 1, 14, 30, tzinfo=UTC), "AddCustomer", {"Username": "bea"}),
            (
                datetime(2030, 6, 2, 23, 0, tzinfo=UTC),
                "UpdateCustomer",
                {"Username": "ana", "ABN": "1"},
            ),
        ):
            server.clock.move(seconds=(at - server.clock.now()).total_seconds())
            assert change_customers(site, action, item).ack == "Success"
        yield site


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"DateAddedFrom": "2030-06-01"}, [1, 2], id="from a day"),
        pytest.param({"DateAddedFrom": "2030-06-02"}, [2], id="from the start of a day there"),
        pytest.param({"DateAddedFrom": "2030-06-03"}, [], id="from a later day"),
        pytest.param({"DateAddedTo": "2030-06-01"}, [], id="to the start of a day"),
        pytest.param({"DateAddedTo": "2030-06-02"}, [1], id="to the start of the next"),
        pytest.param({"DateAddedTo": "2030-06-03"}, [1, 2], id="to a later day"),
        pytest.param({"DateAddedFrom": "2030-06-01 14:00:00"}, [2], id="from an instant"),
        pytest.param({"DateAddedFrom": "2030-06-02 00:00:00"}, [], id="from midnight in UTC"),
        pytest.param({"DateAddedTo": "2030-06-02T00:00:00+10:00"}, [1], id="to midnight there"),
        pytest.param(
            {"DateAddedFrom": "2030-06-01T13:30:00Z", "DateAddedTo": "2030-06-01T14:00:00Z"},
            [1],
            id="between",
        ),
        pytest.param({"DateUpdatedFrom": "2030-06-03"}, [1], id="updated from a day"),
        pytest.param({"DateUpdatedTo": "2030-06-03"}, [2], id="updated to a day"),
        pytest.param({"DateUpdatedFrom": "2030-06-02 22:00:00"}, [1], id="updated from"),
        pytest.param({"DateAddedFrom": "2030-06-01", "DateUpdatedTo": "2030-06-02"}, [], id="two"),
        pytest.param({"DateAddedTo": ""}, [], id="each has a date"),
    ],
)
def test_a_day_counts_from_its_start_in_the_sites_zone(
    dated: Neto, format: str, filters: dict[str, str], found: list[int]
) -> None:
    answer = find_customers(dated, format, **filters)

    assert answer.ack == "Success"
    assert ids(answer) == found


@pytest.mark.parametrize("name", ["DateAdded", "DateUpdated"])
def test_both_bounds_of_a_range_count(dated: Neto, name: str) -> None:
    (one,) = customers_of(find_customers(dated, Username="bea", OutputSelector=name))
    at = one[name]

    assert ids(find_customers(dated, **{f"{name}From": at, f"{name}To": at})) == [2]


@pytest.mark.parametrize("format", FORMATS)
def test_dates_are_selected_in_three_forms(dated: Neto, format: str) -> None:
    forms = [f"{name}{form}" for name in ("DateAdded", "DateUpdated") for form in ("", *LOCAL_UTC)]
    selectors = ["RegistrationDate", *forms]

    (ana,) = customers_of(find_customers(dated, format, ID=1, OutputSelector=selectors))

    def minutes(name: str) -> str:
        return ana[name][:16]

    assert minutes("DateAdded") == minutes("DateAddedUTC") == "2030-06-01 13:30"
    assert minutes("RegistrationDate") == "2030-06-01 13:30"
    assert minutes("DateAddedLocal") == "2030-06-01 23:30"
    assert minutes("DateUpdated") == minutes("DateUpdatedUTC") == "2030-06-02 23:00"
    assert minutes("DateUpdatedLocal") == "2030-06-03 09:00"


LOCAL_UTC = ("Local", "UTC")


# -- paging ------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("paging", "found"),
    [
        ({"Limit": 2}, [1, 2]),
        ({"Limit": 2, "Page": 0}, [1, 2]),
        ({"Limit": "2", "Page": "1"}, [3, 4]),
        ({"Limit": 2, "Page": 2}, [5]),
        ({"Limit": 2, "Page": 3}, []),
        ({"Limit": 10_000}, [1, 2, 3, 4, 5]),
        ({"Page": 9_999_999_999, "Limit": 10_000}, []),
        ({"Limit": 2, "IDAfter": 2}, [3, 4]),
        ({"Limit": 1, "IDAfter": 2, "Page": 1}, [4]),
    ],
)
def test_a_page_holds_limit_customers(
    filled: Neto, format: str, paging: dict[str, Any], found: list[int]
) -> None:
    answer = find_customers(filled, format, **{"IDAfter": 0} | paging)

    assert (answer.ack, ids(answer)) == ("Success", found)


@pytest.mark.parametrize("format", FORMATS)
def test_a_page_past_the_end_is_an_empty_list(filled: Neto, format: str) -> None:
    answer = find_customers(filled, format, IDAfter=0, Page=9)

    if format == "json":
        assert answer.tree["Customer"] == []
    assert b"<Customer" not in answer.body


def test_a_page_has_100_customers_unless_told(neto: Neto) -> None:
    add_customers(neto, *({"Username": f"number {n}"} for n in range(101)))

    assert len(customers_of(find_customers(neto, IDAfter=0))) == 100
    assert ids(find_customers(neto, IDAfter=0, Page=1)) == [101]


def test_id_after_neither_misses_nor_repeats_while_others_write(neto: Neto) -> None:
    add_customers(neto, *({"Username": f"z{n}", "UserGroup": "a"} for n in range(10)))

    def after(last: int) -> list[dict[str, Any]]:
        return customers_of(find_customers(neto, IDAfter=last, Limit=3, UserGroup="a"))

    read: list[int] = []
    while customers := after(read[-1] if read else 0):
        read += [int(one["ID"]) for one in customers]
        leaves = {"Username": customers[0]["Username"], "UserGroup": "b"}
        change_customers(neto, "UpdateCustomer", leaves)
        if len(read) < 9:
            add_customers(neto, {"Username": f"a{len(read)}", "UserGroup": "a"})

    assert read == list(range(1, 13))


# -- selectors ---------------------------------------------------------------------------------

# neto/actions.md §3, all 94; one that gets lost here or there is noticed.
_NAMES = """
    Username ID Type Password EmailAddress SecondaryEmailAddress NewsletterSubscriber
    BillingAddress ShippingAddress ShippingAddressBook ParentUsername ApprovalUsername
    ReferralUsername ReferralCommission Gender DateOfBirth IdentificationType
    IdentificationDetails DefaultDiscounts DefaultDocumentTemplate RegistrationDate
    InternalNotes ABN WebsiteURL CreditLimit DefaultInvoiceTerms Classification1 Classification2
    SalesChannel DefaultShippingAddress Active OnCreditHold UserGroup AccountBalance
    AvailableCredit AccountManager DefaultOrderType UserCustom1 UserCustom2 UserCustom3
    UserCustom4 UserCustom5 UserCustom6 UserCustom7 UserCustom8 UserCustom9 UserCustom10
    UserCustom11 UserCustom12 UserCustom13 UserCustom14 UserCustom15 UserCustom16 UserCustom17
    UserCustom18 UserCustom19 UserCustom20 UserCustom21 UserCustom22 UserCustom23 UserCustom24
    UserCustom25 UserCustom26 UserCustom27 UserCustom28 UserCustom29 UserCustom30 UserCustom31
    UserCustom32 UserCustom33 UserCustom34 UserCustom35 UserCustom36 UserCustom37 UserCustom38
    UserCustom39 UserCustom40 UserCustom41 UserCustom42 UserCustom43 UserCustom44 UserCustom45
    UserCustom46 UserCustom47 UserCustom48 UserCustom49 UserCustom50 DateAdded DateAddedLocal
    DateAddedUTC DateUpdated DateUpdatedLocal DateUpdatedUTC CustomerLog
"""
DOCUMENTED = _NAMES.split()
ANSWERED_AS = {"CustomerLog": "CustomerLogs", "DefaultShippingAddress": "ShippingAddress"}
EMPTY = ("Password", "AccountBalance", "AvailableCredit")


@pytest.fixture(scope="module")
def full(shared: Neto) -> Iterator[Neto]:
    """A site with a customer that has every element, and a log, and one that has none."""
    with another_site(shared, "Australia/Sydney") as site:
        add_customers(site, FULL_CUSTOMER | {"Username": "full"}, {"Username": "bare"})
        site.add({"Username": "full"})
        yield site


@pytest.mark.parametrize("format", FORMATS)
def test_every_documented_selector_is_known_at_once(full: Neto, format: str) -> None:
    answer = find_customers(full, format, Username="full", OutputSelector=DOCUMENTED)

    assert len(set(DOCUMENTED)) == 94
    assert "Recontact-Passed-Over" not in answer.headers
    (one,) = customers_of(answer)
    assert set(one) == {ANSWERED_AS.get(name, name) for name in DOCUMENTED}
    assert {name for name, value in one.items() if value == ""} == set(EMPTY)


@pytest.mark.parametrize("format", FORMATS)
def test_every_documented_selector_answers_its_element_and_the_keys(
    full: Neto, format: str
) -> None:
    whole = customers_of(find_customers(full, format, ID=1, OutputSelector=DOCUMENTED))[0]
    for name in DOCUMENTED:
        answer = find_customers(full, format, ID=1, OutputSelector=name)

        element = ANSWERED_AS.get(name, name)
        expected = {key: whole[key] for key in ("ID", "Username", element)}
        assert customers_of(answer) == [expected], name


def test_the_keys_are_answered_also_when_they_are_not_selected(full: Neto) -> None:
    (one,) = customers_of(find_customers(full, ID=2, OutputSelector="ABN"))

    assert one == {"ID": "2", "Username": "bare", "ABN": ""}


def test_the_revision_is_ours_to_select(full: Neto) -> None:
    (one,) = customers_of(find_customers(full, ID=1, OutputSelector="Revision"))

    assert one == {"ID": "1", "Username": "full", "Revision": "1"}


@pytest.mark.parametrize("format", FORMATS)
def test_an_element_without_a_value_is_empty_and_an_object_complete(
    full: Neto, format: str
) -> None:
    (one,) = customers_of(find_customers(full, format, ID=2, OutputSelector=DOCUMENTED))

    has = {"ID", "Username", "Type", "Active", "NewsletterSubscriber", "OnCreditHold"}
    dates = {name for name in DOCUMENTED if name.startswith(("DateA", "DateU", "Reg"))}
    lists = {"ShippingAddressBook": "ShippingAddress", "CustomerLogs": "CustomerLog"}
    shipping = [name for name in SHIPPING_ADDRESS if name != "ShipTitle"]
    assert {k: v for k, v in one.items() if k not in has | dates and v != ""} == {
        "BillingAddress": dict.fromkeys(BILLING_ADDRESS, ""),
        "ShippingAddress": dict.fromkeys(shipping, ""),
        "AccountManager": dict.fromkeys(("FirstName", "LastName", "Username", "Email"), ""),
    } | ({wrapper: {inside: []} for wrapper, inside in lists.items()} if format == "json" else {})
    assert all(one[name] for name in has | dates)


def test_every_value_is_text_in_json(full: Neto) -> None:
    (one,) = customers_of(find_customers(full, ID=1, OutputSelector=DOCUMENTED))

    def leaves(tree: Any) -> Iterator[Any]:
        if isinstance(tree, dict | list):
            for inside in tree.values() if isinstance(tree, dict) else tree:
                yield from leaves(inside)
        else:
            yield tree

    assert all(isinstance(leaf, str) for leaf in leaves(one))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("selectors", "elements", "passed_over"),
    [
        ("ABN", ["ABN"], None),
        (["ABN", "Type", "ABN"], ["ABN", "Type"], None),
        (["ABN ", "\nType"], ["ABN", "Type"], None),
        (["ABN", "abn", "Phone", "BillCity"], ["ABN"], "abn, Phone, BillCity"),
        (["Phone", "ID"], [], "Phone"),
    ],
)
def test_the_selected_elements_are_answered_and_unknown_ones_passed_over(
    full: Neto, format: str, selectors: Any, elements: list[str], passed_over: str | None
) -> None:
    answer = find_customers(full, format, ID=1, OutputSelector=selectors)

    assert answer.ack == "Success"
    (one,) = customers_of(answer)
    assert set(one) == {"ID", "Username", *elements}
    assert answer.headers.get("Recontact-Passed-Over") == passed_over


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "codes"),
    [
        pytest.param({}, ["CL031"], id="none"),
        pytest.param({"Page": 0, "Limit": 5}, ["CL031"], id="paging alone"),
        pytest.param({"Page": 0, "Limit": 5, "OutputSelector": "x"}, ["CL031"], id="nothing known"),
        pytest.param({"ID": 1, "OutputSelector": "Phone"}, ["CL032"], id="no selector known"),
        pytest.param({"ID": 1, "OutputSelector": ""}, ["CL032"], id="selector empty"),
        pytest.param({"ID": 1, "OutputSelector": []}, ["CL032"], id="no selector"),
        pytest.param({"EmailAddress": "a@shop.example"}, ["CL030"], id="an element"),
        pytest.param({"ID": 1, "id": 1}, ["CL030"], id="case"),
        pytest.param({"ID": 1, "LogID": 1}, ["CL030"], id="of the logs"),
        pytest.param({"ID": 1, "Search": "ana"}, ["CL030"], id="search"),
        pytest.param({"Colour": "red", "Size": "1"}, ["CL030", "CL030"], id="two unknown"),
        pytest.param({"ID": "x"}, ["CL011"], id="no integer"),
        pytest.param({"ID": [1, 0]}, ["CL011"], id="one of many"),
        pytest.param({"ID": 10_000_000_000}, ["CL011"], id="11 digits"),
        pytest.param({"IDAfter": -1}, ["CL011"], id="after -1"),
        pytest.param({"IDAfter": [1, 2]}, ["CL033"], id="two afters"),
        pytest.param({"IDAfter": ""}, ["CL035"], id="after nothing"),
        pytest.param({"ID": 1, "Page": -1}, ["CL011"], id="page -1"),
        pytest.param({"ID": 1, "Limit": 0}, ["CL011"], id="limit 0"),
        pytest.param({"ID": 1, "Limit": 10_001}, ["CL011"], id="limit too high"),
        pytest.param({"ID": 1, "Limit": ""}, ["CL035"], id="limit empty"),
        pytest.param({"Type": "Supplier"}, ["CL012"], id="type"),
        pytest.param({"Active": "maybe"}, ["CL012"], id="boolean"),
        pytest.param({"DateAddedFrom": "soon"}, ["CL013"], id="no date"),
        pytest.param({"DateAddedFrom": ["2030-01-01", "2030-01-02"]}, ["CL033"], id="two dates"),
        pytest.param({"Username": "x" * 26}, ["CL010"], id="too long"),
        pytest.param({"Email": "x" * 51}, ["CL010"], id="email too long"),
        pytest.param({"Company": {"a": "b"}}, ["CL016"], id="object"),
    ],
)
def test_a_wrong_filter_is_an_error_and_an_empty_list(
    filled: Neto, format: str, filters: dict[str, Any], codes: list[str]
) -> None:
    if format == "xml" and filters.get("OutputSelector") == []:
        filters = filters | {"OutputSelector": ""}

    answer = find_customers(filled, format, **filters)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", codes)
    if format == "json":
        assert answer.tree["Customer"] == []
    assert b"<Customer>" not in answer.body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param(b"", "CL031", id="nothing at all"),
        pytest.param(b"{}", "CL031", id="empty object"),
        pytest.param(b'{"Filter": {}}', "CL031", id="empty filter"),
        pytest.param(b'{"Filter": null}', "CL031", id="null"),
        pytest.param(b'{"Filter": {"Limit": 5, "Page": 0}}', "CL031", id="the vendor's curl line"),
        pytest.param(b'{"Filter": {"OutputSelector": ["ID"]}}', "CL031", id="selector alone"),
        pytest.param(b'{"Filter": {"ID": 1}}', "CL032", id="no selector"),
        pytest.param(b'{"Filter": {"ID": []}}', "CL035", id="empty list"),
        pytest.param(b'{"Filter": [{"ID": 1}]}', "CL034", id="list"),
        pytest.param(b'{"Filter": 1}', "CL034", id="number"),
        pytest.param(b'{"ID": 1, "OutputSelector": "ID"}', "CL031", id="not in a Filter"),
        pytest.param(b"<GetCustomer/>", "CL031", id="empty root"),
        pytest.param(b"<GetCustomer><Filter/></GetCustomer>", "CL031", id="empty element"),
        pytest.param(
            b"<GetCustomer><Filter><ID>1</ID></Filter><Filter/></GetCustomer>", "CL034", id="two"
        ),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/xml"])
def test_a_call_without_a_filter_or_selector_is_an_error_with_http_200(
    filled: Neto, body: bytes, code: str, accept: str
) -> None:
    answer = filled.post("GetCustomer", body, {"Accept": accept})

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", [code])
    assert customers_of(answer) == []
    if answer.format == "json":
        assert list(answer.tree) == ["Customer", "CurrentTime", "Ack", "Messages"]


def test_a_get_needs_the_right_to_read(shared: Neto) -> None:
    key = shared.new_key(may=["write"])
    body = to_body("json", "GetCustomer", {"Filter": {"ID": 1, "OutputSelector": "ID"}})

    answer = shared.post("GetCustomer", body, {"NETOAPI_KEY": key})

    assert (answer.status, answer.codes, customers_of(answer)) == (403, ["RC005"], [])


# -- the logs of customers -----------------------------------------------------------------------

# Sydney is 11 hours ahead of UTC then.
FOLLOW_UPS = [
    ("2026-12-01", "2026-12-01"),
    ("2026-11-30 12:59:59", "2026-11-30"),
    ("2026-11-30 13:00:00", "2026-12-01"),
    ("2026-11-30 13:00:01", "2026-12-01"),
    ("2026-12-01 12:59:59", "2026-12-01"),
    ("2026-12-01 13:00:00", "2026-12-02"),
    ("2026-12-01T00:00:00Z", "2026-12-01"),
    ("2026-12-01T00:00:00+11:00", "2026-12-01"),
    ("9999-12-31 23:59:59", "9999-12-31"),
    ("", ""),
]


@pytest.fixture(scope="module")
def logged(shared: Neto) -> Iterator[Neto]:
    """ana has the odd logs, Bea the even ones, each with one of FOLLOW_UPS; cyn has none."""
    with another_site(shared, "Australia/Sydney") as site:
        add_customers(site, {"Username": "ana"}, {"Username": "Bea"}, {"Username": "cyn"})
        site.add(
            *(
                {
                    "Username": ("BEA", "Ana")[n % 2],
                    "AllocatedTo": f"agent {n}",
                    "FollowUpType": "Phone",
                    "CustomerName": "Somebody",
                    "LastContacted": f"2026-11-20 13:{n:02}:00",
                    "DateRequiredFollowUp": due,
                    "Status": ("Completed", "Recontacting")[n % 2],
                    "Notes": f"note {n} <&>\r\n",
                }
                for n, (due, _) in enumerate(FOLLOW_UPS, 1)
            ),
            {"CustomerName": "ana", "Notes": "of no customer"},
        )
        yield site


@pytest.mark.parametrize("format", FORMATS)
def test_the_logs_of_a_customer_are_read_as_documented(logged: Neto, format: str) -> None:
    answer = find_customers(logged, format, IDAfter=0, OutputSelector="CustomerLog")

    ana, bea, cyn = customers_of(answer)
    assert [set(one) for one in (ana, bea)] == [{"ID", "Username", "CustomerLogs"}] * 2
    for one, numbers in ((ana, range(1, 11, 2)), (bea, range(2, 11, 2))):
        assert one["CustomerLogs"] == {
            "CustomerLog": [
                {
                    "LogID": str(n),
                    "Customer": one["Username"],
                    "AllocatedTo": f"agent {n}",
                    "Status": ("Completed", "Recontacting")[n % 2],
                    "DateRequiredFollowUp": FOLLOW_UPS[n - 1][1],
                    "LastContacted": f"2026-11-20 13:{n:02}:00",
                    "LastContactedLocal": f"2026-11-21 00:{n:02}:00",
                    "LastContactedUTC": f"2026-11-20 13:{n:02}:00",
                    "Notes": f"note {n} <&>\r\n",
                }
                for n in numbers
            ]
        }
    assert cyn["CustomerLogs"] == ({"CustomerLog": []} if format == "json" else "")
    assert b"of no customer" not in answer.body


def test_the_follow_up_is_the_day_in_the_sites_zone_also_west_of_utc(shared: Neto) -> None:
    with another_site(shared, "America/Los_Angeles") as site:
        add_customers(site, {"Username": "ana"})
        dues = ["2026-12-01 07:59:59", "2026-12-01 08:00:00", "2026-12-01", "2026-12-01T00:00:00Z"]
        site.add(*({"Username": "ana", "DateRequiredFollowUp": due} for due in dues))

        (ana,) = customers_of(find_customers(site, ID=1, OutputSelector="CustomerLog"))

        days = [log["DateRequiredFollowUp"] for log in ana["CustomerLogs"]["CustomerLog"]]
        assert days == ["2026-11-30", "2026-12-01", "2026-12-01", "2026-11-30"]


def test_the_logs_are_those_as_they_stand(neto: Neto) -> None:
    add_customers(neto, {"Username": "ana"})
    (log_id,) = neto.add({"Username": "ana", "Notes": "old"})
    neto.update("json", {"LogID": log_id, "Notes": "new", "Status": "Completed"})

    (ana,) = customers_of(find_customers(neto, ID=1, OutputSelector="CustomerLog"))

    (log,) = ana["CustomerLogs"]["CustomerLog"]
    assert (log["Notes"], log["Status"]) == ("new", "Completed")


def test_each_of_many_customers_has_its_own_logs(neto: Neto) -> None:
    names = [f"number {n}" for n in range(1, 1_001)]
    add_customers(neto, *({"Username": name} for name in names))
    neto.add(*({"Username": name, "Notes": name} for name in reversed(names)))

    answer = find_customers(neto, IDAfter=0, Limit=1_000, OutputSelector="CustomerLog")

    found = [
        (one["Username"], [log["Notes"] for log in one["CustomerLogs"]["CustomerLog"]])
        for one in customers_of(answer)
    ]
    assert found == [(name, [name]) for name in names]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        pytest.param({"Username": "ANA"}, [1, 3, 5, 7, 9], id="username"),
        pytest.param({"Username": ["bea", "nobody"], "LogIDAfter": 6}, [8, 10], id="and after"),
        pytest.param({"Username": ["ana", "bea"], "Limit": 3, "Page": 1}, [4, 5, 6], id="two"),
        pytest.param({"Username": ""}, [11], id="no username"),
        pytest.param({"Username": "an"}, [], id="no prefix"),
        pytest.param({"CustomerName": "ANA"}, [11], id="name"),
        pytest.param({"CustomerName": ["ana", "x"], "Username": ""}, [11], id="name, no username"),
        pytest.param(
            {"CustomerName": "somebody", "Username": "bea", "Limit": 2}, [2, 4], id="both"
        ),
        pytest.param({"CustomerName": ""}, [], id="no name"),
    ],
)
def test_logs_are_found_by_username_and_customer_name(
    logged: Neto, format: str, filters: dict[str, Any], found: list[int]
) -> None:
    answer = logged.get(format, **filters)

    assert (answer.ack, answer.log_ids) == ("Success", [str(log_id) for log_id in found])


@pytest.mark.parametrize(("name", "limit"), [("Username", 25), ("CustomerName", 100)])
def test_a_filter_is_as_long_as_its_element(logged: Neto, name: str, limit: int) -> None:
    assert logged.get(**{name: "x" * limit}).ack == "Success"
    assert logged.get(**{name: "x" * (limit + 1)}).codes == ["CL010"]
