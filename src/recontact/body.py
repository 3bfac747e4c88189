"""The body of a request: read and unpacked up to the limits, and never past them."""

import asyncio
import zlib
from contextlib import suppress
from typing import Any, Final

from starlette.types import Receive

from recontact.messages import RefusedError

DRAINED: Final = 65_536
"""Bytes of a refused body that are read and dropped, so that its sender gets to the answer."""
GZIP_MEMBERS: Final = 100
"""Members of a gzip stream: each costs a copy of what is left of it."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


class Deadlines:
    """
    Cancels each task that reads a body for more than `seconds`.

    One timer for all: one for each request took 20 us, a tenth of a call. The oldest is first in
    the dict, so the timer waits for that one alone.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, task: "asyncio.Task[Any]") -> None:
        """From now on, `seconds` are left for the task."""
        loop = task.get_loop()
        self._began[task] = loop.time()
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._sweep, loop)

    def end(self, task: "asyncio.Task[Any]") -> bool:
        """The task reads no more; whether it was cancelled for being late."""
        self._began.pop(task, None)
        late = task in self._late
        self._late.discard(task)
        return late

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        while self._began:
            task, began = next(iter(self._began.items()))
            left = began + self.seconds - loop.time()
            if left > 0:
                self._timer = loop.call_later(left, self._sweep, loop)
                return
            del self._began[task]
            self._late.add(task)
            task.cancel()


async def read_body(receive: Receive, announced: bytes, limit: int, deadlines: Deadlines) -> bytes:
    """
    The whole body. announced: its Content-Length as sent, if it was. limit: in bytes.

    Raises RefusedError: 413 for one over the limit, as soon as that is known; 408 for one that is
    not whole in time. ClientGoneError: there is nobody to answer.
    """
    with suppress(ValueError):
        if int(announced) > limit:
            raise _too_large(limit)
    task = asyncio.current_task()
    assert task is not None
    deadlines.begin(task)
    chunks = []
    length = 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunks.append(message.get("body", b""))
            length += len(chunks[-1])
            if length > limit:
                raise _too_large(limit)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except asyncio.CancelledError:
        if not deadlines.end(task):
            raise
        task.uncancel()
        detail = f"The body was not whole after {deadlines.seconds:g} s. Nothing was applied."
        raise RefusedError("RC018", f"{detail} Send it again.") from None
    finally:
        deadlines.end(task)


async def drain(receive: Receive) -> None:
    """Read what still comes of a refused body, for a second and up to `DRAINED` bytes."""
    length = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            while length < DRAINED:
                message = await receive()
                length += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def unpacked(body: bytes, limit: int) -> bytes:
    """The bytes in a gzip stream of one or more members; RefusedError past `limit` of them."""
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


def _too_large(limit: int) -> RefusedError:
    detail = f"The limit is {limit} bytes. Nothing was applied. Split the call."
    return RefusedError("RC019", detail)
