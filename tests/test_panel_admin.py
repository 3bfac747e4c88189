"""What admins do in the panel: keys, settings and staff, over HTTP and in a browser."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from conftest import (
    KEY,
    KEYS_EVERY,
    PASSWORD,
    Neto,
    add_staff,
    another_site,
    new_session,
    panel_client,
    rows,
    signed_in,
    site_of,
    violations,
    watched,
)
from test_clients import node_and_npm

from recontact.model import Site
from recontact.store import keys, staff
from recontact.web.settings import size

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NEW_PASSWORD = "another horse battery"
HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"{{7*7}}</title>"
PAGES = ["/keys", "/keys/1/made", "/keys/1/revoke", "/settings", "/staff", "/staff/1"]


def admin(neto: Neto, username: str = "ana", site: Site | None = None) -> httpx.Client:
    return panel_client(neto, new_session(neto, "admin", username, site))


def site_itself(neto: Neto) -> Site:
    number = site_of(neto)
    with neto.store.begin() as connection:
        return keys.find_site(connection, str(number))


def audited(neto: Neto, action: str) -> list[tuple[str, str, int, Any]]:
    """Who, Ack, status and what was asked, of each entry of the journal."""
    found = rows(
        neto,
        "SELECT who, ack, http_status, request_body FROM journal JOIN journal_body "
        "USING (site, request) WHERE action = ? AND key_id = 0 ORDER BY request",
        action,
    )
    return [(who, ack, status, json.loads(body)) for who, ack, status, body in found]


def make_key(client: httpx.Client, **fields: str) -> tuple[str, str]:
    """Make a key; give the page that shows it, and the key."""
    answer = client.post("/keys", data={"username": ""} | fields)
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    return path, shown(client.get(path).text)


def shown(text: str) -> str:
    return re.findall(r'<input id="key" readonly value="([^"]+)"', text)[0]


def samples_in(text: str) -> dict[str, str]:
    found = re.findall(r'<pre id="code-(\w+)"[^>]*><code>(.*?)</code></pre>', text, re.DOTALL)
    return {name: unescape(code) for name, code in found}


def alert(answer: httpx.Response) -> str:
    assert answer.status_code == 422
    (text,) = re.findall(r'role="alert" id="problem">(.*?)</p>', answer.text)
    return unescape(text)


# -- who may -------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["viewer", "agent"])
@pytest.mark.parametrize("path", PAGES)
def test_only_admins_get_there(shared: Neto, role: str, path: str) -> None:
    fields = {"username": "x", "role": "admin", "password": PASSWORD, "do": "revoke", "name": "x"}
    before = everything(shared)
    with panel_client(shared, new_session(shared, role)) as client:
        before = everything(shared)
        for answer in (client.get(path), client.post(path, data=fields)):
            assert answer.status_code == 403
            assert "takes the role admin" in answer.text
        assert not re.search(r'href="/(keys|staff|settings)"', client.get("/account").text)
    assert everything(shared) == before
    with panel_client(shared) as client:
        assert client.get(path).headers["location"] == f"/login?next={path}"
        assert client.post(path, data=fields).status_code == 401
    assert everything(shared) == before


def everything(neto: Neto) -> list[list[tuple[Any, ...]]]:
    """All that these pages can change."""
    return [
        rows(neto, "SELECT key_id, username, may, expires_at, revoked_at FROM key"),
        rows(neto, "SELECT * FROM site"),
        rows(neto, "SELECT staff_id, username, role, password, revoked_at FROM staff"),
    ]


def test_another_shop_is_neither_seen_nor_touched(neto: Neto) -> None:
    add_staff(neto, "agent", "ben")
    with another_site(neto, "Australia/Sydney") as there:
        theirs = site_itself(there)
        with admin(neto, "cara", theirs) as client:
            before = everything(neto)
            for path in ("/keys/1/revoke", "/staff/1"):
                for do in ("revoke", "role", "password", "sign-out"):
                    data = {"do": do, "role": "admin", "password": PASSWORD}
                    assert client.post(path, data=data).status_code == 404
                assert client.get(path).status_code == 404
            assert everything(neto) == before
            assert "cara" in (listing := client.get("/staff").text)
            assert "ben" not in listing
            assert re.findall(r'href="/keys/(\d+)/revoke"', client.get("/keys").text) == ["2"]
            assert theirs.name in client.get("/settings").text
            client.post("/settings", data={"name": "Harbour", "was_name": theirs.name})
            _, key = make_key(client)
        assert [site.name for site in sites(neto)] == ["Shop", "Harbour"]
        assert rows(neto, "SELECT site FROM key ORDER BY key_id")[-1] == (theirs.site,)
        neto.wait_for(lambda: there.post("Nothing", headers={"NETOAPI_KEY": key}).status != 401)


def sites(neto: Neto) -> list[Site]:
    with neto.store.begin() as connection:
        return list(keys.sites(connection).values())


@pytest.mark.parametrize(
    "path",
    [
        "/keys?username=x&may=read", "/keys/1/revoke?do=revoke", "/settings?name=x&was_name=y",
        "/staff?username=x&role=admin&password=0123456789", "/staff/1?do=sign-out",
    ],
)  # fmt: skip
def test_no_get_changes_anything(neto: Neto, path: str) -> None:
    with admin(neto) as client:
        before = everything(neto)
        assert client.get(path).status_code == 200
        assert everything(neto) == before
        assert client.get("/account").status_code == 200


@pytest.mark.parametrize("number", ["0", "99", "-1", "1.0", "x", "1" * 5_000, "٣", "1%00"])
@pytest.mark.parametrize("path", ["/keys/{}/revoke", "/staff/{}"])
def test_what_is_not_there_is_said_to_be_not_there(shared: Neto, path: str, number: str) -> None:
    with admin(shared) as client:
        assert client.get(path.format(number)).status_code == 404
        assert client.post(path.format(number), data={"do": "revoke"}).status_code == 404


# -- keys ----------------------------------------------------------------------------------------


def test_a_new_key_lets_in_within_a_second_and_as_far_as_it_says(neto: Neto) -> None:
    with admin(neto) as client:
        _, key = make_key(client, username="warehouse", may="read")

    def call(action: str, **headers: str) -> int:
        return neto.post(action, b"{}", {"NETOAPI_KEY": key} | headers).status

    ana = {"NETOAPI_USERNAME": "Warehouse"}
    assert KEYS_EVERY <= 0.5  # seconds; here they may last as long as the machine likes
    neto.wait_for(lambda: call("GetCustomerLog", **ana) != 401)
    assert call("GetCustomerLog") == 401
    assert call("AddCustomerLog", **ana) == 403
    asked = {"Starts": key[:7], "Username": "warehouse", "May": ["read"], "Expires": None}
    assert audited(neto, "CreateKey") == [("ana", "Success", 303, asked)]


def test_a_key_is_kept_nowhere_and_shown_to_whoever_made_it(neto: Neto) -> None:
    with admin(neto) as client, admin(neto, "ben") as other:
        path, key = make_key(client)
        assert (path, len(key), key[:3]) == ("/keys/2/made", 46, "rk_")
        page = client.get(path)  # the page can be loaded again
        assert shown(page.text) == key
        assert page.headers["cache-control"] == "no-store"
        for another in (other.get(path), client.get("/keys/1/made"), client.get("/keys/3/made")):
            assert another.status_code == 410
            assert key not in another.text
            # It says why, where another can be made and this one revoked.
            assert "That key is not shown again" in another.text
            assert 'action="/keys"' in another.text
            assert 'href="/keys/2/revoke"' in another.text
        assert re.search(r"This page shows it until (tomorrow )?\d\d:\d\d, or", page.text)
        assert key not in client.get("/keys").text

        # Not once they have it, and not after ten minutes.
        assert client.post(path).headers["location"] == "/keys"
        assert client.get(path).status_code == 410
        path, another_key = make_key(client)
        neto.clock.move(minutes=11)
        assert client.get(path).status_code == 410
    for file in neto.path.parent.glob(neto.path.name + "*"):
        kept = file.read_bytes()
        assert key.encode() not in kept
        assert another_key.encode() not in kept


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"username": "x" * 101}, "at most 100 characters"),
        ({"username": "a\x00b"}, "can be seen"),
        ({"username": "a\r\nX-Evil: 1"}, "can be seen"),
        ({"username": "a\u202eb"}, "can be seen"),
        ({"username": "東京"}, "Latin letters"),
        ({"may": "everything"}, "Choose what"),
        ({"may": ""}, "Choose what"),
        ({"last_day": "2020-01-01"}, "before today"),
        ({"last_day": "9999-12-31"}, "100 years"),
        ({"last_day": "soon"}, "write it as"),
        ({"last_day": "2026-02-30"}, "write it as"),
    ],
)
def test_what_cannot_be_a_key_is_refused_and_the_form_stays(
    shared: Neto, fields: dict[str, str], said: str
) -> None:
    asked = {"username": "till", "may": "write", "last_day": ""} | fields
    with admin(shared) as client:
        before = everything(shared)
        answer = client.post("/keys", data=asked)
    assert said in alert(answer)
    assert everything(shared) == before
    if "username" not in fields:
        assert 'value="till"' in answer.text
    if "may" not in fields:
        assert '<option value="write" selected>' in answer.text


def test_the_last_day_of_a_key_is_a_whole_day_of_the_shop(neto: Neto) -> None:
    with another_site(neto, "Australia/Sydney") as there:
        zone = ZoneInfo("Australia/Sydney")
        neto.clock.move_to(22)  # no day ends meanwhile
        today = neto.clock.now().astimezone(zone).date()
        with admin(neto, "cara", site_itself(there)) as client:
            make_key(client, last_day=today.isoformat())
            ((ends,),) = rows(neto, "SELECT expires_at FROM key WHERE key_id = 3")
            listing = client.get("/keys").text
    midnight = datetime.fromtimestamp(ends, UTC).astimezone(zone)
    assert (midnight.date() - today, midnight.hour) == (timedelta(days=1), 0)
    assert f">{today:%a} {today.day} {today:%b}</time>" in listing


RUN: dict[str, Callable[[str], list[str]]] = {
    "curl": lambda code: ["bash", "-c", code],
    "python": lambda code: [sys.executable, "-c", code],
    "javascript": lambda code: [str(node_and_npm()[0]), "-e", code],
}


@pytest.mark.parametrize("may", ["read,write", "read", "write"])
@pytest.mark.parametrize("username", ["", "warehouse", "jos\u00e9 'o\" \\ $HOME `id` </code>"])
def test_the_calls_to_paste_do_what_they_say(shared: Neto, username: str, may: str) -> None:
    with admin(shared) as client:
        path, key = make_key(client, username=username, may=may)
        before = shared.clock.now()
        text = client.get(path).text
        days = {f"{at:%Y-%m-%d}" for at in (before, shared.clock.now())}  # one, but at midnight
        samples = samples_in(text)
        assert list(samples) == ["curl", "python", "javascript"]
        assert all(code.count(key) == 1 for code in samples.values())
        headers = {"NETOAPI_KEY": key, "NETOAPI_USERNAME": username.encode()}
        shared.wait_for(lambda: shared.post("Nothing", headers=headers).status != 401)
        for name, code in samples.items():
            done = subprocess.run(
                RUN[name](code), capture_output=True, encoding="utf-8", timeout=60, check=False,
                env={"no_proxy": "127.0.0.1", "PATH": "/usr/bin:/bin"},
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            answer = json.loads(done.stdout)
            assert answer["Ack"] == "Success", (name, answer)
            if "write" not in may:
                assert len(answer["CustomerLog"]) <= 5
                continue
            ((log_id,),) = ((one["LogID"],) for one in answer["CustomerLog"])
            log = shared.log(int(log_id))
            assert log["CustomerName"] == "Bob Stone"
            assert log["DateRequiredFollowUp"] in days
        assert ("Adds a log" in text) == ("write" in may)
        assert "No call with this key has come yet." in text
        assert "A call with this key came" in client.get(path).text or may == "read"


def test_the_calls_to_paste_name_the_server_as_the_browser_does(shared: Neto) -> None:
    """Where TLS ends at a proxy that does not say so, only the browser knows of it."""
    with admin(shared) as client:
        origin = {"Origin": "https://logs.example", "Host": "logs.example"}
        answer = client.post("/keys", data={"username": ""}, headers=origin)
        text = client.get(answer.headers["location"]).text
    for code in samples_in(text).values():
        assert "https://logs.example/do/WS/NetoAPI" in code


def test_a_key_is_revoked_on_a_page_that_asks(neto: Neto) -> None:
    with admin(neto) as client:
        _, key = make_key(client, username="till")
        client.get("/keys")
        asked = client.get("/keys/2/revoke").text
        assert "cannot be undone" in asked
        assert "It was never used." in asked
        assert client.post("/keys/2/revoke").headers["location"] == "/keys"
        assert "Key 2, for \u2068till\u2069, is revoked." in client.get("/keys").text
        client.post("/keys/2/revoke")  # once more harms nobody
        assert "was revoked already" in client.get("/keys").text
        assert "Key 2 is revoked" in client.get("/keys/2/revoke").text
    neto.wait_for(lambda: neto.post("Nothing", headers={"NETOAPI_KEY": key}).status == 401)
    asked_for = {"Key": 2, "Starts": key[:7], "Username": "till"}
    assert audited(neto, "RevokeKey") == [("ana", "Success", 303, asked_for)]
    assert neto.post("GetCustomerLog", b"{}").status == 200


def test_the_list_has_what_there_is_to_know(neto: Neto) -> None:
    hour = timedelta(hours=1)
    neto.new_key(username="soon over", expires_at=neto.clock.now() + hour)
    neto.new_key(username="stays", may=["write"])
    neto.get()
    neto.clock.move(minutes=1)  # it is noted twice a minute, with what is written
    neto.add({})
    used = "SELECT last_used_at FROM key WHERE key_id = 1"
    neto.wait_for(lambda: rows(neto, used) != [(None,)])
    neto.clock.move(hours=2)
    with admin(neto) as client:
        text = client.get("/keys").text
    valid, over = text.split('<details class="fold">')
    assert re.findall(r'rowheader"><b>(?:<bdi>)?([^<]+)', valid) == ["The whole shop", "stays"]
    assert re.findall(r'rowheader"><b>(?:<bdi>)?([^<]+)', over) == ["soon over"]
    assert ">2 hours ago</time>" in valid
    assert "Only write" in valid
    assert "expired" in over
    assert "/revoke" not in over
    assert KEY not in text


def test_without_keys_the_list_says_what_to_do(neto: Neto) -> None:
    with admin(neto) as client:
        client.post("/keys/1/revoke")
        assert "No key lets anything in" in client.get("/keys").text


# -- settings ------------------------------------------------------------------------------------


def settings_of(client: httpx.Client) -> dict[str, str]:
    """The form as the page has it."""
    text = client.get("/settings").text
    found = dict(
        re.findall(r'<input (?:type="hidden"|id="\w+") name="(\w+)" value="([^"]*)"', text)
    )
    found |= dict(re.findall(r'<textarea id="\w+" name="(\w+)"[^>]*>([^<]*)</textarea>', text))
    found |= dict(re.findall(r'type="radio" name="(\w+)" value="(\w+)" checked', text))
    assert len(found) == 10
    return {name: unescape(value) for name, value in found.items()}


def test_settings_are_changed_and_count_at_once(neto: Neto) -> None:
    with admin(neto) as client:
        form = settings_of(client)
        form |= {
            "name": "Corner Store & Sons",
            "zone": "Australia/Sydney",
            "follow_up_types": "Phone\r\n\r\n Carrier pigeon \r\nPhone",
            "dialect": "live",
            "cors_origins": "https://shop.example\r\nhttp://localhost:3000",
        }
        assert client.post("/settings", data=form).headers["location"] == "/settings"
        text = client.get("/settings").text
        assert "Saved: name and time zone and follow-up types and dialect and origins." in text
        assert "<title>Settings · Corner Store &amp; Sons</title>" in text
        assert settings_of(client)["follow_up_types"] == "Phone\nCarrier pigeon"
    (site,) = sites(neto)
    assert (site.name, site.zone.key, site.dialect) == (
        "Corner Store & Sons", "Australia/Sydney", "live",
    )  # fmt: skip
    assert site.cors_origins == {"https://shop.example", "http://localhost:3000"}
    wrong = {"NETOAPI_KEY": "rk_unknown"}
    neto.wait_for(lambda: neto.post("GetCustomerLog", b"{}", wrong).status == 200)
    ((who, ack, http_status, asked),) = audited(neto, "SetSite")
    assert (who, ack, http_status) == ("ana", "Success", 303)
    assert asked == {
        "name": "Corner Store & Sons",
        "zone": "Australia/Sydney",
        "follow_up_types": ["Phone", "", " Carrier pigeon ", "Phone"],
        "dialect": "live",
        "cors_origins": ["https://shop.example", "http://localhost:3000"],
    }


def test_two_admins_change_different_settings(neto: Neto) -> None:
    with admin(neto) as ana, admin(neto, "ben") as ben:
        anas, bens = settings_of(ana), settings_of(ben)
        ana.post("/settings", data=anas | {"name": "Corner Store"})
        ben.post("/settings", data=bens | {"zone": "Europe/Berlin"})
        ben.get("/settings")
        ben.post("/settings", data=settings_of(ben))
        assert "Nothing was changed." in ben.get("/settings").text
    (site,) = sites(neto)
    assert (site.name, site.zone.key) == ("Corner Store", "Europe/Berlin")
    assert [asked for *_, asked in audited(neto, "SetSite")] == [
        {"name": "Corner Store"}, {"zone": "Europe/Berlin"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"name": ""}, "1 to 100 characters"),
        ({"name": "12"}, "just a number"),
        ({"zone": "Sydney"}, "no time zone 'Sydney'"),
        ({"zone": "../../etc/passwd"}, "no time zone"),
        ({"zone": ""}, "no time zone"),
        ({"dialect": "spoken"}, "documented or live"),
        ({"cors_origins": "shop.example"}, "is no origin"),
        ({"cors_origins": "https://shop.example/page"}, "is no origin"),
        ({"follow_up_types": "x" * 51}, "at most 50 characters"),
        ({"follow_up_types": "\n".join(map(str, range(51)))}, "at most 50 follow-up types"),
    ],
)
def test_a_wrong_setting_is_refused_and_the_form_stays(
    shared: Neto, fields: dict[str, str], said: str
) -> None:
    with admin(shared) as client:
        before = everything(shared)
        form = settings_of(client) | {"follow_up_types": "Fax", "name": "New"} | fields
        answer = client.post("/settings", data=form)
    assert said in alert(answer)
    assert everything(shared) == before
    if "name" not in fields:
        assert 'name="name" value="New"' in answer.text
    if "follow_up_types" not in fields:
        assert ">Fax</textarea>" in answer.text


def test_the_page_says_what_the_server_keeps(serve: Callable[..., Any]) -> None:
    with serve(journal_days=30, journal_size=5 * 2**20) as neto, admin(neto) as client:
        text = client.get("/settings").text
        assert len(text) < 50_000
    assert "A call is kept for 30 days under Requests, and 5 MiB of what came" in text
    assert [size(one) for one in (0, 1_023, 1_536, 10 * 2**30, 2**39)] == [
        "0 bytes", "1,023 bytes", "1.5 KiB", "10 GiB", "512 GiB",
    ]  # fmt: skip


# -- staff ---------------------------------------------------------------------------------------


def log_in(neto: Neto, username: str, password: str = PASSWORD) -> int:
    with panel_client(neto) as client:
        return client.post("/login", data={"username": username, "password": password}).status_code


def person(neto: Neto, username: str) -> str:
    """The page of one of the staff."""
    with neto.store.begin() as connection:
        (one,) = staff.named(connection, username)
    return f"/staff/{one.staff_id}"


def test_somebody_is_let_in(neto: Neto) -> None:
    with admin(neto) as client:
        fields = {"username": " Ben ", "role": "agent", "password": NEW_PASSWORD}
        assert client.post("/staff", data=fields).headers["location"] == "/staff"
        text = client.get("/staff").text
        assert "\u2068Ben\u2069 can log in as agent, with the password that you gave." in text
        assert log_in(neto, "ben", NEW_PASSWORD) == 303
        text = client.get("/staff").text
        assert text.count("with 1 browser") == 2
        assert client.post("/staff", data=fields | {"username": "BEN"}).status_code == 422
    assert audited(neto, "CreateStaff") == [
        ("ana", "Success", 303, {"Username": "Ben", "Role": "agent"})
    ]
    bodies = rows(neto, "SELECT request_body, answer_body FROM journal_body")
    assert NEW_PASSWORD not in repr(bodies)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"username": ""}, "1 to 100 characters"),
        ({"username": "x" * 101}, "1 to 100 characters"),
        ({"username": "a\x00"}, "can be seen"),
        ({"username": "ana"}, "works here already"),
        ({"username": "key 1"}, "The panel calls somebody else 'key 1': choose another."),
        ({"role": "owner"}, "A role is viewer, agent, admin"),
        ({"password": "short"}, "10 to 1,024 characters"),
        ({"password": ""}, "10 to 1,024 characters"),
        ({"password": "x" * 1_025}, "10 to 1,024 characters"),
    ],
)
def test_whom_it_cannot_let_in_and_why(shared: Neto, fields: dict[str, str], said: str) -> None:
    asked = {"username": "cara", "role": "viewer", "password": NEW_PASSWORD} | fields
    with admin(shared) as client:
        before = everything(shared)
        answer = client.post("/staff", data=asked)
    assert said in alert(answer)
    assert everything(shared) == before
    assert NEW_PASSWORD not in answer.text
    if "username" not in fields:
        assert 'value="cara"' in answer.text


def test_a_role_counts_from_the_next_request_on(neto: Neto) -> None:
    with admin(neto) as ana, panel_client(neto, new_session(neto, "viewer", "ben")) as ben:
        assert ben.get("/keys").status_code == 403
        path = person(neto, "ben")
        ana.post(path, data={"do": "role", "role": "admin"})
        assert "\u2068ben\u2069 has the role admin now." in ana.get("/staff").text
        assert ben.get("/keys").status_code == 200
        refused = ana.post(path, data={"do": "role", "role": "owner"})
        assert "A role is" in alert(refused)
        assert "Choose what to do" in alert(ana.post(path, data={"do": "nothing"}))
        # Now ana may hand it over, and is no admin from then on.
        answer = ana.post(person(neto, "ana"), data={"do": "role", "role": "viewer"})
        assert answer.headers["location"] == "/"
        assert ana.get("/staff").status_code == 403
    assert [asked for *_, asked in audited(neto, "SetStaff")] == [
        {"Username": "ben", "Role": "admin"}, {"Username": "ana", "Role": "viewer"},
    ]  # fmt: skip


def test_the_last_admin_stays_one(neto: Neto) -> None:
    with admin(neto) as client:
        add_staff(neto, "agent", "ben")
        path = person(neto, "ana")
        text = client.get(path).text
        assert "is the last admin" in text
        assert "Change role" not in text
        assert 'value="revoke"' not in text
        for fields in ({"do": "revoke"}, {"do": "role", "role": "agent"}):
            assert "ana is the last admin" in alert(client.post(path, data=fields))
        assert client.get("/staff").status_code == 200
    assert audited(neto, "SetStaff") == audited(neto, "RevokeStaff") == []


def test_a_password_is_set_for_somebody_and_they_are_out(neto: Neto) -> None:
    with admin(neto) as ana, panel_client(neto, new_session(neto, "agent", "ben")) as ben:
        path = person(neto, "ben")
        short = ana.post(path, data={"do": "password", "password": "short"})
        assert "10 to 1,024" in alert(short)
        assert ben.get("/account").status_code == 200
        ana.post(path, data={"do": "password", "password": NEW_PASSWORD})
        assert ben.get("/account").status_code == 303
    assert log_in(neto, "ben") == 401
    assert log_in(neto, "ben", NEW_PASSWORD) == 303
    assert audited(neto, "SetStaff") == [
        ("ana", "Success", 303, {"Username": "ben", "Password": True})
    ]


def test_sign_out_everywhere_and_revoke(neto: Neto) -> None:
    with admin(neto) as ana:
        tokens = [new_session(neto, "agent", "ben") for _ in range(2)]
        path = person(neto, "ben")
        assert "now logged in with 2 browsers" in ana.get(path).text
        ana.post(path, data={"do": "sign-out"})
        assert "\u2068ben\u2069 is logged out everywhere." in ana.get("/staff").text
        assert log_in(neto, "ben") == 303
        tokens.append(new_session(neto, "agent", "ben"))
        ana.post(path, data={"do": "revoke"})
        assert "\u2068ben\u2069 is let in no more." in (text := ana.get("/staff").text)
        assert "1 who is let in no more" in text
        for token in tokens:
            with panel_client(neto, token) as ben:
                assert ben.get("/account").status_code == 303
        assert log_in(neto, "ben") == 401
        assert ana.get(path).status_code == 404
        fields = {"username": "ben", "role": "viewer", "password": NEW_PASSWORD}
        assert ana.post("/staff", data=fields).status_code == 303
    assert log_in(neto, "ben", NEW_PASSWORD) == 303
    for action in ("SignOutEverywhere", "RevokeStaff"):
        assert audited(neto, action) == [("ana", "Success", 303, {"Username": "ben"})]


def test_who_revokes_their_own_login_is_out(neto: Neto) -> None:
    with admin(neto) as ana, admin(neto, "ben") as ben:
        answer = ana.post(person(neto, "ana"), data={"do": "revoke"})
        assert answer.headers["location"] == "/login?out"
        assert ana.get("/account").status_code == 303
        assert ben.get("/staff").status_code == 200


# -- a session that ended ------------------------------------------------------------------------


def test_a_form_comes_back_after_the_login_without_the_password(neto: Neto) -> None:
    with admin(neto) as client:
        neto.clock.move(hours=13)
        fields = {"username": "ben", "role": "viewer", "password": NEW_PASSWORD}
        asked = client.post("/staff", data=fields)
        assert asked.status_code == 401
        assert NEW_PASSWORD.replace(" ", "+") not in asked.text
        kept = re.findall(r'name="kept" value="([^"]*)"', asked.text)[0]
        data = {"username": "ana", "password": PASSWORD, "then": "/staff", "kept": unescape(kept)}
        assert client.post("/login", data=data).headers["location"] == "/staff"
        text = client.get("/staff").text
        assert 'value="ben"' in text
        assert '<option value="viewer" selected>' in text
    assert rows(neto, "SELECT kept FROM session") == [("username=ben&role=viewer",)]
    assert len(rows(neto, "SELECT * FROM staff")) == 1


# -- in a browser --------------------------------------------------------------------------------


def test_names_are_shown_as_text_whatever_is_in_them(neto: Neto, page: "Page") -> None:
    username = f"{HOSTILE} \u05e9\u05dc\u05d5\u05dd"
    with neto.store.begin() as connection:
        site = keys.first_site(connection, neto.clock.now())
        types, names = (f"{HOSTILE[:40]} 🪑",), f"{HOSTILE} shop"
        keys.set_site(connection, site, name=names, follow_up_types=types)
        now = neto.clock.now()
        keys.add_key(connection, site, keys.new_key(), now=now, username=f"{username} 🪑")
    signed_in(page, neto, "admin", username)
    add_staff(neto, "viewer", "x" * 100)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))

    def is_text() -> None:
        assert page.locator("img").count() == 0
        assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")

    for path in ("/keys", "/keys/2/revoke", "/settings", "/staff", person(neto, username)):
        page.goto(neto.url + path)
        is_text()
    assert page.get_by_role("heading", level=1).inner_text() == username
    page.goto(f"{neto.url}/settings")
    assert page.get_by_label("Follow-up types").input_value() == types[0]
    page.goto(f"{neto.url}/keys")
    assert page.get_by_text(f"{username} 🪑").is_visible()
    page.get_by_label("For", exact=True).fill(HOSTILE)
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("heading", name=f"Key for {HOSTILE}").wait_for()
    is_text()
    page.goto(f"{neto.url}/keys/3/revoke")
    page.get_by_role("button", name="Revoke key 3").click()
    page.get_by_text(f"Key 3, for \u2068{HOSTILE}\u2069, is revoked.").wait_for()
    is_text()


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_a_key_from_its_making_to_its_end(
    neto: Neto, browser: "Browser", has_scripts: bool
) -> None:
    with watched(browser, java_script_enabled=has_scripts) as page:
        signed_in(page, neto, "admin", "ana")
        page.goto(f"{neto.url}/keys")
        page.get_by_label("For", exact=True).fill("warehouse")
        page.get_by_label("May").select_option("Only write")
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("heading", name="Key for warehouse").wait_for()
        page.wait_for_load_state()
        key = page.get_by_label("NETOAPI_KEY").input_value()
        curl = page.get_by_role("region", name="Sample in curl")
        python = page.get_by_role("region", name="Sample in Python")
        assert curl.is_visible()
        assert not python.is_visible()
        page.get_by_role("radio", name="Python").check()
        assert python.is_visible()
        assert key in python.inner_text()
        copy = page.get_by_role("button", name="Copy", exact=True)
        assert copy.count() == has_scripts
        if has_scripts:
            page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            copy.click()
            page.get_by_role("button", name="Copied").wait_for()
            assert page.evaluate("navigator.clipboard.readText()") == key
            page.get_by_role("button", name="Copy Python").click()
            page.get_by_role("button", name="Copied").nth(1).wait_for()
            assert key in page.evaluate("navigator.clipboard.readText()")
        page.get_by_role("button", name="I have it").click()
        page.wait_for_url(f"{neto.url}/keys")
        page.get_by_role("link", name="Revoke… key 2").click()
        page.get_by_role("link", name="Keep it").click()
        page.get_by_role("link", name="Revoke… key 2").click()
        page.get_by_role("button", name="Revoke key 2").click()
        page.get_by_text("Key 2, for \u2068warehouse\u2069, is revoked.").wait_for()
        page.get_by_text("1 that lets in no more").click()
        assert page.get_by_text("warehouse", exact=True).is_visible()


def test_copying_works_also_where_browsers_have_no_clipboard_for_pages(
    neto: Neto, browser: "Browser"
) -> None:
    """They have none for pages by plain http from another computer."""
    with watched(browser, permissions=["clipboard-read"]) as page:
        page.add_init_script(
            "window.own = navigator.clipboard;"
            "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        )
        signed_in(page, neto, "admin", "ana")
        page.goto(f"{neto.url}/keys")
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("button", name="Copy", exact=True).click()
        page.get_by_role("button", name="Copied").wait_for()
        key = page.get_by_label("NETOAPI_KEY").input_value()
        assert page.evaluate("own.readText()") == key
        page.get_by_role("button", name="Copy curl").click()
        page.get_by_role("button", name="Copied").nth(1).wait_for()
        assert page.evaluate("own.readText()").startswith("curl http")


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_settings_and_staff_by_mouse(neto: Neto, browser: "Browser", has_scripts: bool) -> None:
    with watched(browser, java_script_enabled=has_scripts) as page:
        signed_in(page, neto, "admin", "ana")
        page.goto(f"{neto.url}/settings")
        page.get_by_label("Name of the shop").fill("Corner Store")
        page.get_by_label("Time zone").fill("Mars/Olympus")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("There is no time zone 'Mars/Olympus'").wait_for()
        page.get_by_label("Time zone").fill("Australia/Sydney")
        page.get_by_label("Live").check()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved: name and time zone and dialect.").wait_for()
        assert page.get_by_label("Live").is_checked()
        page.get_by_role("link", name="Staff").click()
        page.get_by_label("Username").fill("ben")
        page.get_by_label("First password").fill(NEW_PASSWORD)
        page.get_by_role("button", name="Let in").click()
        page.get_by_text("\u2068ben\u2069 can log in as agent").wait_for()
        page.get_by_role("link", name="Change… ben").click()
        page.get_by_label("Viewer").check()
        page.get_by_role("button", name="Change role").click()
        page.get_by_text("\u2068ben\u2069 has the role viewer now.").wait_for()
        page.get_by_role("link", name="Change… ben").click()
        page.get_by_role("button", name="Revoke ben").click()
        page.get_by_text("\u2068ben\u2069 is let in no more.").wait_for()


def test_by_keyboard_alone(neto: Neto, page: "Page") -> None:
    signed_in(page, neto, "admin", "ana")
    press, typed = page.keyboard.press, page.keyboard.type

    def tab_to(name: str) -> None:
        for _ in range(40):
            press("Tab")
            said = page.evaluate(
                "(e => [e.id, e.name, e.value, e.textContent].join(' '))(document.activeElement)"
            )
            if name in said and page.locator(":focus").count():
                return
        raise AssertionError(f"no way to {name}")

    page.goto(f"{neto.url}/account")
    press("g")
    press("k")
    page.wait_for_url(f"{neto.url}/keys")
    tab_to("username")
    typed("warehouse")
    press("Enter")
    page.get_by_role("heading", name="Key for warehouse").wait_for()
    page.wait_for_load_state()
    tab_to("in-curl")
    press("ArrowRight")
    assert page.get_by_role("region", name="Sample in Python").is_visible()
    tab_to("I have it")
    press("Enter")
    page.wait_for_url(f"{neto.url}/keys")
    tab_to("Revoke… key 2")
    press("Enter")
    page.wait_for_url(f"{neto.url}/keys/2/revoke")
    tab_to("Revoke key 2")
    press("Enter")
    page.get_by_text("Key 2, for \u2068warehouse\u2069, is revoked.").wait_for()
    page.wait_for_load_state()
    press("g")
    press("t")
    page.wait_for_url(f"{neto.url}/settings")
    tab_to("follow_up_types")
    press("Control+End")
    typed("\nFax")
    tab_to("documented")
    press("ArrowDown")
    tab_to("Save")
    press("Enter")
    page.get_by_text("Saved: follow-up types and dialect.").wait_for()
    page.wait_for_load_state()
    press("g")
    press("s")
    page.wait_for_url(f"{neto.url}/staff")
    tab_to("username")
    typed("ben")
    tab_to("password")
    typed(NEW_PASSWORD)
    press("Enter")
    page.get_by_text("\u2068ben\u2069 can log in as agent").wait_for()
    assert sites(neto)[0].follow_up_types[-1] == "Fax"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390), ("light", 320)])
def test_axe_finds_nothing(neto: Neto, browser: "Browser", scheme: str, width: int) -> None:
    add_staff(neto, "agent", "ben")
    gone = add_staff(neto, "agent", "gone")
    neto.new_key(username="over", expires_at=neto.clock.now() + timedelta(seconds=1))
    neto.clock.move(seconds=2)
    with neto.store.begin() as connection:
        staff.revoke(connection, gone, neto.clock.now())
    size = {"width": width, "height": 800}
    with watched(browser, color_scheme=scheme, viewport=size, has_touch=width < 720) as page:
        signed_in(page, neto, "admin", "ana")

        def looks_right() -> None:
            assert violations(page) == []
            assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")

        for path in PAGES:
            if not path.endswith("/made"):
                page.goto(neto.url + path)
                for fold in page.locator("details.fold").all():
                    fold.locator("summary").click()
                looks_right()
        page.goto(neto.url + person(neto, "ana"))
        looks_right()
        page.goto(f"{neto.url}/settings")
        page.get_by_label("Time zone").fill("Mars/Olympus")
        page.get_by_role("button", name="Save").click()
        page.get_by_text("There is no time zone").wait_for()
        looks_right()
        page.goto(f"{neto.url}/keys")
        page.get_by_label("For", exact=True).fill("warehouse")
        page.get_by_role("button", name="Create key").click()
        page.get_by_role("heading", name="Key for warehouse").wait_for()
        looks_right()


@pytest.mark.parametrize("path", ["/keys/", "/keys/1/made/", "/docs/", "/healthz/"])
def test_no_address_leads_to_the_host_that_a_client_names(shared: Neto, path: str) -> None:
    with panel_client(shared, new_session(shared, "admin")) as client:
        answer = client.get(path, headers={"Host": "elsewhere.example"})
    assert answer.status_code == 404
    assert "location" not in answer.headers
