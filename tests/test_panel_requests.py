"""The requests' pages and undo: over HTTP, and in a browser."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from conftest import (
    PASSWORD,
    Answer,
    Neto,
    TestClock,
    add_customers,
    another_site,
    change_customers,
    find_customers,
    json_call,
    new_session,
    panel_client,
    rows,
    serving,
    signed_in,
    site_of,
    to_xml,
    violations,
    watched,
    xml_call,
)
from hypothesis import given
from hypothesis import strategies as st

from recontact import undo
from recontact.messages import RefusedError
from recontact.store import keys
from recontact.web import undoing
from recontact.web.bodies import laid_out

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"{{7*7}}\u202e🪑"
ROLES = ("viewer", "agent", "admin")


@pytest.fixture
def admin(neto: Neto) -> Iterator[httpx.Client]:
    """Signed in as an admin, boss."""
    with panel_client(neto, new_session(neto, "admin", "boss")) as one:
        yield one


def request_of(answer: Answer | httpx.Response) -> str:
    """The id of a request, as X-Request-Id has it."""
    return str(answer.headers["x-request-id"])


def text_of(page: httpx.Response) -> str:
    """What a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text.partition("<main")[2])).split())


def plain(text: str) -> str:
    """A text without the marks that isolate names."""
    return text.translate(dict.fromkeys((0x2068, 0x2069)))


def actions_in(page: httpx.Response) -> list[str]:
    """The actions in a list of requests."""
    return re.findall(r'class="who">.*?</td><td role="cell">(\w+)', page.text)


def link(page: httpx.Response, says: str) -> str:
    """The address of the link that says this; "" without one."""
    found = re.search(rf'<a [^>]*?href="([^"]*)"[^>]*>{re.escape(says)}</a>', page.text)
    return unescape(found[1]) if found else ""


def undone(client: httpx.Client, request: str, then: str = "/", **more: str) -> httpx.Response:
    """Press Undo."""
    return client.post("/undo", data={"request": request, "then": then} | more)


def said(client: httpx.Client, answer: httpx.Response) -> str:
    """What the page after an action says that it did."""
    assert answer.status_code == 303, answer.text
    client.cookies.update(answer.cookies)
    page = client.get(answer.headers["location"])
    found = re.search(r'role="status">\s*<\w+ class="wrap line"><span>(.*?)</span>', page.text)
    client.cookies.delete("recontact-said")
    isolates = dict.fromkeys((0x2068, 0x2069))
    return unescape(found[1]).translate(isolates) if found else ""


def undo_of(client: httpx.Client, answer: httpx.Response) -> str:
    """The request that the page after an action offers to undo."""
    client.cookies.update(answer.cookies)
    page = client.get(answer.headers["location"])
    client.cookies.delete("recontact-said")
    _, _, line = page.text.partition('role="status"')
    found = re.search(r'name="request" value="(\w+)"', line.partition("<main")[0])
    return found[1] if found else ""


def complete(client: httpx.Client, *log_ids: int) -> str:
    """Complete logs as the queue does, and give the request."""
    answer = client.post("/", data={"done": str(log_ids[0])})
    assert answer.status_code == 303, answer.text
    return request_of(answer)


# -- the list ------------------------------------------------------------------------------------


def test_requests_stand_newest_first_with_what_became_of_them(
    neto: Neto, admin: httpx.Client
) -> None:
    neto.clock.move(minutes=1)
    (one, two) = neto.add({"Notes": "a"}, {"Notes": "b"})
    neto.clock.move(minutes=1)
    neto.update("xml", {"LogID": one, "Notes": "c"}, {"LogID": 99}, {"LogID": two, "Status": "No"})
    neto.clock.move(minutes=1)
    neto.get()
    complete(admin, two)

    page = admin.get("/requests")

    assert actions_in(page) == [
        "UpdateCustomerLog", "GetCustomerLog", "UpdateCustomerLog", "AddCustomerLog",
    ]  # fmt: skip
    text = plain(text_of(page))
    assert "boss, the panel UpdateCustomerLog #2 1 item Success" in text
    assert "Key 1 UpdateCustomerLog #1 3 items Error, 1 of 3 changed" in text
    assert "Key 1 AddCustomerLog #1, #2 2 items Success" in text


def test_the_list_says_whom_each_changed_something_of_and_when_to_the_second(
    neto: Neto, admin: httpx.Client
) -> None:
    (one, two, *_) = neto.add(
        *({"CustomerName": name} for name in ("Bob Stone", "Café", HOSTILE, "Dora", "Eve"))
    )
    neto.update("json", {"LogID": one, "Notes": "c"}, {"LogID": 99}, {"LogID": two, "Status": "No"})
    add_customers(neto, {"Username": "zoe", "BillingAddress": {"BillFirstName": "Zoë"}})
    neto.get()
    with panel_client(neto, new_session(neto, "agent", "ana")) as agent:
        agent.post(f"/logs/{two}", data={"withdraw": "1"})

    page = admin.get("/requests")

    found = re.findall(r'class="sub" title="(.*?)"', page.text)
    names = [plain(unescape(one)) for one in found]
    of_five = f"Bob Stone, log {two}, {HOSTILE[:39]}…, …"
    assert names == [f"log {two}", "Zoë", "Bob Stone", of_five]
    assert len(re.findall(r">(?:Today|Yesterday) \d\d:\d\d:\d\d</time>", page.text)) == 5


def test_the_list_says_where_it_has_nothing(neto: Neto, admin: httpx.Client) -> None:
    assert "No requests yet" in admin.get("/requests").text
    assert "No request is so" in admin.get("/requests?ack=Error").text


@pytest.fixture(scope="module")
def busy(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neto]:
    """A shop in Sydney with requests of two of its days, with two keys, and all Acks."""
    path = tmp_path_factory.mktemp("busy") / "recontact.db"
    shutil.copy(template, path)
    clock = TestClock()
    with serving(path, clock) as neto:
        with neto.store.begin() as connection:
            site = keys.first_site(connection, clock.now())
            keys.set_site(connection, site, zone="Australia/Sydney")
        other = neto.new_key()
        # 13:00 UTC is midnight in Sydney, in its summer.
        start = datetime(clock.now().year + 1, 1, 10, 12, 30, tzinfo=UTC)
        clock.move(seconds=(start - clock.now()).total_seconds())
        (log_id,) = neto.add({"Notes": "before midnight"})
        clock.move(hours=1)
        neto.update("json", {"LogID": log_id, "Notes": "after midnight"})
        neto.update("json", {"LogID": 999_999})
        body = json_call(f'[{{"LogID":{log_id},"Notess":"x"}}]')
        neto.post("UpdateCustomerLog", body, {"NETOAPI_KEY": other})
        neto.wait_for(lambda: len(rows(neto, "SELECT * FROM journal WHERE key_id = 2")) > 1)
        yield neto


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("day={day}-10", ["AddCustomerLog"], id="a day of the shop"),
        pytest.param("day={day}-11", ["UpdateCustomerLog"] * 3, id="the next one"),
        pytest.param("day={day}-11&ack=Error", ["UpdateCustomerLog"], id="a day and an Ack"),
        pytest.param("day={day}-11&key=2", ["UpdateCustomerLog"], id="a day and a key"),
        pytest.param("action=AddCustomerLog&key=1", ["AddCustomerLog"], id="an action and a key"),
        pytest.param("action=AddCustomerLog&key=2", [], id="no such one"),
        pytest.param("day={day}-10&key=0", [], id="none without a key"),
        pytest.param("day={day}-10&key=77", ["AddCustomerLog"], id="there is no such key"),
        pytest.param("day={day}-10&key=%C2%B2&ack=Wrong", ["AddCustomerLog"], id="nonsense"),
        pytest.param("day=x&action=AddCustomerLog", ["AddCustomerLog"], id="no day"),
        pytest.param("day=9999-12-31", [], id="the last day that there is"),
        pytest.param("day=0001-01-01", [], id="the first one"),
        pytest.param("before=zz&action=AddCustomerLog", ["AddCustomerLog"], id="no request"),
        pytest.param("action=" + "x" * 5_000, [], id="very long"),
    ],
)
def test_filters_combine_and_live_in_the_address(busy: Neto, query: str, found: list[str]) -> None:
    year = busy.clock.now().year
    with panel_client(busy, new_session(busy, "admin")) as client:
        page = client.get("/requests?" + query.replace("{day}", f"{year}-01"))

    assert page.status_code == 200
    assert actions_in(page) == found


def test_the_list_is_paged_to_its_end(neto: Neto, admin: httpx.Client) -> None:
    for n in range(120):
        neto.add({"Notes": f"{n}"})
    pages = [admin.get("/requests?action=AddCustomerLog")]
    while address := link(pages[-1], "Older"):
        pages.append(admin.get(address))

    ids = [one for page in pages for one in re.findall(r'href="/requests/([\w-]{36})"', page.text)]
    assert [len(actions_in(page)) for page in pages] == [50, 50, 20]
    assert ids == sorted(set(ids), reverse=True)
    assert link(pages[-1], "Newest") == "/requests?action=AddCustomerLog"


# -- one -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["xml", "json"])
def test_one_tells_what_it_did_what_was_refused_and_what_was_passed_over(
    neto: Neto, admin: httpx.Client, format: str
) -> None:
    one, two = neto.add({"CustomerName": "Bob Stone"}, {"CustomerName": "Café Lumière"})
    answer = neto.update(
        format,
        {"LogID": one, "AllocatedTo": "Ana"},
        {"LogID": two, "AllocatedT0": "Ben", "Status": "Completed"},
        {"LogID": 9917, "Status": "Completed"},
    )

    page = admin.get(f"/requests/{request_of(answer)}")
    text = text_of(page)

    assert "Set AllocatedTo of 1 log to Ana; moved 1 log from Require Recontact to Com" in text
    assert "Item 3 (LogID 9917): no log of this site has that LogID." in text
    assert "Passed over AllocatedT0 : did you mean AllocatedTo?" in text
    assert "Bob Stone 1 Allocated to nobody → Ana clear it" in text
    assert "Café Lumière 2 Status Require Recontact → Completed set it back to Require" in text
    quoted = "&#34;" if format == "json" else ""
    assert f"<mark>{quoted}AllocatedT0{quoted}</mark>" in page.text
    assert '<mark class="note">passed over: did you mean AllocatedTo?</mark>' in page.text
    assert f"Came {format.upper()}, " in text
    assert f"Answered {format.upper()}, " in text
    assert 'href="/logs/1"' in page.text
    raw = admin.get(f"/requests/{request_of(answer)}?as=raw")
    assert "<mark" not in raw.text.partition('<pre id="body-came"')[2]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json_call('[{"Notes":"\\u202e \U0001fa91 <b>"}]'), id="JSON"),
        pytest.param(xml_call("<CustomerLog><Notes>&lt;b&gt;é</Notes></CustomerLog>",
                              "AddCustomerLog"), id="XML"),
        pytest.param(json_call('[{"Notes":"' + "x" * 60_000 + '"}]'), id="long"),
    ],
)  # fmt: skip
def test_the_very_bytes_can_be_saved(neto: Neto, admin: httpx.Client, body: bytes) -> None:
    answer = neto.post("AddCustomerLog", body)
    path = f"/requests/{request_of(answer)}"
    if len(body) > 50_000:
        assert "characters more:" in admin.get(path).text
        assert len(admin.get(path).content) < 60_000

    for which, expected in (("came", body), ("answered", answer.body)):
        saved = admin.get(f"{path}/{which}")
        assert saved.content == expected
        assert saved.headers["content-disposition"].startswith("attachment; ")
        assert saved.headers["content-type"] == "application/octet-stream"
        assert saved.headers["x-content-type-options"] == "nosniff"
        assert saved.headers["cache-control"] == "no-store"


def test_why_a_body_is_not_there_is_told(neto: Neto, admin: httpx.Client) -> None:
    unread = neto.post("UpdateCustomerLog", b'{"CustomerLogs":')
    read = neto.get()
    neto.wait_for(lambda: len(rows(neto, "SELECT * FROM journal")) == 2)  # written behind

    assert "not kept" in text_of(admin.get(f"/requests/{request_of(unread)}")).lower()
    text = text_of(admin.get(f"/requests/{request_of(read)}"))
    assert "Changed nothing" in text
    assert "Not kept, as this call changed nothing." in text
    assert admin.get(f"/requests/{request_of(read)}/answered").status_code == 404


def test_the_panels_own_and_those_without_changes_have_pages(
    neto: Neto, admin: httpx.Client
) -> None:
    (log_id,) = neto.add({})
    with panel_client(neto) as client:
        client.post("/login", data={"username": "boss", "password": PASSWORD})
    request = complete(admin, log_id)

    text = text_of(admin.get(f"/requests/{request}"))
    assert "boss, the panel" in text
    assert "Moved 1 log from Require Recontact to Completed." in text
    for row in re.findall(r'href="(/requests/[\w-]{36})"', admin.get("/requests").text):
        assert admin.get(row).status_code == 200


def test_the_beginning_of_an_id_leads_to_it(neto: Neto, admin: httpx.Client) -> None:
    request = request_of(neto.update("json", {"LogID": 1}))
    neto.get()
    neto.wait_for(lambda: len(rows(neto, "SELECT * FROM journal")) == 2)

    answer = admin.get(f"/requests/{request[:30]}")

    assert answer.headers.get("location") == f"/requests/{request}"
    assert admin.get(f"/requests/{request.replace('-', '').upper()}").status_code == 200
    for other in ("x", request[:6], "f" * 32, "0" * 33, HOSTILE.replace("/", ""), "²" * 32):
        page = admin.get(f"/requests/{other}")
        assert page.status_code == 404, other
        assert "<img" not in page.text


def test_what_the_journal_let_go_is_still_told_by_its_revisions(
    neto: Neto, admin: httpx.Client
) -> None:
    (log_id,) = neto.add({"Notes": "a"})
    request = request_of(neto.update("json", {"LogID": log_id, "Notes": "b"}))
    with neto.store.begin() as connection:
        connection.exec_driver_sql("DELETE FROM journal")

    page = admin.get(f"/requests/{request}")

    assert page.status_code == 200
    assert "Changed Notes of 1 log to b." in text_of(page)
    assert said(admin, undone(admin, request)) == "#1: Notes as before."


# -- undo ----------------------------------------------------------------------------------------


def test_a_request_is_undone_with_what_changed_since_left_and_told(
    neto: Neto, admin: httpx.Client
) -> None:
    one, two = neto.add({"Notes": "a", "FollowUpType": "Email"}, {"CustomerName": "Café"})
    neto.clock.move(hours=1)
    request = request_of(
        neto.update("json", {"LogID": one, "Notes": "b"}, {"LogID": two, "Status": "Completed"})
    )
    neto.clock.move(hours=1)
    neto.update("json", {"LogID": two, "Status": "Recontacting"})
    then = f"/requests/{request}"
    text = text_of(admin.get(then))
    assert "1 Notes a → b set it back to a" in text
    assert "leave it: key 1 set it to Recontacting " in text
    # To look does nothing.
    assert "changed Notes of 1 log to a" in text_of(admin.get(f"/undo?request={request}"))
    assert neto.log(one)["Notes"] == "b"

    answer = undone(admin, request, then)

    assert answer.headers["location"].startswith("/undo?request=")
    again = undo_of(admin, answer)
    page = admin.get(answer.headers["location"])
    assert "Undone changed Notes of 1 log to a Left as it is" in text_of(page)
    assert "Café 2 Status key 1 set it to Recontacting" in text_of(page)
    assert said(admin, answer) == ("#1: Notes as before. 1 change stayed: below is why.")
    assert (neto.log(one)["Notes"], neto.log(two)["Status"]) == ("a", "Recontacting")
    # Whoever undoes it once more is told, and what an undo did is told to whoever did it alone.
    assert "There is nothing left to undo" in text_of(admin.get(f"/undo?request={request}"))
    with panel_client(neto, new_session(neto, "admin", "other")) as other:
        assert "Undone" not in text_of(other.get(answer.headers["location"]))
    assert "nothing: it is so already" in text_of(admin.get(then))
    # And back.
    assert said(admin, undone(admin, again)) == "#1: Notes as before."
    assert neto.log(one)["Notes"] == "b"
    entries = rows(neto, "SELECT who, key_id, format, changed, items FROM journal "
                         "WHERE action = 'Undo' ORDER BY request")  # fmt: skip
    assert entries == [("boss", 0, "panel", 1, 2), ("boss", 0, "panel", 1, 1)]


def test_undo_is_offered_while_there_is_something_to_undo(
    neto: Neto, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = neto.add(*({"Notes": "a"} for _ in range(60)))
    request = request_of(neto.update("json", *({"LogID": n, "Notes": "b"} for n in some)))
    page = f"/requests/{request}"
    assert "Undo all that can be undone" in admin.get(page).text
    undone(admin, request)
    assert "There is nothing left to undo." in admin.get(page).text
    failed = request_of(neto.update("json", {"LogID": 99_999, "Notes": "b"}))
    assert "undo" not in text_of(admin.get(f"/requests/{failed}")).lower()
    # Of more than can be looked at, it is not known.
    monkeypatch.setattr(undoing, "FORESEEN", 50)
    assert "Undo all that can be undone" in admin.get(page).text


def test_an_add_and_its_customer_are_withdrawn_and_come_back(
    neto: Neto, admin: httpx.Client
) -> None:
    (log_id,) = neto.add({"Notes": "x"})
    request = request_of(change_customers(neto, "AddCustomer", {"Username": "bob"}))
    ((of_log,),) = rows(neto, "SELECT lower(hex(request)) FROM revision")
    assert "added withdraw it" in text_of(admin.get(f"/requests/{of_log}"))

    back = undo_of(admin, undone(admin, of_log))
    undone(admin, request)

    assert neto.get(LogID=log_id).logs == []
    assert find_customers(neto, Username="bob").tree["Customer"] == []
    assert "log 1" in text_of(admin.get(f"/requests/{back}"))
    assert said(admin, undone(admin, back)) == "#1 is back under No date."
    assert neto.log(log_id)["Notes"] == "x"


def test_agents_undo_what_they_did_themselves_and_admins_all(neto: Neto) -> None:
    one, two, three = neto.add({}, {}, {})
    by_key = request_of(neto.update("json", {"LogID": three, "Status": "Completed"}))
    roles = {"ana": "agent", "ben": "agent", "vic": "viewer", "boss": "admin"}
    clients = {
        name: panel_client(neto, new_session(neto, role, name)) for name, role in roles.items()
    }
    anas, bens = complete(clients["ana"], one), complete(clients["ben"], two)

    def status(name: str, request: str) -> int:
        assert clients[name].get(f"/undo?request={request}").status_code == (
            code := 200 if (name, request) in allowed else 403
        )
        answer = undone(clients[name], request)
        assert (answer.status_code == 303) == (code == 200)
        return answer.status_code

    allowed = {("ana", anas), ("boss", bens), ("boss", by_key)}
    assert [status("ana", one) for one in (anas, bens, by_key)] == [303, 403, 403]
    assert status("vic", anas) == 403
    assert [status("boss", one) for one in (bens, by_key)] == [303, 303]
    assert {neto.log(n)["Status"] for n in (one, two, three)} == {"Require Recontact"}
    # Of one revision, too.
    revision = {"log": str(two), "revision": "2"}
    assert clients["ana"].post("/undo", data=revision).status_code == 403
    assert clients["vic"].post("/undo", data=revision).status_code == 403
    for client in clients.values():
        client.close()


def test_who_did_what_the_journal_let_go_is_told_why_an_admin_must_undo_it(neto: Neto) -> None:
    (log_id,) = neto.add({})
    with (
        panel_client(neto, new_session(neto, "agent", "ana")) as ana,
        panel_client(neto, new_session(neto, "agent", "ben")) as ben,
        panel_client(neto, new_session(neto, "admin", "boss")) as boss,
    ):
        request = complete(ana, log_id)
        with neto.store.begin() as connection:
            connection.exec_driver_sql("DELETE FROM journal")
        for answer in (ana.get(f"/undo?request={request}"), undone(ana, request)):
            assert answer.status_code == 403
            assert "That was too long ago" in answer.text
            assert "only an admin of your shop can undo it" in answer.text
        assert "Somebody else did that" in undone(ben, request).text
        assert neto.log(log_id)["Status"] == "Completed"
        assert undone(boss, request).status_code == 303
    assert neto.log(log_id)["Status"] == "Require Recontact"


def test_many_are_shown_before_they_are_undone_and_are_one_request(
    neto: Neto, admin: httpx.Client
) -> None:
    some = neto.add(*({"Notes": "a"} for _ in range(450)))
    request = request_of(neto.update("json", *({"LogID": n, "Notes": "b"} for n in some)))
    neto.update("json", {"LogID": some[7], "Notes": "c"})
    page = admin.get(f"/requests/{request}")
    assert "The first 50 of 450 logs that it wrote." in page.text
    assert "See what undo would do" in page.text

    shown = undone(admin, request, "/customers")

    assert shown.status_code == 200
    assert "changed Notes of 449 logs to a" in text_of(shown)
    assert "Left as it is" in shown.text
    assert neto.log(some[0])["Notes"] == "b"
    answer = undone(admin, request, "/customers", sure="1")
    assert said(admin, answer) == (
        "449 follow-ups are as they were before. 1 change stayed: below is why."
    )
    assert link(admin.get(answer.headers["location"]), "Back") == "/customers"
    assert [neto.log(some[n])["Notes"] for n in (0, 7, 449)] == ["a", "c", "a"]
    assert rows(neto, "SELECT changed, warnings, ack FROM journal WHERE action = 'Undo'") == [
        (449, 1, "Warning")
    ]


def test_of_very_many_a_part_is_foreseen(
    neto: Neto, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "FORESEEN", 10)
    monkeypatch.setattr(undoing, "AT_ONCE", 5)
    some = neto.add(*({"Notes": "a"} for _ in range(30)))
    request = request_of(neto.update("json", *({"LogID": n, "Notes": "b"} for n in some)))

    page = undone(admin, request)

    assert "It would have, of the first 10" in page.text
    assert "changed Notes of 10 logs to a" in text_of(page)
    assert "Undo all 30" in page.text
    assert said(admin, undone(admin, request, sure="1")) == "30 follow-ups are as they were before."


def test_an_undo_that_is_stopped_says_how_far_it_came(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "STEP", 10)
    with serve() as neto, panel_client(neto, new_session(neto, "admin")) as client:
        some = neto.add(*({"Notes": "a"} for _ in range(30)))
        request = request_of(neto.update("json", *({"LogID": n, "Notes": "b"} for n in some)))
        submit, number = neto.store.submit, iter(range(100))

        async def full(work: Any) -> Any:
            if next(number) == 1:
                raise RefusedError("RC030", "The disk is full. Send the call again.")
            return await submit(work)

        monkeypatch.setattr(neto.store, "submit", full)
        answer = undone(client, request, "/requests")
        text = said(client, answer)
        assert text.startswith("10 follow-ups are as they were before. Then it stopped: ")
        assert [neto.log(some[n])["Notes"] for n in (9, 10)] == ["a", "b"]
        # What is left is on the page that follows, and can be done from there.
        page = client.get(answer.headers["location"])
        assert "Undone changed Notes of 10 logs to a The rest would have" in text_of(page)
        assert "changed Notes of 20 logs to a" in text_of(page)
        assert said(client, undone(client, request)) == "20 follow-ups are as they were before."


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"then": "/"}, id="nothing"),
        pytest.param({"request": "x"}, id="no id"),
        pytest.param({"request": "zz" * 16}, id="no digits"),
        pytest.param({"log": "1"}, id="no revision"),
        pytest.param({"log": "1", "revision": "0"}, id="revision 0"),
        pytest.param({"log": "1", "revision": "99"}, id="a revision that is not there"),
        pytest.param({"log": "99", "revision": "1"}, id="a log that is not there"),
        pytest.param({"customer": "99", "revision": "1"}, id="a customer that is not there"),
        pytest.param({"log": "²", "revision": "1"}, id="no number"),
    ],
)
def test_what_cannot_be_undone_is_said_so(shared: Neto, fields: dict[str, str]) -> None:
    shared.add({})
    with panel_client(shared, new_session(shared, "admin")) as client:
        answers = client.post("/undo", data=fields), client.get("/undo", params=fields)

    assert [answer.status_code for answer in answers] == [404, 404]
    assert "There is nothing to undo" in answers[0].text


def test_what_changed_nothing_has_nothing_to_undo(neto: Neto, admin: httpx.Client) -> None:
    for request in (request_of(neto.get()), "f" * 32):
        assert said(admin, undone(admin, request)) == (
            "There was nothing to undo: that changed no log and no customer."
        )


@pytest.mark.parametrize("then", ["//evil.example", "https://evil.example", "/\\evil", "x", ""])
def test_an_undo_leads_nowhere_else(neto: Neto, admin: httpx.Client, then: str) -> None:
    (log_id,) = neto.add({})
    request = request_of(neto.update("json", {"LogID": log_id, "Notes": "b"}))

    assert undone(admin, request, then).headers["location"] == "/"


def test_after_an_expired_session_the_undo_is_shown_and_not_done(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "a"})
    request = request_of(neto.update("json", {"LogID": log_id, "Notes": "b"}))
    new_session(neto, "admin", "boss")
    with panel_client(neto) as client:
        asked = undone(client, request, "/customers")
        assert asked.status_code == 401
        kept = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text))
        fields = {name: unescape(value) for name, value in kept.items()}
        answer = client.post("/login", data=fields | {"username": "boss", "password": PASSWORD})
        client.cookies = answer.cookies
        page = client.get(answer.headers["location"])

        assert "changed Notes of 1 log to a" in text_of(page)
        assert link(page, "Leave it") == "/customers"
    assert neto.log(log_id)["Notes"] == "b"


# -- walls, roles, and GET -----------------------------------------------------------------------


def test_nobody_sees_or_undoes_requests_of_another_shop(neto: Neto) -> None:
    with another_site(neto, "Australia/Sydney") as there:
        (log_id,) = there.add({"Notes": "secret"})
        request = request_of(there.update("json", {"LogID": log_id, "Notes": "secret 2"}))
        number = site_of(there)
        with panel_client(neto, new_session(neto, "admin", "boss")) as client:
            assert actions_in(client.get("/requests")) == []
            for path in ("", "/came", "/answered"):
                page = client.get(f"/requests/{request}{path}")
                assert page.status_code == 404
                assert "secret" not in page.text
            assert client.get(f"/requests/{request[:23]}").status_code == 404
            assert "changed no log" in said(client, undone(client, request))
            one = {"log": str(log_id), "revision": "2"}
            assert client.post("/undo", data=one).status_code == 404
        assert there.log(log_id)["Notes"] == "secret 2"
        with neto.store.begin() as connection:
            harbour = keys.find_site(connection, str(number))
        with panel_client(neto, new_session(neto, "admin", "boss", harbour)) as client:
            assert client.get(f"/requests/{request}").status_code == 200


@pytest.mark.parametrize("path", ["/requests", "/requests/{id}", "/requests/{id}/came", "/undo"])
@pytest.mark.parametrize("role", ["nobody", *ROLES])
def test_bodies_are_for_admins_and_no_get_changes_anything(
    shared: Neto, role: str, path: str
) -> None:
    (log_id,) = shared.add({"Notes": "personal"})
    request = request_of(shared.update("json", {"LogID": log_id, "Notes": "personal too"}))
    shared.update("json", {"LogID": log_id, "FollowUpType": "x"})
    token = "" if role == "nobody" else new_session(shared, role)
    tables = ("customer_log", "revision", "journal")
    before = [rows(shared, f"SELECT * FROM {table}") for table in tables]

    with panel_client(shared, token) as client:
        address = path.replace("{id}", request)
        if path == "/undo":
            address += f"?request={request}&sure=1"
        page = client.get(address)

    assert page.status_code == {"nobody": 303, "admin": 200}.get(role, 403)
    assert ("personal" in page.text) == (role == "admin" and path != "/requests")
    assert [rows(shared, f"SELECT * FROM {table}") for table in tables] == before


# -- bodies laid out -----------------------------------------------------------------------------


def joined(body: bytes, passed_over: dict[str, list[str]] | None = None) -> str:
    """A body as it is shown, marks in brackets, without notes."""
    pieces = laid_out(body, passed_over or {})
    shown = {"": "{}", "mark": "[{}]", "note": "({})"}
    return "".join(shown[piece.kind].format(piece.text) for piece in pieces)


@pytest.mark.parametrize(
    ("body", "passed_over", "shown"),
    [
        pytest.param(b'{"a":{"b":[1,{}],"b":"x: {"}}', [],
                     '{\n  "a": {\n    "b": [\n      1,\n      {}\n    ],\n    "b": "x: {"\n  }\n}',
                     id="JSON, a name twice"),
        pytest.param(b"<a><b>x</b><b/>\n<c></c></a>", [],
                     "<a>\n  <b>x</b>\n  <b/>\n  <c></c>\n</a>", id="XML"),
        pytest.param(b'{"A":{"x":1},"x":2}', ["A/x"],
                     '{\n  "A": {\n    ["x"]: 1\n    (passed over)\n  },\n  "x": 2\n}',
                     id="only within the one that it was in"),
        pytest.param(b'{"x":"x"}', ["x"], '{\n  ["x"]: "x"\n  (passed over)\n}',
                     id="a value is no name"),
        pytest.param(b"<n:A><n:x>1</n:x></n:A>", ["x"],
                     "<n:A>\n  <[n:x]>1</[n:x]>\n  (passed over)\n</n:A>", id="a prefix"),
        pytest.param(b'{"\\u0078":1}', ["x"], '{\n  ["\\u0078"]: 1\n  (passed over)\n}',
                     id="a name with an escape"),
        pytest.param("{\"a\":\"\u202e\x9b\"}".encode(), [], '{\n  "a": "\\u202e\\u009b"\n}',
                     id="what turns the text around is told"),
        pytest.param(b"no body of ours", [], "no body of ours", id="neither"),
    ],
)  # fmt: skip
def test_bodies_are_laid_out(body: bytes, passed_over: list[str], shown: str) -> None:
    assert joined(body, {name: [] for name in passed_over}) == shown


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), trees))
def test_json_that_is_laid_out_means_the_same(tree: dict[str, Any]) -> None:
    assert json.loads(joined(json.dumps(tree).encode())) == tree


@given(st.binary() | st.text().map(str.encode) | st.text('{}[]",:\\<>/ab &;!-?').map(str.encode))
def test_no_body_is_too_odd_to_be_laid_out(body: bytes) -> None:
    assert isinstance(joined(body, {"a": ["b"], "a/b": []}), str)


# -- in a browser --------------------------------------------------------------------------------


def furnish(neto: Neto) -> str:
    """A shop with requests of every kind; one that tells the most."""
    add_customers(neto, {"Username": HOSTILE[:25], "BillingAddress": {"BillCompany": HOSTILE}})
    one, two = neto.add({"CustomerName": "Bob Stone"}, {"CustomerName": HOSTILE})
    body = to_xml(
        "UpdateCustomerLog",
        {"CustomerLogs": {"CustomerLog": [
            {"LogID": one, "AllocatedTo": HOSTILE, "Notes": HOSTILE + "W" * 2_000},
            {"LogID": two, "AllocatedT0": "Ben", "Status": "Completed", "FollowUpType": HOSTILE},
            {"LogID": 9_917, "Status": HOSTILE},
        ]}},
    )  # fmt: skip
    request = request_of(neto.post("UpdateCustomerLog", body))
    neto.update("json", {"LogID": two, "Status": "Recontacting", HOSTILE: "x"})
    neto.get()
    return request


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_overflows(
    neto: Neto, browser: "Browser", scheme: Any
) -> None:
    request = furnish(neto)
    paths = ["/requests", "/requests?ack=Warning&day=2001-01-01", f"/requests/{request}",
             f"/requests/{request}?as=raw", f"/undo?request={request}"]  # fmt: skip
    for width in (1280, 390, 320):
        with watched(
            browser, color_scheme=scheme, viewport={"width": width, "height": 844}
        ) as page:
            signed_in(page, neto, "admin")
            for path in paths:
                page.goto(neto.url + path)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, path
                if width < 720:  # nor is there a table to be scrolled sideways
                    widths = "(all) => all.map((one) => one.scrollWidth - one.clientWidth)"
                    assert not any(page.locator(".scroll").evaluate_all(widths)), path
                if width != 320:
                    assert violations(page) == [], path


def test_hostile_texts_are_text(neto: Neto, page: "Page") -> None:
    request = furnish(neto)
    signed_in(page, neto, "admin")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path in (f"/requests/{request}", f"/undo?request={request}"):
        page.goto(neto.url + path)
        assert page.locator("main img").count() == 0
        assert "<img src=x" in page.locator("main").inner_text()
    page.goto(f"{neto.url}/requests?action={HOSTILE}")
    assert page.get_by_label("Action").input_value().startswith("<img src=x")
    assert page.locator("main img").count() == 0
    # Those that turn the direction of what follows are told, not done.
    page.goto(f"{neto.url}/requests/{request}?as=raw")
    assert "\\u202e" in page.locator("#body-came").inner_text()
    assert "\u202e" not in page.locator("#body-came").inner_text()


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_request_is_found_and_undone_by_mouse(
    neto: Neto, browser: "Browser", has_scripts: bool
) -> None:
    (log_id,) = neto.add({"CustomerName": "Bob Stone", "Notes": "a"})
    neto.update("json", {"LogID": log_id, "Notes": "b"})
    with watched(browser, java_script_enabled=has_scripts) as page:
        signed_in(page, neto, "admin")
        page.goto(f"{neto.url}/requests")
        page.get_by_label("Action").select_option("UpdateCustomerLog")
        if not has_scripts:
            page.get_by_role("button", name="Show").click()
        page.wait_for_url(re.compile(r"action=UpdateCustomerLog"))
        assert page.locator("tbody tr").count() == 1
        page.locator("tbody a").click()
        page.get_by_role("button", name="Undo all that can be undone").click()
        page.get_by_text("Notes as before.").wait_for()
        page.get_by_text("There is nothing left to undo.").wait_for()
        assert neto.log(log_id)["Notes"] == "a"


def test_an_undo_of_many_by_keyboard_alone(
    neto: Neto, page: "Page", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "AT_ONCE", 2)
    some = neto.add(*({"Notes": "a"} for _ in range(5)))
    neto.update("json", *({"LogID": n, "Notes": "b"} for n in some))
    signed_in(page, neto, "admin")
    page.goto(f"{neto.url}/customers")

    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/requests")
    page.locator("tbody a").first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="See what undo would do").focus()
    page.keyboard.press("Enter")
    page.get_by_text("changed Notes of 5 logs to a").wait_for()
    page.get_by_role("button", name="Undo", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_text("5 follow-ups are as they were before.").wait_for()
    page.wait_for_load_state()
    assert neto.log(some[0])["Notes"] == "a"
    page.keyboard.press("Shift+Z")  # and that is many, too
    page.get_by_role("heading", name="Redo").wait_for()
    page.get_by_text("changed Notes of 5 logs to b").wait_for()


def test_a_body_can_be_copied(neto: Neto, page: "Page") -> None:
    (log_id,) = neto.add({})
    request = request_of(neto.update("json", {"LogID": log_id, "Notes": "b"}))
    signed_in(page, neto, "admin")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{neto.url}/requests/{request}?as=raw")

    page.get_by_role("button", name="Copy").first.click()
    page.get_by_text("Copied").wait_for()

    copied = page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied)["CustomerLogs"]["CustomerLog"][0]["Notes"] == "b"


@pytest.mark.parametrize("cut", ["<![CDATA[" + "<" * 19_000, "<!--" * 4_000, "<'" * 9_000])
def test_a_body_that_is_cut_off_is_laid_out_as_it_is(cut: str) -> None:
    pieces = laid_out(f"<A>{cut}".encode(), {})

    assert "".join("".join(piece.text for piece in pieces).split()) == f"<A>{cut}"


def test_an_id_with_blanks_in_it_names_no_request(neto: Neto) -> None:
    with panel_client(neto, new_session(neto, "admin")) as client:
        assert client.get("/undo", params={"request": "a" * 30 + "  "}).status_code == 404
