"""
How much of the journal is kept: the oldest of it goes, in small steps between the calls.

Past so many days an entry goes, with its bodies. Past so many bytes only bodies go: that a call was
made is a narrow row, and stays until its day comes. Revisions stay for ever.

What an Idempotency-Key names stays as long as the key, or a repeat of the call could not be
answered. So keys can hold more bytes than there may be, those of IDEMPOTENCY_DAYS at most: the
bodies that no key names go in their place, and theirs go with them.
"""

import asyncio
import json
import logging
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import Connection

from recontact.model import IDEMPOTENCY_DAYS
from recontact.store.tables import request_at
from recontact.store.transaction import Driver
from recontact.store.writer import LockedError

logger = logging.getLogger("recontact")

T = TypeVar("T")

STEP_ROWS: Final = 1_000
"""Entries or bodies that go at once: some 3 ms, in which nobody else writes."""
STEP_KEYS: Final = 200
"""Keys that go at once: each lies on a page of its own, so they take as long as those entries."""
STEP_BYTES: Final = 4 * 1024 * 1024
"""Bytes of bodies at which a step is full, though it has fewer rows."""
COUNT_ROWS: Final = 2_000
"""Bodies that are counted at once: some 2 ms of a reader."""
LOOK_EVERY: Final = 1.0
"""Seconds between two looks, when there is nothing to do."""
REST: Final = 3
"""After a step it rests for so many times as long as that took."""
GRACE: Final = timedelta(minutes=1)
"""A key goes so long after its end: a call that just met it is yet to read the answer."""

_SIZE: Final = "ifnull(length(b.request_body), 0) + ifnull(length(b.answer_body), 0)"
_NEW: Final = f"""
    SELECT count(*), max(number), sum(size) FROM
    (SELECT rowid AS number, {_SIZE} AS size FROM journal_body b WHERE rowid > ?
     ORDER BY rowid LIMIT {COUNT_ROWS})
"""  # noqa: S608  # ours
_LAST: Final = "SELECT ifnull(max(rowid), 0) FROM journal_body"
_OLDEST_BODIES: Final = f"""
    SELECT rowid, {_SIZE},
    EXISTS (SELECT 1 FROM idempotency i WHERE i.site = b.site AND i.request = b.request)
    FROM journal_body b WHERE rowid > ? ORDER BY rowid LIMIT {STEP_ROWS}
"""  # noqa: S608  # ours
_ENDED_KEYS: Final = f"""
    SELECT i.request, {_SIZE}, ifnull(b.rowid, 0)
    FROM idempotency i LEFT JOIN journal_body b ON b.site = i.site AND b.request = i.request
    WHERE i.site = ? AND i.request < ? ORDER BY i.request LIMIT {STEP_KEYS}
"""  # noqa: S608  # ours
_OLDEST_NAMED: Final = "SELECT min(request) FROM idempotency WHERE site = ?"
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


_Delete = tuple[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Step:
    """
    What goes at once: statements and their values, and the bytes of counted bodies in it.

    passed: what `Retention` has passed over then.
    """

    deletes: tuple[_Delete, ...]
    size: int
    passed: int


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
        # Bodies up to this number are there for their keys alone: they go with them, and no look
        # for what else can go walks over them again, be they millions.
        self._passed = 0
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
                self._counted = self._passed = self.size = 0  # who knows what is there: count again
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
            last = step.passed
            if step.deletes:
                last = await self._write(partial(self._delete, step))
                # Once all are gone, the next one gets the number 1 again.
                self._counted = min(self._counted, last)
                self.size -= step.size
            self._passed = min(step.passed, last)
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
        if self._counted > driver.execute(_LAST).fetchone()[0]:
            self._counted = self._passed = self.size = 0  # after `erase` numbers come again
        count, last, size = driver.execute(_NEW, (self._counted,)).fetchone()
        self._counted = last or self._counted
        self.size += size or 0
        has_counted = count < COUNT_ROWS
        step = self._ended(driver) or self._too_old(driver)
        return has_counted, step or (self._too_many(driver) if has_counted else None)

    def _ended(self, driver: Driver) -> _Step | None:
        """The oldest keys of a site that are past their days, with the bodies that were passed."""
        border = request_at(self._now() - timedelta(days=IDEMPOTENCY_DAYS) - GRACE)
        for site in _sites(driver):
            if found := driver.execute(_ENDED_KEYS, (site, border)).fetchall():
                found = found[: _full((size for _, size, _ in found), STEP_BYTES)]
                passed = [one for one in found if 0 < one[2] <= self._passed]
                return _Step(
                    (
                        (
                            "DELETE FROM idempotency WHERE site = ? AND request <= ?",
                            (site, found[-1][0]),
                        ),
                        _delete_of([number for _, _, number in passed]),
                    ),
                    sum(size for _, size, _ in passed),
                    self._passed,
                )
        return None

    def _too_old(self, driver: Driver) -> _Step | None:
        """The oldest entries of a site that are past their days, with their bodies."""
        border = request_at(self._now() - timedelta(days=self._limits.days))
        for site in _sites(driver):
            (named,) = driver.execute(_OLDEST_NAMED, (site,)).fetchone()
            before = min(border, named or border)
            if found := driver.execute(_OLD_ENTRIES, (site, before)).fetchall():
                found = found[: _full((size for _, size, _ in found), STEP_BYTES)]
                values = (site, found[-1][0])
                return _Step(
                    (
                        ("DELETE FROM journal_body WHERE site = ? AND request <= ?", values),
                        ("DELETE FROM journal WHERE site = ? AND request <= ?", values),
                    ),
                    sum(size for _, size, number in found if number <= self._counted),
                    self._passed,
                )
        return None

    def _too_many(self, driver: Driver) -> _Step | None:
        """The oldest bodies of all sites, when there are more bytes than may be; not of keys."""
        if self.size <= self._limits.size:
            return None
        found = driver.execute(_OLDEST_BODIES, (self._passed,)).fetchall()
        if not found:
            return None
        most = min(STEP_BYTES, self.size - self._limits.size)
        found = found[: _full((0 if is_named else size for _, size, is_named in found), most)]
        gone = {number: size for number, size, is_named in found if not is_named}
        deletes = (_delete_of(list(gone)),) if gone else ()
        return _Step(deletes, sum(gone.values()), found[-1][0])

    def _delete(self, step: _Step, driver: Driver) -> int:
        """Delete a step; the number of the last body that is left, 0: none is."""
        for statement, values in step.deletes:
            driver.execute(statement, values).close()
        (last,) = driver.execute(_LAST).fetchone()
        return int(last)


def _sites(driver: Driver) -> list[int]:
    return [site for (site,) in driver.execute("SELECT site FROM site").fetchall()]


def _delete_of(numbers: Sequence[int]) -> _Delete:
    """What deletes the bodies with these numbers."""
    sql = "DELETE FROM journal_body WHERE rowid IN (SELECT value FROM json_each(?))"
    return sql, (json.dumps(numbers),)


def _full(sizes: Iterable[int], most: int) -> int:
    """How many, from the first, make up `most` bytes; all, if they are not so many."""
    totals = list(accumulate(sizes))
    return min(bisect_left(totals, most) + 1, len(totals))
