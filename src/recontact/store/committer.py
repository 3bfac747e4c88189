"""What waits to be written, run ahead and committed batch after batch, on the event loop."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from msgspec.structs import replace
from sqlalchemy import Engine

from recontact.messages import RefusedError
from recontact.model import JournalEntry
from recontact.store.checkpoints import Checkpoints
from recontact.store.figures import Commits
from recontact.store.transaction import Driver, Group, Statements, Work
from recontact.store.writer import LockedError, Outcome, Writer, name_of

logger = logging.getLogger("recontact")

T = TypeVar("T")

BATCH_WEIGHT: Final = 1_000
"""Items at which a batch is full: more would make every caller in it wait for the others."""
LIGHT_WEIGHT: Final = 16
"""Items up to which a call is run on the event loop: some 1 ms."""
AHEAD_WEIGHT: Final = 256
"""Items at which a batch that is run on the event loop is full."""
HALVED: Final = 8
"""Calls from which a batch takes half of those that wait: the others are run while it commits. Were
it all of them, there would be nothing to run meanwhile, and nothing to commit while they run."""
ENTRIES_KEPT: Final = 10_000
"""Entries of calls that changed nothing, waiting to be written; past it the oldest are lost."""
IDLE: Final = 0.5
"""Seconds after which, with nothing to do, what may wait is written."""
PATIENCE: Final = 5.0
"""Seconds to wait for another process that writes, the command line for instance."""
UNREADY: Final = 5.0
"""Seconds for which a call that was not saved says that none can be; a probe may find the little
room that it needs on a disk that is full for all others."""
PROBE_KEPT: Final = 0.2
"""Seconds for which the outcome of a probe holds: many who ask must not hold up the writes."""
FEED_STEP: Final = 128
"""Changed logs that the index of the search sees in one step: some 5 ms."""
FEED_MOST: Final = 512
"""Those of a step where batches brought more: whoever sends such waits for longer anyway, and the
logs of a large step cost less each."""
FEED_AT: Final = 20_000
"""Changed logs at which the index sees some even if calls wait: a search looks through all that it
has not seen, some 5 ms for so many."""
FEED_AFTER: Final = 0.05
"""Seconds without a write after which the index sees what changed."""
FEED_SOON: Final = 0.005
"""Those when a whole step of logs changed."""
CHECKPOINT_EVERY: Final = 0.2
"""Seconds between two rounds of checkpoints, if there were writes."""
CHECKPOINT_COPIES: Final = 4
"""Of a round at most: each copies what was committed during the one before, so they get shorter."""
CHECKPOINT_SHORT: Final = 0.02
"""Seconds of a copy that leaves little enough to the connection that writes."""
WAL_PAGES: Final = 4_000
"""Pages of the WAL, 16 MB, at which it is to begin again."""
_USE_EVERY: Final = timedelta(seconds=30)


@dataclass(slots=True)
class Batch:
    """
    Works that are committed together, with who waits for them and what became of them.

    group: the rows of works that were run ahead; None: they are yet to be run, in the thread.
    """

    group: Group | None = None
    works: list[Work[Any]] = field(default_factory=list)
    futures: list["asyncio.Future[Any]"] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    weight: int = 0

    def add(self, work: Work[Any], future: "asyncio.Future[Any]") -> None:
        """One more work, and who waits for it."""
        self.works.append(work)
        self.futures.append(future)
        self.weight += work.weight

    def take(self, other: "Batch") -> None:
        """The works of another batch too."""
        self.works += other.works
        self.futures += other.futures
        self.weight += other.weight

    def fail(self, error: BaseException) -> None:
        """Let every work end with this error."""
        self.outcomes = [(None, error) for _ in self.works]

    def settle(self) -> None:
        """Tell each who waits what became of their work."""
        for future, (result, error) in zip(self.futures, self.outcomes, strict=True):
            if future.done():  # its caller is gone
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


class Entries:
    """
    Entries of the journal that wait until something is written, for calls that changed nothing.

    After a batch that was not saved there are fewer of them in the next, half as many each time,
    and their bodies are lost: they must neither be what a full disk has no room for, nor what fills
    the memory.
    """

    def __init__(self) -> None:
        self._waiting: deque[JournalEntry] = deque(maxlen=ENTRIES_KEPT)
        self._most = ENTRIES_KEPT

    def add(self, entry: JournalEntry) -> None:
        """One more; past ENTRIES_KEPT the oldest is lost."""
        self._waiting.append(entry)

    def take(self, least: int) -> list[JournalEntry]:
        """Those to write with the next batch. least: so many, whatever happened before."""
        most = min(max(self._most, least), len(self._waiting))
        return [self._waiting.popleft() for _ in range(most)]

    def saved(self) -> None:
        """The batch is on disk: give more again."""
        self._most = min(2 * self._most + 1, ENTRIES_KEPT)

    def not_saved(self, taken: list[JournalEntry]) -> None:
        """The batch is not on disk: keep for later what it was to have."""
        self._most = len(taken) // 2
        lines = [replace(one, request_body=None, packed=0) for one in taken]
        self._waiting = deque([*lines, *self._waiting], maxlen=ENTRIES_KEPT)


def _is_light(work: Work[Any]) -> bool:
    """Whether a work can be run on the event loop, by a connection that only reads."""
    return work.weight <= LIGHT_WEIGHT and not work.queries


class Committer:
    """
    The one queue of writes.

    While a batch is on its way to the disk, the calls that come are run on top of what it wrote,
    as if that were saved. It nearly always is; when it is not, or when another process wrote in
    between, they are run again before anything is written.

    engine: its connections write. readers: theirs read. now: gives the time of each write.
    queue_limit: how many calls may wait; past it, 503. checkpoints: None: SQLite makes them.
    """

    def __init__(
        self,
        engine: Engine,
        readers: Engine,
        now: Callable[[], datetime],
        queue_limit: int,
        checkpoints: Checkpoints | None,
    ) -> None:
        self._readers = readers
        self._now = now
        self._queue_limit = queue_limit
        self._statements = Statements(engine.dialect)
        self._writer = Writer(engine, self._statements, now)
        self._thread = ThreadPoolExecutor(1, "recontact-writer")
        self._checkpoints = checkpoints
        self._copying = ThreadPoolExecutor(1, "recontact-checkpoints")
        self._wal_grew = False
        self._rounds: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()  # whose turn it is to use the writer
        self._wake = asyncio.Event()
        self._works: deque[tuple[Work[Any], asyncio.Future[Any]]] = deque()
        self._scheduled = False
        self._waiting = 0
        self._ahead: Batch | None = None
        self._committing: Batch | None = None
        self._reading: Any = None
        self._entries = Entries()
        self._used: dict[int, datetime] = {}
        self._use_written = now()
        self._feed_failed = 0  # times, one after the other
        self._feed_from = 0.0  # by the loop's clock: not before
        self._unready_until = 0.0  # by the loop's clock
        self._probe: asyncio.Future[bool] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None  # asking costs a system call each time
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self.commits = Commits()

    def start(self, elapsed: Callable[[], float]) -> None:
        """Start, on the running event loop. elapsed: gives seconds, and commits are timed by it."""
        self._elapsed = elapsed
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._commit_all())
        if self._checkpoints is not None:
            self._rounds = self._loop.create_task(self._checkpoint_all(self._checkpoints))

    async def stop(self) -> None:
        """Finish what was accepted, and write what could wait."""
        self._stopping = True
        if self._rounds is not None:
            self._rounds.cancel()
        if self._task is not None:
            self._wake.set()
            await self._task

    def close(self) -> None:
        """Give all connections back, after what is being committed."""
        self._copying.shutdown()
        self._thread.shutdown()
        self._writer.drop()
        self._drop_reading()

    async def submit(self, work: Work[T]) -> T:
        """Run `work` with the next batch; its result, once that is on disk."""
        if self._stopping or self._waiting >= self._queue_limit:
            why = "is stopping" if self._stopping else "has too many calls waiting"
            detail = f"The server {why}. Nothing was saved. Send the call again after a second."
            raise RefusedError("RC030", detail, retry_after=1)
        loop = self._loop or asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting += 1
        self._works.append((work, future))
        self._run_ahead_soon(loop)
        return await future

    def _run_ahead_soon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Once for all calls of this turn of the event loop: they are run together."""
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._run_ahead)

    @property
    def waiting(self) -> int:
        """How many calls wait until they are saved."""
        return self._waiting

    @property
    def unseen(self) -> int:
        """How many changed logs the index of the search has yet to see."""
        return self._writer.noted

    def note(self, entry: JournalEntry) -> None:
        """Write an entry of the journal later."""
        self._entries.add(entry)

    def used(self, key_id: int, at: datetime) -> None:
        """Write later when a key was last used."""
        self._used[key_id] = at

    async def can_write(self) -> bool:
        """Whether a commit goes through; all who ask at about the same time share one try."""
        if self._probe is None:
            self._probe = asyncio.ensure_future(self._try())
            self._probe.add_done_callback(
                lambda _: asyncio.get_running_loop().call_later(PROBE_KEPT, self._forget_probe)
            )
        return await asyncio.shield(self._probe)

    async def write_aside(self, write: Callable[[Driver], T]) -> T:
        """Write what no call waits for, between two batches."""
        async with self._turn:
            result = await self._aside(partial(self._writer.write_aside, write))
        self._wal_grew = True
        return result

    async def between(self, run: Callable[[], T]) -> T:
        """Run what writes with a connection of its own, between two batches, in their thread."""
        async with self._turn:
            result = await self._aside(run)
        self._wal_grew = True
        return result

    def _forget_probe(self) -> None:
        self._probe = None

    async def _try(self) -> bool:
        if asyncio.get_running_loop().time() < self._unready_until:
            return False
        try:
            async with self._turn:
                await self._aside(self._writer.probe)
        except Exception as error:
            logger.error("a probe was not saved", extra={"facts": {"why": str(error)}})
            return False
        return True

    # -- run ahead -----------------------------------------------------------------------------

    def _run_ahead(self) -> None:
        """Run the light works that wait, on top of the batch that is being committed."""
        self._scheduled = False
        self._wake.set()
        before = self._committing
        if before is not None and before.group is None:
            return  # it runs in the thread, so nobody knows yet what it writes
        if not self._works or not _is_light(self._works[0][0]):
            return
        try:
            if self._ahead is None:
                below = before.group if before else None
                self._ahead = Batch(Group(self._reads(), self._statements, below))
        except Exception:  # no connection to read by: the thread will run them, and tell
            logger.exception("calls cannot be run ahead")
            return
        ahead, fresh = self._ahead, Batch()
        most = self._waiting if self._waiting < HALVED else (self._waiting + 1) // 2
        most -= len(ahead.works)
        while self._works and _is_light(self._works[0][0]):
            if ahead.weight + fresh.weight >= AHEAD_WEIGHT or len(fresh.works) >= most:
                break
            fresh.add(*self._works.popleft())
        if ahead.group is not None:
            try:
                ahead.outcomes += self._writer.run(fresh.works, ahead.group)
            except Exception:
                logger.exception("calls cannot be run ahead")
                self._drop_reading()
                ahead.group = None
        ahead.take(fresh)

    def _reads(self) -> Driver:
        """A connection for reads on the event loop; each of its statements sees the newest."""
        if self._reading is None:
            self._reading = self._readers.raw_connection()
        return self._reading.driver_connection

    def _drop_reading(self) -> None:
        if self._reading is not None:
            self._reading.invalidate()
            self._reading = None

    def _run_again(self, batch: Batch) -> None:
        """What was run ahead counts no more: of this batch, and of the next, which read it."""
        batch.group = None
        if self._ahead is not None:
            self._ahead.group = None

    # -- commit --------------------------------------------------------------------------------

    async def _commit_all(self) -> None:
        """Commit batch after batch, until nothing waits any more and all is to stop."""
        last = False
        await self._feed()  # first of all: is the index fit, and how much has it yet to see
        while not last:
            self._run_ahead()
            # The round that begins with nothing to wait for writes all that is left.
            last = self._stopping and not self._ahead and not self._works
            if not (self._ahead or self._works or last):
                await self._rest()
            batch = self._committing = self._ahead or Batch()
            self._ahead = None
            if batch.group is not None and self._works:
                self._run_ahead_soon(asyncio.get_running_loop())
            while batch.group is None and self._works and batch.weight < BATCH_WEIGHT:
                batch.add(*self._works.popleft())
            try:
                await self._commit(batch)
            except Exception as error:  # whatever it is, nobody waits for ever
                batch.fail(error)
            self._committing = None
            self._waiting -= len(batch.works)
            batch.settle()
            # As many as the batch noted, and some more: so it keeps up, and holds nobody up.
            most = max(FEED_STEP, min(FEED_MOST, batch.weight))
            for _ in range(1 + batch.weight // most):
                if self._writer.noted < FEED_AT or not await self._feed(most):
                    break

    async def _rest(self) -> None:
        """Wait for something to do; meanwhile the index of the search sees what changed."""
        self._wake.clear()
        try:
            can_feed = asyncio.get_running_loop().time() >= self._feed_from
            noted = self._writer.noted if can_feed else 0
            soon = FEED_SOON if noted >= FEED_STEP else FEED_AFTER if noted else IDLE
            async with asyncio.timeout(soon):
                await self._wake.wait()
        except TimeoutError:
            for _ in range(20):  # then what else waits gets its turn
                if not await self._feed() or self._wake.is_set():
                    break

    async def _feed(self, most: int = FEED_STEP) -> bool:
        """Let the index of the search see some of the logs that changed; whether there are more."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._feed_from:
            return False
        try:
            async with self._turn:
                if await self._aside(partial(self._writer.feed, most)):
                    self._wal_grew = True
        except LockedError:  # another process writes: later
            return False
        except Exception as error:
            self._feed_failed = min(self._feed_failed + 1, 8)
            self._feed_from = loop.time() + IDLE * 2**self._feed_failed
            facts = {"why": str(error)}
            logger.error("the index of the search was not fed", extra={"facts": facts})
            return False
        self._feed_failed = 0
        return self._writer.noted > 0

    async def _checkpoint_all(self, checkpoints: Checkpoints) -> None:
        """Keep the WAL short, round after round."""
        loop = asyncio.get_running_loop()
        is_well = True
        while True:
            await asyncio.sleep(CHECKPOINT_EVERY)
            if not self._wal_grew:
                continue
            self._wal_grew = False
            try:
                if not checkpoints.is_on_disk:
                    await asyncio.shield(self._in_turn(self._copying, checkpoints.begin_again))
                pages = 0
                for _ in range(CHECKPOINT_COPIES):
                    began = loop.time()
                    pages = await loop.run_in_executor(self._copying, checkpoints.copy)
                    if loop.time() - began < CHECKPOINT_SHORT:
                        break
                if pages >= WAL_PAGES:
                    await asyncio.shield(self._in_turn(self._thread, self._writer.checkpoint))
                is_well = True
            except Exception as error:
                checkpoints.drop()
                self._wal_grew = True  # try again
                if is_well:  # once, and not five times a second
                    logger.error("the WAL grows", extra={"facts": {"why": str(error)}})
                is_well = False

    async def _in_turn(self, thread: ThreadPoolExecutor, run: Callable[[], None]) -> None:
        """Shielded by whoever may be cancelled: the turn lasts as long as the thread is at it."""
        async with self._turn:
            await asyncio.get_running_loop().run_in_executor(thread, run)

    async def _commit(self, batch: Batch) -> None:
        """Commit a batch with what could wait, which is kept for later when it is not saved."""
        entries = self._entries.take(
            least=ENTRIES_KEPT if self._stopping else 0 if batch.works else 1
        )
        used = self._used_lately()
        if not (batch.works or entries or used):
            return
        try:
            await self._commit_together(batch, entries, used)
            self._entries.saved()
            if batch.works:
                self._unready_until = 0.0
        except Exception as error:
            self._run_again(batch)
            self._used = used | self._used
            if isinstance(error, RefusedError):
                is_unknown = error.message.code == "RC031"
                event = "outcome of a batch unknown" if is_unknown else "a batch was not saved"
                cause = name_of(error.__cause__)
                facts = {"why": str(error), "cause": cause, "calls": len(batch.works)}
                logger.error(event, extra={"facts": facts})
                self.commits.failed += 1
                self._entries.not_saved(entries)
                if batch.works:
                    self._unready_until = asyncio.get_running_loop().time() + UNREADY
                batch.fail(error)
            else:
                await self._commit_one_by_one(batch, entries)

    async def _commit_one_by_one(self, batch: Batch, entries: Collection[JournalEntry]) -> None:
        """One row's statement failed: find whose, and harm nobody else."""
        outcomes: list[Outcome] = []
        for work in batch.works:
            alone = Batch(works=[work])
            try:
                await self._commit_together(alone, (), {})
                outcomes += alone.outcomes
            except Exception as error:
                outcomes.append((None, error))
                if isinstance(error, RefusedError) and error.message.code == "RC030":
                    # It would be the same for all that are left, and each may wait for a lock.
                    outcomes += [(None, error)] * (len(batch.works) - len(outcomes))
                    break
        batch.outcomes = outcomes
        try:
            await self._commit_together(Batch(), entries, {})
        except Exception:
            facts = {"entries": len(entries)}
            logger.exception("entries of the journal were lost", extra={"facts": facts})

    async def _commit_together(
        self, batch: Batch, entries: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> None:
        """
        Write a batch that was run ahead on the event loop, another in the thread; commit there.

        Two threads that both run Python hand the interpreter's lock to and fro at each row, which
        cost more than half of all requests. The commit itself runs no Python and waits for the
        disk, so in the thread it leaves the event loop free.
        """
        async with self._turn:
            try:
                if not self._wrote_ahead(batch, entries, used):
                    self._run_again(batch)
                    await self._aside(partial(self._write_aside, batch, entries, used))
                seconds = await self._aside(self._timed_commit)
                self.commits.add(seconds, len(batch.works), batch.weight)
                self._wal_grew = True
            except LockedError:
                detail = "Another process holds the database. Nothing was saved. Send it again."
                raise RefusedError("RC030", detail, retry_after=5) from None
            except BaseException:
                self._writer.drop()
                raise

    def _wrote_ahead(
        self, batch: Batch, entries: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> bool:
        """Write a batch that was run ahead; False when it was not, or the lock is not free."""
        if batch.group is None or not self._writer.is_open:
            return False
        try:
            driver, alone = self._writer.begin(patience=0)
        except LockedError:
            return False
        if not alone:  # what the works read may be old
            self._run_again(batch)
            batch.group = Group(driver, self._statements)
            batch.outcomes = self._writer.run(batch.works, batch.group)
        self._writer.write(batch.group, entries, used)
        return True

    def _write_aside(
        self, batch: Batch, entries: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> None:
        driver, _ = self._writer.begin(PATIENCE)
        group = Group(driver, self._statements)
        batch.outcomes = self._writer.run(batch.works, group)
        self._writer.write(group, entries, used)

    def _timed_commit(self) -> float:
        """Commit; how many seconds that took, without the way to the thread and back."""
        began = self._elapsed()  # the loop's own clock stands still until its next turn (uvloop)
        self._writer.commit()
        return self._elapsed() - began

    async def _aside(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, run)

    def _used_lately(self) -> dict[int, datetime]:
        """When keys were last used, each half minute or at the end: it may be late."""
        due = self._stopping or self._now() - self._use_written > _USE_EVERY
        if not self._used or not due:
            return {}
        used, self._used = self._used, {}
        self._use_written = self._now()
        return used
