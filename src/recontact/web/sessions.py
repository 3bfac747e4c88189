"""Who is signed in, what they may, and whether a form came from a page of ours."""

import logging
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from typing import Final
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Match

from recontact.addresses import home_of
from recontact.body import ClientGoneError
from recontact.messages import RefusedError
from recontact.store import staff
from recontact.store.staff import KEPT_FOR, SignedIn
from recontact.web.forms import PACKED_LIMIT, SECRETS, STRANGERS_LIMIT, Form, FormError
from recontact.web.panel import (
    COOKIE,
    Panel,
    Person,
    SessionChangedError,
    address_of,
    id_of,
    is_secure,
    panel_of,
    path_of,
    set_cookie,
    token_of,
)

logger = logging.getLogger("recontact")

Handler = Callable[[Request], Awaitable[Response]]
SEEN_EVERY: Final = timedelta(minutes=5)
"""How often it is noted that a session is used."""
_GET: Final = ("GET", "HEAD")
# A second slash, or a backslash that is read as one, would begin a host (WHATWG URL §4.4).
_LOCAL: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")


def page(handler: Handler, role: str = "viewer", *, shows_once: bool = False) -> Handler:
    """
    A page for those who are signed in and have at least that role: `person_of(request)`.

    request.state.kept: a Form that was filled in here before the person had to log in again, for
    the page to be shown with until a form is sent, or once if shows_once; else None. Others are
    asked to log in, or told that it takes another role; also those whose session ended, or whose
    role changed, while their form was on its way.
    """

    @wraps(handler)
    async def run(request: Request) -> Response:
        panel = panel_of(request)
        signed = await who(request)
        if signed is None:
            return await ask_to_log_in(request)
        session, one, site = signed
        request.state.person = Person(one.staff_id, site, one.username, one.role)
        if not one.role.may(role):
            return panel.problem(
                request,
                403,
                f"This takes the role {role}",
                f"You have the role {one.role}. An admin of your shop can change that under Staff.",
            )
        request.state.kept = _kept(request, signed, panel)
        try:
            response = await handler(request)
        except SessionChangedError as error:
            return await _changed(request, error.signed, role)
        is_over = session.kept is not None and (
            request.method not in _GET or (shows_once and request.state.kept is not None)
        )
        if is_over or panel.now - session.seen_at >= SEEN_EVERY:
            response.background = BackgroundTask(_note_seen, panel, session.digest, is_over)
        return response

    return open_page(run)


def open_page(handler: Handler) -> Handler:
    """A page for everyone, also those who are not signed in: only its forms must be ours."""

    @wraps(handler)
    async def run(request: Request) -> Response:
        panel = panel_of(request)
        if request.method not in _GET and not is_ours(request):
            response: Response = panel.problem(
                request,
                403,
                "That form came from another site",
                "Nothing was done. Forms are taken from pages of this address alone. If you did "
                "send it from here, the proxy in front of this server must pass the header Host on "
                "as it came.",
            )
            return _unread(response)
        request_id = str(UUID(bytes=id_of(request)))
        try:
            return await handler(request)
        except FormError as error:
            return _unread(panel.problem(request, error.http_status, "Not taken", str(error)))
        except RefusedError as refusal:
            return _refused(request, panel, refusal)
        except (ClientGoneError, ClientDisconnect):
            return Response(status_code=400)  # there is nobody to read it
        except Exception:
            facts = {"request_id": request_id}
            logger.exception("a page failed", extra={"facts": facts})
            return panel.problem(
                request,
                500,
                "That failed",
                "It is a defect of this server. Look whether what you wanted is done before you "
                f"try again. The server's log has the details, under {request_id}.",
            )

    return run


def is_ours(request: Request) -> bool:
    """
    Whether a form came from a page of this very host.

    Browsers say so in Origin; where that is left out, in Sec-Fetch-Site (OWASP, "Cross-Site Request
    Forgery Prevention", "Using Standard Headers to Verify Origin").
    """
    origins = request.headers.getlist("origin")
    if not origins:
        return request.headers.getlist("sec-fetch-site") == ["same-origin"]
    host = request.headers.get("host", "").lower()
    ours = [f"https://{host}"]
    if not is_secure(request):  # or https, to a proxy that does not say so
        ours.append(f"http://{host}")
    return len(origins) == 1 and origins[0].lower() in ours


async def who(request: Request) -> SignedIn | None:
    """Whose session the request is in."""
    panel = panel_of(request)
    if not (token := token_of(request)):
        return None
    now = panel.now
    return await panel.store.look(lambda connection: staff.signed_in(connection, token, now))


async def _changed(request: Request, signed: SignedIn | None, needed: str) -> Response:
    if signed is None:
        request.state.person = None
        return await ask_to_log_in(request)
    role = signed.staff.role
    again = ": go back, and send it again" if role.may(needed) else f", as it takes {needed}"
    sentence = f"You have the role {role} now. Nothing was done{again}."
    return panel_of(request).problem(request, 403, "Your role was changed meanwhile", sentence)


async def ask_to_log_in(request: Request) -> Response:
    """The way to the login, and back; of a form that was sent, with what was filled in."""
    from recontact.web.login import login_page

    panel = panel_of(request)
    if request.method in _GET:
        path = path_of(request)
        return RedirectResponse("/login" if path == "/" else f"/login?next={quote(path, '/')}", 303)
    form = getattr(request.state, "form", None)
    if form is None:
        if wait := panel.forms_of_strangers.take(home_of(address_of(request))):
            return too_often(request, wait)
        try:
            form = await panel.form(request)
        except RefusedError as refusal:
            if refusal.http_status != 413:
                raise
            return _too_long(request)
    form = form.without(SECRETS)
    kept = form.pack()
    if len(form.encode()) > STRANGERS_LIMIT or len(kept) > PACKED_LIMIT:
        return _too_long(request)
    return await login_page(request, 401, then=_shows(request), kept=kept)


def too_often(request: Request, wait: int) -> Response:
    """What is said to an address that sends more forms without a session than are read."""
    sentence = f"Go back, wait {wait} s, and send it again. Nothing was done."
    response = panel_of(request).problem(request, 429, "That was tried too often", sentence)
    response.headers["retry-after"] = str(wait)
    return _unread(response)


def _too_long(request: Request) -> Response:
    return _unread(
        panel_of(request).problem(
            request,
            413,
            "You were logged out before this was done",
            f"Nothing was done, and a form of more than {STRANGERS_LIMIT // 1024} KiB is not kept "
            "until you are back: go back, copy what you wrote, log in, and put it in again.",
        )
    )


def _shows(request: Request) -> str:
    """The page that shows the form which was sent here: this one, or the one it was on."""
    try:
        referer = urlsplit(request.headers.get("referer", ""))
    except ValueError:  # anybody can write anything there
        referer = urlsplit("")
    before = referer.path + (f"?{referer.query}" if referer.query else "")
    for path in (path_of(request), before):
        if local(path) and _has_page(request, path.partition("?")[0]):
            return path
    return "/"


def _has_page(request: Request, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": unquote(path), "root_path": ""}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def local(path: str) -> bool:
    """Whether a path is one of this host, however a browser may read it."""
    return bool(_LOCAL.fullmatch(path))


def let_in(request: Request, response: Response, token: str) -> None:
    """Give the browser a session's token."""
    set_cookie(response, request, COOKIE, token, int(staff.WHOLE.total_seconds()))


def let_out(request: Request, response: Response) -> None:
    """Take a session's token from the browser."""
    set_cookie(response, request, COOKIE, "", 0)


def _kept(request: Request, signed: SignedIn, panel: Panel) -> Form | None:
    session = signed.session
    if session.kept is None or request.method not in _GET:
        return None
    if session.kept_path != path_of(request) or panel.now - session.created_at > KEPT_FOR:
        return None
    return Form.parse(session.kept)


async def _note_seen(panel: Panel, digest: bytes, forget: bool) -> None:
    now = panel.now
    try:
        await panel.store.administer(
            lambda connection: staff.seen(connection, digest, now, forget=forget)
        )
    except Exception as error:  # whatever it is, the page was answered
        facts = {"why": str(error)}
        logger.error("that a session is used could not be noted", extra={"facts": facts})


def _refused(request: Request, panel: Panel, refusal: RefusedError) -> Response:
    detail = refusal.message.description.rpartition(" [")[0]
    detail = detail.replace("Send the call again", "Try again").replace("the call", "it")
    response = panel.problem(request, refusal.http_status, refusal.message.text, detail)
    if refusal.retry_after:
        response.headers["retry-after"] = str(refusal.retry_after)
    return _unread(response) if refusal.http_status in (408, 413) else response


def _unread(response: Response) -> Response:
    """An answer before the body was read: the rest of it must not be taken for a request."""
    response.headers["connection"] = "close"
    return response
