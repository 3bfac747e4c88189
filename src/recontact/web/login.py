"""Logging in and out, the first login of a site, and a person's own details."""

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recontact.addresses import home_of
from recontact.model import Site, fold
from recontact.store import Connection, staff
from recontact.store.journal import enter
from recontact.store.keys import sites
from recontact.store.staff import Role, Staff, StaffError
from recontact.web.forms import Form
from recontact.web.panel import Panel, address_of, panel_of, person_of, token_of
from recontact.web.sessions import let_in, let_out, local, too_often, who

_MOST: Final = 10
"""People of one name, on as many sites, whose passwords are compared with the one that came."""
_SHORT: Final = 16_384
"""Bytes of a login, and of a form that it keeps, that are read however many came before."""
_WRONG: Final = "The username or the password is not right."


# -- in ------------------------------------------------------------------------------------------


async def login(request: Request) -> Response:
    """Who comes with a username and a password gets a session, and goes on where they wanted."""
    panel = panel_of(request)
    if request.method != "POST":
        then = request.query_params.get("next", "/")
        if await who(request):
            return RedirectResponse(then if local(then) else "/", 303)
        left = "You are logged out." if "out" in request.query_params else ""
        return await login_page(request, then=then, notice=left)
    home = home_of(address_of(request))
    wait = panel.tries_of_address.take(home)
    if wait and not _is_short(request):
        return too_often(request, wait)
    form = await panel.form(request)
    username, password = form.get("username").strip(), form.get("password")
    if wait := wait or panel.tries.take((home, fold(username[:200]))):
        text = f"That was tried too often. Try again in {wait} s."
        response = await _again(request, form, text, 429)
        response.headers["retry-after"] = str(wait)
        return response
    found, known = await panel.store.look(lambda c: (staff.named(c, username), sites(c)))
    if chosen := form.get("site"):
        found = [o for o in found if chosen in (str(o.site), known[o.site].name)]
    found = found[:_MOST]
    right = await panel.aside(lambda: _right(panel, found, password))
    if len(right) == 1:
        return await _sign_in(request, form, right[0], known[right[0].site])
    if right:
        shops = [known[one.site] for one in right]
        return await _again(request, form, "Which of your shops?", 401, shops)
    _note_failure(request, found, known)
    return await _again(request, form, _WRONG, 401)


def _is_short(request: Request) -> bool:
    """Whether a form is read for somebody who is to wait, so that what it holds is there again."""
    length = request.headers.get("content-length", "")
    return length.isdecimal() and len(length) <= len(str(_SHORT)) and int(length) <= _SHORT


def _right(panel: Panel, found: Sequence[Staff], password: str) -> list[Staff]:
    """Those whose password that is. A name that nobody has takes as long as another."""
    nobodys = panel.nobodys
    if not found:
        panel.passwords.matches(password, nobodys)
    return [one for one in found if panel.passwords.matches(password, one.password)]


async def _sign_in(request: Request, form: Form, one: Staff, site: Site) -> Response:
    panel = panel_of(request)
    then, kept = _then(form), Form.unpack(form.get("kept"))
    entry = panel.entry(request, "Login", site=site, who=one.username, http_status=303)
    before, now = token_of(request), panel.now

    def begin(connection: Connection) -> str:
        staff.sign_out(connection, before)
        token = staff.sign_in(
            connection,
            one,
            now,
            address=address_of(request),
            agent=request.headers.get("user-agent", ""),
            kept_path=then if kept else None,
            kept=kept.encode() if kept else None,
        )
        enter(connection, entry)
        return token

    try:
        token = await panel.store.administer(begin)
    except StaffError as error:
        return await _again(request, form, str(error), 401)
    # The queue says itself what to do with what was chosen there.
    is_shown = kept and then.partition("?")[0] != "/"
    text = "This is what you had filled in. It is not saved yet." if is_shown else ""
    response = panel.redirect(request, then, text, token=token)
    let_in(request, response, token)
    return response


def _note_failure(request: Request, found: Sequence[Staff], known: dict[int, Site]) -> None:
    """
    Enter a login that failed in the journal, written behind.

    What was typed as a name that nobody has is not kept: it may be a password.
    """
    panel = panel_of(request)
    failed: list[tuple[Site, str | None]] = [(known[one.site], one.username) for one in found]
    if not failed and len(known) == 1:
        failed = [(site, None) for site in known.values()]
    for site, name in failed:
        entry = panel.entry(request, "Login", site=site, who=name, http_status=401, ack="Error")
        panel.store.note(entry)


def _then(form: Form) -> str:
    then = form.get("then", "/")
    return then if local(then) and not then.startswith(("/login", "/logout")) else "/"


async def _again(
    request: Request, form: Form, problem: str, http_status: int, shops: Sequence[Site] = ()
) -> Response:
    return await login_page(
        request,
        http_status,
        then=_then(form),
        kept=form.get("kept"),
        username=form.get("username"),
        problem=problem,
        shops=shops,
        shop=form.get("site"),
    )


async def login_page(
    request: Request,
    http_status: int = 200,
    *,
    then: str = "/",
    kept: str = "",
    username: str = "",
    problem: str = "",
    notice: str = "",
    shops: Sequence[Site] = (),
    shop: str = "",
) -> Response:
    """
    The page to log in on, which leads on to `then`.

    kept: a form that was filled in there, packed. shops: to choose from, where several have such a
    person. shop: the one that is chosen, by name or number.
    """
    panel = panel_of(request)
    known = await panel.store.look(sites)
    return panel.render(
        request,
        "login.html",
        http_status,
        heading=next(iter(known.values())).name if len(known) == 1 else "recontact",
        then=then if local(then) else "/",
        kept=kept,
        username=username,
        problem=problem,
        notice=notice,
        shops=shops,
        shop=shop or request.query_params.get("site", ""),
    )


# -- out -----------------------------------------------------------------------------------------


async def logout(request: Request) -> Response:
    """End the session, and what the browser keeps of it."""
    panel = panel_of(request)
    response = RedirectResponse("/login?out", 303)
    if signed := await who(request):
        token = token_of(request)
        entry = panel.entry(
            request, "Logout", site=signed.site, who=signed.staff.username, http_status=303
        )

        def end(connection: Connection) -> None:
            staff.sign_out(connection, token)
            enter(connection, entry)

        await panel.store.administer(end)
    let_out(request, response)
    return response


# -- the first login -----------------------------------------------------------------------------


async def set_up(request: Request) -> Response:
    """Make the first login of a site, an admin's, with the link that the server printed."""
    panel = panel_of(request)
    link, now = request.path_params["token"], panel.now
    site = await panel.store.look(lambda connection: staff.to_set_up(connection, link, now))
    if site is None:
        return _over(request)
    if request.method != "POST":
        return panel.render(request, "setup.html", shop=site, username="", problem="")
    form = await panel.form(request)
    username, password = form.get("username").strip(), form.get("password")

    def again(problem: str) -> Response:
        return panel.render(
            request, "setup.html", 422, shop=site, username=username, problem=problem
        )

    if password != form.get("again"):
        return again("The two passwords are not the same.")
    try:
        kept = await panel.aside(lambda: panel.passwords.hash(password))
        entry = panel.entry(request, "SetUp", site=site, who=username, http_status=303)

        def begin(connection: Connection) -> str | None:
            if staff.to_set_up(connection, link, now) is None:  # somebody was quicker
                return None
            one = staff.add(connection, site, username, Role.ADMIN, kept, now)
            enter(connection, entry)
            return staff.sign_in(
                connection,
                one,
                now,
                address=address_of(request),
                agent=request.headers.get("user-agent", ""),
            )

        token = await panel.store.administer(begin)
    except StaffError as error:
        return again(str(error))
    if token is None:
        return _over(request)
    response = panel.redirect(request, "/", f"Welcome, {username}.", token=token)
    let_in(request, response, token)
    return response


def _over(request: Request) -> Response:
    return panel_of(request).problem(
        request,
        410,
        "This link is over",
        "A set-up link makes the first login of a shop: once, and within 24 hours. If there is no "
        "login yet, start the server again and it prints a new link; or make one with: recontact "
        "staff create --username NAME --role admin",
    )


# -- one's own details ---------------------------------------------------------------------------


async def account(request: Request) -> Response:
    """A person's own details: another password, their sessions, and an end to all of them."""
    if request.method != "POST":
        return await _account_page(request)
    form = await panel_of(request).form(request)
    match form.get("do"):
        case "password":
            return await _change_password(request, form)
        case "sign-out":
            return await _sign_out_everywhere(request)
    return await _account_page(request, 422, "Choose what to do.")


async def _account_page(request: Request, http_status: int = 200, problem: str = "") -> Response:
    panel, person, now = panel_of(request), person_of(request), panel_of(request).now
    known = await panel.store.look(lambda c: staff.sessions(c, person.staff_id, now))
    this = staff.digest_of(token_of(request))
    return panel.render(
        request, "account.html", http_status, problem=problem, sessions=known, this=this
    )


async def _change_password(request: Request, form: Form) -> Response:
    panel, person = panel_of(request), person_of(request)
    before, password = form.get("before"), form.get("password")
    if wait := panel.tries.take(person.staff_id):
        return await _account_page(request, 429, f"Try again in {wait} s.")
    if password != form.get("again"):
        return await _account_page(request, 422, "The two new passwords are not the same.")
    one = await panel.store.look(lambda c: staff.find(c, person.site, person.username))
    if not await panel.aside(lambda: panel.passwords.matches(before, one.password)):
        panel.store.note(panel.entry(request, "ChangePassword", http_status=422, ack="Error"))
        return await _account_page(request, 422, "The password that you have now is another.")
    now = panel.now

    def change(connection: Connection) -> str:
        staff.set_password(connection, one, kept)
        return staff.sign_in(
            connection,
            staff.find(connection, person.site, person.username),
            now,
            address=address_of(request),
            agent=request.headers.get("user-agent", ""),
        )

    try:
        kept = await panel.aside(lambda: panel.passwords.hash(password))
        token = await panel.administer(request, "ChangePassword", None, change)
    except StaffError as error:
        return await _account_page(request, 422, str(error))
    text = "Your password is changed. You are logged out everywhere else."
    response = panel.redirect(request, "/account", text, token=token)
    let_in(request, response, token)
    return response


async def _sign_out_everywhere(request: Request) -> Response:
    panel, person = panel_of(request), person_of(request)

    def end(connection: Connection) -> None:
        one = staff.find(connection, person.site, person.username)
        staff.sign_out_everywhere(connection, one)

    await panel.administer(request, "SignOutEverywhere", None, end)
    response = RedirectResponse("/login?out", 303)
    let_out(request, response)
    return response
