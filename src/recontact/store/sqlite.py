"""The store on SQLite: one writer that commits in groups, and readers that never wait."""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import QueuePool

from recontact.messages import RefusedError
from recontact.model import JournalEntry, Key, Site
from recontact.store import keys, tables
from recontact.store.errors import DatabaseError
from recontact.store.queries import View
from recontact.store.transaction import Work
from recontact.store.writer import LockedError, Outcome, Writer

try:  # wheels for Linux x86-64, macOS arm64 and Windows; elsewhere the interpreter's own
    from pysqlite3 import dbapi2 as driver
except ImportError:  # pragma: no cover
    from sqlite3 import dbapi2 as driver

logger = structlog.get_logger()

T = TypeVar("T")

GROUP_WEIGHT: Final = 1_000
"""Items at which a group is full: more would make every caller in it wait for the others."""
LIGHT_WEIGHT: Final = 64
"""Items up to which a group is prepared on the event loop: some 5 ms."""
NOTES_KEPT: Final = 10_000
"""Entries of calls that changed nothing, waiting to be written; past it the oldest are lost."""
IDLE: Final = 0.5
"""Seconds after which the writer, with nothing to do, writes what may wait."""

# A WAL of 10,000 pages (40 MB) before a checkpoint steadied p99; only the writer checkpoints.
_CHECKPOINT_PAGES: Final = 10_000
PATIENCE: Final = 5.0
"""Seconds to wait for another process that writes, the command line for instance."""
_USE_EVERY: Final = timedelta(seconds=30)
_NO_SITE: Final = Site(0, "", ZoneInfo("UTC"))


def _connect(engine: Engine, *, writes: bool) -> Engine:
    """Set up each connection of `engine`, and begin its transactions ourselves."""

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # Without this the driver commits on its own before DDL, and a migration that is killed
        # leaves half a schema.
        connection.isolation_level = None
        for pragma in (
            "auto_vacuum = INCREMENTAL",  # counts only before the first table is made
            "journal_mode = WAL",
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
        f"sqlite:///{path}",
        module=driver,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        connect_args={"check_same_thread": False, "timeout": PATIENCE},
    )
    return _connect(engine, writes=writes)


def schema_revision(connection: Connection) -> str | None:
    """The Alembic revision that the database is at; None for one without any."""
    table = "SELECT name FROM sqlite_master WHERE name = 'alembic_version'"
    if connection.exec_driver_sql(table).first() is None:
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


class SqliteStore:
    """
    A database file.

    path: of the file, made if it is not there. now: gives the time of each write. queue: how many
    calls may wait for the writer, and how many for a reader; past it, 503.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        now: Callable[[], datetime],
        queue_limit: int = 1_024,
        readers: int = 4,
    ) -> None:
        self._path = Path(path)
        self._now = now
        self._queue_limit = queue_limit
        self._engine = make_engine(path, writes=True, connections=2)  # the writer's, and `begin`
        self._readers = make_engine(path, writes=False, connections=readers)
        try:
            self._migrate()
        except OperationalError as error:
            raise DatabaseError(
                f"The database {path} cannot be opened: {error.orig}. Check that its folder is "
                "there and that you may write in it."
            ) from error
        self._writer = Writer(self._engine, now)
        self._writing = ThreadPoolExecutor(1, "recontact-writer")
        self._reading = ThreadPoolExecutor(readers, "recontact-reader")
        self._works: deque[tuple[Work[Any], asyncio.Future[Any]]] = deque()
        self._wake = asyncio.Event()
        self._waiting = 0
        self._views = 0
        self._notes: deque[JournalEntry] = deque(maxlen=NOTES_KEPT)
        self._last_used: dict[int, datetime] = {}
        self._use_written = now()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    # -- the schema ----------------------------------------------------------------------------

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            found = schema_revision(connection)
        if found != tables.SCHEMA_REVISION:
            # Alembic takes 250 ms to import, so only a database that needs it pays.
            from recontact.store.migrations import upgrade_sqlite

            upgrade_sqlite(self._engine, self._path, schema_revision)

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
        self._wake.set()
        return await future

    async def view(self, site: Site, read: Callable[[View], T]) -> T:
        """Give `read` one snapshot of the site, in a thread."""
        return await self._read(lambda connection: read(View(connection, site, self._now())))

    async def keys(self) -> dict[bytes, Key]:
        """All keys by their digest, as the database has them now."""
        return await self._read(keys.keys)

    async def _read(self, read: Callable[[Connection], T]) -> T:
        if self._views >= self._queue_limit:
            raise RefusedError(
                "RC030",
                "The server has too many reads waiting. Send the call again after a second.",
                retry_after=1,
            )

        def run() -> T:
            with self._readers.connect() as connection, connection.begin():
                return read(connection)

        self._views += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._reading, run)
        except OperationalError as error:
            logger.error("the database cannot be read", error=str(error.orig))
            raise RefusedError(
                "RC030", "The database cannot be read now. Send the call again.", retry_after=5
            ) from error
        finally:
            self._views -= 1

    def note(self, entry: JournalEntry) -> None:
        """Write an entry of the journal later."""
        self._notes.append(entry)

    def used(self, key_id: int, at: datetime) -> None:
        """Write later when a key was last used."""
        self._last_used[key_id] = at

    async def can_write(self) -> bool:
        """Whether a commit goes through now."""

        try:
            await self.submit(Work(_NO_SITE, lambda tx: tx.probe()))
        except RefusedError:
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
        self._reading.shutdown()
        self._writing.shutdown()
        self._writer.drop()
        for engine in (self._readers, self._engine):
            engine.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of its own, beside the writer."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the file as its one server, by a lock that ends with the process however it ends."""
        lock = self._path.with_name(self._path.name + ".lock")
        with lock.open("a+") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.seek(0)
                raise DatabaseError(
                    f"The database {self._path} is served already, by process {held.read()}. "
                    "Stop that one, or name another with --database."
                ) from None
            held.truncate(0)
            held.write(str(os.getpid()))
            held.flush()
            yield

    # -- the writer ----------------------------------------------------------------------------

    async def _write(self) -> None:
        """Commit group after group, until the store stops and nothing waits any more."""
        while not (self._stopping and not self._works):
            if not self._works:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._wake.wait()
            works, futures = self._take()
            notes = [self._notes.popleft() for _ in range(len(self._notes))]
            used = self._used_lately(now=self._stopping)
            if works or notes or used:
                outcomes = await self._commit(works, notes, used)
                self._settle(futures, outcomes)

    def _take(self) -> tuple[list[Work[Any]], "list[asyncio.Future[Any]]"]:
        """All works that wait, up to a full group, without lingering."""
        works, futures = [], []
        weight = 0
        while self._works and weight < GROUP_WEIGHT:
            work, future = self._works.popleft()
            works.append(work)
            futures.append(future)
            weight += work.weight
        return works, futures

    async def _commit(
        self,
        works: list[Work[Any]],
        notes: Sequence[JournalEntry],
        used: Mapping[int, datetime],
    ) -> list[Outcome]:
        """
        Prepare here what is light, and in the thread what is not; commit in the thread.

        Two threads that both run Python hand the interpreter's lock to and fro at each row, which
        cost more than half of all requests; the commit itself runs no Python and waits for the
        disk, so in the thread it leaves the event loop free.
        """
        prepare = self._writer.prepare
        try:
            if sum(work.weight for work in works) <= LIGHT_WEIGHT:
                try:
                    outcomes = prepare(works, notes, used, patience=0)
                except LockedError:
                    outcomes = await self._aside(
                        partial(prepare, works, notes, used, patience=PATIENCE)
                    )
            else:
                outcomes = await self._aside(
                    partial(prepare, works, notes, used, patience=PATIENCE)
                )
            await self._aside(self._writer.commit)
        except LockedError:
            refusal = RefusedError(
                "RC030",
                "Another process holds the database. Nothing was saved. Send the call again.",
                retry_after=5,
            )
            return [(None, refusal) for _ in works]
        except RefusedError as refusal:
            logger.error("a group of calls was not saved", why=str(refusal), calls=len(works))
            return [(None, refusal) for _ in works]
        except Exception as error:  # one row's statement failed: find whose, and harm nobody else
            if len(works) > 1:
                return [(await self._commit([work], (), {}))[0] for work in works]
            return [(None, error) for _ in works]
        return outcomes

    async def _aside(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, run)

    def _used_lately(self, *, now: bool) -> dict[int, datetime]:
        """When keys were last used, each half minute or `now`: it may be late, and often is."""
        if not self._last_used or not (now or self._now() - self._use_written > _USE_EVERY):
            return {}
        used, self._last_used = self._last_used, {}
        self._use_written = self._now()
        return used

    def _settle(self, futures: "list[asyncio.Future[Any]]", outcomes: list[Outcome]) -> None:
        self._waiting -= len(futures)
        for future, (result, error) in zip(futures, outcomes, strict=True):
            if future.done():  # its caller is gone
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)
