"""
The ceiling of HTTP: the command `recontact`, with an app in place of ours that answers fixed bytes.

Run as `python bare_http.py serve …`; uvicorn is set up by the very lines that serve recontact.
"""

from starlette.types import ASGIApp, Receive, Scope, Send

from recontact import cli, server
from recontact.clock import SYSTEM, Clock
from recontact.config import Config
from recontact.store import Store

# As long as recontact's own answer: run.py compares.
BODY = b'{"CurrentTime":"2031-01-31 12:00:00","Ack":"Success"}'
HEADERS = [
    (b"x-request-id", b"01234567-89ab-7def-8123-456789abcdef"),
    (b"content-type", b"application/json"),
    (b"content-length", b"%d" % len(BODY)),
]


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body, and answer what is always answered."""
    if scope["type"] == "lifespan":
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})
        return
    while (await receive()).get("more_body", False):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def create_bare_app(store: Store, config: Config, clock: Clock = SYSTEM) -> ASGIApp:
    """In place of recontact.server.create_app."""
    return bare


if __name__ == "__main__":
    server.create_app = create_bare_app
    cli.main()
