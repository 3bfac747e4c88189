"""Who gets into the panel, and how: over HTTP, and in a browser."""

import re
import subprocess
import threading
import zlib
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from os import urandom
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest
from conftest import (
    PASSWORD,
    RECONTACT,
    Neto,
    add_staff,
    another_site,
    new_session,
    panel_client,
    rows,
    served,
    signed_in,
    site_of,
    violations,
    watched,
)
from sqlalchemy import delete
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from recontact import web
from recontact.addresses import Networks
from recontact.messages import RefusedError
from recontact.store import keys, staff, tables
from recontact.store.staff import Passwords
from recontact.web.forms import STRANGERS_LIMIT, Form
from recontact.web.panel import panel_of, person_of
from recontact.web.sessions import page as page_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from sqlalchemy import Connection

NEW_PASSWORD = "another horse battery"
HOSTILE = "<img src=x onerror=alert(1)>&amp;'\"{{7*7}}</title>"
WRONG = "The username or the password is not right."
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NOTED = Form((("notes", "x"),)).pack()
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


def log_in(
    neto: Neto, username: str = "ana", password: str = PASSWORD, **more: str
) -> httpx.Response:
    with panel_client(neto) as client:
        fields = {"username": username, "password": password}
        return client.post("/login", data=fields | more)


def token_of(answer: httpx.Response) -> str:
    return answer.cookies["recontact"]


def is_signed_in(neto: Neto, token: str) -> bool:
    with panel_client(neto, token) as client:
        return client.get("/account").status_code == 200


def sessions_of(neto: Neto) -> int:
    return len(rows(neto, "SELECT * FROM session"))


def set_up_link(neto: Neto) -> str:
    with neto.store.begin() as connection:
        (token,) = staff.new_setup_links(connection, neto.clock.now()).values()
    return f"/setup/{token}"


def set_up(neto: Neto, path: str, **more: str) -> httpx.Response:
    with panel_client(neto) as client:
        fields = {"username": "ana", "password": PASSWORD, "again": PASSWORD}
        return client.post(path, data=fields | more)


def journal(neto: Neto, action: str) -> list[tuple[Any, ...]]:
    """Who, Ack, status, key and format of each entry; those that are written behind too."""
    with panel_client(neto) as client:
        client.get("/readyz")  # commits
    return rows(
        neto,
        "SELECT who, ack, http_status, key_id, format FROM journal WHERE action = ? ORDER BY at",
        action,
    )


# -- logging in ----------------------------------------------------------------------------------


def test_who_is_not_signed_in_is_asked_to_log_in_and_led_back(neto: Neto) -> None:
    add_staff(neto, "viewer", "ana")
    with panel_client(neto) as client:
        assert client.get("/").headers["location"] == "/login"
        answer = client.get("/account?a=1&b=%26")
        assert (answer.status_code, answer.headers["location"]) == (
            303, "/login?next=/account%3Fa%3D1%26b%3D%2526",
        )  # fmt: skip
        then = fields_of(client.get(answer.headers["location"]))["then"]
        answer = client.post(
            "/login", data={"username": " ANA ", "password": PASSWORD, "then": then}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/account?a=1&b=%26")
        assert client.get("/account").status_code == 200
        # Who is signed in already need not log in again.
        assert client.get("/login?next=/account").headers["location"] == "/account"


def fields_of(answer: httpx.Response) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text)
    return {name: unescape(value) for name, value in found}


def test_a_login_is_entered_in_the_journal_and_so_is_one_that_failed(neto: Neto) -> None:
    add_staff(neto, "viewer", "ana")

    assert log_in(neto, password="not the password").status_code == 401
    typed_by_mistake = log_in(neto, username=PASSWORD)
    answer = log_in(neto)

    assert typed_by_mistake.status_code == 401
    neto.wait_for(lambda: len(journal(neto, "Login")) == 3)
    assert journal(neto, "Login") == [
        ("ana", "Error", 401, 0, "panel"),
        (None, "Error", 401, 0, "panel"),
        ("ana", "Success", 303, 0, "panel"),
    ]
    (entry,) = rows(neto, "SELECT hex(request) FROM journal WHERE ack = 'Success'")
    assert entry[0].lower() == answer.headers["x-request-id"].replace("-", "")
    ((last,),) = rows(neto, "SELECT last_login_at FROM staff")
    assert last is not None


@pytest.mark.parametrize(
    ("username", "password"),
    [
        pytest.param("ana", "not the password", id="wrong password"),
        pytest.param("ana", "", id="no password"),
        pytest.param("bob", PASSWORD, id="nobody of that name"),
        pytest.param("", "", id="nothing"),
        pytest.param("gone", PASSWORD, id="revoked"),
        pytest.param("ana' OR 1=1 --", PASSWORD, id="SQL"),
        pytest.param("a" * 100_000, "b" * 100_000, id="very long"),
        pytest.param("\x00\u202e", "\ud7ff\x00", id="controls"),
    ],
)
def test_all_that_is_wrong_with_a_login_is_said_in_the_same_words(
    neto: Neto, username: str, password: str
) -> None:
    add_staff(neto, "admin", "ana")
    gone = add_staff(neto, "viewer", "gone")
    with neto.store.begin() as connection:
        staff.revoke(connection, gone, neto.clock.now())

    answer = log_in(neto, username, password)

    assert answer.status_code == 401
    assert re.findall(r'role="alert" id="problem">(.*?)<', answer.text) == [WRONG]
    assert "set-cookie" not in answer.headers
    assert not password or password not in answer.text
    assert sessions_of(neto) == 0


class CountedPasswords(Passwords):
    """Counts how many passwords were compared: each takes as long as another."""

    compared = 0

    def matches(self, password: str, kept: str) -> bool:
        CountedPasswords.compared += 1
        return super().matches(password, kept)


def test_a_name_that_nobody_has_takes_as_long_as_another(serve: Callable[..., Any]) -> None:
    with serve(passwords=CountedPasswords(1, 8, 1)) as neto:
        add_staff(neto, "viewer", "ana")
        for number, username in enumerate(("ana", "bob", "ana", ""), 1):
            assert log_in(neto, username, "not the password").status_code == 401
            assert CountedPasswords.compared == number


def still() -> float:
    """A clock of rates that stands still, so that a slow machine gets none of a rate back."""
    return 0.0


def test_logins_are_slowed_by_name_and_by_address(serve: Callable[..., Any]) -> None:
    with serve(trusted_proxies=Networks.parse("127.0.0.1"), elapsed=still) as neto:
        add_staff(neto, "viewer", "ana")
        add_staff(neto, "viewer", "ben")

        def tried(username: str, password: str, address: str) -> httpx.Response:
            with panel_client(neto) as client:
                return client.post(
                    "/login",
                    data={"username": username, "password": password, "kept": NOTED},
                    headers={"X-Forwarded-For": address},
                )

        one, other = "192.0.2.1", "192.0.2.2"
        assert [tried("ana", "wrong", one).status_code for _ in range(10)] == [401] * 10
        # Neither in another case nor with the right password.
        refused = tried("ANA", PASSWORD, one)
        assert refused.status_code == 429
        assert refused.headers["retry-after"] == "6"
        assert "Try again in 6 s." in refused.text
        assert fields_of(refused)["kept"] == NOTED
        assert "set-cookie" not in refused.headers
        # Nobody else is kept out: neither another name, nor ana from elsewhere.
        assert tried("ben", PASSWORD, one).status_code == 303
        assert tried("ana", PASSWORD, other).status_code == 303

        codes = [tried(f"name {n}", "wrong", "2001:db8::1").status_code for n in range(20)]
        assert codes == [401] * 20
        # All addresses that one client has count as one.
        too_many = tried("ben", PASSWORD, "2001:db8::2")
        assert too_many.status_code == 429
        assert fields_of(too_many)["kept"] == NOTED


def test_large_forms_of_strangers_are_not_read_for_long(serve: Callable[..., Any]) -> None:
    unread = f"/note {'x' * 200_000}"
    with serve(elapsed=still) as neto, panel_client(neto) as client:
        codes = [client.post("/login", data={"username": f"{n}"}).status_code for n in range(20)]
        assert codes == [401] * 20
        assert fields_of(client.post("/login", data={"then": "/keys"}))["then"] == "/keys"
        login = client.post("/login", data={"username": "ana", "then": unread})
        assert login.status_code == 429
        assert "Go back, wait 3 s, and send it again" in login.text

        codes = [client.post("/keys", data={"username": "x"}).status_code for _ in range(60)]
        assert codes == [401] * 60
        key = client.post("/keys", data={"username": "x"})
        assert key.status_code == 429
        for refused in (login, key):
            assert refused.headers["connection"] == "close"
            assert int(refused.headers["retry-after"]) > 0


@dataclass(frozen=True)
class HeldPasswords(Passwords):
    """Compares no password before it is let go."""

    go_on: threading.Event = field(default_factory=threading.Event)

    def matches(self, password: str, kept: str) -> bool:
        return self.go_on.wait(60) and super().matches(password, kept)


def test_of_many_logins_at_once_those_that_would_wait_long_are_told_so(
    serve: Callable[..., Any],
) -> None:
    held = HeldPasswords(1, 8, 1)
    with serve(passwords=held) as neto:
        add_staff(neto, "viewer", "ana")
        codes: list[int] = []
        threads = [
            threading.Thread(target=lambda n=n: codes.append(log_in(neto, f"{n}").status_code))
            for n in range(19)
        ]
        for thread in threads:
            thread.start()
        neto.wait_for(lambda: codes == [503] * 3)
        # Nobody else waits for them: neither a page nor a call.
        assert neto.http.get("/login").status_code == 200
        assert neto.add({}) == [1]
        held.go_on.set()
        for thread in threads:
            thread.join(60)
        assert sorted(codes) == [401] * 16 + [503] * 3
        assert log_in(neto).status_code == 303


def test_who_works_for_several_shops_says_for_which(neto: Neto) -> None:
    add_staff(neto, "viewer", "ana")
    with another_site(neto, "Australia/Sydney") as there:
        number = site_of(there)
        with neto.store.begin() as connection:
            harbour = keys.find_site(connection, str(number))
        add_staff(neto, "admin", "ana", harbour)
        # Whoever does not know the password is not told that there are two.
        assert "<select" not in log_in(neto, password="not the password").text

        asked = log_in(neto)
        assert asked.status_code == 401
        assert re.findall(r'<option value="(\d+)">(.*?)</option>', asked.text) == [
            ("1", "Shop"), ("2", harbour.name),
        ]  # fmt: skip
        assert sessions_of(neto) == 0

        answer = log_in(neto, site="2")
        with panel_client(neto, token_of(answer)) as client:
            assert f"Admin of <bdi>{harbour.name}</bdi>" in client.get("/account").text
        assert log_in(neto, site="3").status_code == 401
        # Whoever came for one shop, and mistypes, still comes for that one.
        again = log_in(neto, site="2", password="not the password").text
        assert '<input type="hidden" name="site" value="2">' in again


# -- cookies -------------------------------------------------------------------------------------


def cookies_of(answer: httpx.Response) -> list[str]:
    found = answer.headers.get_list("set-cookie")
    return [one for one in found if "said" not in one.partition("=")[0]]


def test_the_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts(neto: Neto) -> None:
    add_staff(neto, "viewer", "ana")

    (cookie,) = cookies_of(log_in(neto))

    name, *flags = cookie.split("; ")
    assert re.fullmatch(r"recontact=[\w-]{43}", name)
    assert sorted(flags) == ["HttpOnly", "Max-Age=1209600", "Path=/", "SameSite=lax"]


def test_with_tls_the_cookie_is_bound_to_it(serve: Callable[..., Any]) -> None:
    with serve(trusted_proxies=Networks.parse("127.0.0.1")) as neto:
        add_staff(neto, "viewer", "ana")
        origin = neto.url.replace("http:", "https:")
        https = {"X-Forwarded-Proto": "https", "Origin": origin}
        data = {"username": "ana", "password": PASSWORD}
        with httpx.Client(base_url=neto.url) as client:
            answer = client.post("/login", data=data, headers=https)
            (cookie,) = cookies_of(answer)
            name, *flags = cookie.split("; ")
            assert re.fullmatch(r"__Host-recontact=[\w-]{43}", name)
            assert {"Secure", "HttpOnly", "Path=/", "SameSite=lax"} < set(flags)
            assert not any(flag.startswith("Domain") for flag in flags)

            token = name.partition("=")[2]
            secure = {"cookie": f"__Host-recontact={token}"}
            plain = {"cookie": f"recontact={token}"}
            assert client.get("/account", headers=https | secure).status_code == 200
            # A plain one may have been planted by whoever is on the line.
            assert client.get("/account", headers=https | plain).status_code == 303
            # By https, a form from a plain page of the same host is another's.
            planted = https | {"Origin": neto.url}
            assert client.post("/login", data=data, headers=planted).status_code == 403


def test_who_is_not_trusted_cannot_say_that_there_is_tls(serve: Callable[..., Any]) -> None:
    with serve(trusted_proxies=Networks.parse("192.0.2.1")) as neto, panel_client(neto) as client:
        add_staff(neto, "viewer", "ana")
        answer = client.post(
            "/login",
            data={"username": "ana", "password": PASSWORD},
            headers={"X-Forwarded-Proto": "https"},
        )

    assert cookies_of(answer)[0].startswith("recontact=")


def test_each_login_has_a_new_session_and_ends_the_one_before(neto: Neto) -> None:
    add_staff(neto, "viewer", "ana")
    planted = new_session(neto, "viewer", "mallory")
    with panel_client(neto, planted) as client:
        answer = client.post("/login", data={"username": "ana", "password": PASSWORD})

    assert token_of(answer) != planted
    assert is_signed_in(neto, token_of(answer))
    assert not is_signed_in(neto, planted)


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example", "https://evil.example/", "/\\evil.example", "\\\\evil.example",
        "javascript:alert(1)", "evil.example", "/\t/evil.example", "/a\r\nSet-Cookie: a=b", "",
        "/login", "/logout", "/é", " /account",
    ],
)  # fmt: skip
def test_a_login_leads_nowhere_else(neto: Neto, path: str) -> None:
    add_staff(neto, "viewer", "ana")

    assert log_in(neto, then=path).headers["location"] == "/"
    token = new_session(neto, "viewer")
    with panel_client(neto, token) as client:
        answer = client.get(f"/login?next={quote(path, safe='')}")
        assert answer.headers["location"] in ("/", path if path.startswith("/lo") else "/")


# -- forms are ours ------------------------------------------------------------------------------

FORMS = [
    path.replace("{token}", "x")
    for route in web.routes()
    for path in (route.path,)
    if "POST" in (route.methods or ())
]


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param([], id="neither header"),
        pytest.param([("Origin", "https://evil.example")], id="another host"),
        pytest.param([("Origin", "null")], id="a page that hides where it is from"),
        pytest.param([("Origin", "http://127.0.0.1:1")], id="another port"),
        pytest.param([("Origin", "{url}.evil.example")], id="a longer host"),
        pytest.param([("Origin", "{url}/")], id="not an origin"),
        pytest.param([("Origin", "{url}"), ("Origin", "https://evil.example")], id="two"),
        pytest.param([("Sec-Fetch-Site", "cross-site")], id="cross-site"),
        pytest.param([("Sec-Fetch-Site", "same-site")], id="same-site"),
        pytest.param(
            [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
            id="Origin says another",
        ),
    ],
)
def test_forms_from_elsewhere_are_refused(
    shared: Neto, path: str, headers: list[tuple[str, str]]
) -> None:
    token = new_session(shared, "admin", "forms")
    sent = [(name, value.replace("{url}", shared.url)) for name, value in headers]
    sent += [("cookie", f"recontact={token}")]
    fields = {"do": "sign-out", "username": "forms", "password": PASSWORD}

    with httpx.Client(base_url=shared.url) as client:
        answer = client.post(path, data=fields, headers=sent)

    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    assert is_signed_in(shared, token)


@pytest.mark.parametrize("headers", [{"Origin": "{url}"}, {"Sec-Fetch-Site": "same-origin"}])
def test_forms_of_ours_are_taken(shared: Neto, headers: dict[str, str]) -> None:
    token = new_session(shared, "viewer", "forms")
    sent = {name: value.replace("{url}", shared.url) for name, value in headers.items()}

    with httpx.Client(base_url=shared.url, cookies={"recontact": token}) as client:
        assert client.post("/logout", headers=sent).headers["location"] == "/login?out"
    assert not is_signed_in(shared, token)


def test_no_get_logs_anybody_out(shared: Neto) -> None:
    token = new_session(shared, "viewer", "reader")

    with panel_client(shared, token) as client:
        assert client.get("/logout").status_code == 405
        assert client.get("/account?do=sign-out").status_code == 200
    assert is_signed_in(shared, token)


@pytest.mark.parametrize(
    ("kind", "body", "http_status"),
    [
        pytest.param("text/plain", b"username=ana", 415, id="another media type"),
        pytest.param("application/x-www-form-urlencoded", b"a=" + b"x" * 2**20, 413, id="long"),
        pytest.param("application/x-www-form-urlencoded", b"a=1&" * 2_001, 413, id="many"),
        pytest.param("application/x-www-form-urlencoded", b"%ff=%zz&&&=", 422, id="garbage"),
    ],
)
def test_forms_that_no_page_sends_are_refused(
    shared: Neto, kind: str, body: bytes, http_status: int
) -> None:
    with panel_client(shared, new_session(shared, "viewer")) as client:
        answer = client.post("/account", content=body, headers={"Content-Type": kind})

    assert answer.status_code == http_status
    assert "<h1>" in answer.text


# -- sessions end --------------------------------------------------------------------------------


def test_who_is_revoked_is_out_at_once(neto: Neto) -> None:
    add_staff(neto, "admin", "boss")
    token = new_session(neto, "viewer", "ana")
    with panel_client(neto, token) as client:
        assert client.get("/account").status_code == 200
        with neto.store.begin() as connection:
            one = staff.named(connection, "ana")[0]
            staff.revoke(connection, one, neto.clock.now())
        assert client.get("/account").status_code == 303


def test_a_session_is_kept_alive_by_use(neto: Neto) -> None:
    token = new_session(neto, "viewer")
    with panel_client(neto, token) as client:
        for _ in range(3):
            neto.clock.move(hours=11)
            assert client.get("/account").status_code == 200
            neto.wait_for(lambda: ages(neto)[0] < 60)
        neto.clock.move(hours=12)
        assert client.get("/account").status_code == 303


def ages(neto: Neto) -> list[float]:
    """For how long each session was not used, as the database has it."""
    now = neto.clock.now().timestamp()
    return [now - at for (at,) in rows(neto, "SELECT seen_at FROM session")]


def test_a_password_is_changed_and_other_sessions_end(neto: Neto) -> None:
    other = new_session(neto, "viewer", "ana")
    with panel_client(neto, new_session(neto, "viewer", "ana")) as client:

        def change(before: str, password: str, again: str) -> httpx.Response:
            fields = {"do": "password", "before": before, "password": password, "again": again}
            return client.post("/account", data=fields)

        for wrong, said in (
            ((PASSWORD, NEW_PASSWORD, PASSWORD), "not the same"),
            (("not the password", NEW_PASSWORD, NEW_PASSWORD), "is another"),
            ((PASSWORD, "short", "short"), "10 to 1,024"),
        ):
            refused = change(*wrong)
            assert refused.status_code == 422
            assert said in refused.text
        failed = ("ana", "Error", 422, 0, "panel")  # written behind
        neto.wait_for(lambda: journal(neto, "ChangePassword") == [failed])
        assert is_signed_in(neto, other)
        before = client.cookies["recontact"]

        answer = change(PASSWORD, NEW_PASSWORD, NEW_PASSWORD)
        assert (answer.status_code, answer.headers["location"]) == (303, "/account")
        assert token_of(answer) != before
        assert is_signed_in(neto, token_of(answer))
        client.cookies = answer.cookies
        assert "Your password is changed" in client.get("/account").text
    assert not is_signed_in(neto, before)
    assert not is_signed_in(neto, other)
    assert log_in(neto).status_code == 401
    assert log_in(neto, password=NEW_PASSWORD).status_code == 303
    assert journal(neto, "ChangePassword") == [failed, ("ana", "Success", 303, 0, "panel")]


def test_the_old_password_cannot_be_guessed_in_a_session(serve: Callable[..., Any]) -> None:
    fields = {"do": "password", "before": "x", "password": NEW_PASSWORD, "again": NEW_PASSWORD}
    with (
        serve(elapsed=still) as neto,
        panel_client(neto, new_session(neto, "viewer", "ana")) as client,
    ):
        codes = [client.post("/account", data=fields).status_code for _ in range(11)]

    assert codes == [422] * 10 + [429]


def test_sign_out_everywhere(neto: Neto) -> None:
    tokens = [new_session(neto, "viewer", "ana") for _ in range(3)]
    bens = new_session(neto, "viewer", "ben")
    with panel_client(neto, tokens[0]) as client:
        listing = client.get("/account").text
        assert (listing.count("Firefox on Linux"), listing.count("(this one)")) == (3, 1)
        answer = client.post("/account", data={"do": "sign-out"})
        assert answer.headers["location"] == "/login?out"
        assert "You are logged out." in client.get("/login?out").text

    assert not any(is_signed_in(neto, token) for token in tokens)
    assert is_signed_in(neto, bens)
    assert journal(neto, "SignOutEverywhere") == [("ana", "Success", 303, 0, "panel")]


def test_a_logout_ends_the_session_and_the_cookie(neto: Neto) -> None:
    token = new_session(neto, "viewer", "ana")
    with panel_client(neto, token) as client:
        (cookie,) = cookies_of(client.post("/logout"))

    assert cookie.startswith('recontact=""; ')
    assert "Max-Age=0" in cookie
    assert not is_signed_in(neto, token)
    assert journal(neto, "Logout") == [("ana", "Success", 303, 0, "panel")]
    with panel_client(neto, token) as client:  # once more harms nobody
        assert client.post("/logout").status_code == 303


# -- pages with a form, roles, and what is said next --------------------------------------------


@pytest.fixture
def came() -> threading.Event:
    """Set when the headers of a form are there."""
    return threading.Event()


@pytest.fixture
def with_pages(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[..., Any], came: threading.Event
) -> Iterator[Neto]:
    """A server with pages that test what all pages have in common."""

    async def note(request: Request) -> Response:
        panel = panel_of(request)
        came.set()
        if request.method == "POST":
            form = await panel.form(request)
            log_id = int(form.get("log") or 0)
            item = {"LogID": log_id, "Notes": form.get("notes")}
            done = await panel.submit(request, "UpdateCustomerLog", [item])
            if done.problems:
                return HTMLResponse(done.problems[0], 422)
            return panel.redirect(request, "/", "It is noted.", done.request)
        kept = request.state.kept
        return HTMLResponse(f"<h1>Note</h1>{kept.get('notes') if kept else 'empty'}")

    async def secret(request: Request) -> Response:
        return HTMLResponse(f"<h1>{person_of(request).username}</h1>")

    async def broken(request: Request) -> Response:
        raise ZeroDivisionError("secret of the defect")

    async def busy(request: Request) -> Response:
        raise RefusedError("RC030", "The disk is full. Send the call again.", retry_after=5)

    both = ["GET", "POST"]
    routes = [
        *web.routes(),
        Route("/note", page_for(note, "agent"), methods=both),
        Route("/note/do", page_for(note, "agent"), methods=["POST"]),
        *(Route(f"/for/{role}", page_for(secret, role), methods=both) for role in staff.Role),
        Route("/broken", page_for(broken)),
        Route("/busy", page_for(busy)),
    ]
    monkeypatch.setattr(web, "routes", lambda: routes)
    with serve() as one:
        yield one


@pytest.mark.parametrize("role", list(staff.Role))
def test_a_role_opens_its_pages_and_no_others(with_pages: Neto, role: str) -> None:
    order = list(staff.Role)
    with panel_client(with_pages, new_session(with_pages, role)) as client:
        for needed in order:
            for method in ("GET", "POST"):
                answer = client.request(method, f"/for/{needed}")
                is_open = order.index(needed) <= order.index(staff.Role(role))
                assert answer.status_code == (200 if is_open else 403)
                assert is_open or f"takes the role {needed}" in answer.text


@pytest.mark.parametrize("has_referer", [False, True], ids=["its own page", "another page"])
def test_a_form_that_met_an_ended_session_comes_back_after_the_login(
    with_pages: Neto, has_referer: bool
) -> None:
    neto = with_pages
    (log_id,) = neto.add({"Notes": "before"})
    notes = "40 chairs & <b>\r\nsecond line é"
    with panel_client(neto, new_session(neto, "agent", "ana")) as client:
        neto.clock.move(hours=13)
        path = "/note/do" if has_referer else "/note?from=overdue"
        headers = {"Referer": f"{neto.url}/note?from=overdue"} if has_referer else {}
        form = {"log": str(log_id), "notes": notes, "password": "x"}
        asked = client.post(path, data=form, headers=headers)
        assert asked.status_code == 401
        assert "What you filled in is kept" in asked.text
        hidden = fields_of(asked)
        assert hidden["then"] == "/note?from=overdue"

        # A failed try loses nothing.
        data = hidden | {"username": "ana", "password": "not the password"}
        assert fields_of(client.post("/login", data=data)) == hidden
        answer = client.post("/login", data=hidden | {"username": "ana", "password": PASSWORD})
        assert answer.headers["location"] == "/note?from=overdue"
        assert client.get("/note").text == "<h1>Note</h1>empty"
        for _ in range(2):  # also when the page is loaded again
            shown = client.get("/note?from=overdue").text
            assert shown == "<h1>Note</h1>40 chairs & <b>\nsecond line é"
        assert neto.log(log_id)["Notes"] == "before"  # nothing was saved by itself

        assert client.post("/note", data=form).status_code == 303
        assert neto.log(log_id)["Notes"] == notes.replace("\r\n", "\n")
        neto.wait_for(lambda: client.get("/note?from=overdue").text.endswith("empty"))
        assert rows(neto, "SELECT kept, kept_path FROM session WHERE kept IS NOT NULL") == []


def test_a_form_is_kept_for_a_quarter_of_an_hour(with_pages: Neto) -> None:
    add_staff(with_pages, "agent", "ana")
    with panel_client(with_pages) as client:
        data = {"username": "ana", "password": PASSWORD, "then": "/note", "kept": NOTED}
        client.post("/login", data=data)
        with_pages.clock.move(minutes=14)
        assert client.get("/note").text.endswith("x")
        with_pages.clock.move(minutes=2)
        assert client.get("/note").text.endswith("empty")


def test_a_form_of_the_largest_size_comes_through_a_login(with_pages: Neto) -> None:
    add_staff(with_pages, "agent", "ana")
    body = b"notes=" + b"%26" * (STRANGERS_LIMIT // 3 - 10)
    with panel_client(with_pages) as client:
        asked = client.post("/note", content=body, headers=FORM)
        data = fields_of(asked) | {"username": "ana", "password": PASSWORD}
        assert client.post("/login", data=data).headers["location"] == "/note"
        assert client.get("/note").text.count("&") == STRANGERS_LIMIT // 3 - 10


def test_a_form_that_is_too_large_to_be_kept_is_said_to_be(with_pages: Neto) -> None:
    large = b"notes=" + b"x" * STRANGERS_LIMIT
    unpackable = b"notes=" + urandom(STRANGERS_LIMIT // 2 - 10).hex().encode()
    with panel_client(with_pages) as client:
        for body in (large, unpackable):
            asked = client.post("/note", content=body, headers=FORM)
            assert asked.status_code == 413
            assert "a form of more than 256 KiB is not kept" in asked.text


@pytest.mark.parametrize(
    "kept", ["x", "notes=x", "é", NOTED[:-8], Form((("a", ""),) * 2_001).pack()]
)
def test_what_no_login_page_kept_is_passed_over(with_pages: Neto, kept: str) -> None:
    add_staff(with_pages, "agent", "ana")
    with panel_client(with_pages) as client:
        data = {"username": "ana", "password": PASSWORD, "then": "/note", "kept": kept}
        assert client.post("/login", data=data).status_code == 303
        assert client.get("/note").text.endswith("empty")
    assert rows(with_pages, "SELECT kept, kept_path FROM session") == [(None, None)]


def test_a_small_packet_is_not_kept_as_a_large_form(with_pages: Neto) -> None:
    add_staff(with_pages, "viewer", "ana")
    for many in (STRANGERS_LIMIT, STRANGERS_LIMIT // 2):  # as it comes, and as it is written down
        text = f"notes={'=' * many}".encode()
        kept = urlsafe_b64encode(zlib.compress(text)).decode()
        assert len(kept) < 1_000
        assert log_in(with_pages, then="/note", kept=kept).status_code == 303
        assert rows(with_pages, "SELECT kept FROM session") == [(None,)]
        with with_pages.store.begin() as connection:
            connection.execute(delete(tables.session))


def test_an_ended_session_and_a_referer_that_is_no_address(with_pages: Neto) -> None:
    with panel_client(with_pages) as client:
        asked = client.post("/note/do", data={"notes": "x"}, headers={"Referer": "http://["})
    assert asked.status_code == 401
    assert fields_of(asked)["then"] == "/"


# -- forms that are long under way --------------------------------------------------------------


def revoked(connection: "Connection", ana: staff.Staff) -> None:
    staff.revoke(connection, ana, NOW)


def demoted(connection: "Connection", ana: staff.Staff) -> None:
    staff.set_role(connection, ana, "viewer")


def promoted(connection: "Connection", ana: staff.Staff) -> None:
    staff.set_role(connection, ana, "admin")


def logged_out(connection: "Connection", ana: staff.Staff) -> None:
    staff.sign_out_everywhere(connection, ana)


@pytest.mark.parametrize(
    ("change", "http_status", "told"),
    [
        (revoked, 401, "Your session ended. What you filled in is kept"),
        (logged_out, 401, "Your session ended. What you filled in is kept"),
        (demoted, 403, "You have the role viewer now. Nothing was done, as it takes agent."),
        (promoted, 403, "You have the role admin now. Nothing was done: go back, and send it"),
    ],
)
def test_a_form_is_taken_only_from_who_may_send_it_when_all_of_it_is_there(
    with_pages: Neto,
    came: threading.Event,
    change: Callable[..., None],
    http_status: int,
    told: str,
) -> None:
    neto = with_pages
    (log_id,) = neto.add({"Notes": "before"})

    def body() -> Iterator[bytes]:
        yield f"log={log_id}&".encode()
        assert came.wait(60)
        ana = add_staff(neto, "agent", "ana")
        with neto.store.begin() as connection:
            change(connection, ana)
        yield b"notes=after"

    with panel_client(neto, new_session(neto, "agent", "ana")) as client:
        answer = client.post("/note", content=body(), headers=FORM)

    assert (answer.status_code, told in answer.text) == (http_status, True)
    assert ("Log out" in answer.text) is (http_status == 403)
    assert neto.log(log_id)["Notes"] == "before"


def test_a_password_that_an_admin_sets_meanwhile_is_the_last(serve: Callable[..., Any]) -> None:
    class Held(Passwords):
        def hash(self, password: str) -> str:
            with neto.store.begin() as connection:
                staff.set_password(connection, ana, super().hash("the admin's own choice"))
            return super().hash(password)

    with serve(passwords=Held(1, 8, 1)) as neto:
        ana = add_staff(neto, "agent", "ana")
        with panel_client(neto, new_session(neto, "agent", "ana")) as client:
            mine = {"before": PASSWORD, "password": NEW_PASSWORD, "again": NEW_PASSWORD}
            assert client.post("/account", data=mine | {"do": "password"}).status_code == 401
        assert log_in(neto, password=NEW_PASSWORD).status_code == 401
        assert log_in(neto, password="the admin's own choice").status_code == 303


def test_who_is_revoked_while_a_password_is_hashed_lets_nobody_in(
    serve: Callable[..., Any],
) -> None:
    class Held(Passwords):
        def hash(self, password: str) -> str:
            with neto.store.begin() as connection:
                staff.revoke(connection, ana, NOW)
            return super().hash(password)

    with serve(passwords=Held(1, 8, 1)) as neto:
        add_staff(neto, "admin", "zoe")
        ana = add_staff(neto, "admin", "ana")
        with panel_client(neto, new_session(neto, "admin", "ana")) as client:
            new = {"username": "mallory", "role": "admin", "password": PASSWORD}
            assert client.post("/staff", data=new).status_code == 401
        assert rows(neto, "SELECT username FROM staff ORDER BY 1") == [("ana",), ("zoe",)]
        assert journal(neto, "CreateStaff") == []


def test_a_write_is_the_apis_own_and_is_told_with_its_undo(with_pages: Neto) -> None:
    neto = with_pages
    (log_id,) = neto.add({"Notes": "before"})
    with panel_client(neto, new_session(neto, "agent", "Ana")) as client:
        answer = client.post("/note", data={"log": str(log_id), "notes": "after"})
        assert neto.log(log_id)["Notes"] == "after"
        request = answer.headers["x-request-id"].replace("-", "")
        found = rows(
            neto,
            "SELECT who, key_id, format, ack, changed, request_body, length(answer_body) > 0 "
            "FROM journal JOIN journal_body USING (site, request) WHERE lower(hex(request)) = ?",
            request,
        )
        body = f'{{"CustomerLogs":{{"CustomerLog":[{{"LogID":{log_id},"Notes":"after"}}]}}}}'
        assert found == [("Ana", 0, "panel", "Success", 1, body.encode(), 1)]
        made = "SELECT who, key_id, lower(hex(request)) FROM revision WHERE number = 2"
        assert rows(neto, made) == [("Ana", None, request)]

        assert "It is noted." in client.get("/").text
        assert "It is noted." not in client.get("/").text

        refused = client.post("/note", data={"log": "99", "notes": "x"})
        assert refused.status_code == 422
        assert "LogID 99" in refused.text


def test_nobody_else_can_say_something_on_a_page(with_pages: Neto) -> None:
    """What was said to one person is not said to another, nor what somebody made up."""
    said = []
    for username in ("ana", "ben"):
        with panel_client(with_pages, new_session(with_pages, "agent", username)) as client:
            (log_id,) = with_pages.add({})
            client.post("/note", data={"log": str(log_id), "notes": "x"})
            said.append(client.cookies["recontact-said"])
    token = new_session(with_pages, "agent", "cara")
    for value in (*said, "", "x", "AAAA" * 20, "e30="):
        with panel_client(with_pages, token) as client:
            client.cookies.set("recontact-said", value)
            answer = client.get("/")
            assert answer.status_code == 200
            assert "It is noted." not in answer.text


def test_a_page_that_fails_tells_where_to_look_and_no_more(
    with_pages: Neto, caplog: pytest.LogCaptureFixture
) -> None:
    with panel_client(with_pages, new_session(with_pages, "viewer")) as client:
        broken = client.get("/broken")
        assert broken.status_code == 500
        assert broken.headers["x-request-id"] in broken.text
        assert "secret of the defect" not in broken.text
        busy = client.get("/busy")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        assert "The disk is full. Try again." in busy.text
        missing = client.get("/nowhere")
        assert (missing.status_code, "There is no such page" in missing.text) == (404, True)
        assert client.get("/nowhere", headers={"Accept": "*/*"}).text == "Not Found"


# -- the first login -----------------------------------------------------------------------------


def test_a_set_up_link_makes_the_first_admin_once(neto: Neto) -> None:
    path = set_up_link(neto)
    with panel_client(neto) as client:
        assert "Your login for" in client.get(path).text
    for wrong, said in (
        ({"again": "x"}, "not the same"),
        ({"password": "short", "again": "short"}, "10 to 1,024"),
        ({"username": " "}, "username"),
    ):
        refused = set_up(neto, path, **wrong)
        assert refused.status_code == 422
        assert said in refused.text

    answer = set_up(neto, path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    with panel_client(neto, token_of(answer)) as client:
        assert "Admin of" in client.get("/account").text
    again = set_up(neto, path, username="mallory")
    assert again.status_code == 410
    assert rows(neto, "SELECT username, role FROM staff") == [("ana", "admin")]
    assert journal(neto, "SetUp") == [("ana", "Success", 303, 0, "panel")]


def test_a_set_up_link_ends_with_the_day_and_with_the_first_login(neto: Neto) -> None:
    path = set_up_link(neto)
    neto.clock.move(hours=25)
    assert set_up(neto, path).status_code == 410
    path = set_up_link(neto)
    add_staff(neto, "viewer", "ben")
    assert set_up(neto, path).status_code == 410
    assert set_up(neto, "/setup/" + "x" * 43).status_code == 410
    assert rows(neto, "SELECT username FROM staff") == [("ben",)]


def test_of_two_at_one_set_up_link_one_is_too_late(neto: Neto) -> None:
    path = set_up_link(neto)
    ready = threading.Barrier(4)
    codes = []

    def come(username: str) -> None:
        ready.wait(60)
        codes.append(set_up(neto, path, username=username).status_code)

    threads = [threading.Thread(target=come, args=(f"name {n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(codes) == [303, 410, 410, 410]
    assert len(rows(neto, "SELECT * FROM staff")) == 1


def test_the_server_prints_the_link_and_no_secret_is_in_its_log_or_journal(
    tmp_path: Path, browser: "Browser"
) -> None:
    """As a newcomer has it: from the first start, in a browser, to the second start."""
    path = tmp_path / "new.db"
    with served(path) as server, watched(browser) as page:
        Neto.wait_for(lambda: "Add a log" in server.out.text)
        link = re.findall(r"http://\S+/setup/\S+", server.out.text)[0]
        page.goto(link)
        page.get_by_label("Username").fill("ana")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The same password again").fill(PASSWORD)
        page.get_by_role("button", name="Begin").click()
        page.get_by_text("Welcome, ana.").wait_for()
        (cookie,) = [c for c in page.context.cookies() if c["name"] == "recontact"]
        page.get_by_text("ana", exact=True).click()
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("Username").fill("ana")
        page.get_by_label("Password").fill("a wrong password")
        page.get_by_role("button", name="Log in").click()
        page.get_by_text(WRONG).wait_for()
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="Queue").wait_for()
        assert server.stop() == 0
        log = server.err.whole() if server.err else ""
    secrets = [PASSWORD, "a wrong password", link.rpartition("/")[2], cookie["value"]]
    assert '"path":"/setup/…"' in log
    files = [one.read_bytes() for one in tmp_path.glob("new.db*")]
    for secret in secrets:
        assert secret not in log
        assert not any(secret.encode() in file for file in files)
    with served(path) as server:
        Neto.wait_for(lambda: "Make a key" in server.out.text)
        assert "/setup/" not in server.out.text
        # Who starts it again is told where the panel is, and what helps if nobody knows a login.
        assert f"The control panel is at {server.url}/\n" in server.out.text
        (command,) = re.findall(r"If nobody can log in there: \S+ (.*)", server.out.text)
    command = command.replace("NAME", "ben")
    made = subprocess.run(
        [*RECONTACT, *command.split()], input=f"{PASSWORD}\n", capture_output=True, text=True
    )
    assert made.stdout.startswith("ben can log in to site "), made


# -- what a page may do, and what it shows -------------------------------------------------------


def test_pages_bring_a_strict_policy_and_nothing_inline(shared: Neto) -> None:
    token = new_session(shared, "admin", "policy")
    for path in ("/", "/account", "/login", "/setup/x"):
        with panel_client(shared, "" if path == "/login" else token) as client:
            answer = client.get(path)
        policy = answer.headers.get_list("content-security-policy")
        assert policy == [
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        ours = '<script type="module" blocking="render" src='
        text = answer.text.replace(ours, "")
        assert len(text) < len(answer.text)
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script", text)
    assert "form-action 'none'" in shared.http.get("/docs/api").headers["content-security-policy"]


@pytest.mark.parametrize("name", ["panel.css", "panel.js"])
def test_static_files_are_packed_for_those_who_can_unpack_them(shared: Neto, name: str) -> None:
    plain = shared.http.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
    packed = shared.http.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})

    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    assert packed.content == plain.content  # httpx unpacks it
    for answer in (plain, packed):
        assert answer.headers["vary"] == "accept-encoding"


def test_static_files_are_kept_by_browsers_until_they_change(shared: Neto) -> None:
    found = re.findall(r'(?:href|src)="(/static/[^"]+)"', shared.http.get("/login").text)
    assert len(found) == 2
    for address in found:
        answer = shared.http.get(address)
        assert "immutable" in answer.headers["cache-control"]
        path = address.partition("?")[0]
        plain = shared.http.get(path)
        assert plain.headers["cache-control"] == "no-cache"
        known = {"If-None-Match": plain.headers["etag"]}
        assert shared.http.get(path, headers=known).status_code == 304
    for path in ("/static/x.css", "/static/../panel.py", "/static/%2e%2e/panel.py"):
        assert shared.http.get(path).status_code == 404


def test_names_are_shown_as_text_whatever_is_in_them(neto: Neto, page: "Page") -> None:
    with neto.store.begin() as connection:
        site = keys.first_site(connection, neto.clock.now())
        keys.set_site(connection, site, name=HOSTILE)
    username = f"{HOSTILE} \u05e9\u05dc\u05d5\u05dd 🪑"
    signed_in(page, neto, "admin", username)
    page.context.set_extra_http_headers({"user-agent": HOSTILE})
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for path in ("/", "/account", "/nowhere"):
        page.goto(neto.url + path)
        assert page.locator("img").count() == 0
    page.goto(f"{neto.url}/account")
    assert page.get_by_role("heading", level=1).inner_text() == username
    assert HOSTILE in page.title()
    page.context.clear_cookies()
    page.goto(f"{neto.url}/login?site={quote(HOSTILE)}&next=/{quote(HOSTILE)}")
    assert page.get_by_role("heading", level=1).inner_text() == HOSTILE
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Log in").click()
    assert page.get_by_label("Username").input_value() == username
    assert page.locator("img").count() == 0


def test_a_person_sees_their_own_shop_alone(neto: Neto) -> None:
    with another_site(neto, "Australia/Sydney") as there:
        number = site_of(there)
        with neto.store.begin() as connection:
            harbour = keys.find_site(connection, str(number))
        mine, theirs = new_session(neto, "admin", "ana"), new_session(neto, "admin", "ana", harbour)
        for token, shop, zone in (
            (mine, "Shop", "UTC"),
            (theirs, harbour.name, "Australia/Sydney"),
        ):
            with panel_client(neto, token) as client:
                text = client.get("/account").text
            assert f"Admin of <bdi>{shop}</bdi>. Times are in {zone}." in text
            assert text.count("Firefox on Linux") == 1


# -- in a browser --------------------------------------------------------------------------------


@pytest.mark.parametrize("has_scripts", [True, False], ids=["with JavaScript", "without"])
def test_in_and_out_and_another_password(neto: Neto, browser: "Browser", has_scripts: bool) -> None:
    add_staff(neto, "agent", "ana")
    with watched(browser, java_script_enabled=has_scripts) as page:
        page.goto(f"{neto.url}/account")
        page.get_by_label("Username").fill("ana")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{neto.url}/account")
        page.get_by_label("The password that you have now").fill(PASSWORD)
        page.get_by_label("The new password", exact=True).fill(NEW_PASSWORD)
        page.get_by_label("The new password again").fill(NEW_PASSWORD)
        page.get_by_role("button", name="Change password").click()
        page.get_by_text("Your password is changed").wait_for()
        page.get_by_role("button", name="Log out everywhere").click()
        page.get_by_text("You are logged out.").wait_for()
        page.go_back()
        page.wait_for_url(re.compile("/login"))
        assert page.get_by_label("The password that you have now").count() == 0


def test_by_keyboard_alone(neto: Neto, page: "Page") -> None:
    add_staff(neto, "agent", "ana")
    press = page.keyboard.press
    page.goto(f"{neto.url}/account")
    page.locator("#username:focus").wait_for()  # the first field gets the focus when it is drawn
    page.keyboard.type("ana")
    press("Tab")
    page.keyboard.type(PASSWORD)
    press("Enter")
    page.wait_for_url(f"{neto.url}/account")
    press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the page"
    press("Enter")
    assert page.locator(":focus").get_attribute("id") == "main"
    press("Tab")
    assert page.locator(":focus").get_attribute("id") == "before"
    page.keyboard.type("gq/z")  # in a field keys are text
    assert page.get_by_label("The password that you have now").input_value() == "gq/z"
    page.locator("#main").focus()
    press("g")
    press("q")
    page.get_by_role("heading", name="Queue").wait_for()
    page.wait_for_load_state()
    page.locator(".mine summary").focus()
    press("Enter")
    page.get_by_role("link", name="Your details").wait_for()
    press("Tab")
    press("Escape")
    assert page.locator(":focus").inner_text() == "ana"
    assert not page.get_by_role("link", name="Your details").is_visible()
    press("Enter")
    press("Tab")
    press("Tab")
    assert page.locator(":focus").inner_text() == "Log out"
    press("Enter")
    page.get_by_text("You are logged out.").wait_for()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing(neto: Neto, browser: "Browser", scheme: str, width: int) -> None:
    link = set_up_link(neto)
    size = {"width": width, "height": 800}
    with watched(browser, color_scheme=scheme, viewport=size, has_touch=width < 720) as page:

        def looks_right() -> None:
            assert violations(page) == []
            overflow = page.evaluate("document.documentElement.scrollWidth > innerWidth")
            assert not overflow

        page.goto(neto.url + link)
        looks_right()
        page.get_by_label("Username").fill("ana")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("The same password again").fill("another password")
        page.get_by_role("button", name="Begin").click()
        page.get_by_text("The two passwords are not the same.").wait_for()
        looks_right()
        page.goto(f"{neto.url}/login")
        looks_right()
        page.get_by_label("Username").fill("ana")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.get_by_text(WRONG).wait_for()
        looks_right()
        signed_in(page, neto, "viewer", "a very long name of somebody who works here")
        for path in ("/", "/account", "/nowhere", link):
            page.goto(neto.url + path)
            looks_right()
