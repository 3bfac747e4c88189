"""UpdateCustomer, through HTTP, in both formats."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from conftest import (
    BILLING_ADDRESS,
    CUSTOMER_ELEMENTS,
    FORMATS,
    FULL_CUSTOMER,
    SHIPPING_ADDRESS,
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
    site_of,
)

ADDRESSES = ("BillingAddress", "ShippingAddress")


def update(neto: Neto, format: str, *items: Any) -> Answer:
    return change_customers(neto, "UpdateCustomer", *items, format=format)


@pytest.fixture
def username(shared: Neto) -> str:
    """A customer with a value in every element."""
    (username,) = add_customers(shared, FULL_CUSTOMER | {"Username": new_username()})
    return username


def revisions(neto: Neto, username: str) -> list[tuple[int, dict[str, list[str | None]]]]:
    """The revisions of a customer: number, and by attribute what it was and became."""
    ((number, site),) = rows(
        neto,
        "SELECT customer_id, site FROM customer WHERE site = ? AND username = ?",
        site_of(neto),
        username,
    )
    found = rows(
        neto,
        "SELECT number, changes FROM customer_revision WHERE site = ? AND customer_id = ?"
        " ORDER BY number",
        site,
        number,
    )
    return [(number, json.loads(changes)) for number, changes in found]


# -- every element -----------------------------------------------------------------------------

OTHER: dict[str, Any] = {
    **{name: f"new {name}"[:15] for name in CUSTOMER_ELEMENTS},
    **{f"UserCustom{n}": f"new {n}" for n in range(1, 51)},
    "Type": "Customer",
    "Gender": "male",
    "DefaultOrderType": "sales",
    "NewsletterSubscriber": "False",
    "Active": "True",
    "OnCreditHold": "False",
    "ReferralCommission": "8",
    "DefaultDiscounts": "0.5",
    "CreditLimit": "1",
    "DateOfBirth": "1980-03-01",
    "BillingAddress": {name: f"n {name}"[:2] for name in BILLING_ADDRESS},
    "ShippingAddress": {name: f"n {name}"[:2] for name in SHIPPING_ADDRESS if name != "ShipTitle"},
}


def read_back(name: str, value: Any) -> Any:
    if name == "AccountManager":
        return {"FirstName": "", "LastName": "", "Username": value, "Email": ""}
    return value


@pytest.mark.parametrize("format", FORMATS)
def test_an_element_that_is_sent_is_set_and_the_others_stay(
    shared: Neto, username: str, format: str
) -> None:
    expected = customer(shared, username)

    for number, (name, value) in enumerate(OTHER.items(), 2):
        answer = update(shared, format, {"Username": username, name: value})

        assert (answer.ack, answer.warnings) == ("Success", [])
        expected |= {name: read_back(name, value), "Revision": str(number)}
        now = customer(shared, username)
        assert now | {"DateUpdated": ""} == expected | {"DateUpdated": ""}, name


@pytest.mark.parametrize("format", FORMATS)
def test_all_elements_can_be_set_at_once(shared: Neto, username: str, format: str) -> None:
    answer = update(shared, format, {"Username": username} | OTHER)

    assert answer.ack == "Success"
    now = customer(shared, username, format=format)
    assert {name: now[name] for name in OTHER} == {
        name: read_back(name, value) for name, value in OTHER.items()
    }
    assert now["Revision"] == "2"


EMPTY_ADDRESSES = {
    "BillingAddress": dict.fromkeys(BILLING_ADDRESS, ""),
    "ShippingAddress": {name: "" for name in SHIPPING_ADDRESS if name != "ShipTitle"},
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("empty", ["", " \n "])
def test_an_element_that_is_sent_empty_is_cleared(
    shared: Neto, username: str, format: str, empty: str
) -> None:
    answer = update(
        shared, format, {"Username": username} | dict.fromkeys(CUSTOMER_ELEMENTS, empty)
    )

    assert answer.ack == "Success"
    now = customer(shared, username, format=format)
    booleans = ("NewsletterSubscriber", "Active", "OnCreditHold")
    assert {name: now[name] for name in CUSTOMER_ELEMENTS} == {
        name: read_back(name, "False" if name in booleans else EMPTY_ADDRESSES.get(name, ""))
        for name in CUSTOMER_ELEMENTS
    }


@pytest.mark.parametrize("empty", ["0000-00-00", "0000-00-00 00:00:00"])
def test_a_day_of_birth_of_noughts_is_cleared(shared: Neto, username: str, empty: str) -> None:
    update(shared, "json", {"Username": username, "DateOfBirth": empty})

    assert customer(shared, username)["DateOfBirth"] == ""


def test_an_element_of_null_stays_as_it_is(shared: Neto, username: str) -> None:
    before = customer(shared, username)

    answer = update(shared, "json", dict.fromkeys(FULL_CUSTOMER) | {"Username": username})

    assert answer.ack == "Success"
    assert customer(shared, username) == before


def test_an_element_that_is_nil_in_xml_stays_as_it_is(shared: Neto, username: str) -> None:
    before = customer(shared, username)
    nil = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"'
    nils = "".join(f"<{name} {nil}/>" for name in CUSTOMER_ELEMENTS)
    body = f"<u><Customer><Username>{username}</Username>{nils}</Customer></u>"

    answer = shared.post("UpdateCustomer", body.encode())

    assert answer.ack == "Success"
    assert customer(shared, username) == before


# -- addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_sent_replaces_the_stored_one_whole(
    shared: Neto, username: str, format: str, address: str
) -> None:
    before = customer(shared, username)
    part = address[:4] + "City"

    answer = update(shared, format, {"Username": username, address: {part: "Perth"}})

    assert answer.ack == "Success"
    after = customer(shared, username, "ShippingAddressBook", *CUSTOMER_ELEMENTS)
    assert after[address] == EMPTY_ADDRESSES[address] | {part: "Perth"}
    other = ADDRESSES[address == "BillingAddress"]
    assert after[other] == before[other]
    (in_book,) = after["ShippingAddressBook"]["ShippingAddress"]
    if address == "ShippingAddress":
        assert (in_book["Title"], in_book["ShipCity"]) == ("", "Perth")


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        pytest.param('{"BillingAddress": {}}', False, id="empty object"),
        pytest.param('{"BillingAddress": ""}', False, id="empty text"),
        pytest.param('{"BillingAddress": {"BillCity": ""}}', False, id="an empty part"),
        pytest.param('{"BillingAddress": {"City": "Perth"}}', True, id="an unknown part"),
        pytest.param('{"BillingAddress": null}', True, id="null"),
        pytest.param('{"billingaddress": {}}', True, id="another name"),
        pytest.param('{"BillCity": "Perth"}', True, id="a part outside"),
        pytest.param("<BillingAddress/>", False, id="empty element"),
        pytest.param("<BillingAddress> </BillingAddress>", False, id="blank element"),
        pytest.param("<BillingAddress><BillCity/></BillingAddress>", False, id="empty part in XML"),
    ],
)
def test_an_address_that_is_sent_empty_is_cleared(
    shared: Neto, username: str, sent: str, left: bool
) -> None:
    before = customer(shared, username)["BillingAddress"]
    if sent.startswith("{"):
        body = f'{{"Customer": {{"Username": "{username}", {sent[1:]}}}'
    else:
        body = f"<u><Customer><Username>{username}</Username>{sent}</Customer></u>"

    answer = shared.post("UpdateCustomer", body.encode())

    assert answer.errors == []
    after = customer(shared, username)["BillingAddress"]
    assert after == (before if left else EMPTY_ADDRESSES["BillingAddress"])


@pytest.mark.parametrize("format", FORMATS)
def test_the_book_is_empty_without_an_address(shared: Neto, username: str, format: str) -> None:
    update(shared, format, {"Username": username, "ShippingAddress": ""})

    one = customer(shared, username, "ShippingAddressBook", format=format)

    empty = {"json": {"ShippingAddress": []}, "xml": ""}
    assert one["ShippingAddressBook"] == empty[format]


# -- refusals ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"EmailAddress": "x" * 51}, "CL010", id="too long"),
        pytest.param({"Password": "x" * 101}, "CL010", id="a password too long"),
        pytest.param({"UserCustom50": "x" * 256}, "CL010", id="custom too long"),
        pytest.param({"InternalNotes": "x" * 65_536}, "CL010", id="notes too long"),
        pytest.param({"BillingAddress": {"BillCountry": "AUS"}}, "CL010", id="part too long"),
        pytest.param({"Type": "None"}, "CL012", id="type"),
        pytest.param({"Gender": "x"}, "CL012", id="gender"),
        pytest.param({"Active": "2"}, "CL012", id="boolean"),
        pytest.param({"CreditLimit": "x"}, "CL017", id="number"),
        pytest.param({"DateOfBirth": "yesterday"}, "CL013", id="date"),
        pytest.param({"ShippingAddress": "x"}, "CL018", id="no address"),
        pytest.param({"ABN": {"b": "x"}}, "CL016", id="no text"),
        pytest.param({"Revision": "2"}, "CL004", id="a later revision"),
        pytest.param({"Revision": "0"}, "CL011", id="revision 0"),
        pytest.param({"Revision": "x"}, "CL011", id="no revision"),
    ],
)
def test_a_refused_item_says_why_and_changes_nothing(
    shared: Neto, username: str, format: str, change: dict[str, Any], code: str
) -> None:
    before = customer(shared, username)

    answer = update(shared, format, {"Username": username, "WebsiteURL": "other"} | change)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", [code])
    assert f"Item 1 (Username {username})" in answer.errors[0]["Description"]
    assert customers_of(answer) == []
    assert customer(shared, username) == before
    assert len(revisions(shared, username)) == 1


def test_an_address_that_stands_twice_refuses_the_item(shared: Neto, username: str) -> None:
    before = customer(shared, username)
    address = "<BillingAddress><BillCity>Perth</BillCity></BillingAddress>"
    body = f"<u><Customer><Username>{username}</Username>{address * 2}</Customer></u>"

    answer = shared.post("UpdateCustomer", body.encode())

    assert (answer.ack, len(answer.errors)) == ("Error", 1)
    assert customer(shared, username) == before


@pytest.mark.parametrize("format", FORMATS)
def test_each_item_stands_alone(shared: Neto, format: str) -> None:
    one, two, three = add_customers(shared, *({"Username": new_username()} for _ in range(3)))

    answer = update(
        shared,
        format,
        {"Username": one, "ABN": "new"},
        {"Username": two, "ABN": "new", "Gender": "x"},
        {"Username": "nobody", "ABN": "new", "Gender": "x"},
        {"ABN": "new"},
        {"Username": three, "ABN": "new"},
    )

    assert answer.ack == "Error"
    assert [error["Message"] for error in answer.errors] == [
        "Gender 'x' does not exist",
        "Gender 'x' does not exist",
        "Cannot find Customer nobody",
        "Username is a required field and is missing",
    ]
    assert [error["Description"].split(":")[0] for error in answer.errors] == [
        f"Item 2 (Username {two})",
        "Item 3 (Username nobody)",
        "Item 3 (Username nobody)",
        "Item 4",
    ]
    assert [found["Username"] for found in customers_of(answer)] == [one, three]
    assert [customer(shared, name)["ABN"] for name in (one, two, three)] == ["new", "", "new"]


def test_a_customer_of_another_site_is_not_found(shared: Neto) -> None:
    (username,) = add_customers(shared, {"Username": new_username()})
    with another_site(shared, "UTC") as other:
        answer = update(other, "json", {"Username": username, "ABN": "theirs"})

        assert answer.codes == ["CL003"]
    assert customer(shared, username)["ABN"] == ""


def test_an_unknown_customer_is_not_added(shared: Neto) -> None:
    update(shared, "json", {"Username": "nobody", "ABN": "1"})

    assert customers_of(find_customers(shared, Username="nobody")) == []


# -- names and revisions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "sent"),
    [
        ("Kim", "kIM"),
        ("Weiss", "WEI\u00df"),
        ("Ren\u00e9", "RENE\u0301"),
        ("\u03c3\u03bf\u03c6\u03cc\u03c2", "\u03a3\u039f\u03a6\u038c\u03a3"),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_a_customer_is_found_in_whatever_case_and_keeps_its_spelling(
    neto: Neto, format: str, known: str, sent: str
) -> None:
    add_customers(neto, {"Username": known})

    answer = update(neto, format, {"Username": sent, "ABN": "new"})

    assert (answer.ack, customers_of(answer)) == ("Success", [{"Username": known}])
    one = customer(neto, known)
    assert (one["Username"], one["ABN"], one["Revision"]) == (known, "new", "2")


@pytest.mark.parametrize("format", FORMATS)
def test_a_revision_that_is_sent_must_be_the_current_one(
    shared: Neto, username: str, format: str
) -> None:
    answer = update(
        shared,
        format,
        {"Username": username, "ABN": "first", "Revision": "1"},
        {"Username": username, "ABN": "second", "Revision": "2"},
        {"Username": username, "ABN": "lost", "Revision": "2"},
        {"Username": username, "ABN": "lost", "Revision": "4"},
    )

    assert answer.codes == ["CL004", "CL004"]
    assert answer.errors[0]["Message"] == f"Customer {username} has changed"
    assert "2 was sent and 3 is current" in answer.errors[0]["Description"]
    one = customer(shared, username)
    assert (one["ABN"], one["Revision"]) == ("second", "3")


@pytest.mark.parametrize("format", FORMATS)
def test_what_changes_nothing_makes_no_revision(neto: Neto, format: str) -> None:
    add_customers(neto, FULL_CUSTOMER)
    before = customer(neto, FULL_CUSTOMER["Username"])
    neto.clock.move(hours=1)

    answer = update(neto, format, FULL_CUSTOMER, {"Username": FULL_CUSTOMER["Username"]})

    assert (answer.ack, len(customers_of(answer))) == ("Success", 2)
    assert customer(neto, FULL_CUSTOMER["Username"]) == before
    assert len(revisions(neto, FULL_CUSTOMER["Username"])) == 1


def test_each_change_makes_one_revision_of_what_changed(neto: Neto) -> None:
    (username,) = add_customers(
        neto, {"Username": "ann", "ABN": "1", "BillingAddress": {"BillCity": "Perth"}}
    )
    before = customer(neto, username)
    neto.clock.move(hours=1)

    answer = update(
        neto,
        "json",
        {"Username": "ANN", "ABN": "2", "Active": True, "Password": "x", "CreditLimit": "5.0"},
        {"Username": "ann", "BillingAddress": {"BillState": "WA"}, "Active": "n", "Gender": "male"},
        {"Username": "ann", "Gender": "", "ABN": "2"},
    )

    assert answer.ack == "Success"
    _, *later = revisions(neto, "ann")
    assert later == [
        (2, {"abn": ["1", "2"], "credit_limit": [None, "5.0"]}),
        (
            3,
            {
                "active": ["True", "False"],
                "bill_city": ["Perth", None],
                "bill_state": [None, "WA"],
                "gender": [None, "male"],
            },
        ),
        (4, {"gender": ["male", None]}),
    ]
    requests = rows(neto, "SELECT DISTINCT hex(request) FROM customer_revision WHERE number > 1")
    assert requests == [(answer.headers["X-Request-Id"].replace("-", "").upper(),)]
    after = customer(neto, username)
    assert after["DateUpdated"] > before["DateUpdated"]
    assert rows(neto, "SELECT changed FROM journal WHERE action = 'UpdateCustomer'") == [(3,)]


def test_a_log_that_changes_leaves_its_customer_as_it_is(neto: Neto) -> None:
    add_customers(neto, {"Username": "ann"})
    before = customer(neto, "ann")
    neto.clock.move(hours=1)

    (log_id,) = neto.add({"Username": "ann"})
    neto.update("json", {"LogID": log_id, "Notes": "new"})

    assert customer(neto, "ann") == before


def test_a_large_batch_is_applied_whole(shared: Neto) -> None:
    names = [new_username() for _ in range(1_000)]
    add_customers(shared, *({"Username": name} for name in names))

    answer = update(shared, "json", *({"Username": name, "ABN": name} for name in names))

    assert [one["Username"] for one in customers_of(answer)] == names
    found = find_customers(shared, Username=names, Limit=1_000, OutputSelector="ABN")
    assert [one["ABN"] for one in customers_of(found)] == names


# -- remarks -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_an_item_of_unknown_elements_only_is_warned_of(
    shared: Neto, username: str, format: str
) -> None:
    answer = update(shared, format, {"Username": username, "abn": "1", "FirstName": "Bob"})

    assert (answer.ack, answer.errors) == ("Warning", [])
    assert answer.warnings == [
        {
            "Message": f"Nothing to update in item 1 (Username {username})",
            "SeverityCode": "Warning",
        }
    ]
    assert answer.headers["Recontact-Passed-Over"] == "abn, FirstName"
    assert customers_of(answer) == [{"Username": username}]


def test_unknown_elements_beside_known_ones_are_passed_over(shared: Neto, username: str) -> None:
    answer = update(shared, "json", {"Username": username, "ABN": "2", "ID": "9", "Phone": "1"})

    assert (answer.ack, answer.headers["Recontact-Passed-Over"]) == ("Success", "ID, Phone")
    assert customer(shared, username)["ABN"] == "2"


def test_the_answer_lists_the_usernames_as_documented(shared: Neto, username: str) -> None:
    as_json = update(shared, "json", {"Username": username, "ABN": "1"})
    as_xml = update(shared, "xml", {"Username": username, "ABN": "2"})

    assert list(as_json.tree) == ["Customer", "CurrentTime", "Ack"]
    assert as_json.tree["Customer"] == [{"Username": username}]
    listed = f"<Customer><Username>{username}</Username></Customer>"
    assert f"<UpdateCustomer>{listed}<CurrentTime>" in as_xml.body.decode()


def test_text_that_is_stored_is_never_too_long(serve: Callable[..., Any]) -> None:
    long = "x" * 300
    with serve() as neto:
        add_customers(neto, {"Username": "ann", "InternalNotes": long})

    with serve(notes_limit=299) as neto:
        kept = update(neto, "json", {"Username": "ann", "InternalNotes": long, "ABN": "kept"})
        other = update(neto, "json", {"Username": "ann", "InternalNotes": "y" * 300, "ABN": "lost"})

        assert (kept.ack, other.codes) == ("Success", ["CL010"])
        one = customer(neto, "ann")
        assert (one["InternalNotes"], one["ABN"]) == (long, "kept")
