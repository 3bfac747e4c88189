"""
The API's one address: `POST /do/WS/NetoAPI`, as plain ASGI.

The way of a call, down once and up once: its headers admit it, its body is read and decoded, the
store runs it, and the answer goes back; a refusal from any step leaves by the same door.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from starlette.types import Receive, Scope, Send

from recontact import actions, gate, wire
from recontact.actions import Action, Answer, Handling, Reading, Writing
from recontact.addresses import home_of
from recontact.body import REFUSAL, Bodies, ClientGoneError, drain, unpacked
from recontact.clock import Clock, new_request_id
from recontact.config import Config
from recontact.counting import OTHER, UNKNOWN, Requests
from recontact.fields import Shape, with_notes_limit
from recontact.limits import Backlog, Meter
from recontact.messages import Call, Format, RefusedError, Reply
from recontact.model import Dialect, JournalEntry, Key
from recontact.model import packed as journal_form
from recontact.store import Store, View
from recontact.values import quote_name

logger = logging.getLogger("recontact")

T = TypeVar("T")

ENDPOINT: Final = "/do/WS/NetoAPI"
DECODED_ASIDE: Final = 32_768
"""Bytes from which a body is decoded in a thread: 500 items of XML take 5 ms."""
HELD: Final = 0.25
"""
Seconds for which a connection is not heard after an answer that the server is overloaded.

Whoever asks again at once, on hundreds of connections, would leave no time for what was let in.
"""
# The units of work: bytes of a body, unpacked, and rows that an answer may have. The least of calls
# costs as much as so many.
_CALL: Final = 256
_READ: Final = 100


def is_endpoint(path: str) -> bool:
    """Whether a path is the API's address: anything may stand before it."""
    return path.removesuffix("/").endswith(ENDPOINT)


_MEDIA_TYPES: Final = {format: name.encode() for format, name in wire.MEDIA_TYPES.items()}


@dataclass(slots=True)
class Exchange:
    """
    One request and what became of it; filled in as it goes on, and logged at the end.

    blanked: its body without passwords, or the whole of it where that is not certain. kept: what
    the journal keeps of it.
    """

    id: bytes
    at: datetime
    clock: Clock
    started: float
    address: str
    path: str
    dialect: Dialect
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    format: Format = Format.XML
    action: Action | None = None
    key: Key | None = None
    call: Call | None = None
    body: bytes = b""
    mode: str = ""
    blanked: bytes = b""
    kept: bytes | None = b""
    packed: int = 0
    body_read: bool = False
    extra: dict[str, str] = field(default_factory=dict)
    http_status: int = 0
    ack: str = ""

    @classmethod
    def begin(cls, scope: Scope, clock: Clock, dialect: Dialect = Dialect.DOCUMENTED) -> "Exchange":
        """A request that just arrived; it is answered in that dialect until its site is known."""
        at = clock.now()
        address = scope["client"][0] if scope.get("client") else ""
        return cls(new_request_id(at), at, clock, clock.elapsed(), address, scope["path"], dialect)

    def log(self, line: Callable[..., None], requests: Requests) -> None:
        """It is over: count it, and write its line, without bodies and secrets."""
        action = self.action.shape.action if self.action else None
        items = len(self.call.items) if self.call else 0
        seconds = self.elapsed()
        counted = action or (UNKNOWN if is_endpoint(self.path) else OTHER)
        requests.count(counted, self.ack, self.http_status, items, seconds)
        line(
            event="request",
            timestamp=self.at,
            request_id=self.request_id,
            path=self.path,
            action=action,
            http_status=self.http_status,
            ack=self.ack,
            site=self.key.site.site if self.key else None,
            key=self.key.key_id if self.key else None,
            items=items,
            bytes=len(self.body),
            ms=round(seconds * 1000, 2),
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
    def has_body(self) -> bool:
        """Whether its headers announce a body."""
        length = self.headers.get(b"content-length", b"0")
        return length != b"0" or b"transfer-encoding" in self.headers

    @property
    def is_unread(self) -> bool:
        """Whether it is answered before its body was read."""
        return self.has_body and not self.body_read

    @property
    def is_overload(self) -> bool:
        """Whether it is refused because there is too much to do."""
        return self.http_status == 503 and "retry-after" in self.extra

    @property
    def root(self) -> str:
        """The name of the answer's root."""
        return self.action.shape.action if self.action else "NetoAPI"

    def entry(self, key: Key) -> JournalEntry:
        """The journal's entry, as far as it is known."""
        call, body = self.call, self.body
        kept = self.kept if call else None
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
            request_hash=hashlib.sha256(body).digest() if kept is None else None,
            request_body=kept,
            packed=self.packed,
            mode=self.mode,
        )


class NetoEndpoint:
    """
    The ASGI app of the address; `take` tells it who may come in, as keys come and go.

    log: told of each request that is over.
    """

    def __init__(
        self, store: Store, config: Config, clock: Clock, log: Callable[[Exchange], None]
    ) -> None:
        self._clock = clock
        self._log = log
        self._store = store
        self._config = config
        self._bodies = Bodies(config.body_limit, config.bodies_limit)
        self._calls = Meter(config.rate_limit, clock.elapsed)
        self._failures = Meter(config.failure_limit, clock.elapsed)
        self._in_work = Backlog(512 * 1024, clock.elapsed)
        self._in_reading = Backlog(20_000, clock.elapsed)
        # One: two would take turns at the interpreter, and the memory of both.
        self._decoding = ThreadPoolExecutor(1, "recontact-decode")
        elements = max(wire.Limits().elements, config.body_limit // 64)  # that of 8 MiB, or more
        self._limits = wire.Limits(config.item_limit, config.nesting_limit, elements=elements)
        self._actions: dict[str, Action] = {
            name.lower(): replace(action, shape=with_notes_limit(action.shape, config.notes_limit))
            for name, action in actions.ACTIONS.items()
        }
        self._keyring: gate.Keyring = {}
        self._dialect = Dialect.DOCUMENTED

    def take(self, keyring: gate.Keyring) -> None:
        """
        Let in whom the keyring names, from now on.

        Whoever has no key of any site is answered in the live dialect where all sites are live.
        """
        self._keyring = keyring
        live = bool(keyring) and all(key.site.is_live for key in keyring.values())
        self._dialect = Dialect.LIVE if live else Dialect.DOCUMENTED

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        exchange = Exchange.begin(scope, self._clock, self._dialect)
        try:
            await self._serve(exchange, scope, receive, send)
        finally:
            self._bodies.release(exchange.id)

    async def _serve(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._answer(exchange, scope, receive)
        except RefusedError as refusal:
            body = self._refuse(exchange, refusal)
        except (ClientGoneError, asyncio.CancelledError):  # cancelled: the server ends by force
            self._log(exchange)
            return
        except Exception:
            facts = {"request_id": exchange.request_id}
            logger.exception("a call failed", extra={"facts": facts})
            detail = (
                "Nothing of the call was saved. Report it with the request id "
                f"{exchange.request_id}; the server's log has the details."
            )
            body = self._refuse(exchange, RefusedError("RC032", detail))
        await self._send(exchange, send, body)
        self._log(exchange)
        await self._finish(exchange, receive, send)

    async def _answer(self, exchange: Exchange, scope: Scope, receive: Receive) -> bytes:
        exchange.format = _format_wanted(scope["headers"])
        headers, doubled = gate.read_headers(scope["headers"])
        exchange.headers = headers
        if REFUSAL in scope:
            raise scope.pop(REFUSAL)
        name = headers.get(b"netoapi_action", b"").decode(errors="replace")
        exchange.action = action = self._actions.get(name.lower())
        if scope["method"] == "OPTIONS":
            return self._preflight(exchange)
        if scope["method"] != "POST":
            exchange.extra["allow"] = "POST, OPTIONS"
            raise RefusedError("RC017", method=quote_name(scope["method"]))
        if doubled:
            raise RefusedError("RC004", header=doubled.upper())
        key = self._admit(exchange)
        if action is None:
            raise self._no_action(name)
        gate.may(key, action.right, action.shape.action)
        announced = headers.get(b"content-length", b"")
        body = await self._bodies.read(exchange.id, scope, receive, announced)
        exchange.body_read = True
        if b"content-encoding" in headers:
            body = await self._unpacked(exchange, body)
        place = await self._in_work.turn(_CALL + len(body))
        exchange.body = body
        try:
            call = await self._read_call(exchange, action.shape, key)
            if isinstance(action, Writing):
                answer = await self._write(exchange, action, call, key)
        finally:
            self._in_work.leave(place)
        if not isinstance(action, Writing):
            answer = await self._read(exchange, action, call, key)
        if answer.is_noted:
            self._store.note(answer.entry)
        if answer.replayed:
            exchange.extra["idempotency-replayed"] = "true"
        exchange.http_status, exchange.ack = answer.entry.http_status, answer.entry.ack
        return answer.body

    def _admit(self, exchange: Exchange) -> Key:
        """
        The key that lets a call in.

        Raises RefusedError: 401; 429 past the rate of its site, or without a valid key past the
        rate of its address. A valid key is looked for first, so nobody can lock another out.
        """
        try:
            key = gate.admit(exchange.headers, self._keyring, exchange.at)
        except RefusedError as refusal:
            if wait := self._failures.take(home_of(exchange.address)):
                raise RefusedError(
                    "RC022",
                    f"This one has none either ({refusal.message.text}), and the limit is "
                    f"{self._failures.rate.words} from one address. A valid key is let in at once; "
                    f"try another key after {wait} s.",
                    retry_after=wait,
                ) from None
            raise
        exchange.key, exchange.dialect = key, key.site.dialect
        self._store.used(key.key_id, exchange.at)
        if wait := self._calls.take(key.site.site):
            raise RefusedError(
                "RC021",
                f"The limit is {self._calls.rate.words} for all keys of a site. Nothing was "
                f"applied. Send the call again after {wait} s, or more items in fewer calls.",
                retry_after=wait,
            )
        return key

    async def _unpacked(self, exchange: Exchange, body: bytes) -> bytes:
        packed = exchange.headers[b"content-encoding"].lower()
        if packed == b"identity":
            return body
        if packed not in (b"gzip", b"x-gzip"):
            raise RefusedError("RC020", encoding=quote_name(packed.decode(errors="replace")))
        body = await self._aside(partial(unpacked, body, self._config.body_limit))
        self._bodies.hold(exchange.id, len(body))
        return body

    async def _read_call(self, exchange: Exchange, shape: Shape, key: Key) -> Call:
        body = exchange.body

        def decode() -> Call:
            call = wire.decode(body, shape, self._limits, actions.ACTIONS)
            blanked = wire.without_passwords(body, call.format, self._limits.nesting)
            exchange.blanked = body if blanked is None else blanked
            exchange.kept, exchange.packed = (
                (None, 0) if blanked is None else journal_form(blanked, 1)
            )
            return call

        aside = len(body) >= DECODED_ASIDE
        exchange.call = call = await self._aside(decode) if aside else decode()
        if call.query is not None:
            gate.may(key, "read", f"{shape.action} with a Filter")
        if call.passed_over:
            exchange.extra["recontact-passed-over"] = _passed_over(call)
        return call

    async def _write(self, exchange: Exchange, action: Writing, call: Call, key: Key) -> Answer:
        name = action.shape.action
        handling = Handling.read(exchange.headers, name, exchange.blanked, exchange.format)
        exchange.mode = handling.mode
        if handling.dry_run:
            gate.may(key, "read", f"{name} with Recontact-Dry-Run")
        entry, encode = exchange.entry(key), self._encoder(exchange)
        work = actions.writing(action, call, key.site, entry, encode, exchange.elapsed, handling)
        answer = await self._store.submit(work)
        exchange.extra |= handling.echo
        return answer

    async def _read(self, exchange: Exchange, action: Reading, call: Call, key: Key) -> Answer:
        entry, encode = exchange.entry(key), self._encoder(exchange)
        read = actions.reading(action, call, entry, encode, exchange.elapsed)
        place = self._in_reading.enter(_READ + (call.query.limit if call.query else 0))

        def read_in_time(view: View) -> Answer:
            self._in_reading.begin(place)
            return read(view)

        try:
            return await self._store.view(key.site, read_in_time)
        finally:
            self._in_reading.leave(place)

    async def _aside(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._decoding, run)

    def _encoder(self, exchange: Exchange) -> Callable[[Reply], bytes]:
        def encode(reply: Reply) -> bytes:
            return wire.encode(reply, exchange.format, self._clock.now(), exchange.dialect)

        return encode

    def _no_action(self, name: str) -> RefusedError:
        if not name:
            return RefusedError("RC006")
        return RefusedError(
            "RC007",
            f"Send NETOAPI_ACTION with one of {', '.join(actions.ACTIONS)}.",
            action=quote_name(name),
        )

    def _refuse(self, exchange: Exchange, refusal: RefusedError) -> bytes:
        as_seen = exchange.dialect is Dialect.LIVE and refusal.as_seen
        http_status = 200 if as_seen else refusal.http_status
        reply = Reply(exchange.root, messages=[refusal.message], http_status=http_status)
        exchange.http_status, exchange.ack = reply.http_status, reply.ack
        if refusal.retry_after is not None:
            exchange.extra["retry-after"] = str(refusal.retry_after)
        if refusal.http_status == 415:
            exchange.extra["accept-encoding"] = "gzip"  # RFC 9110 §12.5.3
        if exchange.key is not None:
            entry = actions.journaled(exchange.entry(exchange.key), reply, exchange.elapsed())
            self._store.note(entry)
        return wire.encode(reply, exchange.format, self._clock.now(), exchange.dialect)

    def _preflight(self, exchange: Exchange) -> bytes:
        """Answer OPTIONS. Which site is meant is not known yet, so the origin of any will do."""
        exchange.extra |= {"allow": "POST, OPTIONS", "vary": "Origin"}
        if self._is_listed(exchange):
            exchange.extra |= {
                "access-control-allow-methods": "POST",
                "access-control-allow-headers": "netoapi_action, netoapi_username, netoapi_key, "
                "x_access_key, x_secret_key, authorization, content-type, accept, "
                "prefer, idempotency-key, recontact-dry-run",
                "access-control-max-age": "600",
            }
        exchange.http_status = 204
        return b""

    def _is_listed(self, exchange: Exchange) -> bool:
        """Whether CORS lets the origin in: on the key's site, or without a key on any."""
        origin = exchange.headers.get(b"origin", b"").decode(errors="replace")
        keys = [exchange.key] if exchange.key else self._keyring.values()
        return bool(origin) and any(origin in key.site.cors_origins for key in keys)

    async def _send(self, exchange: Exchange, send: Send, body: bytes) -> None:
        headers = [(b"x-request-id", exchange.request_id.encode())]
        if exchange.http_status != 204:
            headers += [
                (b"content-type", _MEDIA_TYPES[exchange.format]),
                (b"content-length", b"%d" % len(body)),
            ]
        if b"origin" in exchange.headers and self._is_listed(exchange):
            headers += [
                (b"access-control-allow-origin", exchange.headers[b"origin"]),
                (
                    b"access-control-expose-headers",
                    b"X-Request-Id, Recontact-Passed-Over, Preference-Applied, "
                    b"Idempotency-Replayed, Recontact-Dry-Run",
                ),
                (b"vary", b"Origin"),
            ]
        headers += [(name.encode(), value.encode()) for name, value in exchange.extra.items()]
        if exchange.is_unread:
            headers.append((b"connection", b"close"))
        await send(
            {"type": "http.response.start", "status": exchange.http_status, "headers": headers}
        )
        more = exchange.is_unread or exchange.is_overload
        await send({"type": "http.response.body", "body": body, "more_body": more})

    async def _finish(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        """The answer is out, whole; let go of a connection that was kept for a reason."""
        if exchange.is_unread:
            # A sender that is still at it must not find the connection reset before it has read
            # the answer.
            await drain(receive)
        elif exchange.is_overload:
            self._bodies.release(exchange.id)
            await asyncio.sleep(HELD)
        else:
            return
        await send({"type": "http.response.body"})


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
