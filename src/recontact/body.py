"""The body of a request: read and unpacked up to the limits, and never past them."""

import asyncio
import zlib
from contextlib import suppress
from typing import Final

from starlette.types import Receive

from recontact.messages import RefusedError

DRAINED: Final = 65_536
"""Bytes of a refused body that are read and dropped, so that its sender gets to the answer."""
GZIP_MEMBERS: Final = 100
"""Members of a gzip stream: each costs a copy of what is left of it."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


async def read_body(receive: Receive, announced: bytes, limit: int, seconds: float) -> bytes:
    """
    The whole body. announced: its Content-Length as sent, if it was. limit: in bytes.

    Raises RefusedError: 413 for one over the limit, as soon as that is known; 408 for one that is
    not whole after `seconds`. ClientGoneError: there is nobody to answer.
    """
    with suppress(ValueError):
        if int(announced) > limit:
            raise _too_large(limit)
    task = asyncio.current_task()
    assert task is not None
    late = False

    def expire() -> None:
        nonlocal late
        late = True
        task.cancel()

    # A timer of our own: asyncio.timeout takes 5 us, as long as all the rest here.
    timer = asyncio.get_running_loop().call_later(seconds, expire)
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
        if not late:
            raise
        task.uncancel()
        detail = f"The body was not whole after {seconds:g} s. Nothing was applied. Send it again."
        raise RefusedError("RC018", detail) from None
    finally:
        timer.cancel()


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
