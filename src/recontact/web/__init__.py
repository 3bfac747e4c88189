"""The control panel: pages for the staff of a shop (SPEC §11)."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from recontact.web import (
    customers,
    find,
    followups,
    keys,
    login,
    logs,
    new_log,
    outcomes,
    printed,
    requests,
    saving,
    settings,
    staff,
    undoing,
)
from recontact.web.panel import REQUEST_ID, STATIC, Panel, packed_file, panel_of, static_file
from recontact.web.sessions import open_page, page

__all__ = ["REQUEST_ID", "Panel", "not_found", "routes"]

_BOTH = ["GET", "POST"]


def routes() -> list[Route]:
    """Every page of the panel; their app's `state.panel` is a Panel."""
    return [
        Route("/", page(followups.queue, shows_once=True), methods=["GET"]),
        Route("/", page(followups.act, "agent"), methods=["POST"]),
        Route("/many", page(followups.many, "agent"), methods=["GET"]),
        Route("/many", page(followups.do_many, "agent"), methods=["POST"]),
        Route("/views", page(followups.views), methods=["POST"]),
        Route("/account", page(login.account), methods=_BOTH),
        Route("/keys", page(keys.all_keys, "admin"), methods=_BOTH),
        Route("/keys/{number}/made", page(keys.made, "admin"), methods=_BOTH),
        Route("/keys/{number}/revoke", page(keys.revoke, "admin"), methods=_BOTH),
        Route("/customers", page(customers.everyone)),
        Route("/customers/{username:path}", page(customers.one)),
        Route("/find", page(find.find)),
        Route("/left/{id}", page(outcomes.left, "agent")),
        Route("/login", open_page(login.login), methods=_BOTH),
        Route("/logs/new", page(new_log.new, "agent"), methods=_BOTH),
        Route("/logs/{log_id}", page(logs.show), methods=["GET"]),
        Route("/logs/{log_id}", page(saving.change, "agent"), methods=["POST"]),
        Route("/logout", open_page(login.logout), methods=["POST"]),
        Route("/print", page(printed.printed)),
        Route("/requests", page(requests.everything, "admin")),
        Route("/requests/{id}", page(requests.one, "admin")),
        Route("/requests/{id}/{which}", page(requests.body, "admin")),
        Route("/settings", page(settings.settings, "admin"), methods=_BOTH),
        Route("/setup/{token}", open_page(login.set_up), methods=_BOTH),
        Route("/staff", page(staff.everyone, "admin"), methods=_BOTH),
        Route("/staff/{number}", page(staff.one_person, "admin"), methods=_BOTH),
        Route("/static/{name}", static),
        Route("/undo", page(undoing.undo, "agent"), methods=_BOTH),
    ]


async def not_found(request: Request, _error: Exception) -> Response:
    """What is said where there is no page: to people in a page, to programs in two words."""
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse("Not Found", 404)
    sentence = "It may have been moved or withdrawn, or the address is not whole."
    return panel_of(request).problem(request, 404, "There is no such page", sentence)


async def static(request: Request) -> Response:
    """A style sheet or a script."""
    name = request.path_params["name"]
    if name not in STATIC:
        return PlainTextResponse("Not Found", 404)
    body, version = static_file(name)
    is_this = request.query_params.get("v") == version
    headers = {
        "etag": f'W/"{version}"',  # weak: it is the same, packed or not
        "vary": "accept-encoding",
        "cache-control": "public, max-age=31536000, immutable" if is_this else "no-cache",
    }
    if headers["etag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        body, headers["content-encoding"] = packed_file(name), "gzip"
    return Response(body, media_type=STATIC[name], headers=headers)
