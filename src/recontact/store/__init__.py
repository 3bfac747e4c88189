"""Where everything is kept: `open_store(url)` gives a Store."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from recontact.model import JournalEntry, Key, Site
from recontact.store.errors import AddressError, DatabaseError
from recontact.store.figures import Figures
from recontact.store.past import Found, Span, Touched
from recontact.store.queries import MOST_TEXT, View
from recontact.store.retention import JournalLimits
from recontact.store.tables import IDEMPOTENCY, request_at
from recontact.store.transaction import ALONE, Transaction, Work

__all__ = [
    "ALONE",
    "IDEMPOTENCY",
    "MOST_TEXT",
    "Connection",
    "DatabaseError",
    "Figures",
    "Found",
    "JournalLimits",
    "Span",
    "Store",
    "Touched",
    "Transaction",
    "View",
    "Work",
    "file_of",
    "open_store",
    "request_at",
]

T = TypeVar("T")


class Store(Protocol):
    """
    What the server asks of a database.

    submit: run a work in a transaction and give its result once that is on disk; RefusedError
    (503) when it is not saved or its outcome is unknown. view: read from one snapshot, that has
    every write acknowledged before. note: keep an entry of the journal for a call that changed
    nothing, later and if all goes well. used: the key was used at that time, likewise.
    """

    async def submit(self, work: Work[T]) -> T: ...

    async def view(self, site: Site, read: Callable[[View], T]) -> T: ...

    def note(self, entry: JournalEntry) -> None: ...

    def used(self, key_id: int, at: datetime) -> None: ...

    async def keys(self) -> dict[bytes, Key]: ...

    async def look(self, read: Callable[[Connection], T]) -> T:
        """Read sites, keys or staff."""
        ...

    async def administer(self, change: Callable[[Connection], T]) -> T:
        """Change sites, keys or staff in a transaction of its own, that is on disk then."""
        ...

    async def can_write(self) -> bool: ...

    def figures(self) -> Figures:
        """How it stands; from any thread, and at no cost to those who write."""
        ...

    def read(self, site: Site, read: Callable[[View], T]) -> T:
        """Give `read` one snapshot of the site, here and now; for commands."""
        ...

    def write(self, work: Work[T]) -> T:
        """Run a work in a transaction of its own, beside a server that may run; for commands."""
        ...

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction for the command line, beside a server that may run on the same database."""
        ...

    def start(self, elapsed: Callable[[], float]) -> None:
        """Begin to write. elapsed: gives seconds that never go back; commits are timed by it."""
        ...

    async def stop(self) -> None:
        """Finish what was accepted, and write what could wait."""
        ...

    def close(self) -> None:
        """Let the database go."""
        ...


def open_store(
    url: str,
    *,
    now: Callable[[], datetime],
    queue_limit: int = 1_024,
    serves: bool = False,
    journal: JournalLimits | None = None,
) -> Store:
    """
    The store at `url` (`sqlite:///FILE`), made or migrated if need be.

    now: gives the time of each write. queue_limit: how many calls may wait. serves: hold it as
    its one server. journal: what is to be kept of it; None: all. Raises DatabaseError.
    """
    from recontact.store.sqlite import SqliteStore

    return SqliteStore(
        file_of(url), now=now, queue_limit=queue_limit, serves=serves, journal=journal
    )


def file_of(url: str) -> Path:
    """The file that the address `sqlite:///FILE` names. Raises AddressError."""
    scheme, _, path = url.partition(":///")
    if scheme != "sqlite" or not path or path.startswith(":"):
        raise AddressError(
            f"The database {url} is not one that recontact can open: give sqlite:///FILE."
        )
    return Path(path)
