"""
HTTP as uvicorn reads it, within bounds of time, size and number.

uvicorn waits for ever for a request's end, keeps headers of any length and any number of
connections, and answers broken HTTP in words of its own. It is capped at the minor release that
this was written for, because names are touched here that it may change.
"""

import asyncio
import resource
from collections.abc import Callable
from typing import ClassVar, Final

import httptools
from starlette.types import Scope
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from recontact.body import REFUSAL, REFUSE
from recontact.config import Config, SettingError
from recontact.messages import RefusedError

HEAD_LIMIT: Final = 32_768
"""Bytes of a request line and its headers; also of what stands between the chunks of a body."""
HEADERS_LIMIT: Final = 100
"""Headers of a request."""
PIPELINE_LIMIT: Final = 32
"""Requests of a connection that may wait for the answers to those before them."""
IDLE_LIMIT: Final = 75
"""
Seconds for which a connection is kept without a request, as nginx does. Most proxies drop theirs
after 60: were we the first, one of their requests could meet the end of the connection.
"""
PATIENCE: Final = 1
"""Seconds that a request may take to arrive when others wait for the place of its connection."""
PACE: Final = 65_536
"""Bytes of an answer that a client must take within the time that a request may take."""
OVERHEAD: Final = 8
"""Bytes that may frame each byte of a chunked body; chunks of one byte need five."""

FILES: Final = 100
"""Files that the process needs beside its connections, and some to spare."""


class Deadlines:
    """
    Calls `late` for each connection that has waited for its client for `seconds`.

    One timer for all: one for each request took 20 us, a tenth of a call. The one that waits
    longest is first in the dict, so the timer waits for that one alone.
    """

    def __init__(self, seconds: float, late: "Callable[[HttpProtocol], None]") -> None:
        self.seconds = seconds
        self._late = late
        self._began: dict[HttpProtocol, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._began)

    def begin(self, connection: "HttpProtocol") -> None:
        """It waits from now on, or does already."""
        loop = connection.loop
        self._began.setdefault(connection, loop.time())
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._sweep, loop)

    def end(self, connection: "HttpProtocol") -> None:
        """It waits no more, or did not."""
        self._began.pop(connection, None)

    def longest(self, seconds: float = 0) -> "HttpProtocol | None":
        """The connection that waits longest, if that is for so many seconds."""
        for connection, began in self._began.items():
            return connection if connection.loop.time() - began >= seconds else None
        return None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._began:
            connection, began = next(iter(self._began.items()))
            left = began + self.seconds - loop.time()
            if left > 0:
                self._timer = loop.call_later(left, self._sweep, loop)
                return
            del self._began[connection]
            self._late(connection)


class Traffic:
    """
    What all connections of one server share.

    idle: those that wait for their next request. slow: those of which a request has come in part,
    or that do not take their answer. refused: those that are told why they must go. A connection
    is in none of these only while a whole request of it is being answered.
    """

    def __init__(self, config: Config) -> None:
        self.limit = config.connection_limit
        self.idle = Deadlines(IDLE_LIMIT, HttpProtocol.abort)
        self.slow = Deadlines(config.request_timeout, HttpProtocol.late)
        self.refused = Deadlines(config.request_timeout, HttpProtocol.late)

    def forget(self, connection: "HttpProtocol") -> None:
        """It is gone."""
        self.idle.end(connection)
        self.slow.end(connection)
        self.refused.end(connection)

    def make_room(self) -> bool:
        """End the connection that is missed least; whether there is one."""
        if idle := self.idle.longest():
            idle.abort()
        elif slow := self.slow.longest(PATIENCE):
            slow.give_way()
        else:
            return False
        return True

    def overloaded(self) -> RefusedError:
        """The refusal of a connection for want of a place."""
        detail = f"The server has the {self.limit} connections that it may have."
        return RefusedError("RC030", f"{detail} Nothing was applied. Try again.", retry_after=1)


class HttpProtocol(HttpToolsProtocol):
    """One connection; `protocol_class` makes the class for a server."""

    traffic: ClassVar[Traffic]

    _arriving = False  # a request has begun, and its end has not come
    _refused = False  # it is told why it must go, and nothing more is read
    _overhead = 0  # bytes of this request that were not its body, less those that frame one
    _unsent = 0  # bytes of answers that the client had still to take when that was last looked at
    _hosts = 0
    _answering: RequestResponseCycle | None = None

    # -- the connection ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        traffic = self.traffic
        if len(self.connections) <= traffic.limit or traffic.make_room():
            self._note()
        elif len(traffic.refused) < traffic.limit:
            self.refuse(traffic.overloaded())
        else:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()
        super().connection_lost(exc)
        # These know the connection: without this only the garbage collector would free them all.
        self.pipeline.clear()
        self.cycle = self.scope = None  # type: ignore[assignment]

    def eof_received(self) -> bool:  # type: ignore[override]
        """A client that ends its side of the connection still gets the answer it is owed."""
        if self.cycle is None or self.cycle.response_complete:
            return False
        if self._refused:
            self.on_message_complete()
        elif self._arriving:
            return False
        self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._note()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._note()

    def abort(self) -> None:
        """End the connection now, whatever is unsent."""
        self._let_go()
        self.connections.discard(self)
        self.transport.abort()

    def _let_go(self) -> None:
        """Nothing is waited for, and nobody is there to be answered."""
        self.traffic.forget(self)
        # With requests sent ahead, uvicorn tells the last of them alone.
        if self._answering is not None:
            self._answering.disconnected = True
            self._answering.message_event.set()
            self._answering = None

    def give_way(self) -> None:
        """Others wait for its place, and it is slow."""
        if self._is_leaving():
            self.abort()
        else:
            self.refuse(self.traffic.overloaded())

    def late(self) -> None:
        """The client took too long: say so if that can be said, and end the connection."""
        may_go_on = self._is_taking() if self._is_leaving() else self._is_behind_another()
        if may_go_on:
            self._note()
        elif not self._arriving or self._refused or self._is_leaving():
            self.abort()
        else:
            detail = f"The request was not whole after {self.traffic.slow.seconds:g} s."
            self.refuse(RefusedError("RC018", f"{detail} Nothing was applied. Send it again."))

    def _note(self) -> None:
        """Note what the client is waited for, if it is."""
        traffic = self.traffic
        if self._refused:
            traffic.refused.begin(self)
        elif self._arriving or self.cycle is None or self._is_leaving():
            traffic.idle.end(self)
            traffic.slow.begin(self)
        elif self.cycle.response_complete:
            traffic.slow.end(self)
            traffic.idle.begin(self)
        else:
            traffic.slow.end(self)
            traffic.idle.end(self)

    def _is_leaving(self) -> bool:
        """Whether the client has to take what was sent before anything else."""
        return self.flow.write_paused or self.transport.is_closing()

    def _is_taking(self) -> bool:
        """Whether it took enough of its answer since it was last asked."""
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        return before - self._unsent >= PACE

    def _is_behind_another(self) -> bool:
        """Whether a request before the one that arrives is still to be answered."""
        if self._is_known():
            return bool(self.pipeline)
        return self.cycle is not None and not self.cycle.response_complete

    def _is_known(self) -> bool:
        """Whether the headers of the request that arrives are whole: it has a cycle."""
        return self.cycle is not None and self.cycle.scope is self.scope

    # -- a request -----------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._refused:
            self.on_body(data)  # for who drains it
            return
        self._overhead += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            cause = error.__context__
            self.refuse(cause if isinstance(cause, RefusedError) else _not_http(f"{error}."))
        else:
            if self._overhead > HEAD_LIMIT:
                self.refuse(_too_large())
            # What one read had to spare is not for the next: a trailer could live on it, as long
            # as a multiple of the body, and each of its parts is copied whole when one more comes.
            self._overhead = max(self._overhead, 0)
            self._note()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arriving = True
        self._hosts = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        if len(self.headers) > HEADERS_LIMIT:
            raise _too_large()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self.expect_100_continue = value.lower() == b"100-continue"
        elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise _not_http("Transfer-Encoding may only be chunked.")

    def on_headers_complete(self) -> None:
        if self._overhead > HEAD_LIMIT:
            head = len(self.url) + sum(len(n) + len(v) + 4 for n, v in self.headers)
            if head > HEAD_LIMIT:
                raise _too_large()
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise _not_http("CONNECT is for proxies.")
            return
        super().on_headers_complete()
        self.scope[REFUSE] = self._refuse_body  # type: ignore[typeddict-unknown-key]
        self.headers = []  # of a trailer: it must bring no key
        if self._refused:
            return
        version = self.scope["http_version"]
        if version == "1.0":
            self.cycle.waiting_for_100_continue = False
            if any(name == b"transfer-encoding" for name, _ in self.scope["headers"]):
                raise _not_http("HTTP/1.0 has no Transfer-Encoding.")
        elif version != "1.1":
            raise _not_http(f"HTTP/{version} is not spoken.")
        elif self._hosts != 1:
            raise _not_http(f"There must be one Host header, and {self._hosts} came.")
        if len(self.pipeline) > PIPELINE_LIMIT:
            detail = f"The limit is {PIPELINE_LIMIT} calls sent ahead. Nothing was applied."
            raise RefusedError("RC030", f"{detail} Wait for answers.", retry_after=1)

    def on_body(self, body: bytes) -> None:
        self._overhead -= (1 + OVERHEAD) * len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._arriving = False
        self._overhead = 0

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        # As in uvicorn, but for the timer of the idle connection.
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
        self._note()

    def refuse(self, refusal: RefusedError) -> None:
        """Answer the request that arrives with this, in its turn, and end the connection."""
        if self._refused:
            self.abort()
            return
        self._refused = True
        self.connections.discard(self)
        self.traffic.forget(self)
        if not (self._arriving and self._is_known()):
            self._take_stand_in()
        if self.cycle.response_complete:
            self.abort()
            return
        self.cycle.keep_alive = False
        self.scope[REFUSAL] = refusal.with_traceback(None)  # type: ignore[typeddict-unknown-key]
        self.cycle.message_event.set()
        self._note()

    def _refuse_body(self, scope: Scope, refusal: RefusedError) -> None:
        if self._arriving and self.scope is scope:
            self.refuse(refusal)

    def _take_stand_in(self) -> None:
        """Read a request that can be refused in place of one that cannot be read, or not yet."""
        # In short: what is refused may be the very length or number of these.
        headers = self.headers or []
        json = any(n == b"accept" and b"application/json" in v.lower() for n, v in headers)
        accept = [(b"accept", b"application/json")] if json else []
        method = self.parser.get_method()
        self.parser = _new_parser(self)
        self.parser.feed_data(
            _head(
                b"HEAD" if method == b"HEAD" else b"POST",
                b"*",
                b"1.1",
                [(b"host", b""), (b"transfer-encoding", b"chunked"), *accept],
            )
        )

    def _read_without_upgrade(self, rest: bytes) -> None:
        """
        Read the headers again, and on, without the wish for another protocol.

        A server may pass it over (RFC 9110 §7.8). The parser ends the request before its body, and
        would take that for the next request.
        """
        kept = [(name, value) for name, value in self.headers if name != b"upgrade"]
        version = self.parser.get_http_version().encode()
        head = _head(self.parser.get_method(), self.url, version, kept)
        self.parser = _new_parser(self)
        self._overhead = 0
        self.data_received(head + rest)


def protocol_class(config: Config) -> type[HttpProtocol]:
    """The protocol class of one server: `uvicorn.Config(app, http=protocol_class(config))`."""

    class Bounded(HttpProtocol):
        traffic = Traffic(config)

    return Bounded


def allow_files(connection_limit: int) -> None:
    """Let this process open the files for so many connections; SettingError where it may not."""
    needed = 2 * connection_limit + FILES  # as many again may be refused at a time
    may, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < needed:
        raise SettingError(
            f"{connection_limit} connections need {needed} open files, and the system allows this "
            f"process {most}: set a lower --connection-limit, or raise that (ulimit -n)."
        )
    if may != resource.RLIM_INFINITY and may < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, most))


def _new_parser(connection: HttpProtocol) -> httptools.HttpRequestParser:
    parser = httptools.HttpRequestParser(connection)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
    return parser


def _head(method: bytes, url: bytes, version: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%s %s HTTP/%s" % (method, url, version), *(b"%s: %s" % one for one in headers)]
    return b"\r\n".join([*lines, b"", b""])


def _not_http(reason: str) -> RefusedError:
    return RefusedError("RC023", f"{reason} Nothing was applied. Send it by an HTTP library.")


def _too_large() -> RefusedError:
    detail = f"The limit is {HEAD_LIMIT} bytes and {HEADERS_LIMIT} headers."
    return RefusedError("RC024", f"{detail} Nothing was applied.")
