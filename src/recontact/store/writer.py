"""One group of works, prepared and committed on one connection."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from recontact.messages import RefusedError
from recontact.model import JournalEntry
from recontact.store import keys
from recontact.store.transaction import Group, Statements, Transaction, Work, driver_of

Outcome = tuple[Any, BaseException | None]
"""What became of a work: its result, or the error that it raised."""


class LockedError(Exception):
    """Another process writes the database just now."""


class Writer:
    """
    Commits works in groups, over one connection that it opens again when lost.

    A work sees the ones before it in its group; one that raises leaves nothing and harms no
    other. `prepare` then `commit`, never two at once; each may be called from any thread.
    """

    def __init__(self, engine: Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._driver: Any = engine.dialect.dbapi
        self._statements = Statements(engine.dialect)
        self._now = now
        self._connection: Connection | None = None
        self._patience = -1.0  # what its busy_timeout is set to

    @property
    def is_open(self) -> bool:
        """Whether it has its connection; to open one may take time."""
        return self._connection is not None

    def prepare(
        self,
        works: Sequence[Work[Any]],
        notes: Collection[JournalEntry],
        used: Mapping[int, datetime],
        *,
        patience: float,
    ) -> list[Outcome]:
        """
        Begin, run the works and write all that they kept, but do not commit yet.

        patience: seconds to wait for another process that writes; past it, LockedError. Raises
        RefusedError (Not saved) when the database cannot write; any other error is a defect, of
        one row's statement perhaps.
        """
        try:
            connection = self._begin(patience)
            group = Group(connection, self._statements)
            group.fetch_logs(works)
            outcomes = [self._outcome(work, group) for work in works]
            group.entries += notes
            group.flush()
            if used:
                keys.note_use(connection, used)
        except (DBAPIError, self._driver.Error) as error:
            self.drop()
            if _name_of(error).startswith("SQLITE_BUSY"):
                raise LockedError from error
            if why := why_not_now(error):
                raise _not_saved(why) from error
            raise
        except BaseException:
            self.drop()
            raise
        return outcomes

    def _begin(self, patience: float) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            self._patience = -1.0
        if patience != self._patience:
            pragma = f"PRAGMA busy_timeout = {int(patience * 1000)}"
            driver_of(self._connection).execute(pragma).close()
            self._patience = patience
        self._connection.begin()
        return self._connection

    def _outcome(self, work: Work[Any], group: Group) -> Outcome:
        try:
            return work.run(Transaction(group, work.site, self._now())), None
        except (DBAPIError, self._driver.Error):
            raise
        except Exception as error:
            return None, error

    def commit(self) -> None:
        """
        Bring what was prepared to the disk.

        Raises RefusedError: `Not saved` when the disk had no room for it, else `Outcome unknown`:
        after an exception here nobody can say whether it is on disk.
        """
        assert self._connection is not None
        try:
            self._connection.commit()
        except BaseException as error:
            self.drop()
            if _name_of(error) == "SQLITE_FULL":
                raise _not_saved("its disk is full") from error
            raise RefusedError("RC031") from error

    def drop(self) -> None:
        """Give the connection up, and with it what it had not committed."""
        if self._connection is not None:
            with suppress(Exception):
                self._connection.invalidate()
            with suppress(Exception):
                self._connection.close()
            self._connection = None


def _name_of(error: BaseException) -> str:
    """SQLite's name for an error, the driver's own or SQLAlchemy's around it."""
    return str(getattr(getattr(error, "orig", error), "sqlite_errorname", ""))


# Errors that have their cause in the machine and not in us, by how SQLite names them.
_CAUSES: Final = {
    "SQLITE_BUSY": "another process holds it",
    "SQLITE_CANTOPEN": "its file cannot be opened",
    "SQLITE_CORRUPT": "its file is damaged",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_IOERR": "its disk fails",
    "SQLITE_LOCKED": "another call holds it",
    "SQLITE_NOMEM": "there is no memory for it",
    "SQLITE_NOTADB": "its file is damaged",
    "SQLITE_PROTOCOL": "another process holds it",
    "SQLITE_READONLY": "its file may not be written",
}


def why_not_now(error: BaseException) -> str | None:
    """Why the database cannot do its work now; None for an error that is a defect of ours."""
    return _CAUSES.get("_".join(_name_of(error).split("_")[:2]))


def _not_saved(why: str) -> RefusedError:
    detail = f"The database cannot be written now: {why}. Nothing was saved. Send the call again."
    return RefusedError("RC030", detail, retry_after=5)
