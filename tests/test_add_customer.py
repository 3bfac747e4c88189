"""AddCustomer, through HTTP, in both formats."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from conftest import (
    BILLING_ADDRESS,
    CUSTOMER_ELEMENTS,
    CUSTOMER_TEXTS,
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
    to_body,
)


def add(neto: Neto, format: str, *items: Any) -> Answer:
    return change_customers(neto, "AddCustomer", *items, format=format)


def is_there(neto: Neto, username: str) -> bool:
    return bool(customers_of(find_customers(neto, Username=username)))


# -- every element -----------------------------------------------------------------------------


@pytest.mark.parametrize("read", FORMATS)
@pytest.mark.parametrize("format", FORMATS)
def test_every_documented_element_is_kept_and_read_back(
    shared: Neto, format: str, read: str
) -> None:
    username = f"Full {format} {read}".ljust(25, "\u00e9")

    answer = add(shared, format, FULL_CUSTOMER | {"Username": username})

    assert (answer.status, answer.ack, answer.errors, answer.warnings) == (200, "Success", [], [])
    assert "Recontact-Passed-Over" not in answer.headers
    one = customer(shared, username, format=read)
    expected = {name: FULL_CUSTOMER[name] for name in CUSTOMER_ELEMENTS}
    expected["ShippingAddress"] = {
        name: text for name, text in FULL_CUSTOMER["ShippingAddress"].items() if name != "ShipTitle"
    }
    expected["AccountManager"] = {
        "FirstName": "",
        "LastName": "",
        "Username": FULL_CUSTOMER["AccountManager"],
        "Email": "",
    }
    assert {name: one[name] for name in expected} == expected
    assert (one["Username"], one["Revision"]) == (username, "1")
    book = customer(shared, username, "ShippingAddressBook", format=read)["ShippingAddressBook"]
    assert book == {
        "ShippingAddress": [
            {
                "Id": "1",
                "Title": FULL_CUSTOMER["ShippingAddress"]["ShipTitle"],
                "Default": "True",
                **expected["ShippingAddress"],
            }
        ]
    }


def test_the_table_of_these_tests_has_every_documented_element() -> None:
    assert len(FULL_CUSTOMER) == 81
    assert len(BILLING_ADDRESS) == 11
    assert len(SHIPPING_ADDRESS) == 12


TOO_LONG = [
    *({name: "x" * (limit + 1)} for name, limit in CUSTOMER_TEXTS.items()),
    *({"BillingAddress": {n: "x" * (limit + 1)}} for n, limit in BILLING_ADDRESS.items()),
    *({"ShippingAddress": {n: "x" * (limit + 1)}} for n, limit in SHIPPING_ADDRESS.items()),
]


@pytest.mark.parametrize("format", FORMATS)
def test_one_character_more_than_an_element_may_have_refuses_the_item(
    shared: Neto, format: str
) -> None:
    items = [{"Username": f"long {format} {n}"} | one for n, one in enumerate(TOO_LONG)]

    answer = add(shared, format, *items)

    names = [*CUSTOMER_TEXTS, *BILLING_ADDRESS, *SHIPPING_ADDRESS]
    assert [error["Message"] for error in answer.errors] == [
        f"{name} is too long" for name in names
    ]
    assert set(answer.codes) == {"CL010"}
    assert customers_of(answer) == []
    assert not is_there(shared, f"long {format} 1")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("element", "text"),
    [
        pytest.param("SalesChannel", "\U0001f600" * 15, id="beyond the first plane"),
        pytest.param("SalesChannel", "a\r\n" * 7 + "b", id="a CRLF counts as one"),
        pytest.param("SalesChannel", "e\u0301" * 7 + "x", id="a mark counts"),
        pytest.param("InternalNotes", ' two\nlines\t& <b> "quotes" ]]> ', id="markup"),
        pytest.param("UserCustom50", "null", id="null as a word"),
    ],
)
def test_text_is_kept_exactly_as_sent(shared: Neto, format: str, element: str, text: str) -> None:
    username = new_username()

    answer = add(shared, format, {"Username": username, element: text})

    assert answer.ack == "Success"
    for read in FORMATS:
        assert customer(shared, username, element, format=read)[element] == text


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("element", "sent", "kept"),
    [
        ("Type", "prospect", "Prospect"),
        ("Type", " CUSTOMER ", "Customer"),
        ("Gender", "Male", "male"),
        ("Gender", "FEMALE", "female"),
        ("Gender", "unisex", "unisex"),
        ("DefaultOrderType", "Sales", "sales"),
        ("DefaultOrderType", "DROPSHIPPING", "dropshipping"),
        *(("Active", sent, "True") for sent in ("True", "TRUE", "true", "1", "y", "Y", " true ")),
        *(("Active", sent, "False") for sent in ("False", "FALSE", "false", "0", "n", "N")),
        ("OnCreditHold", "y", "True"),
        ("NewsletterSubscriber", "1", "True"),
        ("CreditLimit", "12.50", "12.50"),
        ("CreditLimit", "-0.5", "-0.5"),
        ("CreditLimit", " 1250 ", "1250"),
        ("CreditLimit", "1" * 15 + ".123456", "1" * 15 + ".123456"),
        ("DefaultDiscounts", "0", "0"),
        ("ReferralCommission", "7.250", "7.250"),
        ("DateOfBirth", "1980-02-29", "1980-02-29"),
        ("DateOfBirth", "1980-02-29 00:00:00", "1980-02-29"),
        ("DateOfBirth", "1980-02-29T23:30:00-05:00", "1980-02-29"),
        ("DateOfBirth", "1980-02-29T00:30:00.1234567+11:00", "1980-02-29"),
        ("DateOfBirth", "1000-01-01", "1000-01-01"),
        ("DateOfBirth", "9999-12-31", "9999-12-31"),
        ("DateOfBirth", "0000-00-00", ""),
    ],
)
def test_a_value_is_read_in_every_form_and_written_in_one(
    shared: Neto, format: str, element: str, sent: str, kept: str
) -> None:
    username = new_username()

    answer = add(shared, format, {"Username": username, element: sent})

    assert answer.ack == "Success"
    assert customer(shared, username, element)[element] == kept


@pytest.mark.parametrize(
    ("element", "sent", "kept"),
    [
        ("Active", "false", "False"),
        ("OnCreditHold", "true", "True"),
        ("OnCreditHold", "1", "True"),
        ("Active", "0", "False"),
        ("CreditLimit", "12.50", "12.50"),
        ("CreditLimit", "1250", "1250"),
        ("SalesChannel", "3", "3"),
        ("SalesChannel", "1e3", "1e3"),
    ],
)
def test_a_value_of_json_is_read_as_it_is_written(
    shared: Neto, element: str, sent: str, kept: str
) -> None:
    username = new_username()
    body = f'{{"Customer": {{"Username": "{username}", "{element}": {sent}}}}}'

    answer = shared.post("AddCustomer", body.encode())

    assert answer.ack == "Success"
    assert customer(shared, username, element)[element] == kept


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        pytest.param({"Type": "Supplier"}, "CL012", id="type"),
        pytest.param({"Gender": "none"}, "CL012", id="gender"),
        pytest.param({"DefaultOrderType": "sale"}, "CL012", id="order type"),
        pytest.param({"Active": "maybe"}, "CL012", id="a boolean in other words"),
        pytest.param({"OnCreditHold": "yes"}, "CL012", id="yes"),
        pytest.param({"NewsletterSubscriber": "2"}, "CL012", id="2"),
        pytest.param({"CreditLimit": "12,50"}, "CL017", id="comma"),
        pytest.param({"CreditLimit": "1e3"}, "CL017", id="exponent"),
        pytest.param({"CreditLimit": "$5"}, "CL017", id="currency"),
        pytest.param({"CreditLimit": ".5"}, "CL017", id="no digit before the point"),
        pytest.param({"CreditLimit": "5."}, "CL017", id="no digit behind the point"),
        pytest.param({"CreditLimit": "\u0665"}, "CL017", id="digit of another script"),
        pytest.param({"CreditLimit": "1" * 16}, "CL017", id="16 digits"),
        pytest.param({"CreditLimit": "1.1234567"}, "CL017", id="7 digits of a fraction"),
        pytest.param({"DateOfBirth": "29/02/1980"}, "CL013", id="another order"),
        pytest.param({"DateOfBirth": "1981-02-29"}, "CL013", id="no such day"),
        pytest.param({"DateOfBirth": "0999-12-31"}, "CL013", id="too long ago"),
        pytest.param({"ABN": {"b": "1"}}, "CL016", id="an object for text"),
        pytest.param({"Active": {"b": "1"}}, "CL016", id="an object for a boolean"),
        pytest.param({"BillingAddress": "1 High St"}, "CL018", id="text for an address"),
        pytest.param({"BillingAddress": {"BillCity": {"b": "1"}}}, "CL016", id="too deep"),
        pytest.param({"Username": {"b": "1"}}, "CL016", id="an object for the name"),
    ],
)
def test_a_refused_item_says_why_and_adds_nothing(
    shared: Neto, format: str, wrong: dict[str, Any], code: str
) -> None:
    answer = add(shared, format, {"Username": "refused", "ABN": "1"} | wrong)

    assert (answer.status, answer.ack, answer.codes) == (200, "Error", [code])
    (error,) = answer.errors
    assert error["Message"].startswith(next(iter(wrong))) or "BillCity" in error["Message"]
    assert error["Description"].startswith("Item 1")
    assert customers_of(answer) == []
    assert not is_there(shared, "refused")


@pytest.mark.parametrize(
    "character", ["\0", "\x1b", "\ud800", "\ufffe", "\uffff"], ids=lambda c: f"U+{ord(c):04X}"
)
def test_a_character_that_xml_cannot_carry_refuses_the_item(shared: Neto, character: str) -> None:
    item = {"Username": "refused", "ShippingAddress": {"ShipCity": f"a{character}b"}}

    answer = shared.post("AddCustomer", json.dumps({"Customer": [item]}).encode())

    assert answer.codes == ["CL014"]
    assert not is_there(shared, "refused")


def test_all_that_is_wrong_in_an_item_is_told(shared: Neto) -> None:
    item = {
        "Username": "refused",
        "Gender": "x",
        "CreditLimit": "x",
        "DateOfBirth": "x",
        "BillingAddress": {"BillCountry": "AUS", "BillPostCode": "x" * 16},
    }

    answer = add(shared, "json", item)

    assert answer.codes == ["CL012", "CL017", "CL013", "CL010", "CL010"]
    assert all("(Username refused)" in error["Description"] for error in answer.errors)


# -- absent, null and empty --------------------------------------------------------------------


def nothing_of(name: str) -> Any:
    """What an element is answered as that has no value."""
    if name == "AccountManager":
        return dict.fromkeys(("FirstName", "LastName", "Username", "Email"), "")
    if name == "BillingAddress":
        return dict.fromkeys(BILLING_ADDRESS, "")
    if name == "ShippingAddress":
        return {part: "" for part in SHIPPING_ADDRESS if part != "ShipTitle"}
    return "False" if name in ("NewsletterSubscriber", "Active", "OnCreditHold") else ""


@pytest.mark.parametrize("format", FORMATS)
def test_a_customer_of_a_username_alone_is_an_active_customer_and_no_more(
    shared: Neto, format: str
) -> None:
    answer = add(shared, format, {"Username": f"bare {format}"})

    assert answer.ack == "Success"
    one = customer(shared, f"bare {format}", format=format)
    assert {name: one[name] for name in CUSTOMER_ELEMENTS} == {
        name: nothing_of(name) for name in CUSTOMER_ELEMENTS
    } | {"Type": "Customer", "Active": "True"}


def test_an_element_of_null_is_as_if_absent(shared: Neto) -> None:
    nulls = dict.fromkeys(FULL_CUSTOMER) | {"Username": "nulls"}

    answer = add(shared, "json", nulls, {"Username": "no nulls"})

    assert answer.ack == "Success"
    selectors = CUSTOMER_ELEMENTS
    of_nulls, of_none = (customer(shared, name, *selectors) for name in ("nulls", "no nulls"))
    ours = ("ID", "Username", "DateUpdated")
    assert {k: v for k, v in of_nulls.items() if k not in ours} == {
        k: v for k, v in of_none.items() if k not in ours
    }


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("empty", ["", " ", "\n\t"])
def test_an_empty_element_has_no_value(shared: Neto, format: str, empty: str) -> None:
    names = [name for name in CUSTOMER_ELEMENTS if name not in ("Type", "Active")]
    username = new_username()

    answer = add(shared, format, {"Username": username} | dict.fromkeys(names, empty))

    assert answer.ack == "Success"
    one = customer(shared, username)
    assert {name: one[name] for name in names} == {name: nothing_of(name) for name in names}


def test_part_of_an_address_leaves_its_other_parts_empty(shared: Neto) -> None:
    add(shared, "json", {"Username": "part", "BillingAddress": {"BillCity": "Perth"}})

    one = customer(shared, "part", "BillingAddress", "ShippingAddressBook")

    assert one["BillingAddress"] == dict.fromkeys(BILLING_ADDRESS, "") | {"BillCity": "Perth"}
    assert one["ShippingAddressBook"] == {"ShippingAddress": []}


# -- the username ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"ABN": "1"}', "CL001"),
        ("{}", "CL001"),
        ('{"Username": ""}', "CL001"),
        ('{"Username": " \\n "}', "CL001"),
        ('{"Username": null}', "CL001"),
        ('{"Username": ["bob"]}', "CL016"),
        ('{"Username": true}', "CL016"),
        ('{"username": "bob"}', "CL001"),
        ('"bob"', "CL005"),
        ("3", "CL005"),
        ("[]", "CL005"),
    ],
)
def test_a_customer_needs_a_username(shared: Neto, body: str, code: str) -> None:
    answer = shared.post("AddCustomer", f'{{"Customer": [{body}]}}'.encode())

    assert answer.codes == [code]
    assert answer.tree["Customer"] == []
    assert (
        answer.errors[0]["Message"]
        == {
            "CL001": "Username is a required field and is missing",
            "CL005": "Customer is not an object",
            "CL016": "Username is not a plain value",
        }[code]
    )


@pytest.mark.parametrize("inside", ["", " ", "<ABN>1</ABN>", "<Username/>"])
def test_a_customer_needs_a_username_in_xml(shared: Neto, inside: str) -> None:
    body = f"<AddCustomer><Customer>{inside}</Customer></AddCustomer>"

    assert shared.post("AddCustomer", body.encode()).codes == ["CL001"]


def test_an_element_that_stands_twice_refuses_the_item(shared: Neto) -> None:
    twice = (
        "<AddCustomer><Customer><Username>twice</Username><ABN>1</ABN><ABN>2</ABN></Customer>"
        "<Customer><Username>twice</Username><Username>thrice</Username></Customer></AddCustomer>"
    )

    answer = shared.post("AddCustomer", twice.encode())

    assert answer.codes == ["CL015", "CL015"]
    assert not is_there(shared, "twice")


SAME = [
    pytest.param("bob1", "bob1", id="to the letter"),
    pytest.param("Bob2", "bOB2", id="case"),
    pytest.param("Stra\u00dfe", "STRASSE", id="sharp s"),
    pytest.param("Jos\u00e9", "JOSE\u0301", id="composed and not"),
    pytest.param("\u03bf\u03b4\u03cc\u03c2", "\u039f\u0394\u038c\u03a3", id="final sigma"),
    pytest.param("\u212aelvin", "kelvin", id="kelvin sign"),
    pytest.param("\ufb01le", "FILE", id="ligature"),
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("known", "sent"), SAME)
def test_usernames_that_differ_in_case_only_are_one(
    shared: Neto, format: str, known: str, sent: str
) -> None:
    add(shared, "json", {"Username": known, "ABN": "1"})
    before = customer(shared, known)

    answer = add(shared, format, {"Username": sent, "ABN": "2"})

    assert answer.codes == ["CL007"]
    assert answer.errors[0]["Message"] == f"Customer {sent} already exists"
    assert f"(Username {sent})" in answer.errors[0]["Description"]
    assert before["Username"] == known
    assert customer(shared, sent) == before


@pytest.mark.parametrize(
    ("one", "other"), [("jose", "jos\u00e9"), ("dan", "dan "), ("dan-1", "dan1"), ("1", "01")]
)
def test_usernames_that_differ_otherwise_are_two(neto: Neto, one: str, other: str) -> None:
    assert add(neto, "json", {"Username": one}, {"Username": other}).ack == "Success"

    assert customer(neto, one)["Username"] == one
    assert customer(neto, other)["Username"] == other


@pytest.mark.parametrize("format", FORMATS)
def test_a_username_that_comes_twice_in_a_call_is_added_once(shared: Neto, format: str) -> None:
    items = [{"Username": f"{name} {format}", "ABN": name} for name in ("ann", "ANN", "fay")]

    answer = add(shared, format, *items)

    assert answer.codes == ["CL007"]
    assert answer.errors[0]["Description"].startswith("Item 2 ")
    assert [one["Username"] for one in customers_of(answer)] == [f"ann {format}", f"fay {format}"]
    assert customer(shared, f"ann {format}")["ABN"] == "ann"


# -- the answer, and what is kept beside ---------------------------------------------------------


def test_the_answer_lists_the_usernames_as_documented(shared: Neto) -> None:
    as_json = add(shared, "json", {"Username": "Gus"})
    as_xml = add(shared, "xml", {"Username": "Hal <&>"}, {"Username": "Ida"})
    none = add(shared, "xml", {"Username": "gus"})

    assert list(as_json.tree) == ["Customer", "CurrentTime", "Ack"]
    assert as_json.tree["Customer"] == [{"Username": "Gus"}]
    assert (
        "<AddCustomer><Customer><Username>Hal &lt;&amp;&gt;</Username></Customer>"
        "<Customer><Username>Ida</Username></Customer><CurrentTime>" in as_xml.body.decode()
    )
    assert b"<AddCustomer><CurrentTime>" in none.body


@pytest.mark.parametrize("format", FORMATS)
def test_ids_count_from_1_in_each_site_and_a_refused_item_takes_none(
    shared: Neto, format: str
) -> None:
    with another_site(shared, "UTC") as one, another_site(shared, "UTC") as other:
        usernames = ["ann", "ANN", "fay", "", "gus"]
        answer = add(one, format, *({"Username": username} for username in usernames))
        add_customers(other, {"Username": "ann"})
        add_customers(one, {"Username": "hal"})

        assert answer.codes == ["CL007", "CL001"]
        numbers = {
            found["Username"]: found["ID"]
            for found in customers_of(find_customers(one, format, IDAfter=0))
        }
        assert numbers == {"ann": "1", "fay": "2", "gus": "3", "hal": "4"}
        assert [c["ID"] for c in customers_of(find_customers(other, IDAfter=0))] == ["1"]
        assert one.add({"CustomerName": "the counter of logs is another"}) == [1]


def test_a_customer_that_is_added_has_one_revision(neto: Neto) -> None:
    answer = add(
        neto, "json", {"Username": "ann", "CreditLimit": 5, "BillingAddress": {"BillCity": "Perth"}}
    )
    add(neto, "json", {"Username": "ANN"})

    ((site, number, revision, changes, request),) = rows(
        neto, "SELECT site, customer_id, number, changes, request FROM customer_revision"
    )
    assert (site, number, revision) == (site_of(neto), 1, 1)
    assert json.loads(changes) == {
        "username": [None, "ann"],
        "type": [None, "Customer"],
        "active": [None, "True"],
        "newsletter_subscriber": [None, "False"],
        "on_credit_hold": [None, "False"],
        "credit_limit": [None, "5"],
        "bill_city": [None, "Perth"],
    }
    assert request.hex() == answer.headers["X-Request-Id"].replace("-", "")


@pytest.mark.parametrize("format", FORMATS)
def test_elements_that_are_not_known_are_passed_over_and_named(shared: Neto, format: str) -> None:
    item = {
        "Username": f"odd {format}",
        "ID": "0",  # NetoDotNET sends it
        "FirstName": "Bob",
        "abn": "1",
        "Revision": "7",
        "BillingAddress": {"BillCity": "Perth", "BillStreet1": "1 High St"},
    }

    answer = add(shared, format, item)

    assert answer.ack == "Success"
    passed_over = "FirstName, abn, Revision, BillingAddress/BillStreet1"
    assert answer.headers["Recontact-Passed-Over"] == passed_over
    one = customer(shared, f"odd {format}", "ABN", "BillingAddress")
    assert (one["ABN"], one["BillingAddress"]["BillCity"], one["Revision"]) == ("", "Perth", "1")


def test_what_netodotnet_sends_adds_an_inactive_customer_without_a_remark(shared: Neto) -> None:
    body = (
        '{"Customer":[{"ID":0,"Username":"dot","NewsletterSubscriber":false,"Active":false,'
        '"OnCreditHold":false,"DateOfBirth":"1980-02-29T00:00:00"}]}'
    )

    answer = shared.post("AddCustomer", body.encode())

    assert answer.ack == "Success"
    assert "Recontact-Passed-Over" not in answer.headers
    one = customer(shared, "dot")
    assert (one["Active"], one["DateOfBirth"]) == ("False", "1980-02-29")


@pytest.mark.parametrize(
    "body",
    [
        '{"Customer": {"Username": "one 1"}}',
        '{"customer": [{"Username": "one 2"}]}',
        '{"CUSTOMER": {"Username": "one 3"}}',
        "<AddCustomer><customer><Username>one 4</Username></customer></AddCustomer>",
        "<n:AddCustomer xmlns:n='x'><n:Customer><n:Username a='b'>one 5</n:Username></n:Customer>"
        "</n:AddCustomer>",
    ],
)
def test_one_customer_is_taken_however_it_is_wrapped(shared: Neto, body: str) -> None:
    answer = shared.post("AddCustomer", body.encode())

    assert answer.ack == "Success"
    assert len(customers_of(answer)) == 1


@pytest.mark.parametrize("action", ["AddCustomer", "UpdateCustomer"])
@pytest.mark.parametrize("body", [b"", b"{}", b'{"Customer": []}', b'{"Customer": null}', b"<x/>"])
def test_a_call_without_items_is_told_the_shape(shared: Neto, action: str, body: bytes) -> None:
    answer = shared.post(action, body)

    assert (answer.status, answer.codes, answer.tree["Customer"]) == (200, ["CL020"], [])
    assert answer.errors[0]["Message"] == "No Customer in the request"
    assert '{"Customer": [{"Username": "…"}]}' in answer.errors[0]["Description"]
    assert f"<{action}><Customer><Username>…" in answer.errors[0]["Description"]


def test_a_username_that_comes_in_many_calls_at_once_is_added_once(neto: Neto) -> None:
    callers = 8
    start = threading.Barrier(callers)

    def work(caller: int) -> list[Answer]:
        start.wait()
        return [
            add(neto, "json", {"Username": ("same", "SAME")[caller % 2] + str(n), "ABN": caller})
            for n in range(10)
        ]

    with ThreadPoolExecutor(callers) as threads:
        answers = [answer for some in threads.map(work, range(callers)) for answer in some]

    assert sorted(answer.ack for answer in answers) == ["Error"] * 70 + ["Success"] * 10
    assert {code for answer in answers for code in answer.codes} == {"CL007"}
    found = customers_of(find_customers(neto, IDAfter=0))
    assert [one["ID"] for one in found] == [str(n) for n in range(1, 11)]
    assert {one["Username"].lower() for one in found} == {f"same{n}" for n in range(10)}


@pytest.mark.parametrize("action", ["AddCustomer", "UpdateCustomer"])
def test_a_change_of_a_customer_needs_the_right_to_write(neto: Neto, action: str) -> None:
    key = neto.new_key(may=["read"])
    body = to_body("json", action, {"Customer": [{"Username": "ana", "ABN": "1"}]})

    answer = neto.post(action, body, {"NETOAPI_KEY": key})

    assert (answer.status, answer.codes) == (403, ["RC005"])
    assert customers_of(find_customers(neto, IDAfter=0)) == []


def test_a_large_batch_keeps_its_order(shared: Neto) -> None:
    names = [f"many {n}" for n in range(1_000)]

    answer = add(shared, "json", *({"Username": name} for name in names))

    assert [one["Username"] for one in customers_of(answer)] == names


# -- a log of a customer -------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_a_log_has_its_customers_username_in_the_customers_spelling(
    shared: Neto, format: str
) -> None:
    add(shared, "json", {"Username": "Zo\u00eb"})
    items = [
        {"Username": "ZOE\u0308", "Notes": "known"},
        {"Username": "zoe", "Notes": "unknown"},
        {"Username": "", "CustomerName": "Zo\u00eb"},
    ]

    answer = shared.call(format, "AddCustomerLog", {"CustomerLogs": {"CustomerLog": items}})

    assert answer.codes == ["CL003"]
    assert answer.errors[0]["Message"] == "Cannot find Customer zoe"
    assert answer.errors[0]["Description"].startswith("Item 2: ")
    known, unnamed = (shared.log(int(log_id)) for log_id in answer.log_ids)
    assert (known["Username"], known["CustomerName"]) == ("Zo\u00eb", "")
    assert (unnamed["Username"], unnamed["CustomerName"]) == ("", "Zo\u00eb")


def test_a_log_of_an_unknown_customer_takes_no_log_id(neto: Neto) -> None:
    neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Username": "bob"}]})

    assert neto.add({}) == [1]


def test_an_update_moves_no_log_to_another_customer(shared: Neto) -> None:
    add_customers(shared, {"Username": "from"}, {"Username": "to"})
    (log_id,) = shared.add({"Username": "from"})

    answer = shared.update("json", {"LogID": log_id, "Username": "to", "Notes": "new"})

    assert (answer.ack, answer.headers["Recontact-Passed-Over"]) == ("Success", "Username")
    log = shared.log(log_id)
    assert (log["Username"], log["Notes"]) == ("from", "new")


@pytest.mark.parametrize(("format", "code"), [("xml", "CL015"), ("json", "CL018")])
def test_two_addresses_of_a_kind_are_refused(shared: Neto, format: str, code: str) -> None:
    item = {
        "Username": f"twice {format}",
        "ShippingAddress": [{"ShipCity": "A"}, {"ShipCity": "B"}],
    }

    assert add(shared, format, item).codes == [code]
