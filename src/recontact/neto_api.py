"""
The API's one address: `POST /do/WS/NetoAPI`, as plain ASGI.

The way of a call, down once and up once: its headers admit it, its body is read and decoded, the
store runs it, and the answer goes back; a refusal from any step leaves by the same door.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import structlog
from starlette.types import Receive, Scope, Send

from recontact import actions, gate, wire
from recontact.actions import Action, Answer, Writing
from recontact.clock import Clock, new_request_id
from recontact.config import Config
from recontact.fields import Shape, with_notes_limit
from recontact.messages import Call, Format, RefusedError, Reply
from recontact.model import JournalEntry, Key
from recontact.model import packed as journal_form
from recontact.store import Store
from recontact.values import quote_name

logger = structlog.get_logger()

ENDPOINT: Final = "/do/WS/NetoAPI"
DECODED_ASIDE: Final = 32_768
"""Bytes from which a body is decoded in a thread: 500 items of XML take 5 ms."""
DRAINED: Final = 65_536
"""Bytes of a refused body that are read, so that its sender gets to read the answer."""
GZIP_MEMBERS: Final = 100
"""Members of a gzip stream: each costs a copy of what is left of it."""


@dataclass(slots=True)
class Exchange:
    """One request and what became of it; filled in as it goes on, and logged at the end."""

    id: bytes
    at: datetime
    clock: Clock
    started: float
    address: str
    path: str
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    format: Format = Format.XML
    action: Action | None = None
    key: Key | None = None
    call: Call | None = None
    body: bytes = b""
    kept: bytes = b""
    packed: int = 0
    body_read: bool = False
    http_status: int = 0
    ack: str = ""

    @classmethod
    def begin(cls, scope: Scope, clock: Clock) -> "Exchange":
        """A request that just arrived."""
        at = clock.now()
        address = scope["client"][0] if scope.get("client") else ""
        return cls(new_request_id(at), at, clock, clock.elapsed(), address, scope["path"])

    def log(self, logger: Any) -> None:
        """One line a request, without bodies and secrets."""
        logger.info(
            "request",
            request_id=self.request_id,
            path=self.path,
            action=self.action.shape.action if self.action else None,
            http_status=self.http_status,
            ack=self.ack,
            site=self.key.site.site if self.key else None,
            key=self.key.key_id if self.key else None,
            items=len(self.call.items) if self.call else 0,
            bytes=len(self.body),
            ms=round(self.elapsed() * 1000, 2),
            address=self.address,
        )

    def elapsed(self) -> float:
        """Seconds since it arrived."""
        return self.clock.elapsed() - self.started

    @property
    def request_id(self) -> str:
        """Its id as people read it."""
        h = self.id.hex()
        return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"

    @property
    def root(self) -> str:
        """The name of the answer's root."""
        return self.action.shape.action if self.action else "NetoAPI"

    def entry(self, key: Key) -> JournalEntry:
        """The journal's entry, as far as it is known."""
        call, body = self.call, self.body
        return JournalEntry(
            site=key.site.site,
            request=self.id,
            at=self.at,
            key_id=key.key_id,
            action=self.root,
            format=call.format.value if call and call.format else "",
            address=self.address,
            http_status=200,
            ack="",
            items=len(call.items) if call else 0,
            passed_over=tuple(map(quote_name, call.passed_over[:100])) if call else (),
            request_length=len(body),
            # Of what cannot be read nothing is kept: who knows what it holds.
            request_hash=None if call else hashlib.sha256(body).digest(),
            request_body=self.kept if call else None,
            packed=self.packed,
        )


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


class NetoEndpoint:
    """The ASGI app of the address. keyring: who may come in, replaced as keys come and go."""

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self._clock = clock
        self._logger = logger.bind()  # else each line would make a logger of its own
        self._store = store
        self._config = config
        self._limits = wire.Limits(config.item_limit, config.nesting_limit)
        self._actions: dict[str, Action] = {
            name.lower(): replace(action, shape=with_notes_limit(action.shape, config.notes_limit))
            for name, action in actions.ACTIONS.items()
        }
        self.keyring: gate.Keyring = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange = Exchange.begin(scope, self._clock)
        extra: dict[str, str] = {}
        try:
            if scope["method"] == "OPTIONS":
                await self._preflight(exchange, scope, send)
                return
            body = await self._answer(exchange, scope, receive, extra)
        except RefusedError as refusal:
            body = self._refuse(exchange, refusal, extra)
        except (ClientGoneError, asyncio.CancelledError):  # cancelled: the server ends by force
            exchange.log(self._logger)
            return
        except Exception:
            logger.exception("a call failed", request_id=exchange.request_id)
            defect = RefusedError(
                "RC032",
                f"Nothing of the call was saved. Report it with the request id "
                f"{exchange.request_id}; the server's log has the details.",
            )
            body = self._refuse(exchange, defect, extra)
        if not exchange.body_read and not await _drained(receive):
            extra["connection"] = "close"
        await self._send(exchange, send, body, extra)
        exchange.log(self._logger)

    async def _answer(
        self, exchange: Exchange, scope: Scope, receive: Receive, extra: dict[str, str]
    ) -> bytes:
        exchange.format = _format_wanted(scope["headers"])
        if scope["method"] != "POST":
            extra["allow"] = "POST, OPTIONS"
            raise RefusedError("RC017", method=quote_name(scope["method"]))
        headers = exchange.headers = gate.read_headers(scope["headers"])
        name = headers.get(b"netoapi_action", b"").decode(errors="replace")
        exchange.action = action = self._actions.get(name.lower())
        key = exchange.key = gate.admit(headers, self.keyring, exchange.at)
        self._store.used(key.key_id, exchange.at)
        if action is None:
            raise self._no_action(name)
        gate.may(key, action.right, action.shape.action)
        call = await self._read_call(exchange, action.shape, receive)
        if call.passed_over:
            extra["recontact-passed-over"] = _passed_over(call)
        answer = await self._run(exchange, action, call, key)
        exchange.http_status, exchange.ack = answer.reply.http_status, answer.reply.ack
        return answer.body

    async def _read_call(self, exchange: Exchange, shape: Shape, receive: Receive) -> Call:
        body = exchange.body = await self._read_body(exchange, receive)
        packed = exchange.headers.get(b"content-encoding", b"identity").lower()
        if packed not in (b"identity", b"gzip", b"x-gzip"):
            raise RefusedError("RC020", encoding=quote_name(packed.decode(errors="replace")))

        def decode() -> Call:
            if packed != b"identity":
                exchange.body = _unpacked(body, self._config.body_limit)
            call = wire.decode(exchange.body, shape, self._limits, actions.ACTIONS)
            exchange.kept, exchange.packed = journal_form(exchange.body, 1)
            return call

        aside = len(body) >= DECODED_ASIDE or packed != b"identity"
        exchange.call = call = await asyncio.to_thread(decode) if aside else decode()
        return call

    async def _read_body(self, exchange: Exchange, receive: Receive) -> bytes:
        limit, seconds = self._config.body_limit, self._config.request_timeout
        with suppress(ValueError):
            if int(exchange.headers.get(b"content-length", b"0")) > limit:
                raise _too_large(limit)
        chunks = []
        length = 0
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientGoneError
                    chunks.append(message.get("body", b""))
                    length += len(chunks[-1])
                    if length > limit:
                        raise _too_large(limit)
                    if not message.get("more_body", False):
                        exchange.body_read = True
                        return b"".join(chunks)
        except TimeoutError:
            raise RefusedError(
                "RC018", f"The body was not whole after {seconds:g} s. Nothing was applied."
            ) from None

    async def _run(self, exchange: Exchange, action: Action, call: Call, key: Key) -> Answer:
        entry = exchange.entry(key)

        def encode(reply: Reply) -> bytes:
            return wire.encode(reply, exchange.format, self._clock.now())

        if isinstance(action, Writing):
            work = actions.writing(action, call, key.site, entry, encode, exchange.elapsed)
            return await self._store.submit(work)
        read = actions.reading(action, call, entry, encode, exchange.elapsed)
        answer = await self._store.view(key.site, read)
        self._store.note(answer.entry)
        return answer

    def _no_action(self, name: str) -> RefusedError:
        if not name:
            return RefusedError("RC006")
        return RefusedError(
            "RC007", f"The actions are {', '.join(actions.ACTIONS)}.", action=quote_name(name)
        )

    def _refuse(self, exchange: Exchange, refusal: RefusedError, extra: dict[str, str]) -> bytes:
        reply = Reply(exchange.root, messages=[refusal.message], http_status=refusal.http_status)
        exchange.http_status, exchange.ack = reply.http_status, reply.ack
        if refusal.retry_after is not None:
            extra["retry-after"] = str(refusal.retry_after)
        if refusal.http_status == 415:
            extra["accept-encoding"] = "gzip"  # RFC 9110 §12.5.3
        if exchange.key is not None:
            entry = actions.journaled(exchange.entry(exchange.key), reply, exchange.elapsed())
            self._store.note(entry)
        return wire.encode(reply, exchange.format, self._clock.now())

    async def _preflight(self, exchange: Exchange, scope: Scope, send: Send) -> None:
        """Answer OPTIONS. Which site is meant is not known yet, so the origin of any will do."""
        origin = dict(scope["headers"]).get(b"origin", b"").decode(errors="replace")
        extra = {"allow": "POST, OPTIONS", "vary": "Origin"}
        if any(origin in key.site.cors_origins for key in self.keyring.values()):
            extra |= {
                "access-control-allow-origin": origin,
                "access-control-allow-methods": "POST",
                "access-control-allow-headers": "netoapi_action, netoapi_username, netoapi_key, "
                "x_access_key, x_secret_key, authorization, content-type, accept",
                "access-control-max-age": "600",
            }
        exchange.http_status = 204
        await self._send(exchange, send, b"", extra)
        exchange.log(self._logger)

    async def _send(
        self, exchange: Exchange, send: Send, body: bytes, extra: Mapping[str, str]
    ) -> None:
        headers = [(b"x-request-id", exchange.request_id.encode())]
        if exchange.http_status != 204:
            media_type = wire.MEDIA_TYPES[exchange.format]
            headers += [
                (b"content-type", media_type.encode()),
                (b"content-length", str(len(body)).encode()),
            ]
        origin = exchange.headers.get(b"origin", b"").decode(errors="replace")
        if origin and exchange.key and origin in exchange.key.site.cors_origins:
            headers += [
                (b"access-control-allow-origin", origin.encode()),
                (b"access-control-expose-headers", b"X-Request-Id, Recontact-Passed-Over"),
                (b"vary", b"Origin"),
            ]
        headers += [(name.encode(), value.encode()) for name, value in extra.items()]
        await send(
            {"type": "http.response.start", "status": exchange.http_status, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body})


def _format_wanted(headers: list[tuple[bytes, bytes]]) -> Format:
    """JSON if Accept names application/json anywhere: one client packs three headers in it."""
    for name, value in headers:
        if name == b"accept" and b"application/json" in value.lower():
            return Format.JSON
    return Format.XML


def _passed_over(call: Call) -> str:
    """The names, as a header can carry them: ASCII, each once, not too many."""
    names = list(dict.fromkeys(call.passed_over))
    shown = [quote_name(name).encode("ascii", "backslashreplace").decode() for name in names[:20]]
    return ", ".join(shown) + (f", and {len(names) - 20} more" if len(names) > 20 else "")


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        "RC019", f"The limit is {limit} bytes. Nothing was applied. Split the call."
    )


def _unpacked(body: bytes, limit: int) -> bytes:
    """The bytes in a gzip stream of one or more members, never more than `limit` of them."""
    plain = b""
    try:
        for _ in range(GZIP_MEMBERS):
            member = zlib.decompressobj(wbits=31)
            plain += member.decompress(body, limit + 1 - len(plain))
            if len(plain) > limit:
                raise _too_large(limit)
            if not member.eof:
                raise RefusedError("RC014")
            body = member.unused_data
            if not body:
                return plain
        raise RefusedError("RC014", f"It has over {GZIP_MEMBERS} members: send one.")
    except zlib.error as error:
        raise RefusedError("RC014") from error


async def _drained(receive: Receive) -> bool:
    """Read what is left of a refused body, if it is short and comes soon; whether it ended."""
    length = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            while length < DRAINED:
                message = await receive()
                length += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return True
    return False
