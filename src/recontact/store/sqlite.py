"""The store on SQLite: one writer that commits in groups, and readers that never wait."""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from recontact.messages import RefusedError
from recontact.model import JournalEntry, Key, Site
from recontact.store import keys, tables
from recontact.store.errors import DatabaseError
from recontact.store.queries import View
from recontact.store.transaction import Driver, Group, Statements, Work
from recontact.store.writer import LockedError, Outcome, Writer, why_not_now

try:  # wheels for Linux x86-64, macOS arm64 and Windows; elsewhere the interpreter's own
    from pysqlite3 import dbapi2 as driver
except ImportError:  # pragma: no cover
    from sqlite3 import dbapi2 as driver

logger = structlog.get_logger()

T = TypeVar("T")

GROUP_WEIGHT: Final = 1_000
"""Items at which a batch is full: more would make every caller in it wait for the others."""
LIGHT_WEIGHT: Final = 16
"""Items up to which a call is run on the event loop: some 1 ms."""
AHEAD_WEIGHT: Final = 256
"""Items at which a batch that is run on the event loop is full."""
NOTES_KEPT: Final = 10_000
"""Entries of calls that changed nothing, waiting to be written; past it the oldest are lost."""
IDLE: Final = 0.5
"""Seconds after which the writer, with nothing to do, writes what may wait."""

# A WAL of 10,000 pages (40 MB) before a checkpoint steadied p99; only the writer checkpoints.
_CHECKPOINT_PAGES: Final = 10_000
PATIENCE: Final = 5.0
"""Seconds to wait for another process that writes, the command line for instance."""
_USE_EVERY: Final = timedelta(seconds=30)


def _connect(engine: Engine, *, writes: bool) -> Engine:
    """Set up each connection of `engine`, and begin its transactions ourselves."""

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # Without this the driver commits on its own before DDL, and a migration that is killed
        # leaves half a schema.
        connection.isolation_level = None
        for pragma in (
            "synchronous = FULL",  # is the connection's, not the file's
            "fullfsync = ON",
            "checkpoint_fullfsync = ON",
            f"busy_timeout = {int(PATIENCE * 1000)}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES if writes else 0}",
            "foreign_keys = ON",
            f"query_only = {'OFF' if writes else 'ON'}",
            "cache_size = -65536",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    # BEGIN IMMEDIATE: a deferred transaction that turns into a write can get SQLITE_BUSY at once,
    # timeout or not, when the command line writes the same file.
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def make_engine(path: str | Path, *, writes: bool, connections: int = 1) -> Engine:
    """An engine on the database file; a `writes` one takes the write lock as it begins."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=driver,
        hide_parameters=True,  # an error's text is logged, and values are customers' data
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=-1,
        connect_args={"check_same_thread": False, "timeout": PATIENCE},
    )
    return _connect(engine, writes=writes)


def schema_revision(connection: Driver) -> str | None:
    """The Alembic revision that the database is at; None for one without any."""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


class SqliteStore:
    """
    A database file.

    path: of the file, made if it is not there. now: gives the time of each write. queue_limit: how
    many calls may wait for the writer, and how many for a reader; past it, 503. serves: hold the
    file as its one server, until `close`. Raises DatabaseError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        now: Callable[[], datetime],
        queue_limit: int = 1_024,
        readers: int = 4,
        serves: bool = False,
    ) -> None:
        self._path = Path(path)
        self._now = now
        self._queue_limit = queue_limit
        self._engine = make_engine(path, writes=True)
        self._readers = make_engine(path, writes=False, connections=readers + 2)
        self._lock: TextIO | None = None
        try:
            if serves:
                self._claim()
            self._migrate()
        except (DBAPIError, driver.Error, OSError) as error:
            why = error.strerror if isinstance(error, OSError) else getattr(error, "orig", error)
            raise DatabaseError(
                f"The database {path} cannot be opened: {why}. Check that it is a database of "
                "recontact's, that its folder is there, and that you may write in it."
            ) from error
        self._statements = Statements(self._engine.dialect)
        self._writer = Writer(self._engine, self._statements, now)
        self._writing = ThreadPoolExecutor(1, "recontact-writer")
        self._reading = ThreadPoolExecutor(readers, "recontact-reader")
        self._reading_keys = ThreadPoolExecutor(1, "recontact-keys")
        self._works: deque[tuple[Work[Any], asyncio.Future[Any]]] = deque()
        self._scheduled = False
        self._ahead: Batch | None = None
        self._committing: Batch | None = None
        self._reads_pooled: Any = None
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._views = 0
        self._notes: deque[JournalEntry] = deque(maxlen=NOTES_KEPT)
        self._last_used: dict[int, datetime] = {}
        self._use_written = now()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    # -- the schema ----------------------------------------------------------------------------

    def _migrate(self) -> None:
        with closing(driver.connect(self._path, timeout=PATIENCE)) as connection:
            found = self._look(connection)
        if found == tables.SCHEMA_REVISION:
            return
        # Alembic takes 250 ms to import, so only a database that needs it pays.
        from recontact.store.migrations import upgrade_sqlite

        claimed_here = self._lock is None and found is not None
        if claimed_here:  # not under a server that knows only the old schema
            self._claim()
        upgrade_sqlite(self._engine, self._path, found)
        if claimed_here:
            self._unclaim()

    def _look(self, connection: Driver) -> str | None:
        """The schema's revision, of a file that is new or ours; nothing is written before that."""
        names = {
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if not name.startswith("sqlite_")
        }
        if names and "alembic_version" not in names:
            raise DatabaseError(
                f"The file {self._path} is another program's database (it has a table "
                f"{min(names)}): name another file."
            )
        # Both are the file's, not the connection's; and to set them, even to what they are, writes.
        if not names:
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            connection.execute("PRAGMA journal_mode = WAL")
        return schema_revision(connection) if names else None

    def _claim(self) -> None:
        """Hold the file as its one server, by a lock that ends with the process however it ends."""
        self._lock = self._path.with_name(self._path.name + ".lock").open("a+")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.seek(0)
            holder = self._lock.read()
            self._unclaim()
            raise DatabaseError(
                f"The database {self._path} is served already, by process {holder}. "
                "Stop that one, or name another with --database."
            ) from None
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def _unclaim(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # -- what the event loop calls -------------------------------------------------------------

    def start(self) -> None:
        """Start the writer; from the event loop that will submit."""
        self._task = asyncio.get_running_loop().create_task(self._write())

    async def submit(self, work: Work[T]) -> T:
        """Run `work` with the next group; its result, once that is on disk."""
        if self._stopping or self._waiting >= self._queue_limit:
            why = "is stopping" if self._stopping else "has too many calls waiting"
            raise RefusedError(
                "RC030",
                f"The server {why}. Nothing was saved. Send the call again after a second.",
                retry_after=1,
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._works.append((work, future))
        if not self._scheduled:
            # Once for all calls of this turn of the event loop: they are run together.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run_waiting)
        return await future

    async def view(self, site: Site, read: Callable[[View], T]) -> T:
        """Give `read` one snapshot of the site, in a thread."""
        return await self._read(lambda connection: read(View(connection, site, self._now())))

    async def keys(self) -> dict[bytes, Key]:
        """All keys by their digest, as the database has them now."""
        # Apart from the other readers: four long reads must not keep a revoked key valid.
        return await asyncio.get_running_loop().run_in_executor(
            self._reading_keys, self._snapshot, keys.keys
        )

    async def _read(self, read: Callable[[Connection], T]) -> T:
        if self._views >= self._queue_limit:
            raise RefusedError(
                "RC030",
                "The server has too many reads waiting. Send the call again after a second.",
                retry_after=1,
            )
        self._views += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._reading, self._snapshot, read
            )
        except DBAPIError as error:
            if why := why_not_now(error):
                logger.error("the database cannot be read", error=str(error.orig))
                detail = f"The database cannot be read now: {why}. Send the call again."
                raise RefusedError("RC030", detail, retry_after=5) from error
            raise
        finally:
            self._views -= 1

    def _snapshot(self, read: Callable[[Connection], T]) -> T:
        with self._readers.connect() as connection, connection.begin():
            return read(connection)

    def note(self, entry: JournalEntry) -> None:
        """Write an entry of the journal later."""
        self._notes.append(entry)

    def used(self, key_id: int, at: datetime) -> None:
        """Write later when a key was last used."""
        self._last_used[key_id] = at

    async def can_write(self) -> bool:
        """Whether a commit goes through now."""

        try:
            async with self._turn:
                await self._aside(self._writer.probe)
        except (RefusedError, LockedError):
            return False
        return True

    async def stop(self) -> None:
        """Finish what was accepted, and write what could wait."""
        self._stopping = True
        if self._task is not None:
            self._wake.set()
            await self._task

    def close(self) -> None:
        """Let the file go."""
        for threads in (self._reading, self._reading_keys, self._writing):
            threads.shutdown()
        self._writer.drop()
        if self._reads_pooled is not None:
            self._reads_pooled.close()
        for engine in (self._readers, self._engine):
            engine.dispose()
        self._unclaim()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of its own, beside the writer."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    # -- the writer ----------------------------------------------------------------------------

    def _run_waiting(self) -> None:
        """
        Run the works that wait, while the batch before is on its way to the disk.

        They read what that batch wrote as if it were saved. It nearly always is; when it is not,
        or when another process wrote in between, they are run again before anything is written.
        """
        self._scheduled = False
        self._wake.set()
        before = self._committing
        if before is not None and before.group is None:
            return  # it runs in the thread, so nobody knows yet what it writes
        ahead = self._ahead or Batch(
            Group(self._reads(), self._statements, before.group if before else None)
        )
        fresh = Batch(None)
        while self._works and self._works[0][0].weight <= LIGHT_WEIGHT:
            if ahead.weight + fresh.weight >= AHEAD_WEIGHT:
                break
            fresh.add(*self._works.popleft())
        if not fresh.works:
            return
        if ahead.group is not None:
            try:
                ahead.outcomes += self._writer.run(fresh.works, ahead.group)
            except Exception:  # it could not read: the thread tries again, and tells
                logger.exception("works could not be run ahead")
                self._reads_pooled.invalidate()
                ahead.group = None
        ahead.take(fresh)
        self._ahead = ahead

    def _reads(self) -> Driver:
        """A connection for reads on the event loop; each of its statements sees the newest."""
        if self._reads_pooled is None or not self._reads_pooled.is_valid:
            self._reads_pooled = self._readers.raw_connection()
        return self._reads_pooled.driver_connection

    async def _write(self) -> None:
        """Commit batch after batch, until the store stops and nothing waits any more."""
        last = False
        while not last:
            if not self._ahead:
                self._run_waiting()
            # The round that begins with nothing to wait for writes all that is left.
            last = self._stopping and not self._ahead and not self._works
            if not (self._ahead or self._works or last):
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._wake.wait()
            batch, self._ahead = self._ahead or Batch(None), None
            while self._works and not batch.is_run and batch.weight < GROUP_WEIGHT:
                batch.add(*self._works.popleft())
            try:
                await self._commit(batch)
            except Exception as error:  # whatever it is, nobody waits for ever
                batch.fail(error)
            self._waiting -= len(batch.works)
            batch.settle()

    async def _commit(self, batch: "Batch") -> None:
        """Commit a batch, with what waited to be written; that is kept if it was not saved."""
        notes, self._notes = self._notes, deque(maxlen=NOTES_KEPT)
        used = self._used_lately(now=self._stopping)
        if not (batch.works or notes or used):
            return
        try:
            await self._commit_together(batch, notes, used)
            return
        except RefusedError as refusal:
            logger.error("a batch was not saved", why=str(refusal), calls=len(batch.works))
            self._notes.extendleft(reversed(notes))
            self._last_used = used | self._last_used
            batch.fail(refusal)
        except Exception as error:
            batch.fail(error)
        if self._ahead:
            self._ahead.group = None  # it read what was not saved
        if batch.error and not isinstance(batch.error, RefusedError):
            await self._commit_one_by_one(batch, notes)

    async def _commit_one_by_one(self, batch: "Batch", notes: Collection[JournalEntry]) -> None:
        """One row's statement failed: find whose, and harm nobody else."""
        outcomes = []
        for work in batch.works:
            alone = Batch(None, [work])
            try:
                await self._commit_together(alone, (), {})
                outcomes += alone.outcomes
            except Exception as error:
                outcomes.append((None, error))
        batch.outcomes, batch.error = outcomes, None
        try:
            await self._commit_together(Batch(None), notes, {})
        except Exception:
            logger.exception("entries of the journal were lost", entries=len(notes))

    async def _commit_together(
        self, batch: "Batch", notes: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> None:
        """
        Write a batch that was run ahead on the event loop, another in the thread; commit there.

        Two threads that both run Python hand the interpreter's lock to and fro at each row, which
        cost more than half of all requests. The commit itself runs no Python and waits for the
        disk, so in the thread it leaves the event loop free.
        """
        async with self._turn:
            self._committing = batch
            try:
                if not self._wrote_ahead(batch, notes, used):
                    batch.group = None
                    await self._aside(partial(self._write_aside, batch, notes, used))
                await self._aside(self._writer.commit)
            except LockedError:
                detail = "Another process holds the database. Nothing was saved. "
                raise RefusedError(
                    "RC030", f"{detail}Send the call again.", retry_after=5
                ) from None
            except BaseException:
                self._writer.drop()
                raise
            finally:
                self._committing = None

    def _wrote_ahead(
        self, batch: "Batch", notes: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> bool:
        """Write a batch that was run ahead; False when it was not, or the lock is not free."""
        if batch.group is None or not self._writer.is_open:
            return False
        try:
            driver, alone = self._writer.begin(patience=0)
        except LockedError:
            return False
        if not alone:  # what the works read may be old
            batch.group = Group(driver, self._statements)
            batch.outcomes = self._writer.run(batch.works, batch.group)
        self._writer.write(batch.group, notes, used)
        return True

    def _write_aside(
        self, batch: "Batch", notes: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> None:
        driver, _ = self._writer.begin(PATIENCE)
        group = Group(driver, self._statements)
        batch.outcomes = self._writer.run(batch.works, group)
        self._writer.write(group, notes, used)

    async def _aside(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    def _used_lately(self, *, now: bool) -> dict[int, datetime]:
        """When keys were last used, each half minute or `now`: it may be late, and often is."""
        if not self._last_used or not (now or self._now() - self._use_written > _USE_EVERY):
            return {}
        used, self._last_used = self._last_used, {}
        self._use_written = self._now()
        return used


@dataclass(slots=True)
class Batch:
    """
    Works that are committed together, with who waits for them and what became of them.

    group: the rows of works that were run ahead; None: they are yet to be run, in the thread.
    """

    group: Group | None
    works: list[Work[Any]] = field(default_factory=list)
    futures: list["asyncio.Future[Any]"] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    weight: int = 0
    error: BaseException | None = None

    @property
    def is_run(self) -> bool:
        """Whether its works were run ahead."""
        return self.group is not None

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
        self.error = error
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
