"""The store on SQLite: one writer that commits in batches, and readers that never wait."""

import asyncio
import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from recontact.messages import RefusedError
from recontact.model import JournalEntry, Key, Site
from recontact.store import keys, search, tables
from recontact.store.checkpoints import Checkpoints
from recontact.store.committer import PATIENCE, Committer
from recontact.store.errors import DatabaseError
from recontact.store.figures import Figures
from recontact.store.queries import View
from recontact.store.retention import JournalLimits, Retention
from recontact.store.transaction import Driver, Group, Statements, Transaction, Work
from recontact.store.writer import name_of, why_not_now

try:  # wheels for Linux x86-64, macOS arm64 and Windows; elsewhere the interpreter's own
    from pysqlite3 import dbapi2 as driver
except ImportError:  # pragma: no cover
    from sqlite3 import dbapi2 as driver

__all__ = ["SqliteStore", "claim", "driver", "look", "make_engine", "schema_revision"]

logger = logging.getLogger("recontact")

T = TypeVar("T")


# Where the writer makes the checkpoints, calls wait meanwhile: of 10,000 pages 95 to 117 ms with a
# million logs, of 1,000 some 15; the rate is the same within a tenth.
_CHECKPOINT_PAGES: Final = 1_000
_WAL_KEPT: Final = 64 * 1024 * 1024
"""Bytes that the file of the WAL keeps when it begins again, after it was longer for once."""
_CAN_CHECKPOINT_BESIDE: Final = driver.sqlite_version_info >= (3, 51, 3)
"""Older ones can damage a file where one connection writes and another makes checkpoints."""
_BODIES: Final = text(
    "SELECT (SELECT max(rowid) FROM journal_body) - (SELECT min(rowid) FROM journal_body) + 1"
)


def _connect(engine: Engine, *, writes: bool, checkpoints: bool) -> Engine:
    """Set up each connection of `engine`, and begin its transactions ourselves."""

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, _record: object) -> None:
        # Without this the driver commits on its own before DDL, and a migration that is killed
        # leaves half a schema.
        connection.isolation_level = None
        for pragma in (
            "synchronous = FULL",  # is the connection's, not the file's
            # Or what was deleted stays in the file where `erase` cannot reach it.
            "secure_delete = FAST",
            "fullfsync = ON",
            "checkpoint_fullfsync = ON",
            f"busy_timeout = {int(PATIENCE * 1000)}",
            f"wal_autocheckpoint = {_CHECKPOINT_PAGES if checkpoints else 0}",
            f"journal_size_limit = {_WAL_KEPT}",
            "foreign_keys = ON",
            "cache_size = -65536",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.execute(search.WORDS).close()
        connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}").close()

    # BEGIN IMMEDIATE: a deferred transaction that turns into a write can get SQLITE_BUSY at once,
    # timeout or not, when the command line writes the same file.
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def make_engine(
    path: str | Path, *, writes: bool, connections: int = 1, checkpoints: bool = True
) -> Engine:
    """
    An engine on the database file.

    A `writes` one takes the write lock as it begins, and makes checkpoints unless told not to.
    """
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=driver,
        hide_parameters=True,  # an error's text is logged, and values are customers' data
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=-1,
        connect_args={"check_same_thread": False, "timeout": PATIENCE},
    )
    return _connect(engine, writes=writes, checkpoints=checkpoints and writes)


def schema_revision(connection: Driver) -> str | None:
    """The Alembic revision that the database is at; None for one without any."""
    found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if found is None else str(found[0])


def look(connection: Driver, path: Path) -> str | None:
    """The schema's revision, of a file that is ours; None: it is new. Else DatabaseError."""
    names = {
        name
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        if not name.startswith("sqlite_")
    }
    if names and "alembic_version" not in names:
        raise DatabaseError(
            f"The file {path} is another program's database (it has a table "
            f"{min(names)}): name another file."
        )
    return schema_revision(connection) if names else None


def claim(path: Path) -> TextIO:
    """
    Hold the file as its one server, until what is given is closed or the process ends, however.

    Raises DatabaseError with the process that holds it already.
    """
    lock = path.with_name(path.name + ".lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with lock:
            lock.seek(0)
            holder = lock.read()
        raise DatabaseError(
            f"The database {path} is served already, by process {holder}. "
            "Stop that one, or name another with --database."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


class SqliteStore:
    """
    A database file.

    path: of the file, made if it is not there. now: gives the time of each write. queue_limit: how
    many calls may wait for the writer, and how many for a reader; past it, 503. serves: hold the
    file as its one server, until `close`. journal: what is to be kept of it; None: all.
    Raises DatabaseError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        now: Callable[[], datetime],
        queue_limit: int = 1_024,
        readers: int = 4,
        serves: bool = False,
        journal: JournalLimits | None = None,
    ) -> None:
        self._path = Path(path)
        self._now = now
        self._queue_limit = queue_limit
        beside = serves and _CAN_CHECKPOINT_BESIDE
        self._engine = make_engine(path, writes=True, checkpoints=not beside)
        self._checkpoints = Checkpoints(self._engine, self._path) if beside else None
        self._readers = make_engine(path, writes=False, connections=readers + 2)
        self._lock: TextIO | None = None
        try:
            if serves:
                self._lock = claim(self._path)
            self._migrate()
        except (DBAPIError, driver.Error, OSError) as error:
            self._release()
            why = error.strerror if isinstance(error, OSError) else getattr(error, "orig", error)
            raise DatabaseError(
                f"The database {path} cannot be opened: {why}. Check that it is a database of "
                "recontact's, that its folder is there, and that you may write in it."
            ) from error
        except BaseException:
            self._release()
            raise
        self._statements = Statements(self._engine.dialect)
        self._committer = Committer(
            self._engine, self._readers, now, queue_limit, self._checkpoints
        )
        self._reading = ThreadPoolExecutor(readers, "recontact-reader")
        self._reading_keys = ThreadPoolExecutor(1, "recontact-keys")
        self._views = 0
        self._retention = None
        if journal is not None:
            self._retention = Retention(journal, now, self._read, self._committer.write_aside)

    # -- the schema ----------------------------------------------------------------------------

    def _migrate(self) -> None:
        found = self._look()
        if found == tables.SCHEMA_REVISION:
            return
        # Alembic takes 250 ms to import, so only a database that needs it pays.
        from recontact.store.migrations import upgrade_sqlite

        claims = self._lock is None and found is not None
        if claims:  # not under a server that knows only the old schema
            self._lock = claim(self._path)
            found = self._look()  # whoever held it may have done it: the copy is of the old schema
        if found != tables.SCHEMA_REVISION:
            upgrade_sqlite(self._engine, self._path, found)
        if claims:
            self._unclaim()

    def _look(self) -> str | None:
        """The schema's revision, of a file that is new or ours; nothing is written before that."""
        with closing(driver.connect(self._path, timeout=PATIENCE)) as connection:
            found = look(connection, self._path)
            # Both are the file's, not the connection's; and to set them, even to what they are,
            # writes.
            if found is None:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode = WAL")
        return found

    def _unclaim(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # -- what the event loop calls -------------------------------------------------------------

    def start(self, elapsed: Callable[[], float]) -> None:
        """
        Start the writer; from the event loop that will submit.

        elapsed: gives seconds that never go back; commits are timed by it.
        """
        self._committer.start(elapsed)
        if self._retention is not None:
            self._retention.start()

    async def submit(self, work: Work[T]) -> T:
        """Run `work` with the next batch; its result, once that is on disk."""
        return await self._committer.submit(work)

    def note(self, entry: JournalEntry) -> None:
        """Write an entry of the journal later."""
        self._committer.note(entry)

    def used(self, key_id: int, at: datetime) -> None:
        """Write later when a key was last used."""
        self._committer.used(key_id, at)

    async def can_write(self) -> bool:
        """Whether a commit goes through now."""
        return await self._committer.can_write()

    async def view(self, site: Site, read: Callable[[View], T]) -> T:
        """Give `read` one snapshot of the site, in a thread."""
        return await self._read(lambda connection: read(View(connection, site, self._now())))

    async def keys(self) -> dict[bytes, Key]:
        """All keys by their digest, as the database has them now."""
        return await self._of_reference(keys.keys)

    async def look(self, read: Callable[[Connection], T]) -> T:
        """Read sites, keys or staff. RefusedError (503) when they cannot be read."""
        with _told("read"):
            return await self._of_reference(read)

    async def _of_reference(self, read: Callable[[Connection], T]) -> T:
        # Apart from the other readers: four long reads must not keep a revoked key valid.
        return await asyncio.get_running_loop().run_in_executor(
            self._reading_keys, self._snapshot, read
        )

    async def administer(self, change: Callable[[Connection], T]) -> T:
        """
        Change sites, keys or staff in a transaction of its own, between two batches.

        RefusedError (503) when it is not saved or its outcome is unknown.
        """
        with _told("written"):
            return await self._committer.between(partial(self._change, change))

    def _change(self, change: Callable[[Connection], T]) -> T:
        with self._engine.connect() as connection:
            has_run = False
            try:
                with connection.begin():
                    result = change(connection)
                    has_run = True
            except DBAPIError as error:
                connection.invalidate()  # one that failed is not to be used again
                if has_run and name_of(error) != "SQLITE_FULL":  # as in `Writer.commit`
                    raise RefusedError("RC031") from error
                raise
            return result

    def figures(self) -> Figures:
        """How it stands; from any thread. Nothing is counted for it, so it takes 0.3 ms."""
        wal = self._path.with_name(self._path.name + "-wal")
        try:
            bodies = self._snapshot(_bodies)
        except (DBAPIError, driver.Error):  # what is wrong shows elsewhere
            bodies = None
        return Figures(
            commits=self._committer.commits,
            writes=self._committer.waiting,
            reads=self._views,
            unseen=self._committer.unseen,
            size=_size(self._path),
            wal=_size(wal),
            journal_bodies=bodies,
            journal_size=None if self._retention is None else self._retention.size,
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
            with _told("read"):
                return await asyncio.get_running_loop().run_in_executor(
                    self._reading, self._snapshot, read
                )
        finally:
            self._views -= 1

    def _snapshot(self, read: Callable[[Connection], T]) -> T:
        with self._readers.connect() as connection, connection.begin():
            return read(connection)

    async def stop(self) -> None:
        """Finish what was accepted, and write what could wait."""
        if self._retention is not None:
            await self._retention.stop()
        await self._committer.stop()

    def close(self) -> None:
        """Let the file go."""
        for threads in (self._reading, self._reading_keys):
            threads.shutdown()
        self._committer.close()
        self._release()

    def _release(self) -> None:
        if self._checkpoints is not None:
            self._checkpoints.end()
        for engine in (self._readers, self._engine):
            engine.dispose()
        if self._checkpoints is not None:
            self._checkpoints.close()
        self._unclaim()

    def read(self, site: Site, read: Callable[[View], T]) -> T:
        """Give `read` one snapshot of the site, here and now; for commands."""
        return self._snapshot(lambda connection: read(View(connection, site, self._now())))

    def write(self, work: Work[T]) -> T:
        """
        Run a work in a transaction of its own, beside a server that may run; for commands.

        Raises DatabaseError where the machine does not let it; nothing of the work is saved then.
        """
        try:
            with self.begin() as connection:
                raw = connection.connection.driver_connection
                group = Group(raw, self._statements)
                tx = Transaction(group, work.site, self._now())
                result = work.run(tx)
                tx.end()
                group.write(raw)
        except (DBAPIError, driver.Error) as error:
            if why := why_not_now(error):
                raise DatabaseError(
                    f"The database {self._path} cannot be written now: {why}. Run it again."
                ) from error
            raise
        return result

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction of its own, beside the writer."""
        with self._engine.connect() as connection, connection.begin():
            yield connection


@contextmanager
def _told(done: str) -> Iterator[None]:
    """RefusedError (503) in place of an error of the machine, as a database cannot be `done`."""
    try:
        yield
    except DBAPIError as error:
        if why := why_not_now(error):
            facts = {"error": str(error.orig)}
            logger.error(f"the database cannot be {done}", extra={"facts": facts})
            detail = f"The database cannot be {done} now: {why}. Send the call again."
            raise RefusedError("RC030", detail, retry_after=5) from error
        raise


def _bodies(connection: Connection) -> int:
    """
    How many bodies the journal has, by the first and the last one's number.

    To count them takes 15 ms a million, if they are at hand. They are numbered as they come and
    the oldest go, so this is what a count would give, but for a few that went out of order.
    """
    return connection.execute(_BODIES).scalar() or 0


def _size(path: Path) -> int:
    """The bytes of a file; 0: there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
