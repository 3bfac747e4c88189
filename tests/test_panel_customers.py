"""The customers' pages and Find: over HTTP, and in a browser."""

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from conftest import (
    FULL_CUSTOMER,
    Neto,
    add_customers,
    another_site,
    change_customers,
    customer,
    new_session,
    new_username,
    panel_client,
    rows,
    signed_in,
    site_of,
    violations,
    watched,
)
from hypothesis import given
from hypothesis import strategies as st

from recontact.model import words
from recontact.store import finding, keys
from recontact.web.find import Bit, around, marked
from recontact.web.naming import customer_address

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"{{7*7}}\u202e🪑"


@pytest.fixture
def client(neto: Neto) -> Iterator[httpx.Client]:
    """Signed in as an agent, ana."""
    with panel_client(neto, new_session(neto, "agent", "ana")) as one:
        yield one


def text_of(html: str) -> str:
    """What a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html.partition("<main")[2])).split())


def names_in(page: httpx.Response) -> list[str]:
    """The names in a list of customers, or of what was found."""
    found = re.findall(r'<a class="name" href="[^"]*">(.*?)</a>', page.text)
    return [unescape(re.sub(r"<[^>]*>", "", one)) for one in found]


def link(page: httpx.Response, says: str) -> str:
    """The address of the link that says this; "" without one."""
    found = re.search(rf'<a [^>]*?href="([^"]*)"[^>]*>{re.escape(says)}</a>', page.text)
    return unescape(found[1]) if found else ""


def many(neto: Neto, number: int) -> None:
    some = [{"Username": f"c{n:03}"} for n in range(number)]
    for at in range(0, number, 100):
        add_customers(neto, *some[at : at + 100])


# -- the list ------------------------------------------------------------------------------------


def test_without_customers_the_page_says_where_they_come_from(client: httpx.Client) -> None:
    page = client.get("/customers")

    assert page.status_code == 200
    assert "No customers yet" in page.text
    assert "Everybody has a next step" in client.get("/customers?next=none").text


def test_customers_stand_by_username_and_are_paged_both_ways(
    neto: Neto, client: httpx.Client
) -> None:
    many(neto, 120)
    pages = [client.get("/customers")]
    while address := link(pages[-1], "Next"):
        pages.append(client.get(address))

    names = [names_in(page) for page in pages]
    assert [len(some) for some in names] == [50, 50, 20]
    assert [one for some in names for one in some] == [f"c{n:03}" for n in range(120)]
    assert not link(pages[0], "Previous")
    for before, after in pairwise(pages):
        back = client.get(link(after, "Previous"))
        assert names_in(back) == names_in(before)
        assert names_in(client.get(link(back, "Next"))) == names_in(after)
    # The first page is a whole one, wherever one goes back from.
    first = client.get("/customers?before=c020")
    assert names_in(first) == names[0]
    assert not link(first, "Previous")


def test_a_row_has_the_name_the_ways_to_reach_them_and_the_next_step(neto: Neto) -> None:
    neto.clock.move_to(12)  # no day ends meanwhile
    billing = {"BillFirstName": "Bob", "BillLastName": "Stone", "BillPhone": "(03) 5550 0142"}
    add_customers(
        neto,
        {"Username": "bob", "EmailAddress": "bob@stone.example", "BillingAddress": billing},
        {"Username": "kim"},
    )
    day = neto.clock.now().date()
    neto.add(
        {"Username": "BOB", "DateRequiredFollowUp": f"{day + timedelta(days=365)} 00:00:00"},
        {"Username": "bob", "DateRequiredFollowUp": f"{day} 00:00:00"},
        {"Username": "bob", "DateRequiredFollowUp": "2001-01-01 00:00:00", "Status": "Completed"},
    )

    with panel_client(neto, new_session(neto, "agent", "ana")) as client:
        text = text_of(client.get("/customers").text)

    assert "Bob Stone bob bob@stone.example (03) 5550 0142 today kim none" in text


SHOP = [
    {"Username": "lumiere", "BillingAddress": {"BillCompany": "Café Lumière"}},
    {"Username": "bob.stone", "EmailAddress": "bob@quarry.example",
     "BillingAddress": {"BillFirstName": "Bob", "BillLastName": "Stone", "BillPhone": "03 5550"}},
    {"Username": "tokyo", "BillingAddress": {"BillCompany": "東京家具店"}},
    {"Username": "stonewall", "ShippingAddress": {"ShipFirstName": "Bobbie"}},
    {"Username": "O'Neil_x", "SecondaryEmailAddress": "home@oneil.example",
     "InternalNotes": "likes stone tables"},
]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        pytest.param("cafe", ["Café Lumière"], id="without its accent"),
        pytest.param("CAFÉ lumi", ["Café Lumière"], id="in another case, and a beginning"),
        pytest.param("caf lumiere", [], id="only the last word may be a beginning"),
        pytest.param("stone", ["Bob Stone", "stonewall"], id="name and username"),
        pytest.param("bob stone", ["Bob Stone"], id="all words"),
        pytest.param("bob@quarry.example", ["Bob Stone"], id="e-mail"),
        pytest.param("5550", ["Bob Stone"], id="phone"),
        pytest.param("bobb", ["stonewall"], id="name to ship to"),
        pytest.param("東京", ["東京家具店"], id="without blanks"),
        pytest.param("home", ["O'Neil_x"], id="the other e-mail"),
        pytest.param("tables", [], id="not by our own notes"),
        pytest.param("tone", [], id="not the middle of a word"),
        pytest.param("_x", ["O'Neil_x"], id="an underscore is between words"),
        pytest.param("n_il", [], id="and stands for no letter"),
    ],
)  # fmt: skip
def test_customers_are_found_by_words(shared: Neto, asked: str, found: list[str]) -> None:
    if not rows(shared, "SELECT 1 FROM customer WHERE username = 'lumiere'"):
        add_customers(shared, *SHOP)

    with panel_client(shared, new_session(shared, "viewer")) as client:
        page = client.get("/customers", params={"q": asked})

    assert sorted(names_in(page)) == sorted(found)
    assert f'value="{asked}"' in unescape(page.text)
    if not found:
        assert "No customer matches" in page.text


def test_where_many_must_be_looked_at_the_page_leads_on(
    neto: Neto, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_PIECE", 5)
    monkeypatch.setattr(finding, "_LOOKED_AT", 10)
    many(neto, 30)
    add_customers(neto, {"Username": "d", "BillingAddress": {"BillCompany": "Cabinets 02"}})

    page = client.get("/customers?q=cabinets+0")
    seen, pages = names_in(page), 1
    while address := link(page, "Look further"):
        assert names_in(page) or "None so far" in page.text
        page, pages = client.get(address), pages + 1
        seen += names_in(page)

    assert seen == ["Cabinets 02"]
    # Those that cannot have the words by their text are not even looked at.
    assert pages <= 2
    page, seen = client.get("/customers?q=c0"), []
    while True:
        seen += names_in(page)
        if not (address := link(page, "Look further") or link(page, "Next")):
            break
        page = client.get(address)
    assert seen == [f"c{n:03}" for n in range(30)]


def test_who_has_no_next_step_is_listed_with_a_way_to_give_them_one(
    neto: Neto, client: httpx.Client
) -> None:
    add_customers(neto, *({"Username": name} for name in ("none", "open", "day", "done", "at")))
    neto.add(
        {"Username": "open"},
        {"Username": "Day", "DateRequiredFollowUp": "2001-01-01 00:00:00"},
        {"Username": "done", "DateRequiredFollowUp": "2001-01-01 00:00:00", "Status": "Completed"},
        {"Username": "at", "DateRequiredFollowUp": "2001-01-01 10:11:12"},
    )

    page = client.get("/customers?next=none")

    assert names_in(page) == ["none", "open", "done"]
    assert '<a class="word" href="/logs/new?username=none">' in page.text
    with panel_client(neto, new_session(neto, "viewer")) as viewer:
        page = viewer.get("/customers?next=none")
    assert names_in(page) == ["none", "open", "done"]
    assert "/logs/new" not in page.text


def test_those_without_a_next_step_are_paged(neto: Neto, client: httpx.Client) -> None:
    many(neto, 120)
    neto.add(*({"Username": f"c{n:03}", "DateRequiredFollowUp": "2030-01-01 00:00:00"}
               for n in range(0, 120, 2)))  # fmt: skip

    first = client.get("/customers?next=none")
    second = client.get(link(first, "Next"))

    assert len(names_in(first)) == 50
    assert names_in(first) + names_in(second) == [f"c{n:03}" for n in range(1, 120, 2)]
    assert not link(second, "Next")
    assert link(second, "From the beginning") == "/customers?next=none"


@pytest.mark.parametrize(
    "query",
    ["after=%00%ff", "before=", "after=&before=x", "q=" + "x" * 5_000, "next=none&after=-1"],
)
def test_addresses_that_no_page_gives_harm_nobody(client: httpx.Client, query: str) -> None:
    assert client.get(f"/customers?{query}").status_code == 200


# -- one customer --------------------------------------------------------------------------------


def test_all_that_has_a_value_is_shown_in_groups(neto: Neto, client: httpx.Client) -> None:
    full = FULL_CUSTOMER | {"Username": new_username()}
    full.pop("Password")
    for name in ("ParentUsername", "ApprovalUsername", "ReferralUsername"):
        full.pop(name)
    add_customers(neto, full)

    page = client.get(customer_address(full["Username"])).text

    for group in ("Contact", "Billing address", "Shipping address", "Own fields", "Account"):
        assert f'<h3 class="of">{group}</h3>' in page
    shown = dict(re.findall(r"<dt>(.*?)</dt><dd><bdi>(.*?)</bdi></dd>", page, re.DOTALL))
    assert unescape(shown["Email address"]) == full["EmailAddress"]
    assert shown["Date of birth"] == "1980-02-29"
    assert (shown["Newsletter subscriber"], shown["Active"]) == ("yes", "no")
    assert unescape(shown["User custom 50"]) == full["UserCustom50"]
    assert len(re.findall("<dt>", page)) == len(customer_values(full))


def customer_values(full: dict[str, Any]) -> list[str]:
    """The names of all values below."""
    found = []
    for name, value in full.items():
        found += customer_values(value) if isinstance(value, dict) else [name]
    return [name for name in found if name != "Username"]


def test_all_logs_of_a_customer_are_in_one_line_of_time(neto: Neto, client: httpx.Client) -> None:
    add_customers(neto, {"Username": "bob", "UserGroup": "Trade"}, {"Username": "kim"})
    neto.clock.move(minutes=1)
    one, two, others = neto.add(
        {"Username": "Bob", "Notes": "Wants 40 chairs"}, {"Username": "bob"}, {"Username": "kim"}
    )
    for step in (
        {"LogID": one, "Status": "Recontacting"},
        {"LogID": two, "FollowUpType": "Phone", "AllocatedTo": "Ana"},
        {"LogID": others, "FollowUpType": "Smoke"},
    ):
        neto.clock.move(minutes=1)
        neto.update("json", step)
    neto.clock.move(minutes=1)
    change_customers(neto, "UpdateCustomer", {"Username": "bob", "UserGroup": "Wholesale"})

    page = client.get("/customers/bob")
    _, _, timeline = page.text.partition('<ol class="timeline">')
    steps = [text_of(f"<main{one}") for one in timeline.split("<li><time")[1:]]

    heads = [re.search(r"(Customer|Log \d+)\s*: (Added)?", one) for one in steps]
    assert [one and one[0].strip().replace(" :", ":") for one in heads] == [
        "Customer:", f"Log {two}:", f"Log {one}:", f"Log {two}: Added",
        f"Log {one}: Added", "Customer: Added",
    ]  # fmt: skip
    assert "User group Trade → Wholesale" in steps[0]
    assert "Allocated to nobody → Ana" in steps[1]
    assert "“ Wants 40 chairs ”" in steps[4]
    assert "Smoke" not in page.text
    # An agent undoes what they did themselves, and these came with a key.
    assert "Undo" not in timeline


def test_a_long_past_is_paged_and_nothing_comes_twice(neto: Neto, client: httpx.Client) -> None:
    add_customers(neto, {"Username": "bob"})
    some = neto.add(*({"Username": "bob", "Notes": "0"} for _ in range(10)))
    for n in range(12):
        neto.update("json", *({"LogID": log_id, "Notes": f"{n + 1}"} for log_id in some))
    for n in range(3):
        change_customers(neto, "UpdateCustomer", {"Username": "bob", "UserGroup": f"g{n}"})

    pages = [client.get("/customers/bob")]
    while address := link(pages[-1], "Older"):
        pages.append(client.get(address))

    seen = [
        (log, when)
        for page in pages
        for log, when in re.findall(r"(?:>(Log \d+)</a>|<p>Customer): <bdi>(.*?)</bdi>", page.text)
    ]
    assert len(seen) == 10 + 120 + 1 + 3
    numbers = [re.findall(r'name="revision" value="(\d+)"', page.text) for page in pages]
    assert [len(re.findall(r"<li><time", page.text)) for page in pages] == [*[20] * 6, 14]
    assert numbers == [[]] * 7
    assert link(pages[-1], "Newest") == "/customers/bob#timeline"
    notes = [
        int(n) for page in pages for n in re.findall(r"<ins><bdi>(\d+)</bdi></ins>", page.text)
    ]
    assert notes == sorted(notes, reverse=True)
    assert len(notes) == 120
    # An undo is offered of the last change of each record alone, however far back the page is.
    with panel_client(neto, new_session(neto, "admin")) as admin:
        found = [admin.get(str(page.request.url)).text.count('name="revision"') for page in pages]
    assert found == [11, *[0] * 6]


def test_a_customer_of_many_logs_has_a_small_page(neto: Neto) -> None:
    add_customers(neto, {"Username": "bob"})
    note = "asked for a quote on forty oak chairs, " * 5
    some = neto.add(*({"Username": "bob", "FollowUpType": "Phone"} for _ in range(60)))
    for n, log_id in enumerate(some):
        neto.clock.move(minutes=1)
        change = {
            "Status": "Completed" if n % 2 else "Recontacting",
            "DateRequiredFollowUp": "2026-12-24 09:30:00",
            "AllocatedTo": "Konstantin",
            "FollowUpType": "Email",
            "LastContacted": "2026-11-23 09:30:00",
            "Notes": note,
        }
        neto.update("json", {"LogID": log_id, **change})

    with panel_client(neto, new_session(neto, "admin")) as admin:
        page = admin.get("/customers/bob")

    assert len(page.content) < 50_000
    shown = {int(n) for n in re.findall(r'rowheader"><a href="/logs/(\d+)"', page.text)}
    assert shown == set(some[-40:])
    assert page.text.count("The newest 20.") == 2
    assert page.text.count("undo-one") == 20


def test_a_step_of_the_past_is_undone_where_it_stands(neto: Neto) -> None:
    add_customers(neto, {"Username": "bob", "UserGroup": "Trade"})
    (log_id,) = neto.add({"Username": "bob", "FollowUpType": "Email"})
    neto.update("json", {"LogID": log_id, "FollowUpType": "Phone"})
    change_customers(neto, "UpdateCustomer", {"Username": "bob", "UserGroup": "Wholesale"})

    with panel_client(neto, new_session(neto, "admin")) as client:
        for field in ("customer", "log"):
            form = form_with(client.get("/customers/bob"), field)
            answer = client.post("/undo", data=form)
            assert (answer.status_code, answer.headers["location"]) == (303, "/customers/bob")
            said = client.get("/customers/bob")
            assert " as before." in said.text
            assert 'name="request" value="' in said.text
        # Of what was undone nothing is left to undo: each has the undo alone.
        undos = re.findall(r'name="revision" value="(\d+)"', client.get("/customers/bob").text)
        assert undos == ["3", "3"]

    assert neto.log(log_id)["FollowUpType"] == "Email"
    assert customer(neto, "bob", "UserGroup")["UserGroup"] == "Trade"


def form_with(page: httpx.Response, field: str) -> dict[str, str]:
    """The fields of the first form that has a field of that name."""
    forms = re.findall(r"<form.*?</form>", page.text, re.DOTALL)
    return next(
        {name: unescape(value) for name, value in found}
        for found in (re.findall(r'name="(\w+)" value="([^"]*)"', form) for form in forms)
        if field in dict(found)
    )


@pytest.mark.parametrize(
    "username",
    ["a/b", "/a", "..", ".", "a?q=1", "#x", "100%", "%2F", "a+b c", "ü 🪑", "<b>'\"", "a&b=c",
     "..%2f", "a\\b", "\u202eabc"],
)  # fmt: skip
def test_a_link_leads_to_the_customer_whatever_the_username(
    neto: Neto, page: "Page", username: str
) -> None:
    add_customers(neto, {"Username": username}, {"Username": "other"})
    signed_in(page, neto, "viewer")
    page.goto(f"{neto.url}/customers")

    page.locator("a.name").filter(has_not_text="other").click()

    page.get_by_role("heading", name="Next step").wait_for()
    assert page.get_by_role("heading", level=1).text_content() == username


def test_who_is_not_there_is_said_to_be_not_there(neto: Neto, client: httpx.Client) -> None:
    for path in ("/customers/nobody", "/customers/", f"/customers/{quote(HOSTILE, safe='')}"):
        page = client.get(path)
        assert page.status_code == 404
        assert "There is no such customer" in page.text
        assert "<img" not in page.text


def test_the_next_step_is_on_top_and_a_log_can_be_added(neto: Neto, client: httpx.Client) -> None:
    add_customers(neto, {"Username": "b b"})
    page = client.get("/customers/b%20b").text
    assert "None: no log is open." in text_of(page)
    assert 'href="/logs/new?username=b%20b"' in page or 'href="/logs/new?username=b+b"' in page
    later, sooner = neto.add(
        {"Username": "b b", "DateRequiredFollowUp": "2001-01-02 00:00:00"},
        {"Username": "b b", "DateRequiredFollowUp": "2001-01-01 23:00:00", "Notes": "x\nCall him"},
    )

    page = client.get("/customers/b%20b").text
    text = text_of(page)

    assert f": log {sooner} " in text
    assert "years late" in text
    assert "Call him" in text
    assert text.index(f"log {sooner}") < text.index(f"log {later}")
    with panel_client(neto, new_session(neto, "viewer")) as viewer:
        page = viewer.get("/customers/b%20b").text
    assert "/logs/new" not in page
    assert "<form" not in page.partition("<main")[2]


# -- find ----------------------------------------------------------------------------------------


def test_a_log_id_leads_to_its_log_at_once(neto: Neto, client: httpx.Client) -> None:
    (log_id,) = neto.add({"Notes": "order 99 of 7"})

    for asked in (f"{log_id}", f" #{log_id} "):
        answer = client.get("/find", params={"q": asked})
        assert (answer.status_code, answer.headers["location"]) == (303, f"/logs/{log_id}")
    page = client.get("/find?q=99")
    assert page.status_code == 200
    assert "There is no log 99." in page.text
    assert "<mark>99</mark>" in page.text
    assert client.get("/find?q=99999999999").status_code == 200


def test_what_has_a_number_for_its_name_is_found_beside_the_log(
    neto: Neto, client: httpx.Client
) -> None:
    (log_id,) = neto.add({"CustomerName": "Bob Stone"})
    add_customers(neto, {"Username": f"{log_id}"})

    page = client.get("/find", params={"q": f"{log_id}"})

    assert names_in(page) == [f"{log_id}"]
    assert link(page, f"Log {log_id}") == f"/logs/{log_id}"
    answer = client.get("/find", params={"q": f"#{log_id}"})
    assert answer.headers["location"] == f"/logs/{log_id}"


def test_customers_and_logs_are_found_with_the_words_marked(
    neto: Neto, client: httpx.Client
) -> None:
    billing = {"BillCompany": "Café Lumière"}
    add_customers(neto, {"Username": "lum", "BillingAddress": billing})
    neto.add(
        {"CustomerName": "Café Lumière", "Username": "lum", "Notes": "Stools in the wrong green"},
        {"Notes": "x " * 500 + "the lumieres of the cafe " + "y " * 500},
        {"Notes": "another cafe"},
    )

    page = client.get("/find?q=cafe+lumiere")

    assert names_in(page) == ["Café Lumière", "Café Lumière", "#2"]
    assert page.text.count("<mark>Café</mark> <mark>Lumière</mark>") == 2
    assert "the <mark>lumieres</mark> of the <mark>cafe</mark>" in page.text
    assert 'value="cafe lumiere"' in page.text
    assert len(page.content) < 20_000


def test_the_customer_of_that_very_username_is_first(neto: Neto, client: httpx.Client) -> None:
    add_customers(neto, *({"Username": f"a{n:02} zoe"} for n in range(30)), {"Username": "Zoe"})

    page = client.get("/find?q=zoe")

    assert names_in(page)[:2] == ["Zoe", "a00 zoe"]
    assert len(names_in(page)) == 20
    assert link(page, "More customers") == "/customers?q=zoe"


def test_logs_that_are_found_are_paged(neto: Neto, client: httpx.Client) -> None:
    some = neto.add(*({"Notes": "chairs"} for _ in range(50)))
    pages = [client.get("/find?q=chair")]
    while address := link(pages[-1], "More logs"):
        pages.append(client.get(address))

    found = [name for page in pages for name in names_in(page)]
    assert found == [f"#{log_id}" for log_id in some]
    assert link(pages[1], "Previous") == "/find?q=chair&page=0#logs"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        pytest.param("", "What are you looking for?", id="nothing"),
        pytest.param("?!", "No letter and no digit in it", id="no word"),
        pytest.param("unheard of", "Nothing matches", id="no match"),
        pytest.param("x" * 10_000, "Nothing matches", id="very long"),
        pytest.param(HOSTILE, "Nothing matches", id="hostile"),
        pytest.param("\x00\ud7ff", "No letter and no digit in it", id="controls"),
    ],
)
def test_what_finds_nothing_says_what_to_do(shared: Neto, asked: str, said: str) -> None:
    with panel_client(shared, new_session(shared, "viewer")) as client:
        page = client.get("/find", params={"q": asked})

    assert page.status_code == 200
    assert said in page.text
    assert "<img" not in page.text


@pytest.mark.parametrize("page", ["-1", "x", "999999", "499", "²"])
def test_pages_that_are_not_there_harm_nobody(shared: Neto, page: str) -> None:
    with panel_client(shared, new_session(shared, "viewer")) as client:
        assert client.get("/find", params={"q": "nothing", "page": page}).status_code == 200


@pytest.mark.parametrize(
    ("text", "asked", "shown"),
    [
        pytest.param("Two chairs", "chair", "Two [chairs]", id="a beginning"),
        pytest.param("armchairs", "chair", "armchairs", id="not the middle"),
        pytest.param("Café", "cafe", "[Café]", id="an accent"),
        pytest.param("Cafe\u0301!", "cafe", "[Cafe\u0301]!", id="a combining accent"),
        pytest.param("東京家具店", "家具", "東京[家具]店", id="without blanks"),
        pytest.param("東京家具店", "京家具", "東[京家具]店", id="two pairs"),
        pytest.param("a chair, a table", "chair table", "a [chair], a [table]", id="two words"),
        pytest.param("chairs", "chair table", "chairs", id="the first word is whole"),
        pytest.param("<b>x</b>", "b", "<[b]>x</[b]>", id="markup is text"),
        pytest.param("ﬁne", "fine", "[ﬁne]", id="a ligature"),
    ],
)  # fmt: skip
def test_words_are_marked(text: str, asked: str, shown: str) -> None:
    bits = marked(text, words(asked))

    assert "".join(f"[{bit.text}]" if bit.is_hit else bit.text for bit in bits) == shown


@given(st.text(), st.text())
def test_marking_changes_no_text(text: str, asked: str) -> None:
    bits = marked(text, words(asked))

    assert "".join(bit.text for bit in bits) == text
    assert all(bit.text for bit in bits)


@given(st.text(), st.text(), st.text(min_size=1))
def test_a_long_note_is_shown_where_the_word_is(before: str, after: str, word: str) -> None:
    wanted = words(word)
    bits = around(f"{'- ' * 200}{before} {word} {after}{' -' * 200}", wanted)

    assert len("".join(bit.text for bit in bits)) <= 162
    if len(wanted) == 1 and word.isascii() and word.isalnum():
        assert any(bit.is_hit for bit in bits)


def test_nothing_to_mark_is_one_piece() -> None:
    assert marked("abc", []) == [Bit("abc")]


# -- walls, and GET ------------------------------------------------------------------------------


def test_nobody_sees_customers_of_another_shop(neto: Neto) -> None:
    with another_site(neto, "Australia/Sydney") as there:
        add_customers(there, {"Username": "secret"})
        (log_id,) = there.add({"Username": "secret", "Notes": "secret chairs"})
        number = site_of(there)
        with neto.store.begin() as connection:
            harbour = keys.find_site(connection, str(number))
        tokens = new_session(neto, "admin", "ana"), new_session(neto, "admin", "ana", harbour)
        seen = []
        for token in tokens:
            with panel_client(neto, token) as client:
                pages = [
                    client.get(path)
                    for path in ("/customers", "/customers?next=none", "/customers?q=secret",
                                 "/find?q=secret")
                ]  # fmt: skip
                assert {page.status_code for page in pages} == {200}
                one, log = client.get("/customers/secret"), client.get(f"/find?q={log_id}")
                seen.append(
                    ([len(names_in(page)) for page in pages], one.status_code, log.status_code)
                )

    assert seen == [([0, 0, 0, 0], 404, 200), ([1, 1, 1, 2], 200, 303)]


PATHS = ("/customers", "/customers?next=none", "/customers?q=b", "/customers/bob", "/find?q=bob")


@pytest.mark.parametrize("path", PATHS)
def test_these_pages_take_somebody_who_is_signed_in_and_change_nothing(
    shared: Neto, path: str
) -> None:
    if not rows(shared, "SELECT 1 FROM customer WHERE username = 'bob'"):
        add_customers(shared, {"Username": "bob"})

    def everything() -> list[Any]:
        tables = ("customer", "customer_log", "revision", "customer_revision", "journal")
        return [rows(shared, f"SELECT * FROM {table}") for table in tables]

    with panel_client(shared) as client:
        assert client.get(path).headers["location"].startswith("/login?next=")
        client.get("/readyz")
    with panel_client(shared, new_session(shared, "viewer")) as client:
        before = everything()
        assert client.get(path).status_code == 200
        assert client.post(path).status_code == 405
        assert everything() == before


# -- in a browser --------------------------------------------------------------------------------


def furnish(neto: Neto) -> int:
    """A shop with something of everything; the LogID of the first log."""
    add_customers(
        neto,
        {"Username": "bob", "EmailAddress": "bob@stone.example",
         "BillingAddress": {"BillFirstName": "Bob", "BillLastName": "Stone",
                            "BillCompany": "Stone & Sons", "BillPhone": "(03) 5550 0142"}},
        {"Username": HOSTILE[:25], "EmailAddress": HOSTILE[:50],
         "BillingAddress": {"BillFirstName": HOSTILE, "BillCompany": "W" * 50},
         "InternalNotes": HOSTILE + "W" * 3_000},
    )  # fmt: skip
    first, *_ = neto.add(
        {"Username": "bob", "CustomerName": "Bob Stone", "Notes": "Wants 40 chairs",
         "DateRequiredFollowUp": "2026-01-01 00:00:00", "FollowUpType": "Phone"},
        {"Username": "bob", "Notes": "Wants a table", "AllocatedTo": "Ana"},
        {"Username": "bob", "Notes": "Had chairs", "Status": "Completed"},
        {"Username": HOSTILE[:25], "CustomerName": HOSTILE, "FollowUpType": HOSTILE,
         "AllocatedTo": HOSTILE, "Notes": f"{HOSTILE} chairs {'W' * 3_000}",
         "DateRequiredFollowUp": "2026-01-01 00:00:00"},
    )  # fmt: skip
    neto.update("json", {"LogID": first, "Status": "Recontacting"})
    return first


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_overflows(
    neto: Neto, browser: "Browser", scheme: Any
) -> None:
    furnish(neto)
    paths = ["/customers", "/customers?next=none", "/customers?q=zzz", "/customers/bob",
             customer_address(HOSTILE[:25]),
             "/find?q=chairs", "/find?q=", "/find?q=zzz"]  # fmt: skip
    for width in (1280, 390, 320):
        with watched(
            browser, color_scheme=scheme, viewport={"width": width, "height": 844}
        ) as page:
            signed_in(page, neto, "admin", "ana")
            for path in paths:
                page.goto(neto.url + path)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                if width != 320:
                    assert violations(page) == [], path


def test_hostile_texts_are_text(neto: Neto, page: "Page") -> None:
    furnish(neto)
    signed_in(page, neto, "admin")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path in ("/customers", customer_address(HOSTILE[:25]), "/find?q=chairs", "/find?q=img"):
        page.goto(neto.url + path)
        assert page.locator("main img").count() == 0
        assert "<img src=x" in page.locator("main").inner_text()
        assert "49" not in page.locator("h1").inner_text()


def test_from_the_box_to_the_log_by_keyboard_alone(neto: Neto, page: "Page") -> None:
    log_id = furnish(neto)
    signed_in(page, neto, "agent")
    page.goto(f"{neto.url}/customers")

    for wanted in ("chairs", "40 chairs"):  # in the place of the words before
        page.keyboard.press("/")
        page.keyboard.type(wanted)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/find?q={wanted.replace(' ', '+')}")
    assert page.locator("mark").all_inner_texts() == ["40", "chairs"]
    page.get_by_role("link", name="Bob Stone").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/logs/{log_id}")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/customers")


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_customer_is_found_and_a_change_undone_by_mouse(
    neto: Neto, browser: "Browser", has_scripts: bool
) -> None:
    log_id = furnish(neto)
    with watched(browser, java_script_enabled=has_scripts) as page:
        signed_in(page, neto, "admin")
        page.goto(f"{neto.url}/customers")
        page.get_by_label("Name, username, e-mail or phone").fill("stone")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="Bob Stone").click()
        page.get_by_role("button", name="Undo what was done").click()
        page.get_by_text("Bob Stone\u2069: Status as before.").wait_for()
        assert neto.log(log_id)["Status"] == "Require Recontact"
        page.get_by_role("button", name=re.compile("^Redo")).click()
        page.get_by_text("Bob Stone\u2069: Status as before the undo.").wait_for()
        assert neto.log(log_id)["Status"] == "Recontacting"


def test_under_a_thumb_targets_are_large_enough(neto: Neto, browser: "Browser") -> None:
    furnish(neto)
    with watched(
        browser, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    ) as page:
        signed_in(page, neto, "admin")
        page.goto(f"{neto.url}/customers/bob")
        for button in page.locator("main button, main a.button").all():
            box = button.bounding_box()
            assert box
            assert box["height"] >= 44
