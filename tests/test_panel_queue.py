"""The queue: what it shows, and what is done from it to one, to some, and to many."""

import itertools
import json
import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from conftest import (
    Neto,
    add_customers,
    add_staff,
    another_site,
    new_session,
    new_username,
    panel_client,
    rows,
    signed_in,
    site_of,
    violations,
    watched,
)

from recontact.model import Site
from recontact.store import finding, followups, keys, staff
from recontact.store.staff import Role
from recontact.web import asked, printed
from recontact.web.asked import Asked, named
from recontact.web.panel import Person

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SYDNEY = ZoneInfo("Australia/Sydney")
ISOLATES = dict.fromkeys((0x2068, 0x2069))
HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"{{7*7}}\u202e</td>"


class Shop:
    """A new site in Sydney, with whom its staff are and its follow-ups by their days from today."""

    def __init__(self, neto: Neto, site: Site) -> None:
        self.neto = neto
        self.site = site
        self.today = neto.clock.now().astimezone(SYDNEY).date()

    @property
    def key(self) -> str:
        """What the panel calls the key that adds and updates."""
        with self.neto.store.begin() as connection:
            return f"key {keys.keys(connection)[keys.digest_of(self.neto.key)].key_id}"

    def day(self, days: int) -> str:
        return (self.today + timedelta(days=days)).isoformat()

    def add(self, *days: int | None, **elements: str) -> list[int]:
        """Follow-ups on these days, None: without one, named `1`, `2`, … unless named otherwise."""
        items: list[dict[str, Any]] = []
        for number, one in enumerate(days, 1):
            due = {} if one is None else {"DateRequiredFollowUp": self.day(one)}
            items.append({"CustomerName": f"{number}", **due, **elements})
        found: list[int] = []
        for at in range(0, len(items), 500):
            found += self.neto.add(*items[at : at + 500])
        return found

    def client(self, role: str = "agent", username: str = "ana") -> httpx.Client:
        return panel_client(self.neto, new_session(self.neto, role, username, self.site))

    def open(self, page: "Page", address: str = "/", username: str = "ana") -> "Page":
        signed_in(page, self.neto, "agent", username, self.site)
        page.goto(self.neto.url + address)
        return page

    def requests(self) -> list[tuple[Any, ...]]:
        """Of each entry that a form of the queue made: the request, items, changed, Ack."""
        return rows(
            self.neto,
            "SELECT hex(request), items, changed, ack FROM journal WHERE site = ? AND"
            " action = 'UpdateCustomerLog' AND format = 'panel' ORDER BY at",
            self.site.site,
        )


@pytest.fixture(scope="module")
def shared(shared: Neto) -> Neto:
    """The server of a module at 22:00 UTC: no day ends meanwhile, neither there nor in Sydney."""
    shared.clock.move_to(22)
    return shared


@pytest.fixture
def shop(shared: Neto) -> Iterator[Shop]:
    with another_site(shared, "Australia/Sydney") as there:
        number = site_of(there)
        with shared.store.begin() as connection:
            site = keys.find_site(connection, str(number))
        yield Shop(there, site)


def names(answer: httpx.Response | str) -> list[str]:
    """The customers on a page, from top to bottom."""
    text = answer if isinstance(answer, str) else answer.text
    found = re.findall(r'<a id="?log-\d+"? href="[^"]*"><bdi>(.*?)</bdi>', text)
    return [unescape(name) for name in found]


def tabs(answer: httpx.Response) -> dict[str, str]:
    """The tabs of a page, with their counts."""
    tabs = answer.text.partition('<div class="tabs">')[2].partition("</nav>")[0]
    found = re.findall(r'<li><a href="[^"]*"[^>]*>([\w ]+?)(?: <span[^>]*>(.*?)</span>)?</a>', tabs)
    return dict(found)


def said(client: httpx.Client, answer: httpx.Response) -> str:
    """What the page after an action says that it did, without what isolates names in it."""
    assert answer.status_code == 303, answer.text
    text = client.get(answer.headers["location"]).text
    found = re.search(r'<div class="said".*?<span>(.*?)</span>', text, re.DOTALL)
    assert found, text
    return unescape(found[1]).translate(ISOLATES)


# -- what it shows -------------------------------------------------------------------------------


def test_tabs_hold_the_days_of_the_shop_and_count_them(shop: Shop) -> None:
    shop.add(-400, -1, 0, 1, 30, None)
    late = datetime.combine(shop.today, time(23, 59), SYDNEY)  # today there, and not in UTC
    shop.neto.add({"CustomerName": "at", "DateRequiredFollowUp": late.isoformat()})
    shop.add(0, Status="Completed", CustomerName="done")
    with shop.client() as client:
        overdue = client.get("/")
        assert tabs(overdue) == {
            "Overdue": "2", "Today": "2", "Upcoming": "2", "No date": "1", "Completed": "",
        }  # fmt: skip
        assert names(overdue) == ["1", "2"]
        assert names(client.get("/?tab=no-date")) == ["6"]
        assert names(client.get("/?tab=completed")) == ["done"]
        assert "Times are in Australia/Sydney" in overdue.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", ["a", "b", "c", "d"], id="everyone's"),
        pytest.param("who=me", ["a"], id="mine, in whatever case"),
        pytest.param("who=nobody", ["c"], id="nobody's"),
        pytest.param("who=BEN", ["b"], id="a name"),
        pytest.param("who=name:me", ["d"], id="somebody who is called me"),
        pytest.param("type=phone", ["a", "b"], id="type"),
        pytest.param("type=none", ["d"], id="no type"),
        pytest.param("status=Recontacting", ["b"], id="status"),
        pytest.param("q=chair+quo", ["a", "c"], id="words"),
        pytest.param("q=chair&who=nobody&type=Email", ["c"], id="all of them"),
        pytest.param("order=newest", ["d", "c", "b", "a"], id="newest first"),
        pytest.param("order=customer", ["a", "b", "c", "d"], id="by customer"),
        pytest.param("tab=nonsense&order=x&status=Done&after=zz", ["a", "b", "c", "d"], id="else"),
    ],
)
def test_filters_and_order_are_in_the_address(shop: Shop, query: str, expected: list[str]) -> None:
    shop.add(
        -4, CustomerName="a", AllocatedTo="ANA", FollowUpType="Phone", Notes="quote of a chair"
    )
    shop.add(-3, CustomerName="b", AllocatedTo="Ben", FollowUpType="Phone", Status="Recontacting")
    shop.add(-2, CustomerName="c", FollowUpType="Email", Notes="chair: quote")
    shop.add(-1, CustomerName="d", AllocatedTo="Me")
    with shop.client() as client:
        assert names(client.get(f"/?{query}")) == expected


@pytest.mark.parametrize("name", ["me", "Nobody", "name:x", "Ana & Ben", "100%+?#", "名前", " "])
def test_any_name_comes_through_an_address(shop: Shop, name: str) -> None:
    asked = Asked(who=named(name), type=named(name), q=name.strip())
    again = Asked.of_address(asked.address)
    assert again == asked
    queue = again.queue(Person(1, shop.site, "ana", Role.AGENT))
    assert (queue.allocated_to, queue.follow_up_type) == (name, name)


def test_pages_follow_each_other_and_lead_back(shop: Shop) -> None:
    shop.add(*range(-120, 0))
    with shop.client() as client:
        found, address = [], "/?who=nobody"
        while address:
            answer = client.get(address)
            found.append(names(answer))
            following = re.search(r'href="([^"]*)" rel="next"', answer.text)
            address = unescape(following[1]) if following else ""
        assert [len(page) for page in found] == [50, 50, 20]
        assert [name for page in found for name in page] == [str(n) for n in range(1, 121)]
        back = re.search(r'href="([^"]*)" rel="prev"', answer.text)
        assert back
        assert names(client.get(unescape(back[1]))) == found[1]


def test_a_full_page_is_small_and_asks_for_little(shop: Shop, page: "Page") -> None:
    shop.add(
        *[-3] * 60,
        CustomerName="Marsh & Daughters Interiors of Melbourne",
        Notes="Wool samples for six armchairs: have they arrived, and who takes the old ones?",
        FollowUpType="Phone",
        AllocatedTo="Priya",
        Status="Require Recontact",
        LastContacted="2026-01-02 03:04:05",
    )
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shop.open(page, "/?who=Priya&type=Phone")
    assert len(names(page.content())) == 50
    with shop.client() as client:
        answer = client.get("/?who=Priya&type=Phone")
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.num_bytes_downloaded < 15_000
        assert len(answer.content) < 50_000
    assert len(asked) <= 10


def test_what_is_empty_says_why_and_what_to_do(shop: Shop) -> None:
    with shop.client() as client:

        def empty(address: str, client: httpx.Client = client) -> tuple[str, str, list[str]]:
            text = client.get(address).text
            found = re.search(r'<h2 id="none">(.*?)</h2>\s*<p>(.*?)</p>(.*?)</section>', text, re.S)
            assert found, text
            links = [unescape(one) for one in re.findall('href="(.*?)"', found[3])]
            return unescape(found[1]), unescape(found[2]), links

        assert empty("/") == (
            "Nothing is overdue",
            "Everyone was followed up in time. "
            "Add one, or let a program of your shop send them: that takes a key.",
            ["/logs/new"],
        )
        for role, links in {"viewer": [], "admin": ["/logs/new", "/keys"]}.items():
            with panel_client(shop.neto, new_session(shop.neto, role, site=shop.site)) as other:
                assert empty("/", other)[2] == links
        shop.add(-1)
        shop.add(0, 0, AllocatedTo="Ana")
        assert empty("/?who=me") == (
            "Nothing of yours is overdue",
            "1 follow-up of nobody's is overdue. 2 follow-ups of yours are due today.",
            ["/?who=nobody", "/?tab=today&who=me"],
        )
        assert empty("/?tab=upcoming")[0] == "Nothing is to come"
        assert empty("/?q=sofa&order=newest") == (
            "Nothing matches",
            "No follow-up that is overdue meets all of these filters.",
            ["/?order=newest"],
        )
        assert empty("/?after=9.d9999-01-01")[2] == ["/"]


def test_a_row_has_what_was_said_last_without_when_and_by_whom(shop: Shop) -> None:
    notes = "Wants a sofa\n2026-11-24 10:00 ana, reached: In oak\n2026-11-25 10:00 ana, no answer"
    shop.add(-1, Notes=notes)
    with shop.client() as client:
        assert re.findall(r"<small><bdi>(.*?)</bdi></small>", client.get("/").text) == ["In oak"]


def test_whatever_is_in_a_log_is_shown_as_text(shop: Shop, page: "Page") -> None:
    texts = [
        HOSTILE,
        "\u05e9\u05dc\u05d5\u05dd \u2067x",
        "🪑👩‍👩‍👧",
        "\u200b\u0085\ufeff",
        "x" * 100,
        "a b",
    ]
    for text in texts:
        shop.neto.add(
            {
                "CustomerName": text[:100],
                "AllocatedTo": text[:50],
                "FollowUpType": text[:50],
                "Notes": text * 20,
                "DateRequiredFollowUp": shop.day(-1),
            }
        )
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    shop.open(page)
    assert page.locator("tbody tr").count() == len(texts)
    assert page.locator("main img").count() == 0
    assert page.locator("tbody th > a").first.text_content() == HOSTILE
    page.goto(f"{shop.neto.url}/?q={HOSTILE}&who={HOSTILE}")
    assert page.locator("main img").count() == 0
    page.goto(shop.neto.url)
    page.locator("[name=done]").first.click()
    wait_for_said(page, "is done.")
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# -- one of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "element", "value", "told"),
    [
        pytest.param({"done": ""}, "Status", "Completed", "1 is done.", id="done"),
        pytest.param({"tomorrow": ""}, "Date", 1, "1 moved to tomorrow.", id="tomorrow"),
        pytest.param({"do": "today"}, "Date", 0, "1 moved to today.", id="today"),
        pytest.param({"do": "3-days"}, "Date", 3, None, id="in 3 days"),
        pytest.param({"next-week": ""}, "Date", "monday", None, id="next week"),
        pytest.param({"do": "no-date"}, "Date", "", "1 is without a date now.", id="no date"),
        pytest.param({"do": "assign", "name": " Ben "}, "AllocatedTo", "Ben", None, id="a name"),
        pytest.param({"name": "Ben"}, "AllocatedTo", "Ben", "1 assigned to Ben.", id="Enter"),
        pytest.param({"to": "Ben"}, "AllocatedTo", "Ben", "1 assigned to Ben.", id="of the menu"),
        pytest.param({"do": "me"}, "AllocatedTo", "ana", "1 assigned to ana.", id="me"),
        pytest.param({"do": "nobody"}, "AllocatedTo", "", "1 is nobody's now.", id="nobody"),
        pytest.param({"do": "reopen"}, "Status", "Require Recontact", None, id="reopen"),
    ],
)
def test_a_row_has_its_next_step(
    shop: Shop, form: dict[str, str], element: str, value: str | int, told: str | None
) -> None:
    (log_id,) = shop.add(-3, AllocatedTo="Cleo", Status="Recontacting")
    with shop.client() as client:
        fields = {name: field or str(log_id) for name, field in form.items()}
        answer = client.post("/", data={"one": log_id, "shown": log_id} | fields)
        sentence = said(client, answer)
        assert told is None or sentence == told
        log = shop.neto.log(log_id)
        if element == "Date":
            if value == "monday":
                value = 7 - shop.today.weekday()
            due = shop.day(value) if isinstance(value, int) else ""
            assert log["DateRequiredFollowUp"][:10] == due
        else:
            assert log[element] == value
        ((request, items, changed, ack),) = shop.requests()
        assert (items, changed, ack) == (1, 1, "Success")
        ((who, of),) = rows(
            shop.neto,
            "SELECT who, hex(request) FROM revision WHERE site = ? AND log_id = ? AND number = 2",
            shop.site.site,
            log_id,
        )
        assert (who, of) == ("ana", request)


def test_a_date_may_have_a_time_of_the_shop(shop: Shop) -> None:
    (log_id,) = shop.add(-3)
    with shop.client() as client:
        form = {"one": log_id, "do": "date", "date": "2030-07-01", "time": "14:30"}
        assert said(client, client.post("/", data=form)) == "1 moved to Mon 1 Jul 2030 14:30."
        assert shop.neto.log(log_id)["DateRequiredFollowUp"] == "2030-07-01 04:30:00"
        form |= {"time": "10:00"}  # midnight UTC, and yet an instant
        client.post("/", data=form)
        form |= {"time": ""}
        assert said(client, client.post("/", data=form)) == "1 moved to Mon 1 Jul 2030."
        revisions = rows(shop.neto, "SELECT number FROM revision WHERE site = ?", shop.site.site)
        assert len(revisions) == 4


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ({"date": "2020-01-01"}, "The date is before today. Choose a later day, or none."),
        ({"date": ""}, "Choose a day, or write it as 2026-11-30."),
        ({"date": "tomorrow"}, "Choose a day, or write it as 2026-11-30."),
        ({"date": "2030-01-01", "time": "noon"}, "Choose a time, or write it as 14:30."),
        ({"do": "assign", "name": "x" * 101}, "A name has at most 100 characters: this one has"),
    ],
)
def test_what_cannot_be_is_refused_with_the_form_as_filled(
    shop: Shop, form: dict[str, str], problem: str
) -> None:
    (log_id,) = shop.add(-3)
    with shop.client() as client:
        answer = client.post("/?who=nobody", data={"do": "date", "one": log_id} | form)
        assert answer.status_code == 422
        assert f'role="alert" id="problem">{problem}' in answer.text
        for name, value in form.items():
            assert name == "do" or re.search(f'name="{name}"[^>]* value="{value}"', answer.text)
        assert f'name="one" value="{log_id}"' in answer.text
        assert shop.requests() == []


def test_the_focus_stays_where_it_was(shop: Shop) -> None:
    ids = shop.add(-4, -3, -2, -1)
    with shop.client() as client:

        def after(*shown: int, **form: Any) -> str:
            pairs = ",".join(f"{one}.9" for one in shown)
            return str(client.post("/", data={"shown": pairs} | form).headers["location"])

        assert after(*ids, one=ids[1], do="me") == f"/#log-{ids[1]}"  # it stays, so the focus does
        assert after(*ids, done=ids[1]) == f"/#log-{ids[2]}"
        assert after(ids[0], *ids[2:], done=ids[3]) == f"/#log-{ids[2]}"  # the last of them
        assert after(ids[0], ids[2], page="1", do="done") == "/"


def test_what_is_so_already_or_gone_is_told(shop: Shop) -> None:
    (log_id,) = shop.add(-3, AllocatedTo="Ben")
    with shop.client() as client:
        answer = client.post("/", data={"one": log_id, "name": "Ben"})
        assert said(client, answer) == "Nothing to change: 1 had that already."
        assert "undo" not in client.get("/").text.partition("<main")[0]
        answer = client.post("/", data={"done": "4000000"})
        assert said(client, answer) == "#4000000 was withdrawn meanwhile: nothing was changed."
        answer = client.post("/", data={"do": "done"})
        assert said(client, answer) == "Nothing was chosen, so nothing was done."


# -- undo ----------------------------------------------------------------------------------------


def notice_of(client: httpx.Client, answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """What the page after an action says that it did, and what the button there sends."""
    text = client.get(answer.headers["location"]).text
    line = text.partition('<div class="said"')[2].partition("</form>")[0]
    sentence = unescape(line.partition("<span>")[2].partition("</span>")[0])
    fields = re.findall(r'name="(\w+)" value="([^"]*)"', line)
    return sentence.translate(ISOLATES), {name: unescape(value) for name, value in fields}


@pytest.mark.parametrize(
    ("form", "came_back"),
    [
        ({"done": "first"}, "1 is back under Overdue."),
        ({"tomorrow": "first"}, "1 is back under Overdue."),
        ({"one": "first", "name": "Ben"}, "1 is assigned to Cleo again."),
        ({"page": "1", "do": "done"}, "2 follow-ups are as they were before."),
        ({"page": "1", "log": "first", "do": "done"}, "2 follow-ups are as they were before."),
    ],
)
def test_an_undo_says_what_came_back_and_offers_to_do_it_again(
    shop: Shop, form: dict[str, str], came_back: str
) -> None:
    first, _ = shop.add(-2, -1, AllocatedTo="Cleo")

    def now() -> list[str]:
        log = shop.neto.log(first)
        return [log[name] for name in ("Status", "DateRequiredFollowUp", "AllocatedTo")]

    with shop.client() as client:
        before = now()
        form = {name: value.replace("first", str(first)) for name, value in form.items()}
        answer = client.post("/", data=form_of(client.get("/").text) | form)
        done = now()

        answer = client.post("/undo", data=notice_of(client, answer)[1])
        assert answer.headers["location"] == f"/#log-{first}"
        sentence, fields = notice_of(client, answer)
        assert (sentence, fields["redo"]) == (came_back, "1")
        assert now() == before

        sentence, fields = notice_of(client, client.post("/undo", data=fields))
        assert "redo" not in fields  # but undo, as after what was done at first
        assert now() == done


def test_an_undo_of_what_was_written_elsewhere_leads_to_it(shop: Shop) -> None:
    first, second = shop.add(-2, -1)
    contact = {"revision": "1", "name": "1", "status": "Completed", "said": "Rang", "then": "next"}
    with shop.client() as client:
        answer = client.post(f"/logs/{first}?from=/%3Fwho%3Dnobody", data=contact)
        assert answer.headers["location"].startswith(f"/logs/{second}?")
        answer = client.post("/undo", data=notice_of(client, answer)[1])
        assert answer.headers["location"] == f"/logs/{first}?from=%2F%3Fwho%3Dnobody"
        assert notice_of(client, answer)[0] == "1 is back under Overdue, with Notes as before."


def test_what_was_due_this_morning_comes_back_under_today(shop: Shop) -> None:
    morning = datetime.combine(shop.today, time(0, 1), SYDNEY)
    (log_id,) = shop.neto.add({"CustomerName": "1", "DateRequiredFollowUp": morning.isoformat()})
    with shop.client() as client:
        assert names(client.get("/?tab=today")) == ["1"]
        answer = client.post("/?tab=today", data={"done": log_id})
        answer = client.post("/undo", data=notice_of(client, answer)[1])
        assert answer.headers["location"] == f"/?tab=today#log-{log_id}"
        assert notice_of(client, answer)[0] == "1 is back under Today."


def test_undo_twice_is_not_redo(shop: Shop, page: "Page") -> None:
    (log_id, *_) = shop.add(-3, -2, -1)
    shop.open(page)
    press = page.keyboard.press
    press("j")
    press("e")
    wait_for_said(page, "1 is done.")
    press("z")
    wait_for_said(page, "1 is back under Overdue.")
    assert focused(page) == "1"
    press("z")
    press("j")
    assert focused(page) == "2"
    assert shop.neto.log(log_id)["Status"] == "Require Recontact"
    press("Shift+Z")
    wait_for_said(page, "1 is back under Completed.")
    assert shop.neto.log(log_id)["Status"] == "Completed"
    press("z")
    wait_for_said(page, "1 is back under Overdue.")


# -- what somebody else did meanwhile --------------------------------------------------------------


def form_of(text: str) -> dict[str, str]:
    """The fields of the list's form that nobody fills in."""
    form = text.partition('<form class="queue"')[2] or text.partition("<form")[2]
    return dict(re.findall(r'<input type="?hidden"? name="?(\w+)"? value="([^"]*)">', form))


@pytest.mark.parametrize(
    ("elements", "did"),
    [
        pytest.param({"DateRequiredFollowUp": "2030-11-29"}, "moved it to Fri 29 Nov 2030"),
        pytest.param({"DateRequiredFollowUp": ""}, "took its date away"),
        pytest.param({"Status": "Completed"}, "completed it"),
        pytest.param({"Status": "Recontacting"}, "set it to Recontacting"),
        pytest.param({"AllocatedTo": "Ben"}, "assigned it to Ben"),
        pytest.param({"AllocatedTo": ""}, "made it nobody\u2019s"),
    ],
)
def test_what_another_did_since_the_page_was_read_is_not_overwritten_unseen(
    shop: Shop, elements: dict[str, str], did: str
) -> None:
    (log_id,) = shop.add(-3, CustomerName="Bob Stone", AllocatedTo="Cleo")
    with shop.client() as client:
        form = form_of(client.get("/").text)
        shop.neto.update("json", {"LogID": log_id, **elements})
        shop.neto.update("json", {"LogID": log_id, "Notes": "called"})
        before = shop.neto.log(log_id)

        answer = client.post("/", data=form | {"tomorrow": log_id})
        assert said(client, answer) == (
            f"Bob Stone was left as it is: {shop.key} {did} just now. Choose again to do it anyway."
        )
        assert shop.neto.log(log_id) == before
        assert shop.requests() == []

        tabs = (client.get(f"/?tab={tab}").text for tab in ("", "upcoming", "no-date", "completed"))
        form = next(form for form in map(form_of, tabs) if form.get("shown"))  # where it is now
        said_now = said(client, client.post("/", data=form | {"tomorrow": log_id}))
        assert said_now == "Bob Stone moved to tomorrow."
        assert shop.neto.log(log_id)["DateRequiredFollowUp"][:10] == shop.day(1)


def test_a_change_of_what_is_no_next_step_stops_none(shop: Shop) -> None:
    (log_id,) = shop.add(-3)
    with shop.client() as client:
        form = form_of(client.get("/").text)
        other = {"Notes": "called", "FollowUpType": "SMS", "CustomerName": "Bob", "LogID": log_id}
        shop.neto.update("json", other)
        assert said(client, client.post("/", data=form | {"done": log_id})) == "Bob is done."
        log = shop.neto.log(log_id)
        assert (log["Notes"], log["Status"]) == ("called", "Completed")


def test_a_log_that_is_so_already_is_told_so_whoever_did_it(shop: Shop) -> None:
    (log_id,) = shop.add(-3)
    with shop.client() as client:
        form = form_of(client.get("/").text)
        shop.neto.update("json", {"LogID": log_id, "Status": "Completed"})
        answer = client.post("/", data=form | {"done": log_id})
        assert said(client, answer) == "Nothing to change: 1 had that already."


def test_a_log_that_was_brought_back_meanwhile_is_left(shop: Shop) -> None:
    (log_id,) = shop.add(-3)
    with shop.client("admin") as client, shop.client("admin", "Ben") as other:
        form = form_of(client.get("/").text)
        other.post(f"/logs/{log_id}", data={"withdraw": "1"})
        other.post("/undo", data={"log": log_id, "revision": 2, "then": "/"})
        assert said(client, client.post("/", data=form | {"done": log_id})) == (
            "1 was left as it is: Ben brought it back just now. Choose again to do it anyway."
        )


def test_changes_past_counting_are_one_that_is_not_told(shop: Shop) -> None:
    (log_id,) = shop.add(-3)
    with shop.client() as client:
        form = form_of(client.get("/").text)
        shop.neto.update("json", {"LogID": log_id, "AllocatedTo": "Ben"})
        for number in range(100):
            shop.neto.update("json", {"LogID": log_id, "Notes": f"{number}"})
        answer = client.post("/", data=form | {"done": log_id})
        assert f"{shop.key} changed it just now." in said(client, answer)


def test_a_few_that_were_left_are_told_in_the_line(shop: Shop) -> None:
    ids = shop.add(-4, -3, -2, -1)
    with shop.client() as client:
        form = form_of(client.get("/").text)
        shop.neto.update("json", {"LogID": ids[0], "Status": "Completed"})
        shop.neto.update("json", {"LogID": ids[2], "AllocatedTo": "Ben"})
        answer = client.post("/", data=form | {"page": "1", "do": "tomorrow"})
        assert said(client, answer) == (
            f"2 follow-ups moved to tomorrow. Left as they are: 1 ({shop.key} completed it just "
            f"now); 3 ({shop.key} assigned it to Ben just now). Choose again to do it anyway."
        )


def test_many_that_were_left_are_on_a_page_that_stays(shop: Shop) -> None:
    ids = shop.add(*range(-9, 0), CustomerName=HOSTILE)
    with shop.client() as client, shop.client("admin", "Ben") as ben:
        form = form_of(client.get("/?who=nobody").text)
        some = [{"LogID": one, "DateRequiredFollowUp": shop.day(9)} for one in ids[:6]]
        shop.neto.update("json", *some)
        ben.post(f"/logs/{ids[6]}", data={"withdraw": "1"})
        answer = client.post("/?who=nobody", data=form | {"page": "1", "name": "Ben"})
        place = answer.headers["location"]
        assert said(client, answer) == (
            "2 follow-ups assigned to Ben. 7 were left as they are: above is why."
        )
        for _ in range(2):
            text = client.get(place).text
            assert HOSTILE not in text
            assert text.count(f"{shop.key.capitalize()}\u2069 moved it to") == 6
            assert text.count("Withdrawn") == 1
            assert len(re.findall('<a href="/logs/', text)) == 6
        assert "7 follow-ups left as they are" in ben.get(place).text  # an admin
        with shop.client(username="cleo") as cleo:
            assert cleo.get(place).status_code == 404
        with shop.client("viewer", "eve") as eve:
            assert eve.get(place).status_code == 403
        assert client.get("/left/0").status_code == client.get(f"/left/{'0' * 32}").status_code

        assert "Assign them to \u2068Ben\u2069 all the same</button>" in text
        (action,) = re.findall('<form method="post" action="(/[^"]*)" class="line">', text)
        again = form_of(text.partition("<main")[2])
        assert said(client, client.post(unescape(action), data=again)) == (
            "6 follow-ups assigned to Ben."
        )
        assert action == "/?who=nobody"


def test_what_was_left_names_no_customer_in_the_journal(shop: Shop) -> None:
    ids = shop.add(*range(-6, 0), CustomerName="Bob Stone")
    with shop.client() as client:
        form = form_of(client.get("/").text)
        shop.neto.update("json", *({"LogID": one, "AllocatedTo": "Ben"} for one in ids))
        place = client.post("/", data=form | {"page": "1", "do": "done"}).headers["location"]
        request = bytes.fromhex(place[6:38])
        entry = shop.neto.store.read(shop.site, lambda view: view.journal_entry(request))
        assert entry
        assert json.loads(entry.request_body or b"") == [
            {"LogID": one, "Revision": 2} for one in ids
        ]


# -- some of them, and many ----------------------------------------------------------------------


def test_several_are_one_request(shop: Shop) -> None:
    ids = shop.add(-4, -3, -2, -1)
    shop.add(-1, CustomerName="other")
    with shop.client() as client:
        answer = client.post("/", data={"log": [ids[0], ids[2]], "do": "tomorrow"})
        assert said(client, answer) == "2 follow-ups moved to tomorrow."
        assert names(client.get("/")) == ["2", "4", "other"]
        answer = client.post(
            "/", data={"page": "1", "shown": f"{ids[1]}.1,{ids[3]}.1", "name": "Ben"}
        )
        assert said(client, answer) == "2 follow-ups assigned to Ben."
        assert [entry[1:] for entry in shop.requests()] == [(2, 2, "Success")] * 2
        answer = client.post("/?all=1", data={"do": "done"})
        assert said(client, answer) == "3 follow-ups are done."  # a page of them needs no preview


def test_many_are_previewed_then_done_and_taken_back_by_one_undo(shop: Shop) -> None:
    ids = shop.add(*[-2] * 430)
    shop.neto.update("json", *({"LogID": one, "AllocatedTo": "Ben"} for one in ids[:3]))
    shop.neto.clock.move(seconds=2)  # what comes in the second of the look counts as after it
    with shop.client() as client:
        answer = client.post("/?type=none&all=1", data={"name": "Ben"})
        where = answer.headers["location"]
        assert where == "/many?type=none&do=assign&name=Ben"
        text = unescape(client.get(where).text)
        assert "427 follow-ups will be assigned to \u2068Ben\u2069</h1>" in text
        assert "Left as they are: 3, which had it already" in text
        assert shop.requests() == []
        looked_at = re.findall(r'name="looked_at" value="(\d+)"', text)[0]

        shop.neto.clock.move(seconds=5)
        shop.neto.update("json", {"LogID": ids[9], "AllocatedTo": "Cleo"})
        shop.neto.update("json", {"LogID": ids[10], "Notes": "called"})  # no next step
        sentence = said(client, client.post(where, data={"looked_at": looked_at}))

        assert sentence == (
            "426 follow-ups assigned to Ben. 3 had it already (1, 2, 3). Left as they are: "
            f"10 ({shop.key} assigned it to Cleo just now). Choose again to do it anyway."
        )
        ((request, items, changed, ack),) = shop.requests()
        assert (items, changed, ack) == (430, 426, "Warning")
        assert names(client.get("/?who=Cleo")) == ["10"]
        made = "SELECT count(*) FROM revision WHERE hex(request) = ?"
        assert rows(shop.neto, made, request) == [(426,)]

        # One undo takes it all back: it is large, so it shows first what it will do.
        answer = client.post("/undo", data={"request": request.lower(), "then": "/"})
        while answer.status_code == 303 and "/undo" in answer.headers["location"]:
            answer = client.get(answer.headers["location"])
        if answer.status_code == 200:
            fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text)
            client.post("/undo", data={**dict(fields), "sure": "1"})
        assert len(names(client.get("/?who=nobody"))) == 50
        assert rows(shop.neto, made, request) == [(426,)]
        assert shop.neto.log(ids[100])["AllocatedTo"] == ""


def test_what_changes_in_the_very_second_of_the_preview_is_left(shop: Shop) -> None:
    (log_id, *_) = shop.add(-2, -1)
    shop.neto.clock.move(seconds=2)
    with shop.client() as client:
        text = client.get("/many?do=done").text
        shop.neto.update("json", {"LogID": log_id, "AllocatedTo": "Ben"})
        fields = dict(re.findall(r'name="(looked_at)" value="(\d+)"', text))
        assert said(client, client.post("/many?do=done", data=fields)).startswith(
            "1 follow-up is done. Left as they are: 1 ("
        )


def test_a_preview_with_nothing_to_do_says_so(shop: Shop) -> None:
    shop.add(*[-2] * 60, AllocatedTo="Ben")
    with shop.client() as client:
        assert "All 60 that match had that already." in client.get("/many?do=assign&name=Ben").text
        assert "Nothing matches any more." in client.get("/many?do=done&q=zz").text
        for query in ("", "do=nonsense", "do=date&date=2020-01-01"):
            assert client.get(f"/many?{query}").headers["location"] == "/"
        assert client.post("/many?do=done", data={"looked_at": "x"}).headers["location"] == "/"
        assert shop.requests() == []


# -- who may -------------------------------------------------------------------------------------


def test_a_viewer_reads_and_changes_nothing(shop: Shop) -> None:
    (log_id,) = shop.add(-1)
    with shop.client("viewer", "eve") as client:
        text = client.get("/").text
        assert names(text) == ["1"]
        assert "type=checkbox" not in text
        assert "name=done" not in text
        assert client.post("/", data={"done": log_id}).status_code == 403
        assert client.get("/many?do=done").status_code == 403
        assert client.post("/many?do=done", data={"looked_at": "9"}).status_code == 403
    assert shop.requests() == []
    assert shop.neto.log(log_id)["Status"] == "Require Recontact"


def test_a_shop_neither_shows_nor_changes_anothers(shop: Shop, shared: Neto) -> None:
    shop.add(-1, CustomerName="ours", AllocatedTo="Ourselves")
    with another_site(shared, "Australia/Sydney") as there:
        number = site_of(there)
        with shared.store.begin() as connection:
            other = Shop(there, keys.find_site(connection, str(number)))
        other.add(-1, -1, CustomerName="theirs", AllocatedTo="Themselves")
        with shop.client("admin") as client:
            assert "theirs" not in client.get("/").text
            assert "Themselves" not in client.get("/").text
            answer = client.post("/", data={"done": "2"})  # theirs alone has that LogID
            assert "was withdrawn" in said(client, answer)
        assert other.neto.log(2)["Status"] == "Require Recontact"


def test_no_get_changes_anything(shop: Shop) -> None:
    (log_id,) = shop.add(-1)
    with shop.client() as client:
        for path in (
            f"/?done={log_id}", f"/?move={log_id}", f"/?assign={log_id}&name=Ben&do=assign",
            "/?all=1&do=done", "/many?do=done",
        ):  # fmt: skip
            assert client.get(path).status_code == 200
        assert client.get("/views?name=x").status_code == 405
        client.headers["origin"] = "https://evil.example"
        assert client.post("/", data={"done": log_id}).status_code == 403
    assert shop.requests() == []


def test_what_was_chosen_before_a_session_ended_is_still_chosen(shop: Shop, page: "Page") -> None:
    shop.add(-3, -2, -1)
    shop.open(page, username="anouk")
    page.get_by_role("checkbox", name="Choose 2", exact=True).check()
    with shop.neto.store.begin() as connection:
        (ana,) = staff.named(connection, "anouk", shop.site)
        staff.sign_out_everywhere(connection, ana)
    page.get_by_role("group", name="Chosen").get_by_role("button", name="Done").click()
    page.get_by_label("Username").fill("anouk")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("You were logged out before this was done").wait_for()
    assert page.get_by_role("checkbox", name="Choose 2", exact=True).is_checked()
    assert not page.get_by_role("checkbox", name="Choose 1", exact=True).is_checked()
    assert page.get_by_text("It is not saved yet").count() == 0
    assert shop.requests() == []
    # It is said once.
    kept = "SELECT kept FROM session WHERE kept IS NOT NULL"
    shop.neto.wait_for(lambda: rows(shop.neto, kept) == [])
    page.reload()
    page.get_by_role("checkbox", name="Choose 2", exact=True).wait_for()
    assert page.get_by_text("You were logged out before this was done").count() == 0


# -- views ---------------------------------------------------------------------------------------


def test_views_are_saved_by_name_for_oneself(shop: Shop) -> None:
    with shop.client() as client, shop.client(username="ben") as other:

        def views(of: httpx.Client) -> list[tuple[str, str]]:
            text = of.get("/").text.partition('<details class="menu views">')[2]
            return [
                (unescape(name), unescape(address))
                for address, name in re.findall(r'<li><a href="(.*?)"[^>]*><bdi>(.*?)</bdi>', text)
            ]

        address = "/?tab=today&who=me&q=sofa&after=3.d2026-01-01&move=9"
        client.post("/views", data={"name": f" {HOSTILE}  x ", "address": address})
        client.post("/views", data={"name": "all", "address": "https://evil.example/?who=me"})
        hostile = (f"{HOSTILE} x", "/?tab=today&who=me&q=sofa")
        assert views(client) == [hostile, ("all", "/?who=me")]
        client.post("/views", data={"name": "all", "address": "/"})
        assert ("all", "/") in views(client)
        assert views(other) == []
        other.post("/views", data={"forget": "all"})
        client.post("/views", data={"forget": HOSTILE + " x"})
        assert views(client) == [("all", "/")]
        assert client.post("/views", data={"name": " ", "address": "/"}).status_code == 422
        assert client.post("/views", data={"name": "x" * 51}).status_code == 422
        for number in range(29):
            assert client.post("/views", data={"name": f"{number}"}).status_code == 303
        assert "remove one first" in client.post("/views", data={"name": "one more"}).text


# -- in a browser --------------------------------------------------------------------------------


def wait_for_said(page: "Page", pattern: str) -> None:
    """
    Wait for a page that says this, and is ready for keys.

    Names are isolated in it, so they have marks around them.
    """
    marked = re.sub(r"(\\?[ ,.])", r"[\\u2068\\u2069]*\1[\\u2068\\u2069]*", pattern)
    page.locator(".said").get_by_text(re.compile(marked)).wait_for()
    page.wait_for_load_state()


def focused(page: "Page") -> str:
    return page.locator(":focus").inner_text()


def test_ten_by_the_keyboard_alone(shop: Shop, page: "Page") -> None:
    ids = shop.add(*range(-10, 0))
    shop.open(page)
    press = page.keyboard.press

    press("j")
    assert focused(page) == "1"
    press("j")
    press("k")
    press("j")
    assert focused(page) == "2"
    press("e")
    wait_for_said(page, "2 is done.")
    assert focused(page) == "3"
    press("s")
    press("Enter")
    wait_for_said(page, "3 moved to tomorrow.")
    assert focused(page) == "4"
    press("a")
    press("Tab")
    press("Tab")
    page.keyboard.type("Ben")
    press("Enter")
    wait_for_said(page, "4 assigned to Ben.")
    assert focused(page) == "4"
    press("x")
    for _ in range(3):
        press("j")
    press("Shift+X")
    assert page.locator("tbody :checked").count() == 4
    press("a")
    press("Enter")
    wait_for_said(page, "4 follow-ups assigned to ana.")
    assert focused(page) == "4"
    press("z")
    wait_for_said(page, "4 follow-ups are as they were before.")
    assert focused(page) == "4"
    press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    press("Escape")
    assert focused(page) == "4"
    press("/")
    assert page.locator(":focus").get_attribute("id") == "find"
    assert [shop.neto.log(one)["AllocatedTo"] for one in ids[3:7]] == ["Ben", "", "", ""]


def test_a_menu_goes_by_arrows_and_first_letters(shop: Shop, page: "Page") -> None:
    ids = shop.add(-3, -2, -1)
    shop.open(page)
    press = page.keyboard.press
    press("j")
    press("s")
    found = []
    for key in ("ArrowDown", "ArrowUp", "ArrowUp", "n", "n", "3", "e", "t"):
        press(key)
        found.append(focused(page))
    assert found == [
        "+3 days", "Tomorrow", "Today", "Next week", "No date", "+3 days", "+3 days", "Today",
    ]  # fmt: skip
    press("Enter")
    wait_for_said(page, "1 moved to today.")
    assert shop.neto.log(ids[1])["Status"] == "Require Recontact"


def test_assign_offers_who_works_there_and_whose_there_are(shop: Shop, page: "Page") -> None:
    add_staff(shop.neto, "agent", "Cleo", shop.site)
    shop.add(-3, AllocatedTo="Ben")
    shop.add(-2, AllocatedTo="ANA", CustomerName="2")
    shop.open(page)
    page.keyboard.press("j")
    page.keyboard.press("a")
    assert page.locator("#assign .item").all_inner_texts() == ["Me", "Nobody", "Ben", "Cleo"]
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    wait_for_said(page, "1 assigned to Cleo.")
    # What begins none of these is the beginning of another name.
    page.keyboard.press("a")
    page.keyboard.type("Clara")
    assert page.locator("#to-name").input_value() == "Clara"
    page.keyboard.press("Enter")
    wait_for_said(page, "1 assigned to Clara.")


def test_keys_act_on_no_row_behind_the_list_of_keys_and_a_held_one_once(
    shop: Shop, page: "Page"
) -> None:
    shop.add(-3, -2, -1)
    shop.open(page)
    press = page.keyboard.press
    for key in ("e", "x", "s", "a", "c", "z"):  # nothing has the focus yet
        press(key)
    press("j")
    press("?")
    page.get_by_role("dialog", name="Keyboard").wait_for()
    press("x")
    press("Escape")
    assert page.locator("tbody :checked").count() == 0
    page.keyboard.down("e")
    wait_for_said(page, "1 is done.")
    page.keyboard.down("e")  # it is still down
    page.keyboard.up("e")
    press("j")
    assert focused(page) == "3"
    assert len(shop.requests()) == 1


def test_the_list_stays_where_it_was_scrolled_to(shop: Shop, browser: "Browser") -> None:
    shop.add(*range(-40, 0))
    with watched(browser, viewport={"width": 1280, "height": 700}) as page:
        shop.open(page)
        page.evaluate("scrollTo(0, 600)")
        top = "(one) => one.getBoundingClientRect().top"
        row = page.locator("tbody tr").nth(14)
        row.hover()
        before = row.evaluate(top)
        row.get_by_role("button", name="Done").click()
        wait_for_said(page, "15 is done.")
        assert focused(page) == "16"
        assert page.locator("tbody tr").nth(14).evaluate(top) == before
        page.keyboard.press("z")
        wait_for_said(page, "15 is back under Overdue.")
        assert focused(page) == "15"
        assert page.locator("tbody tr").nth(14).evaluate(top) == before
        page.evaluate("scrollTo(0, 0)")
        page.locator("tbody tr").nth(39).locator("[name=done]").evaluate("(one) => one.click()")
        wait_for_said(page, "40 is done.")
        last = page.locator("tbody tr").nth(38)  # the row in focus is in view
        assert last.evaluate("(one) => one.getBoundingClientRect().bottom < innerHeight")


def test_a_phone_has_the_whole_navigation_and_no_empty_foot(shop: Shop, browser: "Browser") -> None:
    shop.add(*range(-20, 0))
    for width in (320, 360, 390):
        size = {"width": width, "height": 640}
        with watched(browser, viewport=size, has_touch=True, is_mobile=True) as page:
            signed_in(page, shop.neto, "admin", "root", shop.site)
            page.goto(shop.neto.url)
            nav = page.get_by_role("navigation", name="Main")
            assert nav.evaluate("(one) => one.scrollWidth <= one.clientWidth")
            for words, least in (
                (nav.locator("a"), 0),
                (page.locator("tr:nth-child(1) button"), -8),
            ):
                edges = words.evaluate_all(  # those of a row have 6 px of air on either side
                    "(all) => all.map((one) => one.getBoundingClientRect())"
                    ".map((one) => [one.left, one.right])"
                )
                gaps = [at - end for (_, end), (at, _) in itertools.pairwise(edges)]
                assert min(gaps) > least
                assert edges[-1][1] <= width - 8
            # No tab is cut off by "New log", and none is out of sight.
            boxes = [one.bounding_box() for one in page.locator(".tabs a").all()]
            assert len(boxes) == 6
            for box, after in itertools.pairwise(box for box in boxes if box):
                assert box["x"] + box["width"] <= width
                assert box["x"] + box["width"] <= after["x"] or box["y"] < after["y"]
            foot = page.locator(".foot")
            assert foot.evaluate("(one) => getComputedStyle(one).position") == "static"
            assert page.get_by_text("Times are in Australia/Sydney").is_visible()
            page.get_by_role("checkbox", name="Choose 1", exact=True).check()
            assert foot.evaluate("(one) => getComputedStyle(one).position") == "sticky"


def test_a_table_stays_one_where_its_rows_are_grids(shop: Shop, browser: "Browser") -> None:
    shop.add(-1)
    with watched(browser, viewport={"width": 390, "height": 640}) as page:
        shop.open(page)
        found = page.locator(".queue table, .queue table :is(thead, tbody, tr, th, td)")
        roles = set(found.evaluate_all("(all) => all.map((one) => one.getAttribute('role'))"))
        assert roles == {"table", "rowgroup", "row", "columnheader", "rowheader", "cell"}


def test_a_menu_that_is_left_leaves_the_row_as_it_was(shop: Shop, page: "Page") -> None:
    ids = shop.add(-2, -1)
    shop.open(page)
    press = page.keyboard.press
    press("j")
    press("j")
    for menu in "sa":
        press(menu)
        assert page.locator("tr:has([open])").locator("th > a").inner_text() == "2"
        press("Escape")
        assert focused(page) == "2"
        assert not page.locator(".bulk").is_visible()
    press("s")
    row = page.locator("tbody tr").nth(0)
    row.hover()
    row.get_by_role("button", name="Assign…").click()
    assert page.locator("tr:has([open])").locator("th > a").inner_text() == "1"
    page.get_by_role("heading", name="Queue").click(force=True)  # elsewhere
    assert page.locator(".up[open]").count() == 0
    press("x")
    assert page.locator(".whose").inner_text().strip().endswith("chosen")
    press("a")
    assert page.locator(".bulk .up[open]").count() == 1
    press("Enter")
    wait_for_said(page, "1 assigned to ana.")
    assert shop.neto.log(ids[1])["AllocatedTo"] == ""


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (800, 600)])
def test_a_menu_opens_at_its_row_and_nothing_shifts(
    shop: Shop, browser: "Browser", width: int, height: int
) -> None:
    shop.add(*range(-50, 0))
    box = "(one) => { const b = one.getBoundingClientRect(); return [b.top, b.bottom, b.height]; }"
    with watched(browser, viewport={"width": width, "height": height}) as page:
        shop.open(page)
        tops = "(all) => all.map((one) => one.getBoundingClientRect().top + scrollY)"
        before = page.locator("tbody tr").evaluate_all(tops)
        tall = page.evaluate("document.documentElement.scrollHeight")
        for at, down in ((0, 1), (7, 7), (49, 42)):
            for _ in range(down):
                page.keyboard.press("j")
            row = page.locator("tbody tr").nth(at)
            assert row.locator("th > a:focus").count() == 1
            for key in "sa":
                page.keyboard.press(key)
                top, bottom, _ = row.evaluate(box)
                menu = page.locator(".up[open] > div").evaluate(box)
                assert min(abs(menu[0] - bottom), abs(menu[1] - top)) < 8
                assert 0 <= menu[0] < menu[1] <= height
                assert page.locator("tbody tr").evaluate_all(tops) == before
                assert page.evaluate("document.documentElement.scrollHeight") == tall
                assert violations(page) == []
                page.keyboard.press("Escape")


def test_by_mouse(shop: Shop, page: "Page") -> None:
    shop.add(*range(-9, 0))
    shop.open(page)
    row = page.locator("tbody tr").nth(1)
    row.hover()
    row.get_by_role("button", name="Tomorrow").click()
    wait_for_said(page, "2 moved to tomorrow.")
    row = page.locator("tbody tr").nth(1)
    row.hover()
    row.get_by_role("button", name="Date…").click()
    page.get_by_label("Day", exact=True).fill(shop.day(40))
    page.get_by_label("Time, or none").fill("09:15")
    page.get_by_role("button", name="Move", exact=True).click()
    wait_for_said(page, "09:15")
    page.get_by_role("checkbox", name="Choose 4", exact=True).check()
    page.get_by_role("checkbox", name="Choose 8", exact=True).click(modifiers=["Shift"])
    assert page.locator(".whose").inner_text().strip().endswith("chosen")
    assert page.locator("tbody :checked").count() == 5
    page.get_by_role("link", name="Clear").click()
    assert page.locator(":checked[type=checkbox]").count() == 0
    page.get_by_label("Choose all on this page").check()
    assert page.locator("tbody :checked").count() == 7
    page.locator("#assign summary").click()
    page.get_by_role("button", name="Nobody").click()
    wait_for_said(page, "Nothing was changed. 7 had it already")
    page.get_by_label("Allocated to").select_option("Mine")
    page.wait_for_url(f"{shop.neto.url}/?who=me#who")
    assert page.locator(":focus").get_attribute("id") == "who"


def test_without_scripts(shop: Shop, browser: "Browser") -> None:
    shop.add(*range(-60, 0))
    with watched(browser, java_script_enabled=False) as page:
        shop.open(page)
        page.get_by_label("Allocated to").select_option("nobody")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url(re.compile("who=nobody"))
        assert names(page.content())[0] == "1"
        page.locator("[name=done]").first.click()
        wait_for_said(page, "1 is done.")
        page.get_by_role("button", name="Date…").first.click()
        page.wait_for_load_state()
        page.get_by_label("Day", exact=True).fill(shop.day(3))
        page.keyboard.press("Enter")
        wait_for_said(page, "2 moved to")
        page.get_by_role("button", name="Assign…").first.click()
        page.get_by_label("Name", exact=True).fill("Ben")
        page.get_by_role("button", name="Assign", exact=True).click()
        wait_for_said(page, "3 assigned to Ben.")
        page.get_by_label("Choose all on this page").check()
        page.get_by_role("link", name="Choose all 57 that match").click()
        page.get_by_role("group", name="Chosen").get_by_role("button", name="Done").click()
        page.get_by_role("heading", name="57 follow-ups will be done").wait_for()
        page.get_by_role("button", name="Mark 57 follow-ups as done").click()
        wait_for_said(page, "57 follow-ups are done.")


# -- the keys of other pages ---------------------------------------------------------------------

IN_VIEW = """(one) => {
    const { top, bottom, left } = one.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight && one.contains(
        document.elementFromPoint(left + 8, (top + bottom) / 2));
}"""


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
@pytest.mark.parametrize(("width", "height"), [(1280, 720), (360, 640)])
def test_who_it_is_stays_in_view_while_a_contact_is_written(
    shop: Shop, browser: "Browser", width: int, height: int, has_scripts: bool
) -> None:
    about = "Wants forty chairs of oak, and a table that can be made longer. " * 2
    first, _ = shop.add(-2, -1, CustomerName="Bob Stone of Marsh & Daughters", Notes=about)
    size = {"width": width, "height": height}
    with watched(browser, viewport=size, java_script_enabled=has_scripts) as page:
        if has_scripts:
            shop.open(page)
            page.keyboard.press("j")
            page.keyboard.press("c")
        else:
            shop.open(page, f"/logs/{first}?from=/#said")
        heading, said = page.get_by_role("heading", level=1), page.locator("#said")

        def both_are_in_view() -> None:
            # Browsers scroll to a part of a page when they draw it: maybe after it is loaded.
            Neto.wait_for(lambda: said.evaluate(IN_VIEW))
            assert heading.evaluate(IN_VIEW)

        page.wait_for_url(re.compile(f"/logs/{first}"))
        both_are_in_view()
        said.fill("Rang twice")
        page.get_by_role("button", name="Save and next").click()
        page.wait_for_url(re.compile(rf"/logs/(?!{first}\b)"))
        both_are_in_view()
        if has_scripts:
            page.locator("#said:focus").wait_for()
            page.keyboard.press("Escape")
            page.evaluate("scrollTo(0, document.body.scrollHeight)")
            page.keyboard.press("c")
            assert heading.evaluate(IN_VIEW)
            assert page.locator("#said:focus").evaluate(IN_VIEW)


def test_the_keys_of_a_log_lead_to_its_fields_and_to_the_logs_beside_it(
    shop: Shop, page: "Page"
) -> None:
    ids = shop.add(-3, -2, -1)
    shop.open(page)
    press = page.keyboard.press

    def at(log_id: int) -> None:
        page.wait_for_url(re.compile(rf"/logs/{log_id}\b"))
        page.wait_for_load_state()

    press("j")
    press("Enter")
    for key, log_id in (("k", ids[0]), ("j", ids[1]), ("j", ids[2]), ("j", ids[2]), ("k", ids[1])):
        press(key)
        at(log_id)
    for key, field in (("c", "said"), ("a", "who"), ("e", "status"), ("s", "next")):
        press(key)
        assert page.locator(":focus").get_attribute("name") == field
        press("Escape")
    press("Control+Enter")
    wait_for_said(page, "completed.")
    assert [shop.neto.log(one)["Status"] for one in ids[:2]] == ["Require Recontact", "Completed"]


def test_what_is_written_in_a_log_is_not_lost_to_a_key(shop: Shop, page: "Page") -> None:
    ids = shop.add(-2, -1)
    shop.open(page, f"/logs/{ids[0]}?from=/")
    told: list[str] = []
    page.on("dialog", lambda dialog: (told.append(dialog.type), dialog.dismiss()))
    page.keyboard.press("c")
    page.keyboard.type("Rang twice")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    shop.neto.wait_for(lambda: page.evaluate("1") and told)
    assert told == ["beforeunload"]
    assert page.locator("#said").input_value() == "Rang twice"
    page.keyboard.press("Control+Enter")  # that saves it, and asks nothing
    page.wait_for_url(re.compile(rf"/logs/{ids[1]}\b"))
    assert shop.neto.log(ids[0])["Notes"].endswith("Rang twice")
    assert told == ["beforeunload"]
    # What was refused is not saved either, and nobody need type to make it so.
    page.keyboard.type("Wrote")
    page.locator("#day").fill("2020-01-01")
    page.keyboard.press("Control+Enter")
    page.get_by_text("Not saved yet: see what is marked.").wait_for()
    page.wait_for_load_state()
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    shop.neto.wait_for(lambda: page.evaluate("1") and len(told) == 2)
    assert page.locator("#said").input_value() == "Wrote"


@pytest.mark.parametrize(
    ("path", "least"), [("/requests", 3), ("/customers", 2), ("/find?q=zoe", 3)]
)
def test_every_list_is_gone_through_by_the_same_keys(
    shop: Shop, page: "Page", path: str, least: int
) -> None:
    for one in (1, 2):
        username = new_username()
        name = {"BillFirstName": "Zoe", "BillLastName": f"{one}"}
        add_customers(shop.neto, {"Username": username, "BillingAddress": name})
    shop.add(-1, CustomerName="Log", Notes="Zoe asked")
    signed_in(page, shop.neto, "admin", "root", shop.site)
    page.goto(shop.neto.url + path)
    press = page.keyboard.press
    links = page.locator("[data-rows] > * :is(th > a, .name)")
    end = links.count() - 1
    assert end >= least - 1
    for typed, at in (("j", 0), ("j", 1), ("k", 0), ("j" * (end + 1), end)):
        for key in typed:
            press(key)
        assert links.nth(at).evaluate("(one) => one === document.activeElement")
    to = links.nth(end).get_attribute("href")
    press("Enter")
    page.wait_for_url(shop.neto.url + str(to))


def test_all_that_match_are_chosen_by_one_key_and_by_it_none(shop: Shop, page: "Page") -> None:
    ids = shop.add(*range(-60, 0))
    shop.open(page)
    press = page.keyboard.press
    press("j")
    press("j")
    press("*")
    page.get_by_text("All 60 that match").wait_for()
    page.wait_for_load_state()
    assert focused(page) == "2"
    press("*")
    page.wait_for_url(f"{shop.neto.url}/")
    assert page.locator("tbody :checked").count() == 0
    assert focused(page) == "2"
    press("*")
    page.get_by_text("All 60 that match").wait_for()
    page.wait_for_load_state()
    press("e")
    page.get_by_role("heading", name="60 follow-ups will be done").wait_for()
    page.get_by_role("button", name="Mark 60").and_(page.locator(":focus")).wait_for()
    press("Enter")
    wait_for_said(page, "60 follow-ups are done.")
    shop.neto.update("json", *({"LogID": one, "Status": "Recontacting"} for one in ids[:3]))
    page.goto(shop.neto.url)
    press("*")  # one page has them all
    assert page.locator("tbody :checked").count() == 3
    press("*")
    assert page.locator(".queue :checked").count() == 0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(shop: Shop, browser: "Browser", scheme: str, width: int) -> None:
    shop.add(*range(-60, 0), Notes="A sofa", LastContacted="2026-01-01 00:00:00")
    shop.add(-1, CustomerName=HOSTILE, AllocatedTo="x" * 100, FollowUpType="Phone")
    shop.add(-1, Status="Completed")
    size = {"width": width, "height": 800}
    with watched(browser, color_scheme=scheme, viewport=size, has_touch=width < 720) as page:
        for address in (
            "/", "/?move=1", "/?assign=2", "/?all=1", "/?q=zz", "/?tab=completed", "/many?do=done",
            "/?order=customer",
        ):  # fmt: skip
            shop.open(page, address)
            assert violations(page) == []
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        shop.open(page)
        page.get_by_label("Choose all on this page").check()
        assert violations(page) == []
        page.locator(".views summary").click()
        assert violations(page) == []
        shop.open(page)
        some = page.locator("tbody [type=checkbox]")
        ids = [int(some.nth(at).input_value()) for at in range(4)]
        for log_id in ids:
            page.locator(f"tbody [value='{log_id}'][type=checkbox]").check()
        shop.neto.update("json", *({"LogID": one, "AllocatedTo": HOSTILE} for one in ids))
        page.get_by_role("group", name="Chosen").get_by_role("button", name="Done").click()
        page.get_by_role("heading", name="4 follow-ups left as they are").wait_for()
        assert violations(page) == []
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest.mark.parametrize("width", [320, 360, 720, 860, 1000, 2560])
def test_no_width_overflows_and_nothing_shifts(shop: Shop, browser: "Browser", width: int) -> None:
    shop.add(*range(-60, 0), Notes="A sofa", CustomerName="x" * 100)
    with watched(browser, viewport={"width": width, "height": 700}) as page:
        signed_in(page, shop.neto, "admin", "root", shop.site)  # who has most to navigate
        page.goto(shop.neto.url)
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        page.locator("tbody tr").nth(2).hover()
        shifts = page.evaluate(
            "() => new Promise((tell) => { new PerformanceObserver((list) =>"
            " tell(list.getEntries().map((one) => one.value))).observe("
            "{type: 'layout-shift', buffered: true}); setTimeout(() => tell([]), 300) })"
        )
        assert sum(shifts) < 0.01


def test_a_printed_list_is_black_on_white_and_has_no_controls(
    shop: Shop, browser: "Browser"
) -> None:
    shop.add(0, 0, Notes="A sofa", CustomerName="x" * 100, AllocatedTo="y" * 100)
    paper = {"width": 718, "height": 1000}  # A4 upright, as a browser lays it out
    with watched(browser, color_scheme="dark", viewport=paper) as page:
        shop.open(page, "/?tab=today")
        page.emulate_media(media="print")
        heading = page.get_by_role("heading", name="Queue: today")
        assert heading.is_visible()
        assert shop.site.name in heading.inner_text()
        for hidden in (".top", ".tabs", ".filters", ".foot", "tbody [type=checkbox]", "td button"):
            assert not page.locator(hidden).first.is_visible(), hidden
        colour = page.locator("th small").first.evaluate("(one) => getComputedStyle(one).color")
        assert colour == "rgb(0, 0, 0)"
        assert page.locator("tbody td:nth-child(5)").first.is_visible()
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_nothing_moves_for_whom_that_is_too_much(shop: Shop, browser: "Browser") -> None:
    shop.add(-1)
    with watched(browser, reduced_motion="reduce") as page:
        shop.open(page)
        row = page.locator("tbody tr").first
        row.evaluate("(one) => one.classList.add('leaving')")
        assert row.evaluate("(one) => getComputedStyle(one).transitionProperty") == "none"


def test_the_journal_says_what_was_asked(shop: Shop) -> None:
    (log_id,) = shop.add(-1)
    with shop.client() as client:
        client.post("/", data={"one": log_id, "name": "Ben"})
    ((request, *_),) = shop.requests()
    entry = shop.neto.store.read(shop.site, lambda view: view.journal_entry(bytes.fromhex(request)))
    assert entry
    assert entry.request_body
    assert json.loads(entry.request_body) == {"LogID": [log_id], "AllocatedTo": "Ben"}


def test_a_log_without_a_name_is_called_by_its_customers(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "_PIECE_IN_SHORT", 1)
    billing = {"BillFirstName": "Bob", "BillLastName": HOSTILE[:20], "BillPhone": "(03) 5550 0142"}
    company = {"Username": "acme", "BillingAddress": {"BillCompany": "Acme & Sons"}}
    add_customers(shop.neto, {"Username": "Bob-1", "BillingAddress": billing}, company)
    name = f"Bob {HOSTILE[:20]}"
    due = {"DateRequiredFollowUp": shop.day(-1), "Username": "bob-1"}
    _, first, _ = shop.neto.add({**due, "CustomerName": "Ms Stone"}, due, due)
    shop.neto.add({"Username": "ACME", "DateRequiredFollowUp": shop.day(-2)})
    with shop.client("admin") as client:
        assert names(client.get("/")) == ["Acme & Sons", "Ms Stone", name, name]
        assert f"<bdi>{name}</bdi></a></h1>" in unescape(client.get(f"/logs/{first}").text)
        printed = unescape(client.get("/print").text)
        assert printed.count("<bdi>(03) 5550 0142</bdi>") == 3
        assert f"<bdi>{name}</bdi>" in printed
        found = unescape(client.get("/find?q=bob-1").text)
        assert re.sub("</?mark>", "", found).count(name) == 3  # two, and the customer
        foreseen = unescape(client.get("/many?do=done").text)
        assert f"<bdi>Ms Stone</bdi>, <bdi>{name}</bdi>, <bdi>{name}</bdi>" in foreseen
        told = [
            said(client, client.post("/", data={"tomorrow": first})),
            said(client, client.post(f"/logs/{first}", data={"revision": 2, "said": "x"})),
            said(client, client.post(f"/logs/{first}", data={"withdraw": "1"})),
        ]
        assert [one.startswith(name) for one in told] == [True] * 3, told
        withdrawn = client.get(f"/logs/{first}")
        assert withdrawn.status_code == 410
        assert f"<h1><bdi>{name}</bdi>" in unescape(withdrawn.text)
        assert name in unescape(client.get("/requests").text)


def test_print_has_the_whole_list_with_the_shop_the_day_and_the_notes(
    shop: Shop, browser: "Browser", monkeypatch: pytest.MonkeyPatch
) -> None:
    (long, *_) = shop.add(*range(-70, 0), CustomerName="x" * 100, AllocatedTo="y" * 100)
    notes = "first " * 20 + "\n\n" + "a" * 300 + "\n" + HOSTILE
    shop.neto.update("json", {"LogID": long, "Notes": notes})
    paper = {"width": 718, "height": 1000}
    with watched(browser, color_scheme="dark", viewport=paper) as page:
        shop.open(page, "/?order=newest&type=none")
        page.get_by_role("link", name="Print").click()
        title = page.get_by_role("heading", name=f"{shop.site.name}: overdue, ")
        title.wait_for()
        page.wait_for_load_state()
        assert page.get_by_text("70 follow-ups, no type. Times are in").is_visible()
        assert page.locator("tbody tr").count() == 70
        assert (
            page.locator("tbody tr").last.locator(".sub").last.inner_text()
            == notes.partition("\n\n")[2]
        )
        assert violations(page) == []
        page.emulate_media(media="print")
        assert title.is_visible()
        for hidden in (".top", ".trail", "[data-print]"):
            assert not page.locator(hidden).first.is_visible(), hidden
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
        page.get_by_role("link", name="x" * 100).first.wait_for()
        # Of more than a print has, how many there are is on it.
        monkeypatch.setattr(printed, "MOST", 50)
        page.reload()
        assert page.get_by_text("The first 50 of 70, no type.").is_visible()
        for module in (followups, asked):
            monkeypatch.setattr(module, "COUNTED", 60)
        page.reload()
        assert page.get_by_text("The first 50 of 60+, no type.").is_visible()
    with panel_client(shop.neto, new_session(shop.neto, "viewer", site=shop.site)) as viewer:
        assert viewer.get("/print?q=nothing").status_code == 200
