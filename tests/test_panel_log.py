"""One log: what its page shows, what is saved from it, and two people at once."""

import asyncio
import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from conftest import (
    PASSWORD,
    Neto,
    add_customers,
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
from lxml import html

from recontact.messages import RefusedError
from recontact.model import Site
from recontact.store import keys
from recontact.web import panel as panel_module
from recontact.web.logs import BLAMED
from recontact.web.panel import Panel
from recontact.web.timeline import Difference, difference, label, last_said

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SYDNEY = ZoneInfo("Australia/Sydney")
HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"{{7*7}}</textarea></title>\u202e \u05e9\u05dc 🪑"


class Shop:
    """A new site in Sydney, and what its staff do in the panel."""

    def __init__(self, neto: Neto, site: Site) -> None:
        self.neto, self.site = neto, site

    @property
    def today(self) -> datetime:
        return self.neto.clock.now().astimezone(SYDNEY)

    def day(self, days: int) -> str:
        return (self.today.date() + timedelta(days=days)).isoformat()

    def add(self, **elements: Any) -> int:
        return self.neto.add({"CustomerName": "Bob Stone", **elements})[0]

    def log(self, log_id: int) -> dict[str, str]:
        return self.neto.log(log_id)

    def client(self, username: str = "Ana", role: str = "agent") -> httpx.Client:
        return panel_client(self.neto, new_session(self.neto, role, username, self.site))

    def browse(self, page: "Page", path: str, username: str = "Ana", role: str = "agent") -> "Page":
        signed_in(page, self.neto, role, username, self.site)
        page.goto(self.neto.url + path)
        return page

    def revisions(self, log_id: int) -> int:
        statement = "SELECT count(*) FROM revision WHERE site = ? AND log_id = ?"
        return int(rows(self.neto, statement, self.site.site, log_id)[0][0])


@contextmanager
def new_shop(neto: Neto) -> Iterator[Shop]:
    with another_site(neto, "Australia/Sydney") as there:
        number = str(site_of(there))
        with neto.store.begin() as connection:
            site = keys.find_site(connection, number)
            keys.set_site(connection, site, follow_up_types=["Phone", "Email"])
            site = keys.find_site(connection, number)
        yield Shop(there, site)


@pytest.fixture(scope="module")
def shared(shared: Neto) -> Neto:
    """The server of a module at 22:00 UTC: no day ends meanwhile, neither there nor in Sydney."""
    shared.clock.move_to(22)
    return shared


@pytest.fixture(scope="module")
def shop(shared: Neto) -> Iterator[Shop]:
    """A shop for all tests that do not look at its queue: each adds its own logs."""
    with new_shop(shared) as one:
        yield one


@pytest.fixture
def empty_shop(shared: Neto) -> Iterator[Shop]:
    """A shop without logs, for one test."""
    with new_shop(shared) as one:
        yield one


def filled(form: Any) -> dict[str, str]:
    """What a form holds; a line end that begins a text field counts for nothing (HTML §13.2.6)."""
    texts = {one.name for one in form.iter("textarea")}
    return {
        name: value.removeprefix("\n") if name in texts else value
        for name, value in form.fields.items()
        if value is not None
    }


class Opened:
    """The form of a page as a browser without scripts has it, to be filled in and sent."""

    def __init__(self, client: httpx.Client, path: str, form: str = "said") -> None:
        self.client, self.path = client, path
        self.answer = client.get(path)
        assert self.answer.status_code == 200, self.answer.text
        (self.form,) = self.of(self.answer, form)

    @staticmethod
    def of(answer: httpx.Response, form: str) -> list[Any]:
        found = html.document_fromstring(answer.text).forms
        return [one for one in found if form in one.fields]

    def save(self, **changed: str) -> httpx.Response:
        fields = filled(self.form) | changed
        lines = {name: value.replace("\n", "\r\n") for name, value in fields.items()}
        return self.client.post(self.path, data=lines)


def save(shop: Shop, log_id: int, **changed: str) -> httpx.Response:
    """Open a log, fill that in, and save it."""
    with shop.client() as client:
        answer = Opened(client, f"/logs/{log_id}").save(**changed)
    assert answer.status_code == 303, text_of(answer)
    return answer


def text_of(answer: httpx.Response) -> str:
    """What a page says."""
    words = html.document_fromstring(answer.text).text_content()
    return plain(words)


def plain(words: str) -> str:
    """Words with single blanks, without the marks that isolate names."""
    return " ".join(words.translate(dict.fromkeys((0x2068, 0x2069))).split())


def said(client: httpx.Client, answer: httpx.Response) -> str:
    """What the page after an action says that it did."""
    assert answer.status_code == 303, text_of(answer)
    page = html.document_fromstring(client.get(answer.headers["location"]).text)
    return plain(page.xpath("string(//div[@class='said']//span)"))


def timeline(answer: httpx.Response) -> list[str]:
    """Each change on a page, in words, without its time."""
    page = html.document_fromstring(answer.text)
    return [
        plain(" ".join(one.xpath("./p//text() | ./ul//text()")))
        for one in page.xpath("//ol[@class='timeline']/li")
    ]


# -- a contact, in one form ----------------------------------------------------------------------


def test_a_contact_is_saved_from_one_form(shop: Shop) -> None:
    log_id = shop.add(Notes="Wants chairs", DateRequiredFollowUp=shop.day(-3))
    before = shop.neto.clock.now().replace(microsecond=0)
    with shop.client() as client:
        opened = Opened(client, f"/logs/{log_id}")
        answer = opened.save(
            said="He decides on Friday.\nWith his brother.",
            outcome="reached",
            next="date",
            day=shop.day(8),
            time="14:00",
            who="=Ana",
            status="Recontacting",
        )
        day = shop.today.date() + timedelta(days=8)
        due = datetime(day.year, day.month, day.day, 14, tzinfo=SYDNEY)
        assert said(client, answer).startswith("Bob Stone: reached, next step ")

    log = shop.log(log_id)
    contacted = datetime.fromisoformat(log["LastContactedUTC"]).replace(tzinfo=UTC)
    assert before <= contacted <= shop.neto.clock.now()
    assert log["Notes"] == (
        f"Wants chairs\n{contacted.astimezone(SYDNEY):%Y-%m-%d %H:%M} Ana, reached: "
        "He decides on Friday.\nWith his brother."
    )
    assert log["DateRequiredFollowUpUTC"] == f"{due.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    assert (log["AllocatedTo"], log["Status"]) == ("Ana", "Recontacting")
    assert shop.revisions(log_id) == 2


def test_a_contact_whose_form_is_sent_again_is_noted_once(shop: Shop) -> None:
    log_id = shop.add(DateRequiredFollowUp=shop.day(-1))
    with shop.client() as client:
        opened = Opened(client, f"/logs/{log_id}")
        filled_in = {"said": "Rang", "outcome": "reached", "next": "tomorrow"}
        opened.save(**filled_in)
        # Meanwhile somebody changes just what it changed, which it does not meet now.
        theirs = {"FollowUpType": "Phone", "DateRequiredFollowUp": shop.day(9)}
        shop.neto.update("json", {"LogID": log_id, **theirs})

        for then in ("stay", "next"):  # by whichever button
            told = said(client, opened.save(**filled_in, then=then))
            assert told == "Bob Stone: this form was saved before, and is not saved twice."
            assert shop.log(log_id)["Notes"].count("Rang") == 1
            assert shop.revisions(log_id) == 3
        # What was refused is not done, and what is filled in otherwise is not the same.
        refused = Opened(client, f"/logs/{log_id}")
        no_day = refused.save(said="Wrote", next="date", day="2020-01-01")
        assert no_day.status_code == 422
        assert filled(Opened.of(no_day, "said")[0])["once"] == filled(refused.form)["once"]
        assert "noted" in said(client, refused.save(said="Wrote"))
        assert opened.save(**(filled_in | {"said": "Rang again"})).status_code == 409


def test_a_form_with_edited_notes_does_not_meet_its_own_save(shop: Shop) -> None:
    log_id = shop.add(Notes="Oak", DateRequiredFollowUp=shop.day(-1))
    with shop.client() as client:
        opened = Opened(client, f"/logs/{log_id}")
        filled_in = {"said": "Rang", "notes": "Oak, or beech"}
        for told in ("noted", "not saved twice"):
            assert told in said(client, opened.save(**filled_in))
        assert shop.log(log_id)["Notes"].count("Rang") == 1
        # Without a line to note it is the same.
        opened = Opened(client, f"/logs/{log_id}")
        for told in ("saved", "not saved twice"):
            assert told in said(client, opened.save(name="Robert"))


def test_a_new_log_whose_form_is_sent_again_is_added_once(shop: Shop) -> None:
    with shop.client() as client, shop.client("Ben") as other:
        opened = Opened(client, "/logs/new", "username")
        first, again = (opened.save(name="Dora", notes="Oak") for _ in range(2))
        log_id = int(first.headers["location"].rpartition("/")[2])
        assert again.headers["location"] == first.headers["location"]
        told = said(client, again)
        assert told == f"Log {log_id} was added already, and not a second time."
        assert len(shop.neto.get(CustomerName="Dora").logs) == 1
        # Somebody else who sends the very same has a form of their own.
        opened.client = other
        assert opened.save(name="Dora", notes="Oak").headers["location"] != f"/logs/{log_id}"
        assert len(shop.neto.get(CustomerName="Dora").logs) == 2


def test_what_was_added_is_not_said_to_be_lost_where_no_more_can_be_read(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_customers(shop.neto, {"Username": "bob", "BillingAddress": {"BillFirstName": "Bob"}})
    submit = Panel.submit

    async def refused(*_: Any) -> Any:
        raise RefusedError("RC030", "Too many reads wait.", retry_after=1)

    async def then_too_many_read(*args: Any) -> Any:
        written = await submit(*args)
        monkeypatch.setattr(Panel, "view", refused)
        return written

    with shop.client() as client:
        opened = Opened(client, "/logs/new", "username")
        with monkeypatch.context() as patch:
            patch.setattr(Panel, "submit", then_too_many_read)
            answer = opened.save(username="bob", notes="Oak")
            assert answer.status_code == 303, text_of(answer)
        monkeypatch.undo()
        assert said(client, answer) == "Bob is added."


@pytest.mark.parametrize(
    ("days", "fields", "told"),
    [
        (-15, {}, "Bob Stone: noted. The follow-up is still 15 days late."),
        (-1, {"outcome": "none"}, "Bob Stone: no answer. The follow-up is still 1 day late."),
        (0, {}, "Bob Stone: noted. The follow-up is still due today."),
        (1, {}, "Bob Stone: noted."),
        (None, {}, "Bob Stone: noted."),
        (-15, {"status": "Completed"}, "Bob Stone: noted, completed."),
        (-15, {"next": "none"}, "Bob Stone: noted, no next date."),
        (-15, {"said": "", "name": "Bo"}, "Bo: saved."),
    ],
)
def test_a_contact_that_leaves_the_date_late_says_so(
    shop: Shop, days: int | None, fields: dict[str, str], told: str
) -> None:
    due = "" if days is None else shop.day(days)
    log_id = shop.add(DateRequiredFollowUp=due)
    with shop.client() as client:
        opened = Opened(client, f"/logs/{log_id}")
        is_late = days is not None and days < 0
        assert ("stays late unless you choose" in opened.answer.text) is is_late
        assert said(client, opened.save(**({"said": "x"} | fields))) == told


@pytest.mark.parametrize("outcome", ["none", "message", ""])
def test_only_who_was_reached_was_contacted(shop: Shop, outcome: str) -> None:
    log_id = shop.add()
    save(shop, log_id, said="Hm", outcome=outcome)
    log = shop.log(log_id)
    how = {"none": ", no answer", "message": ", left a message", "": ""}[outcome]
    assert log["Notes"].endswith(f" Ana{how}: Hm")
    assert log["LastContacted"] == ""


@pytest.mark.parametrize(
    "notes",
    [
        "one line",
        "it ends\n",
        "\n\n  it begins with lines \t",
        "of another\r\nsystem\r\n",
        "mixed\r\nand\nmixed",
        "a\u0085b\u2028c\u200d",
        "🪑\u202e\u0301",
        HOSTILE,
        "x" * 65_000,
    ],
)
def test_nothing_of_the_notes_is_lost(shop: Shop, page: "Page", notes: str) -> None:
    log_id = shop.add(Notes=notes)
    shop.browse(page, f"/logs/{log_id}")
    page.get_by_label("What happened?").fill("Called\nagain")
    page.get_by_role("button", name="Save", exact=False).first.click()
    page.get_by_text("noted.").wait_for()
    kept = shop.log(log_id)["Notes"]
    assert kept.startswith(notes)
    added = kept[len(notes) :]
    assert re.fullmatch(r"\s*[-\d]+ [\d:]+ Ana: Called\r?\nagain", added)
    if "\r\n" in notes:
        assert added.count("\n") == added.count("\r\n")
    assert notes.endswith("\n") is not added.startswith(("\n", "\r"))


@pytest.mark.parametrize(
    ("fields", "days"),
    [
        ({"next": "none"}, None),
        ({"next": "tomorrow"}, 1),
        ({"next": "3-days"}, 3),
        ({"next": "date", "day": "5"}, 5),
        ({"next": "none", "day": "5"}, 5),  # a day, though "Date" was not chosen
        ({}, None),
    ],
)
def test_the_next_date(shop: Shop, fields: dict[str, str], days: int | None) -> None:
    log_id = shop.add()
    if "day" in fields:
        fields = fields | {"day": shop.day(int(fields["day"]))}
    save(shop, log_id, said="x", **fields)
    expected = "" if days is None else shop.day(days)
    assert shop.log(log_id)["DateRequiredFollowUp"][:10] == expected


def test_a_date_can_be_taken_away_and_next_week_is_a_monday(shop: Shop) -> None:
    log_id = shop.add(DateRequiredFollowUp=shop.day(2))
    save(shop, log_id, next="next-week")
    due = datetime.fromisoformat(shop.log(log_id)["DateRequiredFollowUpLocal"][:10])
    assert due.weekday() == 0
    assert 0 < (due.date() - shop.today.date()).days <= 7
    save(shop, log_id, next="none")
    assert shop.log(log_id)["DateRequiredFollowUp"] == ""


@pytest.mark.parametrize(
    "elements",
    [
        {},
        {"Notes": "\n\nleading\r\n and\rmore \r\n"},
        {"CustomerName": "two\r\nlines ", "AllocatedTo": "a\nb" + "c" * 200},
        {"CustomerName": HOSTILE[:100], "FollowUpType": " +", "AllocatedTo": "+"},
        {
            "DateRequiredFollowUp": "2026-11-30 03:04:05(UTC)",
            "LastContacted": "2026-01-02 03:04:05",
        },
        # Twice the same time by the clock in Sydney: 2:30, and 2:30 an hour later.
        {
            "DateRequiredFollowUp": "2026-04-04 16:30:00(UTC)",
            "LastContacted": "2026-04-04 15:30:00",
        },
        {"DateRequiredFollowUp": "9999-12-31", "LastContacted": "9999-12-31 23:59:59"},
        {"DateRequiredFollowUp": "1000-01-01", "LastContacted": "1000-01-01 00:00:00"},
    ],
)
def test_what_is_sent_as_it_was_shown_changes_nothing(
    shop: Shop, page: "Page", elements: dict[str, str]
) -> None:
    log_id = shop.add(**elements)
    shop.browse(page, f"/logs/{log_id}")
    page.get_by_role("button", name="Save details").click()
    page.get_by_text("Nothing to save").wait_for()
    assert shop.revisions(log_id) == 1


def test_every_element_can_be_edited(shop: Shop) -> None:
    log_id = shop.add(Notes="old\r\nlines", AllocatedTo="Ben", FollowUpType="Phone")
    save(
        shop,
        log_id,
        name="Robert",
        who="+",
        who_other="Zoë",
        type="=Email",
        status="Completed",
        last="2026-11-20T09:30",
        notes="new\nlines",
    )
    log = shop.log(log_id)
    assert (log["CustomerName"], log["AllocatedTo"]) == ("Robert", "Zoë")
    assert (log["FollowUpType"], log["Status"]) == ("Email", "Completed")
    assert log["LastContactedUTC"] == "2026-11-19 22:30:00"
    assert log["Notes"] == "new\r\nlines"  # the lines end as they did
    save(shop, log_id, name="", who="", type="", last="", notes="")
    log = shop.log(log_id)
    names = ("CustomerName", "AllocatedTo", "FollowUpType", "LastContacted", "Notes")
    assert [log[name] for name in names] == [""] * 5


# -- what cannot be saved ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"name": "x" * 101}, "name", "Customer name is 101 characters long"),
        ({"next": "date", "day": "2020-01-01"}, "day", "The date is before today."),
        ({"next": "date", "day": "", "time": "10:00"}, "day", "Choose a day"),
        ({"next": "date", "day": "soon"}, "day", "Choose a day"),
        ({"next": "date", "day": "0001-01-01"}, "day", "Choose a day"),
        ({"last": "yesterday"}, "last", "Write the day and the time"),
        ({"last": "2026-11-20T09:30+03:00"}, "last", "Choose a time"),
        ({"last": "2026-10-04T02:30"}, "last", "Clocks skip 02:30 on that day"),
        ({"next": "date", "day": "2027-10-03", "time": "02:30"}, "day", "Clocks skip 02:30"),
        ({"who": "+", "who_other": " "}, "who", "Write a name"),
        ({"who": "+", "who_other": "x" * 101}, "who", "Allocated to is 101 characters long"),
        ({"status": "Lost"}, "status", "Status must be one of"),
        ({"notes": "a\x07b"}, "notes", "U+0007"),
        ({"said": "x" * 65_600}, "said", "With this, Notes are 65"),
        ({"said": "a\x07b"}, "said", "U+0007"),
    ],
)
def test_what_cannot_be_is_told_at_its_field_and_the_form_stays(
    shop: Shop, fields: dict[str, str], field: str, words: str
) -> None:
    log_id = shop.add()
    with shop.client() as client:
        typed = {"said": "What I typed", "outcome": "reached", **fields}
        answer = Opened(client, f"/logs/{log_id}").save(**typed)
    assert answer.status_code == 422
    page = html.document_fromstring(answer.text)
    assert words in page.get_element_by_id(f"e-{field}").text_content()
    described = page.get_element_by_id("next" if field == "day" else field)
    assert f"e-{field}" in described.get("aria-describedby")
    if "\x07" not in str(fields):
        (form,) = Opened.of(answer, "said")
        typed.pop("status", "")  # no choice of the menu
        assert filled(form).items() >= typed.items()
    assert shop.revisions(log_id) == 1


@pytest.mark.parametrize(
    "fields", [{}, {"revision": "0"}, {"revision": "x"}, {"revision": "9" * 30}]
)
def test_a_form_that_is_not_whole_saves_nothing(shop: Shop, fields: dict[str, str]) -> None:
    log_id = shop.add()
    with shop.client() as client:
        answer = client.post(f"/logs/{log_id}", data={"name": "x", **fields})
        assert answer.status_code == 422
    assert shop.revisions(log_id) == 1


# -- what it shows -------------------------------------------------------------------------------


def test_the_timeline_is_told_in_words_and_each_field_says_what_set_it(shop: Shop) -> None:
    log_id = shop.add(AllocatedTo="Ana", Notes="Wants chairs")
    shop.neto.update("json", {"LogID": log_id, "AllocatedTo": "", "FollowUpType": "Phone"})
    with shop.client("Ben") as client:
        Opened(client, f"/logs/{log_id}").save(
            said="Beech", outcome="reached", next="date", day="2031-01-05"
        )
        Opened(client, f"/logs/{log_id}").save(outcome="none")
        Opened(client, f"/logs/{log_id}").save(notes="Wants tables\nand beech")
    with shop.client() as client:
        answer = client.get(f"/logs/{log_id}")
    told = timeline(answer)
    assert told[0].startswith("Ben, through the panel Notes chairs")
    assert told[1] == "No answer: Ben, through the panel"
    assert re.fullmatch(
        "“ ?Beech ?” Reached by Ben, through the panel Last contacted none → today \\d\\d:\\d\\d "
        "Date required follow-up none → Sun 5 Jan 2031",
        told[2],
    ), told[2]
    assert re.fullmatch(
        r"Key \d+ ?, request \w{10} Follow-up type none → Phone Allocated to Ana → nobody|"
        r"Key \d+ ?, request \w{10} Allocated to Ana → nobody Follow-up type none → Phone",
        told[3],
    ), told[3]
    assert re.match(r"“ ?Wants chairs ?” Added by key \d+ ?, request", told[4]), told[4]
    page = html.document_fromstring(answer.text)
    blame = {
        name: plain(page.get_element_by_id(f"b-{name}").text_content()).rpartition(", ")[0]
        for name in ("name", "type", "who", "status", "day", "last", "notes")
    }
    assert {name: one for name, one in blame.items() if one == "Ben"}.keys() == {
        "day", "last", "notes"
    }  # fmt: skip
    assert all(re.fullmatch("Ben|Key [0-9]+", one) for one in blame.values())
    time = page.xpath("//*[@id='b-notes']/time")[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time.get("title"))


def test_a_long_history_is_shown_in_pages(shop: Shop) -> None:
    log_id = shop.add()
    for number in range(60):
        shop.neto.update("json", {"LogID": log_id, "Notes": f"{number}"})
    with shop.client() as client:
        answer = client.get(f"/logs/{log_id}")
        assert len(timeline(answer)) == 50
        (older,) = re.findall(r'href="([^"]*)">Older changes', answer.text)
        answer = client.get(older)
        assert len(timeline(answer)) == 11
        assert "Older changes" not in answer.text
        (newest,) = re.findall(r'href="([^"]*)">Newest', answer.text)
        assert len(timeline(client.get(newest))) == 50


def test_whatever_is_in_a_log_is_shown_as_text(shop: Shop, page: "Page") -> None:
    username = new_username()
    mail = "<b>@example.org"
    add_customers(
        shop.neto,
        {
            "Username": username,
            "EmailAddress": mail,
            "BillingAddress": {"BillPhone": "javascript:0/<i>", "BillFirstName": HOSTILE[:50]},
        },
    )
    elements = dict.fromkeys(("CustomerName", "AllocatedTo"), HOSTILE[:100])
    log_id = shop.add(
        Username=username, FollowUpType=HOSTILE[:50], Notes=f"{HOSTILE}\n{HOSTILE}", **elements
    )
    shop.neto.update("json", {"LogID": log_id, "Notes": "x", "AllocatedTo": "x"})
    shop.neto.update("json", {"LogID": log_id, "Notes": HOSTILE})
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    shop.browse(page, f"/logs/{log_id}?from=/%3Fq={'%3Cimg%3E'}", HOSTILE.replace("\u202e", ""))
    assert page.locator("img").count() == 0
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE[:100]
    assert page.locator("#notes").input_value() == HOSTILE
    assert page.locator("a[href^='javascript']").count() == 0
    page.get_by_label("What happened?").fill(HOSTILE)
    page.get_by_role("button", name="Save", exact=True).click()
    page.locator(".said").wait_for()
    assert page.locator("img").count() == 0
    assert shop.log(log_id)["Notes"].startswith(f"{HOSTILE}\n")
    page.goto(f"{shop.neto.url}/logs/new?username={username}")
    assert page.get_by_label("Customer name").input_value() == HOSTILE[:50]
    assert page.locator("img").count() == 0
    page.goto(f"{shop.neto.url}/logs/{log_id}")
    page.get_by_role("button", name="Withdraw").click()
    page.get_by_role("button", name="Bring it back").wait_for()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize(
    "address", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_no_address_leads_elsewhere(shop: Shop, address: str) -> None:
    log_id = shop.add()
    with shop.client() as client:
        answer = client.get(f"/logs/{log_id}", params={"from": address})
        assert "evil" not in answer.text
        assert "javascript:" not in answer.text
        answer = client.post(f"/logs/{log_id}", params={"from": address}, data={"withdraw": "1"})
        assert answer.headers["location"] == f"/logs/{log_id}"


# -- from the queue, and on ----------------------------------------------------------------------


def test_save_and_next_goes_through_the_queue_that_one_came_from(empty_shop: Shop) -> None:
    shop = empty_shop
    first, second, third = (
        shop.add(CustomerName=name, DateRequiredFollowUp=shop.day(days), AllocatedTo="Ana")
        for name, days in (("One", -3), ("Two", -2), ("Three", -1))
    )
    other = shop.add(CustomerName="Ben's", DateRequiredFollowUp=shop.day(-2), AllocatedTo="Ben")
    with shop.client() as client:
        path = f"/logs/{first}?from=/%3Fwho%3Dme"
        answer = client.get(path)
        assert "1 of 3" in text_of(answer)
        assert "Previous" not in answer.text
        seen = []
        for _ in range(3):
            opened = Opened(client, path)
            seen.append(opened.form.fields["name"])
            answer = opened.save(next="tomorrow", then="next")
            path = answer.headers["location"].removesuffix("#said")
        assert seen == ["One", "Two", "Three"]
        assert path == "/?who=me"
        assert said(client, answer) == ("Three: next step tomorrow. That was the last one here.")
        # It stays on its place in the list, though it has left it.
        middle = shop.add(CustomerName="M", DateRequiredFollowUp=shop.day(-9), AllocatedTo="Ana")
        last = shop.add(CustomerName="L", DateRequiredFollowUp=shop.day(-8), AllocatedTo="Ana")
        answer = Opened(client, f"/logs/{middle}?from=/%3Fwho%3Dme").save(next="none", then="stay")
        text = client.get(answer.headers["location"]).text
        assert re.findall(r'href="/logs/(\d+)\?[^"]*" rel="next"', text) == [str(last)]
    assert shop.revisions(other) == 1
    assert [shop.log(one)["DateRequiredFollowUpLocal"][:10] for one in (second, third)] == [
        shop.day(1)
    ] * 2


def test_what_set_an_element_long_ago_is_still_told(shop: Shop) -> None:
    log_id = shop.add(AllocatedTo="Cleo")
    for number in range(BLAMED + 5):
        shop.neto.update("json", {"LogID": log_id, "Notes": f"sync {number}"})

    with shop.client() as client:
        page = html.document_fromstring(client.get(f"/logs/{log_id}").text)

    assert page.get_element_by_id("b-who").text_content().startswith("Key")


def test_a_log_leads_to_its_customer_whatever_the_username(shop: Shop) -> None:
    add_customers(shop.neto, {"Username": ".."})
    log_id = shop.add(Username="..")

    with shop.client() as client:
        page = html.document_fromstring(client.get(f"/logs/{log_id}").text)
        (address,) = page.xpath("//h1/a/@href")

        assert "No open log" in client.get(address).text or client.get(address).status_code == 200
    assert address == "/customers/?username=.."


def test_a_note_of_blank_lines_holds_up_nobody(shop: Shop) -> None:
    log_id = shop.add(Notes="a")
    shop.neto.update("json", {"LogID": log_id, "Notes": "a" + "\n" * 60_000 + "b"})

    with shop.client() as client:  # who waits 30 seconds at most
        assert client.get(f"/logs/{log_id}").status_code == 200


# -- two people, one log -------------------------------------------------------------------------


def test_two_browsers_merge_what_each_changed(shop: Shop, browser: "Browser") -> None:
    log_id = shop.add(Notes="Wants chairs")
    with watched(browser) as ana, watched(browser) as ben:
        shop.browse(ana, f"/logs/{log_id}", "Ana")
        shop.browse(ben, f"/logs/{log_id}", "Ben")
        ben.get_by_label("Status").select_option("Recontacting")
        ben.get_by_label("What happened?").fill("Sent a sample")
        ben.get_by_label("Reached").check()
        ben.get_by_role("button", name="Save details").click()
        ben.locator(".said").wait_for()
        ana.get_by_label("What happened?").fill("Wants beech")
        ana.get_by_label("Reached").check()
        ana.get_by_role("radio", name="Tomorrow").check()
        ana.get_by_role("button", name="Save details").click()
        text = plain(ana.locator(".said").inner_text())
    assert text.startswith(
        "Bob Stone: reached, next step tomorrow. Ben changed Status and Notes meanwhile: kept."
    ), text
    log = shop.log(log_id)
    assert log["Status"] == "Recontacting"
    assert log["DateRequiredFollowUpLocal"][:10] == shop.day(1)
    assert re.fullmatch(
        "Wants chairs\n.{16} Ben, reached: Sent a sample\n.{16} Ana, reached: Wants beech",
        log["Notes"],
    )


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_two_browsers_that_changed_the_same_are_asked(
    shop: Shop, browser: "Browser", has_scripts: bool
) -> None:
    log_id = shop.add(Notes="Wants chairs", AllocatedTo="Priya")
    with (
        watched(browser, java_script_enabled=has_scripts) as ana,
        watched(browser, java_script_enabled=has_scripts) as ben,
    ):
        shop.browse(ana, f"/logs/{log_id}", "Ana")
        shop.browse(ben, f"/logs/{log_id}", "Ben")
        for one, notes, day in ((ben, "Ben's line", 4), (ana, "Ana's line", 8)):
            one.locator("#notes").fill(f"Wants chairs\n{notes}")
            one.get_by_role("radio", name="Date", exact=True).check()
            one.locator("#day").fill(shop.day(day))
        ben.get_by_label("Allocated to").select_option("Ben")
        ben.get_by_role("button", name="Save details").click()
        ben.locator(".said").wait_for()
        ana.get_by_label("Customer name").fill("Robert")
        ana.get_by_role("button", name="Save details").click()
        ana.get_by_role("heading", name="Ben saved Bob Stone first").wait_for()
        assert shop.revisions(log_id) == 2
        if has_scripts:
            assert violations(ana) == []
        assert ana.get_by_role("group", name="Notes").get_by_role("radio").count() == 3
        dates = ana.get_by_role("group", name="Date required follow-up")
        assert dates.get_by_role("radio").count() == 2
        kept = plain(ana.get_by_role("table").inner_text())
        assert "Customer name Bob Stone Robert You" in kept
        assert "Allocated to Priya Ben Ben, already saved" in kept
        dates.get_by_role("radio").nth(1).check()
        ana.get_by_role("button", name="Save these").click()
        ana.locator(".said").wait_for()
    log = shop.log(log_id)
    assert log["Notes"] == "Wants chairs\nBen's line\nAna's line"
    assert log["DateRequiredFollowUpLocal"][:10] == shop.day(4)
    assert (log["CustomerName"], log["AllocatedTo"]) == ("Robert", "Ben")


@pytest.mark.parametrize("others", [5, 99])
def test_a_save_is_merged_again_while_others_save(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    log_id = shop.add()
    submit, numbers = Panel.submit, iter(range(others))

    async def beside(*args: Any) -> Any:
        for number in itertools.islice(numbers, 1):
            change = {"LogID": log_id, "FollowUpType": f"type {number}"}
            await asyncio.to_thread(shop.neto.update, "json", change)
        return await submit(*args)

    monkeypatch.setattr(Panel, "submit", beside)
    with shop.client() as client:
        answer = Opened(client, f"/logs/{log_id}").save(said="Rang", who="=Ana")

        if others == 5:
            assert answer.status_code == 303
            assert shop.log(log_id)["Notes"].endswith(" Ana: Rang")
            return
        assert answer.status_code == 409
        assert "Not saved: others change this log right now. Save it again." in answer.text
        (form,) = Opened.of(answer, "said")
        assert (form.fields["said"].strip(), form.fields["who"]) == ("Rang", "=Ana")
        assert shop.log(log_id)["Notes"] == ""


@pytest.mark.parametrize("pick", ["mine", "theirs", "both"])
def test_each_choice_and_none_of_it_is_lost(shop: Shop, pick: str) -> None:
    log_id = shop.add(Notes="a")
    with shop.client() as ana, shop.client("Ben") as ben:
        mine = Opened(ana, f"/logs/{log_id}")
        Opened(ben, f"/logs/{log_id}").save(notes="b")
        answer = mine.save(notes="c", said="Line")
        assert answer.status_code == 409
        asked = Opened.of(answer, "pick_notes")[0]
        assert asked.fields["notes"] == "c"
        fields = filled(asked)
        answer = ana.post(f"/logs/{log_id}", data=fields | {"pick_notes": pick})
        assert answer.status_code == 303
    first = {"mine": "c", "theirs": "b", "both": "b\nc"}[pick]
    assert re.fullmatch(f"{first}\n.{{16}} Ana: Line", shop.log(log_id)["Notes"])


def test_a_third_save_while_one_chooses_is_asked_about_again(shop: Shop) -> None:
    log_id = shop.add(CustomerName="a")
    with shop.client() as ana, shop.client("Ben") as ben:
        mine = Opened(ana, f"/logs/{log_id}")
        Opened(ben, f"/logs/{log_id}").save(name="b")
        answer = mine.save(name="c")
        fields = filled(Opened.of(answer, "pick_customer_name")[0])
        Opened(ben, f"/logs/{log_id}").save(name="d", status="Recontacting")
        answer = ana.post(f"/logs/{log_id}", data=fields)
        assert answer.status_code == 409
        assert "d" in text_of(answer)
        fields = filled(Opened.of(answer, "pick_customer_name")[0])
        answer = ana.post(f"/logs/{log_id}", data=fields)
        assert said(ana, answer) == "c: saved. Ben changed Status meanwhile: kept."
    log = shop.log(log_id)
    assert (log["CustomerName"], log["Status"]) == ("c", "Recontacting")


def test_what_was_mine_can_be_dropped(shop: Shop) -> None:
    log_id = shop.add()
    with shop.client() as ana, shop.client("Ben") as ben:
        mine = Opened(ana, f"/logs/{log_id}")
        Opened(ben, f"/logs/{log_id}").save(name="Ben's")
        answer = mine.save(name="Ana's", status="Completed")
        fields = filled(Opened.of(answer, "pick_customer_name")[0])
        answer = ana.post(f"/logs/{log_id}", data=fields | {"drop": "1"})
        assert said(ana, answer) == "Left as it is: yours was dropped."
    assert shop.log(log_id)["CustomerName"] == "Ben's"
    assert shop.revisions(log_id) == 2


def test_the_same_value_by_both_is_no_question(shop: Shop) -> None:
    log_id = shop.add()
    with shop.client() as ana, shop.client("Ben") as ben:
        mine = Opened(ana, f"/logs/{log_id}")
        Opened(ben, f"/logs/{log_id}").save(name="Robert")
        answer = mine.save(name="Robert", type="=Email")
        assert answer.status_code == 303
    assert shop.revisions(log_id) == 3


@pytest.mark.parametrize("key", ["FollowUpType", "CustomerName"])
def test_a_save_that_comes_between_reading_and_writing_is_merged_too(
    shop: Shop, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_id = shop.add()
    before = panel_module.Panel.submit
    came: list[int] = []

    async def submit(self: Any, request: Any, action: str, items: Any, once: str) -> Any:
        if not came:  # whoever came between had the log for themselves
            came.append(1)
            theirs = [{"LogID": log_id, key: "Theirs"}]
            await before(self, request, action, theirs)
        return await before(self, request, action, items, once)

    monkeypatch.setattr(panel_module.Panel, "submit", submit)
    with shop.client() as ana:
        answer = Opened(ana, f"/logs/{log_id}").save(name="Mine", said="x")
    assert answer.status_code == (303 if key == "FollowUpType" else 409)
    log = shop.log(log_id)
    assert log["CustomerName"] == ("Mine" if key == "FollowUpType" else "Theirs")
    assert log[key] == "Theirs"


# -- undo, withdraw ------------------------------------------------------------------------------


def press_undo(client: httpx.Client, log_id: int, number: int) -> httpx.Response:
    fields = {"log": str(log_id), "revision": str(number), "then": f"/logs/{log_id}"}
    return client.post("/undo", data=fields)


def test_a_change_is_undone_from_the_timeline_by_who_may(shop: Shop) -> None:
    log_id = shop.add()
    save(shop, log_id, name="Robert")
    with shop.client("Ben") as ben, shop.client("Cleo", "admin") as admin:
        assert (
            'name="revision" value="2"' not in ben.get(f"/logs/{log_id}").text.partition("<ol")[2]
        )
        assert press_undo(ben, log_id, 2).status_code == 403
        assert shop.log(log_id)["CustomerName"] == "Robert"
        text = admin.get(f"/logs/{log_id}").text
        assert re.findall(r'form="undo" name="revision" value="(\d+)"', text) == ["2"]
        assert press_undo(admin, log_id, 2).status_code == 303
        assert shop.log(log_id)["CustomerName"] == "Bob Stone"
        answer = admin.get(f"/logs/{log_id}")
        told = timeline(answer)
        # Of what was undone nothing is left to undo.
        assert re.findall(r'form="undo" name="revision" value="(\d+)"', answer.text) == ["3"]
        # Only an admin may look at the request, so only an admin is told its number.
        (link,) = re.findall('href="(/requests/.*?)"', admin.get(f"/logs/{log_id}").text)[1:2]
        assert "changed CustomerName of 1 log" in admin.get(link).text.replace("Changed", "changed")
        assert ", request" not in timeline(ben.get(f"/logs/{log_id}"))[0]
    assert re.fullmatch(
        r"You, through the panel: undo of what was done today \d\d:\d\d ?, "
        r"request \w{10} Customer name Robert → Bob Stone",
        told[0],
    ), told[0]


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_withdraw_and_bring_back(shop: Shop, browser: "Browser", has_scripts: bool) -> None:
    log_id = shop.add()
    with watched(browser, java_script_enabled=has_scripts) as page:
        shop.browse(page, f"/logs/{log_id}")
        assert page.locator("kbd").first.is_visible() is has_scripts
        page.get_by_role("button", name="Withdraw").click()
        page.get_by_text("Withdrawn by you").first.wait_for()
        assert shop.neto.get(LogID=log_id).logs == []
        if has_scripts:
            page.wait_for_load_state()
            page.keyboard.press("z")
        else:
            page.locator(".said").get_by_role("button", name="Undo").click()
        page.get_by_label("What happened?").wait_for()
        page.get_by_role("button", name="Withdraw").click()
        page.get_by_role("button", name="Bring it back").click()
        page.get_by_label("What happened?").wait_for()
        page.wait_for_load_state()
        assert plain(page.locator(".timeline > li").first.inner_text()).endswith(
            "Brought back by you, through the panel: undo of what was done "
            + plain(page.locator(".timeline > li > time").nth(1).inner_text()).lower()
        )
    assert shop.log(log_id)["CustomerName"] == "Bob Stone"


def test_what_was_written_into_a_log_that_is_withdrawn_meanwhile_is_shown(shop: Shop) -> None:
    log_id = shop.add()
    with shop.client() as ana, shop.client("Ben") as ben, shop.client("Vic", "viewer") as viewer:
        mine = Opened(ana, f"/logs/{log_id}")
        answer = ben.post(f"/logs/{log_id}?from=/", data={"withdraw": "1"})
        assert answer.headers["location"] == "/"
        assert said(ben, answer) == "Bob Stone is withdrawn."
        answer = mine.save(said="A long talk")
        assert answer.status_code == 409
        assert "A long talk" in text_of(answer)
        assert "Bring it back" not in answer.text  # Ben withdrew it
        answer = viewer.get(f"/logs/{log_id}")
        assert answer.status_code == 410
        assert "Withdrawn by Ben" in text_of(answer)
        answer = ben.post(f"/logs/{log_id}", data={"withdraw": "1"})
        assert answer.status_code == 303


def test_logs_that_never_were(empty_shop: Shop) -> None:
    shop = empty_shop
    with shop.client() as client:
        for number in ("0", "9", "-1", "x", "9" * 10, "9" * 30, "1.5", "٣"):
            assert client.get(f"/logs/{number}").status_code == 404, number
            answer = client.post(f"/logs/{number}", data={"revision": "1", "name": "x"})
            assert answer.status_code in (404, 409), number


# -- a new one -----------------------------------------------------------------------------------


def test_a_new_log(shop: Shop, page: "Page") -> None:
    username = new_username()
    names = {"BillFirstName": "Bob", "BillLastName": "Stone"}
    add_customers(shop.neto, {"Username": username, "BillingAddress": names})
    shop.browse(page, f"/logs/new?username={username}&from=/%3Ftab%3Dupcoming")
    assert page.get_by_label("Customer name").input_value() == "Bob Stone"
    page.locator("#notes:focus").wait_for()  # what it is about gets the focus when it is drawn
    page.keyboard.type("Asked for chairs")
    page.get_by_role("radio", name="+3 days").check()
    page.get_by_label("Follow-up type").select_option("Email")
    page.get_by_role("button", name="Add log").click()
    page.get_by_text("is added.").wait_for()
    page.wait_for_load_state()
    log_id = int(re.findall(r"/logs/(\d+)", page.url)[0])
    log = shop.log(log_id)
    assert (log["Username"], log["CustomerName"]) == (username, "Bob Stone")
    assert (log["Notes"], log["FollowUpType"]) == ("Asked for chairs", "Email")
    assert (log["AllocatedTo"], log["Status"]) == ("Ana", "Require Recontact")
    assert log["DateRequiredFollowUpLocal"][:10] == shop.day(3)
    page.keyboard.press("z")
    page.get_by_text("is withdrawn.").wait_for()
    assert shop.neto.get(LogID=log_id).logs == []


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({}, "name", "Say who the customer is"),
        ({"username": "nobody here"}, "username", "No customer has that username"),
        ({"name": "x", "type": "+", "type_other": "y" * 51}, "type", "Follow-up type is 51"),
        ({"name": "x", "next": "date", "day": "2020-01-01"}, "day", "before today"),
    ],
)
def test_a_new_log_that_cannot_be(
    shop: Shop, fields: dict[str, str], field: str, words: str
) -> None:
    logs = "SELECT count(*) FROM customer_log WHERE site = ?"
    before = rows(shop.neto, logs, shop.site.site)
    with shop.client() as client:
        opened = Opened(client, "/logs/new", "username")
        answer = opened.save(notes="About\nthis", **fields)
    assert answer.status_code == 422
    page = html.document_fromstring(answer.text)
    assert words in page.get_element_by_id(f"e-{field}").text_content()
    assert Opened.of(answer, "username")[0].fields["notes"].strip() == "About\nthis"
    assert rows(shop.neto, logs, shop.site.site) == before


# -- who may, and the session --------------------------------------------------------------------


def test_a_viewer_reads_and_changes_nothing(shop: Shop) -> None:
    log_id = shop.add(Notes="Wants chairs")
    with shop.client("Vic", "viewer") as client:
        answer = client.get(f"/logs/{log_id}")
        assert answer.status_code == 200
        assert "Wants chairs" in text_of(answer)
        assert "<textarea" not in answer.text
        assert "Withdraw" not in answer.text
        for fields in ({"revision": "1", "name": "x"}, {"withdraw": "1"}):
            assert client.post(f"/logs/{log_id}", data=fields).status_code == 403
        assert client.get("/logs/new").status_code == 403
        assert client.post("/logs/new", data={"name": "x", "username": ""}).status_code == 403
        assert press_undo(client, log_id, 1).status_code == 403
    assert shop.revisions(log_id) == 1


def test_another_shop_has_no_part_in_it(shop: Shop) -> None:
    log_id = shop.add(Notes="ours alone")
    with another_site(shop.neto, "UTC") as there:
        number = site_of(there)
        with there.store.begin() as connection:
            site = keys.find_site(connection, str(number))
        with panel_client(there, new_session(there, "admin", "Eve", site)) as eve:
            assert eve.get(f"/logs/{log_id}").status_code == 404
            answer = eve.post(f"/logs/{log_id}", data={"revision": "1", "name": "x"})
            assert answer.status_code in (404, 409)
            eve.post(f"/logs/{log_id}", data={"withdraw": "1"})
    assert shop.revisions(log_id) == 1


def test_a_form_comes_back_after_the_session_ended(empty_shop: Shop, page: "Page") -> None:
    shop = empty_shop
    log_id, username = shop.add(Notes="Wants chairs"), new_username()
    shop.browse(page, f"/logs/{log_id}?from=/", username)
    page.get_by_label("What happened?").fill("A long\ntalk 🪑")
    page.get_by_label("Left a message").check()
    page.get_by_role("radio", name="Tomorrow").check()
    page.locator("#notes").fill("Wants tables")
    page.context.clear_cookies()
    with shop.client("Ben") as ben:
        Opened(ben, f"/logs/{log_id}").save(status="Recontacting")
    page.get_by_role("button", name="Save and next").click()
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("not saved yet").wait_for()
    assert page.get_by_label("What happened?").input_value() == "A long\ntalk 🪑"
    assert page.get_by_label("Left a message").is_checked()
    assert page.get_by_role("radio", name="Tomorrow").is_checked()
    assert shop.revisions(log_id) == 2
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("changed Status meanwhile: kept.").wait_for()
    log = shop.log(log_id)
    assert re.fullmatch(
        f"Wants tables\n.{{16}} {username}, left a message: A long\ntalk 🪑", log["Notes"]
    )
    assert log["Status"] == "Recontacting"


# -- in a browser --------------------------------------------------------------------------------


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_contact_by_mouse(empty_shop: Shop, browser: "Browser", has_scripts: bool) -> None:
    shop = empty_shop
    log_id = shop.add(DateRequiredFollowUp=shop.day(-1))
    with watched(browser, java_script_enabled=has_scripts) as page:
        shop.browse(page, f"/logs/{log_id}?from=/")
        page.get_by_label("What happened?").fill("Wants beech")
        page.get_by_label("Reached").check()
        page.locator("#day").fill(shop.day(3))
        page.get_by_label("Allocated to").select_option(label="Another name…")
        page.get_by_label("Another name").last.fill("Priya")
        page.get_by_role("button", name="Save and next").click()
        page.wait_for_url(f"{shop.neto.url}/")
    log = shop.log(log_id)
    assert log["AllocatedTo"] == "Priya"
    assert log["DateRequiredFollowUpLocal"][:10] == shop.day(3)


def test_two_contacts_by_keyboard_alone(empty_shop: Shop, page: "Page") -> None:
    shop = empty_shop
    first = shop.add(CustomerName="One", DateRequiredFollowUp=shop.day(-2))
    second = shop.add(CustomerName="Two", DateRequiredFollowUp=shop.day(-1))
    press = page.keyboard.press
    shop.browse(page, f"/logs/{first}?from=/#said")
    page.keyboard.type("Will call back")
    press("Tab")  # to the outcomes
    press("Space")
    press("ArrowRight")
    press("Tab")  # to the next date, where "Date" is chosen
    stays_late = page.get_by_text("stays late unless you choose another day")
    assert stays_late.is_visible()
    press("ArrowLeft")
    press("ArrowLeft")
    assert not stays_late.is_visible()
    press("Control+Enter")
    page.get_by_role("heading", name="Two").wait_for()
    page.wait_for_load_state()
    assert page.locator(":focus").get_attribute("id") == "said"
    page.keyboard.type("jz/ are text here")
    press("Control+Enter")
    page.get_by_text("That was the last one here.").wait_for()
    page.wait_for_load_state()
    log = shop.log(first)
    assert log["Notes"].endswith("Ana, no answer: Will call back")
    assert log["DateRequiredFollowUpLocal"][:10] == shop.day(3)
    assert shop.log(second)["Notes"].endswith("Ana: jz/ are text here")
    press("z")
    page.get_by_text("Two\u2069: Notes as before.").wait_for()
    assert shop.log(second)["Notes"] == ""


def test_enter_in_a_field_saves_and_stays(shop: Shop, page: "Page") -> None:
    log_id = shop.add(DateRequiredFollowUp=shop.day(-1))
    shop.browse(page, f"/logs/{log_id}?from=/")
    page.get_by_label("Customer name").fill("Robert")
    page.keyboard.press("Enter")
    page.locator(".said").wait_for()
    assert f"/logs/{log_id}" in page.url
    assert shop.log(log_id)["CustomerName"] == "Robert"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(shop: Shop, browser: "Browser", scheme: str, width: int) -> None:
    username = new_username()
    add_customers(shop.neto, {"Username": username, "EmailAddress": "b@example.org"})
    log_id = shop.add(
        Username=username,
        CustomerName="Wordlongerthanany" * 5,
        Notes="Notesthatdonotbreak" * 100,
        DateRequiredFollowUp=shop.day(-1),
    )
    size = {"width": width, "height": 800}
    with watched(browser, color_scheme=scheme, viewport=size, has_touch=width < 720) as page:

        def looks_right() -> None:
            assert violations(page) == []
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")

        shop.browse(page, f"/logs/{log_id}?from=/")
        looks_right()
        page.get_by_label("Customer name").fill("x" * 101)
        page.get_by_label("Allocated to").select_option("+")
        page.get_by_role("button", name="Save details").click()
        page.get_by_role("alert").wait_for()
        looks_right()
        page.goto(f"{shop.neto.url}/logs/{log_id}?from=/")
        page.locator("#notes").fill("Mine" * 200)
        with shop.client("Ben") as ben:
            Opened(ben, f"/logs/{log_id}").save(notes="Theirs" * 200)
        page.get_by_role("button", name="Save details").click()
        page.get_by_role("heading", name="saved").wait_for()
        looks_right()
        page.goto(f"{shop.neto.url}/logs/new?username={username}")
        looks_right()
        page.goto(f"{shop.neto.url}/logs/{log_id}")
        page.get_by_role("button", name="Withdraw").click()
        page.get_by_text("Withdrawn by you").first.wait_for()
        looks_right()
        page.get_by_role("button", name="Bring it back").click()
        page.get_by_label("What happened?").wait_for()
        shop.browse(page, f"/logs/{log_id}", "Vic", "viewer")
        looks_right()


# -- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AllocatedTo", "Allocated to"),
        ("DateRequiredFollowUp", "Date required follow-up"),
        ("FollowUpType", "Follow-up type"),
        ("ABN", "ABN"),
        ("WebsiteURL", "Website URL"),
        ("UserCustom12", "User custom 12"),
        ("BillStreetLine1", "Bill street line 1"),
    ],
)
def test_labels(name: str, words: str) -> None:
    assert label(name) == words


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("", "", ("", "", "", "")),
        ("a b c", "a x c", ("a ", "b", "x", " c")),
        ("call at 10", "call at 11", ("call at ", "10", "11", "")),
        ("a", "a b", ("a", "", " b", "")),
        ("wanted", "wants", ("", "wanted", "wants", "")),
        ("a a", "a a a", ("a a", "", " a", "")),
        ("x a", "y a", ("", "x", "y", " a")),
    ],
)
def test_differences(old: str, new: str, parts: tuple[str, str, str, str]) -> None:
    assert difference(old, new) == Difference(*parts)


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        (None, ""),
        ("one\ntwo\n \n", "two"),
        ("2026-11-25 14:02 Ana, reached: Wants beech", "Wants beech"),
        ("Wants beech\n2026-11-25 14:02 Ana, no answer", "Wants beech"),
        ("2026-11-25 14:02 Ana, no answer", ""),
    ],
)
def test_what_was_said_last(notes: str | None, words: str) -> None:
    assert last_said(notes) == words
