"""
How much of the journal is kept: the oldest of it goes, in small steps between the calls.

Past so many days an entry goes, with its bodies. Past so many bytes only bodies go: that a call was
made is a narrow row, and stays until its day comes. Revisions stay for ever.
"""

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection

from recontact.store.transaction import Driver
from recontact.store.writer import LockedError

logger = logging.getLogger("recontact")

T = TypeVar("T")

STEP_ROWS: Final = 1_000
"""Entries or bodies that go at once: some 3 ms, in which nobody else writes."""
STEP_BYTES: Final = 4 * 1024 * 1024
"""Bytes of bodies at which a step is full, though it has fewer rows."""
COUNT_ROWS: Final = 2_000
"""Bodies that are counted at once: some 2 ms of a reader."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks, when there is nothing to do."""
REST: Final = 3
"""After a step it rests for so many times as long as that took."""

_SIZE: Final = "ifnull(length(b.request_body), 0) + ifnull(length(b.answer_body), 0)"
_NEW: Final = f"""
    SELECT count(*), max(number), sum(size) FROM
    (SELECT rowid AS number, {_SIZE} AS size FROM journal_body b WHERE rowid > ?
     ORDER BY rowid LIMIT {COUNT_ROWS})
"""  # noqa: S608  # ours
_OLDEST_BODIES: Final = f"""
    SELECT rowid, {_SIZE} FROM journal_body b ORDER BY rowid LIMIT {STEP_ROWS}
"""  # noqa: S608  # ours
_OLD_ENTRIES: Final = f"""
    SELECT j.request, {_SIZE}, ifnull(b.rowid, 0)
    FROM journal j LEFT JOIN journal_body b ON b.site = j.site AND b.request = j.request
    WHERE j.site = ? AND j.request < ? ORDER BY j.request LIMIT {STEP_ROWS}
"""  # noqa: S608  # ours


@dataclass(frozen=True, slots=True)
class JournalLimits:
    """What the journal may hold. days: of its entries; size: bytes of all bodies together."""

    days: int
    size: int


@dataclass(frozen=True, slots=True)
class _Step:
    """What goes at once: statements and their values; and the bytes of counted bodies in it."""

    deletes: tuple[tuple[str, tuple[Any, ...]], ...]
    size: int


class Read(Protocol):
    """Gives a function a snapshot to read from, in a thread."""

    def __call__(self, read: Callable[[Connection], T]) -> Awaitable[T]: ...


class Write(Protocol):
    """Gives a function a transaction to write in, between two batches of calls."""

    def __call__(self, write: Callable[[Driver], T]) -> Awaitable[T]: ...


class Retention:
    """
    Keeps the journal within its limits, from `start` to `stop`.

    now: the time. size: the bytes of the bodies, as far as they are counted. Bodies are numbered as
    they are written, so those that came since the last look are counted alone; all of them once,
    at the start.
    """

    def __init__(
        self, limits: JournalLimits, now: Callable[[], datetime], read: Read, write: Write
    ) -> None:
        self._limits = limits
        self._now = now
        self._read = read
        self._write = write
        self._counted = 0  # the number of the last body that is in `size`
        self.size = 0
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start, on the running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Stop after the step that it is at."""
        self._stopping.set()
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        failed = 0  # times, one after the other
        while not self._stopping.is_set():
            try:
                rest = await self._go_on()
                failed = 0
            except LockedError:  # another process writes: later
                rest = LOOK_EVERY
            except Exception as error:
                self._counted = self.size = 0  # who knows what is there: count again
                failed = min(failed + 1, 8)
                rest = LOOK_EVERY * 2**failed
                logger.error("the journal was not swept", extra={"facts": {"why": str(error)}})
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._stopping.wait()

    async def _go_on(self) -> float:
        """Count some bodies, delete some; how many seconds to rest then."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        has_counted, step = await self._read(self._look)
        if step is not None:
            last = await self._write(partial(self._delete, step))
            # Once all are gone, the next one gets the number 1 again.
            self._counted = min(self._counted, last)
            self.size -= step.size
        elif has_counted:
            return LOOK_EVERY
        return REST * (loop.time() - began)

    def _look(self, connection: Connection) -> tuple[bool, _Step | None]:
        """
        Whether all bodies are counted, and what is to go next.

        It is chosen here, where nobody waits: the rows come from the disk, and are at hand then.
        """
        driver = connection.connection.driver_connection
        assert driver is not None
        count, last, size = driver.execute(_NEW, (self._counted,)).fetchone()
        self._counted = last or self._counted
        self.size += size or 0
        has_counted = count < COUNT_ROWS
        return has_counted, self._too_old(driver) or (
            self._too_many(driver) if has_counted else None
        )

    def _too_old(self, driver: Driver) -> _Step | None:
        """The oldest entries of a site that are past their days, with their bodies."""
        border = _request_at(self._now() - timedelta(days=self._limits.days))
        for (site,) in driver.execute("SELECT site FROM site").fetchall():
            if found := driver.execute(_OLD_ENTRIES, (site, border)).fetchall():
                found = found[: _full((size for _, size, _ in found), STEP_BYTES)]
                values = (site, found[-1][0])
                return _Step(
                    (
                        ("DELETE FROM journal_body WHERE site = ? AND request <= ?", values),
                        ("DELETE FROM journal WHERE site = ? AND request <= ?", values),
                    ),
                    sum(size for _, size, number in found if number <= self._counted),
                )
        return None

    def _too_many(self, driver: Driver) -> _Step | None:
        """The oldest bodies of all sites, when there are more bytes than may be."""
        if self.size <= self._limits.size:
            return None
        found = driver.execute(_OLDEST_BODIES).fetchall()
        most = min(STEP_BYTES, self.size - self._limits.size)
        found = found[: _full((size for _, size in found), most)]
        deletes = (("DELETE FROM journal_body WHERE rowid <= ?", (found[-1][0],)),)
        return _Step(deletes, sum(size for _, size in found))

    def _delete(self, step: _Step, driver: Driver) -> int:
        """Delete a step; the number of the last body that is left, 0: none is."""
        for statement, values in step.deletes:
            driver.execute(statement, values).close()
        (last,) = driver.execute("SELECT max(rowid) FROM journal_body").fetchone()
        return last or 0


def _full(sizes: Iterable[int], most: int) -> int:
    """How many, from the first, make up `most` bytes; all, if they are not so many."""
    totals = list(accumulate(sizes))
    return min(bisect_left(totals, most) + 1, len(totals))


def _request_at(moment: datetime) -> bytes:
    """What the ids of requests before that moment are below: a UUIDv7 begins with milliseconds."""
    return max(0, int(moment.timestamp() * 1000)).to_bytes(6, "big") + bytes(10)
