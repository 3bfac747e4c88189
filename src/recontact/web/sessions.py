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

from recontact.body import ClientGoneError
from recontact.messages import RefusedError
from recontact.store import staff
from recontact.store.staff import KEPT_FOR, SignedIn
from recontact.web.forms import SECRETS, Form, FormError
from recontact.web.panel import (
    COOKIE,
    Panel,
    Person,
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


def page(handler: Handler, role: str = "viewer") -> Handler:
    """
    A page for those who are signed in and have at least that role: `person_of(request)`.

    request.state.kept: a Form that was filled in here before the person had to log in again, for
    the page to be shown with; else None. Others are asked to log in, or told that it takes another
    role.
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
        response = await handler(request)
        is_sent = request.method not in _GET and session.kept is not None
        if is_sent or panel.now - session.seen_at >= SEEN_EVERY:
            response.background = BackgroundTask(_note_seen, panel, session.digest, is_sent)
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


async def ask_to_log_in(request: Request) -> Response:
    """The way to the login, and back; of a form that was sent, with what was filled in."""
    from recontact.web.login import login_page

    panel = panel_of(request)
    if request.method in _GET:
        path = path_of(request)
        return RedirectResponse("/login" if path == "/" else f"/login?next={quote(path, '/')}", 303)
    form = await panel.form(request)
    return await login_page(request, 401, then=_shows(request), kept=form.without(SECRETS).encode())


def _shows(request: Request) -> str:
    """The page that shows the form which was sent here: this one, or the one it was on."""
    referer = urlsplit(request.headers.get("referer", ""))
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


async def _note_seen(panel: Panel, digest: bytes, is_sent: bool) -> None:
    now = panel.now
    try:
        await panel.store.administer(
            lambda connection: staff.seen(connection, digest, now, forget=is_sent)
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
