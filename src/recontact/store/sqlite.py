"""The store on SQLite: one writer that commits in groups, and readers that never wait."""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from recontact.messages import RefusedError
from recontact.model import JournalEntry, Key, Site
from recontact.store import keys, tables
from recontact.store.errors import DatabaseError
from recontact.store.queries import View
from recontact.store.transaction import Work
from recontact.store.writer import LockedError, Outcome, Writer, why_not_now

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
        URL.create("sqlite", database=str(path)),
        module=driver,
        hide_parameters=True,  # an error's text is logged, and values are customers' data
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=-1,
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
        self._readers = make_engine(path, writes=False, connections=readers + 1)
        self._lock: TextIO | None = None
        try:
            if serves:
                self._claim()
            self._migrate()
        except (DBAPIError, OSError) as error:
            why = error.orig if isinstance(error, DBAPIError) else error.strerror
            raise DatabaseError(
                f"The database {path} cannot be opened: {why}. Check that it is a database of "
                "recontact's, that its folder is there, and that you may write in it."
            ) from error
        self._writer = Writer(self._engine, now)
        self._writing = ThreadPoolExecutor(1, "recontact-writer")
        self._reading = ThreadPoolExecutor(readers, "recontact-reader")
        self._reading_keys = ThreadPoolExecutor(1, "recontact-keys")
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
            foreign = (
                found is None
                and connection.exec_driver_sql(
                    "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' "
                    "AND name <> 'alembic_version'"
                ).first()
            )
        if foreign:
            raise DatabaseError(
                f"The file {self._path} is another program's database (it has {foreign[0]}): name "
                "another file."
            )
        if found == tables.SCHEMA_REVISION:
            return
        # Alembic takes 250 ms to import, so only a database that needs it pays.
        from recontact.store.migrations import upgrade_sqlite

        claimed_here = self._lock is None and found is not None
        if claimed_here:  # not under a server that knows only the old schema
            self._claim()
        upgrade_sqlite(self._engine, self._path, schema_revision)
        if claimed_here:
            self._unclaim()

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
        self._wake.set()
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
        for threads in (self._reading, self._reading_keys, self._writing):
            threads.shutdown()
        self._writer.drop()
        for engine in (self._readers, self._engine):
            engine.dispose()
        self._unclaim()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of its own, beside the writer."""
        with self._engine.connect() as connection, connection.begin():
            yield connection

    # -- the writer ----------------------------------------------------------------------------

    async def _write(self) -> None:
        """Commit group after group, until the store stops and nothing waits any more."""
        last = False
        while not last:
            # The round that begins with nothing to wait for writes all that is left.
            last = self._stopping and len(self._works) == 0
            if not self._works and not last:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(IDLE):
                        await self._wake.wait()
            works, futures = self._take()
            try:
                outcomes = await self._commit(works)
            except Exception as error:  # whatever it is, nobody waits for ever
                outcomes = [(None, error) for _ in works]
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

    async def _commit(self, works: list[Work[Any]]) -> list[Outcome]:
        """The works' outcomes, with what waited to be written; that is kept if it was not saved."""
        notes, self._notes = self._notes, deque(maxlen=NOTES_KEPT)
        used = self._used_lately(now=self._stopping)
        if not (works or notes or used):
            return []
        try:
            return await self._commit_group(works, notes, used)
        except RefusedError as refusal:
            logger.error("a group of calls was not saved", why=str(refusal), calls=len(works))
            self._notes.extendleft(reversed(notes))
            self._last_used = used | self._last_used
            return [(None, refusal) for _ in works]
        except Exception as error:
            # One row's statement failed. Find whose, and harm nobody else; a note is let go.
            if not works:
                logger.exception("notes of the journal were not written", notes=len(notes))
                return []
            if len(works) == 1 and not (notes or used):
                return [(None, error)]
            return [outcome for work in works for outcome in await self._commit_alone(work)]

    async def _commit_alone(self, work: Work[Any]) -> list[Outcome]:
        try:
            return await self._commit_group([work], (), {})
        except Exception as error:
            return [(None, error)]

    async def _commit_group(
        self,
        works: list[Work[Any]],
        notes: Collection[JournalEntry],
        used: Mapping[int, datetime],
    ) -> list[Outcome]:
        """
        Prepare here what is light, and in the thread what is not; commit in the thread.

        Two threads that both run Python hand the interpreter's lock to and fro at each row, which
        cost more than half of all requests; the commit itself runs no Python and waits for the
        disk, so in the thread it leaves the event loop free.
        """
        outcomes = None
        if self._writer.is_open and sum(work.weight for work in works) <= LIGHT_WEIGHT:
            with suppress(LockedError):  # another process writes: wait for it in the thread
                outcomes = self._writer.prepare(works, notes, used, patience=0)
        if outcomes is None:
            patient = partial(self._writer.prepare, works, notes, used, patience=PATIENCE)
            try:
                outcomes = await self._aside(patient)
            except LockedError:
                raise RefusedError(
                    "RC030",
                    "Another process holds the database. Nothing was saved. Send the call again.",
                    retry_after=5,
                ) from None
        await self._aside(self._writer.commit)
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
