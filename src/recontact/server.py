"""The server as one ASGI app: the API's address before all, beside it the panel and health."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from recontact import actions, web
from recontact.addresses import client_address, client_scheme
from recontact.body import REFUSAL
from recontact.clock import SYSTEM, Clock, new_request_id
from recontact.config import Config
from recontact.counting import Requests
from recontact.logger import request_log
from recontact.neto_api import Exchange, NetoEndpoint, is_endpoint
from recontact.store import JournalLimits, Store
from recontact.store.staff import PASSWORDS, Passwords

logger = logging.getLogger("recontact")

KEYS_EVERY: Final = 0.5
"""Seconds after which a new or revoked key counts."""
_SAFE: Final = (
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
        b"form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
"""
What a browser may do with a page of ours, unless that says otherwise: show it, with the sheet of
this server.
"""
_SET_UP: Final = "/setup/"
"""The beginning of paths of which no more is logged."""


def create_app(
    store: Store, config: Config, clock: Clock = SYSTEM, passwords: Passwords = PASSWORDS
) -> ASGIApp:
    """The whole server as an ASGI app; its lifespan starts and stops the store."""
    line = request_log()
    requests = Requests()

    def log(exchange: Exchange) -> None:
        exchange.log(line, requests)

    neto_api = NetoEndpoint(store, config, clock, log)
    keys_at = 0.0
    page = _PAGE.replace("ACTIONS", ", ".join(actions.ACTIONS))

    async def healthz(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(request: Request) -> Response:
        if await store.can_write():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "the database cannot be written"}, 503)

    def metrics(request: Request) -> Response:
        """In a thread, where Starlette runs it: it takes some 3 ms."""
        from recontact.metrics import MEDIA_TYPE, exposition

        return Response(exposition(requests, store.figures(), keys_at), media_type=MEDIA_TYPE)

    async def take_keys() -> None:
        nonlocal keys_at
        neto_api.take(await store.keys())
        keys_at = clock.now().timestamp()

    async def lifespan(receive: Receive, send: Send) -> None:
        """Start the store and stop it, as the ASGI server says (ASGI lifespan protocol 2.0)."""
        await receive()
        store.start(clock.elapsed)
        try:
            await take_keys()
        except Exception as error:  # whatever it is, without keys nobody could come in
            failed = f"The keys could not be read: {error}"
            await send({"type": "lifespan.startup.failed", "message": failed})
            return
        refreshing = asyncio.create_task(_keep_fresh(take_keys))
        await send({"type": "lifespan.startup.complete"})
        with suppress(asyncio.CancelledError):  # the server ends by force
            await receive()
        refreshing.cancel()
        await store.stop()
        panel.close()
        await send({"type": "lifespan.shutdown.complete"})

    others = Starlette(
        routes=[
            *web.routes(),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            Route("/docs", described),
            Route("/docs/{page}", described),
            Route("/openapi.json", described),
            Route("/assets/{file:path}", described),
        ],
        exception_handlers={404: web.not_found},
    )
    # It would lead from /keys/ to whatever host the client names.
    others.router.redirect_slashes = False
    panel = web.Panel(
        store,
        clock,
        new_request_id,
        notes_limit=config.notes_limit,
        passwords=passwords,
        journal=JournalLimits(config.journal_days, config.journal_size),
    )
    others.state.panel = panel

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        if config.trusted_proxies.networks and scope.get("client"):
            peer, port = scope["client"]
            if scheme := client_scheme(peer, scope["headers"], config.trusted_proxies):
                scope["scheme"] = scheme
            address = client_address(peer, scope["headers"], config.trusted_proxies)
            scope["client"] = address, port
        if not is_endpoint(scope["path"]) and REFUSAL not in scope:
            await _logged(others, scope, receive, send, clock, log)
        elif scope["method"] == "GET" and _is_browser(scope):
            about = HTMLResponse(page, 405, {"allow": "POST, OPTIONS"})
            await _logged(about, scope, receive, send, clock, log)
        else:
            await neto_api(scope, receive, send)

    return app


def described(request: Request) -> Response:
    """
    The pages, OpenAPI and XSD that describe the API.

    Starlette runs it in a thread: a page takes 0.2 s to make when it is first asked for.
    """
    # Imported here, not at the start: few servers are asked for a page.
    from recontact.describe.served import document

    found = document(request.scope["path"])
    if found is None:
        return PlainTextResponse("Not Found", 404)
    headers = {"etag": found.etag, "cache-control": "no-cache"}
    if found.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)


def _is_browser(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


async def _logged(
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    clock: Clock,
    log: Callable[[Exchange], None],
) -> None:
    """Run `app` with an X-Request-Id and what browsers must heed on its answer; log a line."""
    exchange = Exchange.begin(scope, clock)
    scope[web.REQUEST_ID] = exchange.id
    if exchange.path.startswith(_SET_UP):
        exchange.path = f"{_SET_UP}…"

    async def noting(message: Message) -> None:
        if message["type"] == "http.response.start":
            exchange.http_status = message["status"]
            own = message.get("headers", ())
            has = {name for name, _ in own}
            message["headers"] = [
                *own,
                *(header for header in _SAFE if header[0] not in has),
                (b"x-request-id", exchange.request_id.encode()),
            ]
        await send(message)

    try:
        await app(scope, receive, noting)
    finally:
        log(exchange)


async def _keep_fresh(take_keys: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(KEYS_EVERY)
        try:
            await take_keys()
        except Exception:  # whatever it is, a revoked key must not stay valid after it
            logger.exception("the keys could not be read")


_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>recontact</title>
<link rel="stylesheet" href="/assets/docs.css"><link rel="icon" href="data:,"></head>
<body><div class="plain"><main>
<h1>recontact</h1>
<p>This server keeps a shop's customers and customer logs. Programs talk to it by <code>POST</code>
to <code>/do/WS/NetoAPI</code>, with the headers <code>NETOAPI_ACTION</code> and
<code>NETOAPI_KEY</code>, in XML or JSON.</p>
<p>The actions are ACTIONS.</p>
<p><a href="/docs/api">How to call them</a> · <a href="/docs/errors">every error and warning</a> ·
<a href="/docs/evidence">where each rule comes from</a> ·
<a href="/openapi.json">openapi.json</a></p>
</main></div></body></html>
"""
