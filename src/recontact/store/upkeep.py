"""What is done to a database as a whole: look whether it is sound, copy it, give space back."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep
from typing import Final

from sqlalchemy.exc import DBAPIError

from recontact.store import tables
from recontact.store.checking import faults, faults_of_file
from recontact.store.copying import Progress, copy
from recontact.store.errors import DatabaseError
from recontact.store.sqlite import claim, driver, look, make_engine
from recontact.store.transaction import Driver
from recontact.store.writer import why_not_now

_MOVED: Final = 200
"""Pages that one step of `compact` gives back: some 3 ms in which nobody else can write."""
_PAUSE: Final = 0.02
"""Seconds between two steps, in which others can."""


def schema_of(path: Path) -> str | None:
    """The revision of the schema at `path`; None: nothing is there yet. Raises DatabaseError."""
    if not path.exists():
        return None
    with told(f"look at {path}"), closing(driver.connect(path)) as database:
        return look(database, path)


def check(path: Path, step: Callable[[str], None]) -> Iterator[str]:
    """
    A sentence for each fault of the database at `path`, beside a server that writes it.

    step: told what is looked at next. Raises DatabaseError when it cannot be opened or its schema
    is not the one of today.
    """
    with told(f"check {path}"), opened(path) as (database, found):
        if found != tables.SCHEMA_REVISION:
            raise DatabaseError(
                f"The database {path} has schema {found}, and this recontact can check only "
                f"{tables.SCHEMA_REVISION}. An older one is changed by: recontact db upgrade"
            )
        yield from faults(database, step)


def backup(path: Path, to: Path, progress: Progress | None = None) -> None:
    """
    Copy the database at `path` to the new file `to`, beside a server that writes it.

    The copy is of one moment, and on disk when this returns. Raises DatabaseError.
    """
    with told(f"back up {path}"), opened(path) as (database, _):
        copy(database, to, progress)


def restore(source: Path, path: Path, progress: Progress | None = None) -> str:
    """
    Copy the backup `source` to `path`, where no database is yet; the revision of its schema.

    Raises DatabaseError when it is no sound database of ours, or of a newer recontact.
    """
    from recontact.store.migrations import refuse_unknown  # takes 250 ms

    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        if (there := path.with_name(name)).exists():
            raise DatabaseError(
                f"There is a file {there} already, and a restore overwrites nothing. Stop the "
                "server, if it runs, and move that file away."
            )
    with told(f"restore {source}"), opened_as_it_lies(source) as (database, found):
        refuse_unknown(found, source)
        if fault := next(faults_of_file(database), None):
            raise DatabaseError(f"The file {source} is damaged; nothing was restored. {fault}")
        with claim(path):
            copy(database, path, progress)
    return found


def compact(path: Path, progress: Progress | None = None) -> int:
    """
    Give the pages that hold nothing back to the disk, beside a server that writes; bytes of them.

    Raises DatabaseError.
    """
    given = 0
    with told(f"compact {path}"), opened(path, writes=True) as (database, _):
        (page_size,) = database.execute("PRAGMA page_size").fetchone()
        (free,) = database.execute("PRAGMA freelist_count").fetchone()
        for done in range(0, free, _MOVED):
            if progress is not None:
                progress(done, free)
            database.execute("BEGIN IMMEDIATE").close()
            (before,) = database.execute("PRAGMA page_count").fetchone()
            # It gives a row for each page, and moves that page when the row is asked for.
            database.execute(f"PRAGMA incremental_vacuum({_MOVED})").fetchall()
            (after,) = database.execute("PRAGMA page_count").fetchone()
            database.execute("COMMIT").close()
            given += before - after
            sleep(_PAUSE)
        cut_wal(database)
    return int(given * page_size)


def cut_wal(database: Driver) -> None:
    """Leave an empty WAL, unless others read it all the time: writers wait while it is tried."""
    database.execute("PRAGMA busy_timeout = 50").close()
    for _ in range(20):
        database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # most of it, nobody waiting
        ((busy, *_),) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        if not busy:
            break
        sleep(_PAUSE)


@contextmanager
def opened(path: Path, *, writes: bool = False) -> Iterator[tuple[Driver, str]]:
    """A connection to a database of ours that is there, and the revision of its schema."""
    if not path.is_file():
        raise DatabaseError(f"There is no database {path}: name it with --database.")
    engine = make_engine(path, writes=writes)
    with closing(engine.raw_connection()) as pooled:
        database: Driver = pooled.driver_connection
        yield database, _revision_of(database, path)
    engine.dispose()


@contextmanager
def opened_as_it_lies(path: Path) -> Iterator[tuple[Driver, str]]:
    """The same, for a file that may lie where nothing can be written, and is left as it is."""
    if not path.is_file():
        raise DatabaseError(f"There is no file {path}.")
    # Its WAL is a part of it, of a server that runs or was killed; a backup has none.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"
    address = f"{path.absolute().as_uri()}?{how}"
    with closing(driver.connect(address, uri=True, isolation_level=None)) as database:
        yield database, _revision_of(database, path)


def _revision_of(database: Driver, path: Path) -> str:
    found = look(database, path)
    if found is None:
        raise DatabaseError(f"The file {path} is no database of recontact's: it has no tables.")
    return found


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Say of an error of the machine that we cannot do this, and why."""
    try:
        yield
    except OSError as error:
        raise DatabaseError(f"Cannot {doing}: {error.filename}: {error.strerror}.") from error
    except (DBAPIError, driver.Error) as error:
        why = why_not_now(error) or str(getattr(error, "orig", error))
        raise DatabaseError(f"Cannot {doing}: {why}.") from error
