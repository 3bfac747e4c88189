"""The store on SQLite: one writer thread that commits in groups, and readers that never wait."""

import asyncio
import fcntl
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import QueuePool

from recontact.messages import RefusedError
from recontact.model import JournalEntry, Key, Site
from recontact.store import keys, tables
from recontact.store.errors import DatabaseError
from recontact.store.queries import View
from recontact.store.transaction import Group, Statements, Transaction, Work

try:  # wheels for Linux x86-64, macOS arm64 and Windows; elsewhere the interpreter's own
    from pysqlite3 import dbapi2 as driver
except ImportError:  # pragma: no cover
    from sqlite3 import dbapi2 as driver

logger = structlog.get_logger()

T = TypeVar("T")

GROUP_WEIGHT: Final = 1_000
"""Items at which a group is full: more would make every caller in it wait for the others."""
NOTES_KEPT: Final = 10_000
"""Entries of calls that changed nothing, waiting to be written; past it the oldest are lost."""
IDLE: Final = 0.5
"""Seconds after which the writer, with nothing to do, writes what may wait."""

# A WAL of 10,000 pages (40 MB) before a checkpoint steadied p99; only the writer checkpoints.
_CHECKPOINT_PAGES: Final = 10_000
_BUSY_SECONDS: Final = 5.0
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
            f"busy_timeout = {int(_BUSY_SECONDS * 1000)}",
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
        connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS},
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
        self._writer = make_engine(path, writes=True)
        self._readers = make_engine(path, writes=False, connections=readers)
        try:
            self._migrate()
        except OperationalError as error:
            raise DatabaseError(
                f"The database {path} cannot be opened: {error.orig}. Check that its folder is "
                "there and that you may write in it."
            ) from error
        self._statements = Statements(self._writer.dialect)
        self._reading = ThreadPoolExecutor(readers, "recontact-reader")
        self._works: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._waiting = 0
        self._views = 0
        self._notes: deque[JournalEntry] = deque(maxlen=NOTES_KEPT)
        self._last_used: dict[int, datetime] = {}
        self._use_written = now()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = False

    # -- the schema ----------------------------------------------------------------------------

    def _migrate(self) -> None:
        with self._writer.connect() as connection:
            found = schema_revision(connection)
        if found != tables.SCHEMA_REVISION:
            # Alembic takes 250 ms to import, so only a database that needs it pays.
            from recontact.store.migrations import upgrade_sqlite

            upgrade_sqlite(self._writer, self._path, schema_revision)

    # -- what the event loop calls -------------------------------------------------------------

    def start(self) -> None:
        """Start the writer; from the event loop that will submit."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write, name="recontact-writer", daemon=True)
        self._thread.start()

    async def submit(self, work: Work[T]) -> T:
        """Run `work` with the next group; its result, once that is on disk."""
        if self._closing or self._waiting >= self._queue_limit:
            why = "is stopping" if self._closing else "has too many calls waiting"
            raise RefusedError(
                "RC030",
                f"The server {why}. Nothing was saved. Send the call again after a second.",
                retry_after=1,
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._works.put((work, future))
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

    def close(self) -> None:
        """Finish what was accepted, write what could wait, and close the file."""
        self._closing = True
        if self._thread is not None:
            self._works.put(None)
            self._thread.join()
        self._reading.shutdown()
        self._readers.dispose()
        self._writer.dispose()

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of its own, beside the writer."""
        with self._writer.connect() as connection, connection.begin():
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

    # -- what the writer's thread does ---------------------------------------------------------

    def _write(self) -> None:
        writer = Writer(self._writer, self._statements, self._now)
        last = False
        while not last:
            works, last = self._take()
            used = self._used_lately(now=last)
            notes = [self._notes.popleft() for _ in range(len(self._notes))]
            if not (works or notes or used):
                continue
            outcomes = writer.commit([work for work, _ in works], notes, used)
            futures = [future for _, future in works]
            if futures and self._loop is not None:
                # One wake of the event loop for the whole group: each costs it 31-42 us.
                self._loop.call_soon_threadsafe(self._settle, futures, outcomes)
        writer.close()

    def _take(self) -> tuple[list[tuple[Work[Any], "asyncio.Future[Any]"]], bool]:
        """All works that wait, up to a full group, without lingering; and whether to stop."""
        works: list[tuple[Work[Any], asyncio.Future[Any]]] = []
        weight = 0
        try:
            taken = self._works.get(timeout=IDLE)
            while True:
                if taken is None:
                    return works, True
                works.append(taken)
                weight += taken[0].weight
                if weight >= GROUP_WEIGHT:
                    break
                taken = self._works.get_nowait()
        except queue.Empty:
            pass
        return works, False

    def _used_lately(self, *, now: bool) -> dict[int, datetime]:
        """When keys were last used, each half minute or `now`: it may be late, and often is."""
        if not self._last_used or not (now or self._now() - self._use_written > _USE_EVERY):
            return {}
        used, self._last_used = self._last_used, {}
        self._use_written = self._now()
        return used

    def _settle(self, futures: "list[asyncio.Future[Any]]", outcomes: "list[Outcome]") -> None:
        self._waiting -= len(futures)
        for future, (result, error) in zip(futures, outcomes, strict=True):
            if future.done():  # its caller is gone
                continue
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)


Outcome = tuple[Any, BaseException | None]


class Writer:
    """
    Commits works in groups, from one thread, over one connection that it opens again when lost.

    A work sees the ones before it in its group; one that fails leaves nothing and harms no other.
    """

    def __init__(self, engine: Engine, statements: Statements, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._statements = statements
        self._now = now
        self._connection: Connection | None = None
        self._committing = False

    def commit(
        self,
        works: Sequence[Work[Any]],
        notes: Sequence[JournalEntry] = (),
        used: Mapping[int, datetime] = MappingProxyType({}),
    ) -> list[Outcome]:
        """Run the works, write all that they kept, commit once; each work's result or error."""
        try:
            return self._attempt(works, notes, used)
        except OperationalError as error:
            self._reopen()
            unknown = self._committing and _name_of(error) != "SQLITE_FULL"
            logger.error(
                "a group was not saved" if not unknown else "the outcome of a commit is unknown",
                error=str(error.orig),
                calls=len(works),
            )
            return [(None, _refusal(unknown, error)) for _ in works]
        except Exception as error:  # one row's statement failed: find whose, harm nobody else
            self._reopen()
            if len(works) > 1:
                return [outcome for work in works for outcome in self.commit([work])]
            return [(None, error) for _ in works]

    def _attempt(
        self,
        works: Sequence[Work[Any]],
        notes: Sequence[JournalEntry],
        used: Mapping[int, datetime],
    ) -> list[Outcome]:
        self._committing = False
        if self._connection is None:
            self._connection = self._engine.connect()
        transaction = self._connection.begin()
        group = Group(self._connection, self._statements)
        group.fetch_logs(works)
        outcomes: list[Outcome] = []
        for work in works:
            try:
                outcomes.append((work.run(Transaction(group, work.site, self._now())), None))
            except DBAPIError:
                raise
            except Exception as error:
                outcomes.append((None, error))
        group.entries += notes
        group.flush()
        if used:
            keys.note_use(self._connection, used)
        self._committing = True
        transaction.commit()
        return outcomes

    def _reopen(self) -> None:
        """Drop the connection, and with it what it had not committed."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.invalidate()
            with suppress(Exception):
                self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()


def _name_of(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", ""))


def _refusal(unknown: bool, error: DBAPIError) -> RefusedError:
    if unknown:
        return RefusedError("RC031")
    return RefusedError(
        "RC030",
        f"The database cannot write now ({error.orig}). Nothing was saved. Send the call again.",
        retry_after=5,
    )
