"""The bodies of requests: read and unpacked up to the limits, and never past them."""

import asyncio
import zlib
from contextlib import suppress
from typing import Final

from starlette.types import Receive, Scope

from recontact.messages import RefusedError

REFUSAL: Final = "recontact.refusal"
"""In the scope of a request whose rest will not come: the RefusedError that answers it."""
REFUSE: Final = "recontact.refuse"
"""In every scope: what is called, with it and a RefusedError, to end a body that still arrives."""

HELD_FREELY: Final = 65_536
"""Bytes of a body that are not counted: whatever the large ones hold, small calls come through."""
DRAINED: Final = 65_536
"""Bytes of a refused body that are read and dropped, so that its sender gets to the answer."""
GZIP_MEMBERS: Final = 100
"""Members of a gzip stream: each costs a copy of what is left of it."""


class ClientGoneError(Exception):
    """The client closed the connection before its request was whole."""


class Bodies:
    """
    Reads bodies, each of at most `limit` bytes, and all together of at most `limit_of_all`.

    What counts is what is held, from its first byte until `release`, and not what is announced. For
    a byte too many the largest body that is still arriving is refused: whoever stops in the middle
    of a large one keeps nobody out.
    """

    def __init__(self, limit: int, limit_of_all: int) -> None:
        self._limit = limit
        self._limit_of_all = limit_of_all
        self._held = 0
        self._sizes: dict[bytes, int] = {}
        self._arriving: dict[bytes, Scope] = {}

    async def read(self, request: bytes, scope: Scope, receive: Receive, announced: bytes) -> bytes:
        """
        The whole body. request: its id. announced: its Content-Length as sent, if it was.

        Raises RefusedError: 413 for one over the limit, as soon as that is known; 503 where all
        together would be too much; what the scope's REFUSAL says. ClientGoneError: there is nobody
        to answer.
        """
        with suppress(ValueError):
            if (length := int(announced)) > self._limit:
                raise _too_large(self._limit)
            if length > HELD_FREELY:
                self.hold(request, HELD_FREELY + 1, scope)
        chunks = []
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            if REFUSAL in scope:
                raise scope.pop(REFUSAL)  # kept, its traceback would hold the chunks
            chunks.append(message.get("body", b""))
            length += len(chunks[-1])
            if length > self._limit:
                raise _too_large(self._limit)
            if length > HELD_FREELY:
                self.hold(request, length, scope)
            if not message.get("more_body", False):
                self._arriving.pop(request, None)
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def hold(self, request: bytes, size: int, scope: Scope | None = None) -> None:
        """
        Count so many bytes for the request; RefusedError (503) when there is no room for them.

        scope: its own, while its body arrives.
        """
        if size <= HELD_FREELY:
            return
        self._held += size - self._sizes.get(request, 0)
        self._sizes[request] = size
        if scope is not None:
            self._arriving[request] = scope
        while self._held > self._limit_of_all:
            detail = (
                f"The bodies of all calls together are over the limit of {self._limit_of_all} "
                "bytes. Nothing was applied. Try again."
            )
            refusal = RefusedError("RC030", detail, retry_after=1)
            largest = max(self._arriving.keys() | {request}, key=self._sizes.__getitem__)
            other = self._arriving.get(largest)
            self.release(largest)
            if largest == request or other is None:
                raise refusal
            other[REFUSE](other, refusal)

    def release(self, request: bytes) -> None:
        """The request is done."""
        self._held -= self._sizes.pop(request, 0)
        self._arriving.pop(request, None)


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
