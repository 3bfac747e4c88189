"""The one connection that writes: it takes the lock, writes a group, and commits it."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, update

from recontact.messages import RefusedError
from recontact.model import JournalEntry
from recontact.store import search
from recontact.store.checkpoints import checkpoint
from recontact.store.tables import KEY_USES, site, to_seconds
from recontact.store.transaction import Driver, Group, Statements, Transaction, Work

T = TypeVar("T")

Outcome = tuple[Any, BaseException | None]
"""What became of a work: its result, or the error that it raised."""


class LockedError(Exception):
    """Another process writes the database just now."""


class Writer:
    """
    Writes groups, over one connection that it opens again when lost.

    `begin`, `write`, `commit`, never two groups at once; each may be called from any thread. Each
    raises RefusedError (503) for what has its cause in the machine, after which nothing of the
    group is in the database but when it says `Outcome unknown`.
    """

    def __init__(self, engine: Engine, statements: Statements, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._error: type[Exception] = engine.dialect.dbapi.Error  # type: ignore[union-attr]
        self._statements = statements
        self._now = now
        self._pooled: Any = None
        self._patience = -1.0
        self._version = -1
        self._index_is_fit: bool | None = None  # None: nobody has looked
        self.noted = 0
        """Logs that changed and that the index of the search has not seen, as far as we wrote."""

    @property
    def is_open(self) -> bool:
        """Whether it has its connection; to open one may take time."""
        return self._pooled is not None

    def begin(self, patience: float) -> tuple[Driver, bool]:
        """
        Take the lock: the connection, and whether nobody else wrote since this was called last.

        patience: seconds to wait for another process that writes; past it, LockedError.
        """
        try:
            if self._pooled is None:
                self._pooled = self._engine.raw_connection()
                self._patience, self._version = -1.0, -1
            driver = self._pooled.driver_connection
            if patience != self._patience:
                driver.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}").close()
                self._patience = patience
            # IMMEDIATE: a deferred transaction that turns into a write can get SQLITE_BUSY at
            # once, timeout or not, when the command line writes the same file.
            driver.execute("BEGIN IMMEDIATE").close()
            (version,) = driver.execute("PRAGMA data_version").fetchone()
        except self._error as error:
            self.drop()
            if name_of(error).startswith("SQLITE_BUSY"):
                raise LockedError from error
            raise self._told(error) from error
        alone, self._version = version == self._version, version
        return driver, alone

    def run(self, works: Collection[Work[Any]], group: Group) -> list[Outcome]:
        """Run works one after the other; one that raises leaves nothing and harms no other."""
        group.fetch_logs(works)
        outcomes: list[Outcome] = []
        for work in works:
            tx = Transaction(group, work.site, self._now())
            try:
                outcomes.append((work.run(tx), None))
                tx.end()
            except self._error as error:
                raise self._told(error) from error
            except Exception as error:
                outcomes.append((None, error))
        return outcomes

    def write(
        self, group: Group, notes: Collection[JournalEntry], used: Mapping[int, datetime]
    ) -> None:
        """Write a group, the entries that waited, and when keys were last used."""
        driver = self._pooled.driver_connection
        try:
            group.entries += notes
            group.write(driver)
            self.noted += group.noted
            if used:
                rows = [{"key_id": n, "last_used_at": to_seconds(at)} for n, at in used.items()]
                self._statements.update(driver, KEY_USES, ("last_used_at",), rows)
        except BaseException as error:
            self.drop()
            raise self._told(error) from error

    def commit(self) -> None:
        """
        Bring what was written to the disk.

        Raises RefusedError: `Not saved` when the disk had no room for it, else `Outcome unknown`:
        after an exception here nobody can say whether it is on disk.
        """
        try:
            self._pooled.driver_connection.execute("COMMIT").close()
        except BaseException as error:
            self.drop()
            if name_of(error) == "SQLITE_FULL":
                raise self._told(error) from error
            raise RefusedError("RC031") from error

    def checkpoint(self) -> None:
        """Copy the last pages of the WAL, which then begins again from its start."""
        if self._pooled is None:
            return
        try:
            checkpoint(self._pooled.driver_connection)
        except self._error as error:
            self.drop()
            raise self._told(error) from error

    def probe(self) -> None:
        """Write for real what changes nothing: two steps, or SQLite would not write at all."""
        driver, _ = self.begin(patience=1)
        self._version = -1  # whoever else wrote since the last group is still to be noticed
        try:
            for changed in (site.c.next_log_id + 1, site.c.next_log_id - 1):
                self._statements.run(driver, update(site).values(next_log_id=changed))
        except self._error as error:
            self.drop()
            raise self._told(error) from error
        self.commit()

    def write_aside(self, write: Callable[[Driver], T]) -> T:
        """Write what no call waits for, in a transaction of its own."""
        driver, alone = self.begin(patience=0)
        if not alone:
            self._version = -1  # whoever else wrote since the last group is still to be noticed
        try:
            result = write(driver)
        except BaseException as error:
            self.drop()
            raise self._told(error) from error
        self.commit()
        return result

    def feed(self, most: int) -> int:
        """Let the index of the search see up to `most` logs that changed; how many it saw."""
        if self._pooled is not None and self._index_is_fit and not self._is_any_noted():
            self.noted = 0
            return 0
        driver, alone = self.begin(patience=0)
        if not alone:
            self._version = -1  # whoever else wrote since the last group is still to be noticed
        rows = partial(self._statements.rows, driver)
        maker = search.made_by(self._engine.dialect.dbapi.sqlite_version)  # type: ignore[union-attr]
        try:
            if self._index_is_fit is None:
                self._index_is_fit = search.is_ours(rows, maker)
            if not self._index_is_fit:
                search.begin_anew(driver, partial(self._statements.run, driver), maker)
            seen = search.feed(driver, rows, most)
            # What this process noted is known; others may have noted some.
            self.noted = max(0, self.noted - seen) or search.count_noted(rows)
        except BaseException as error:
            self.drop()
            if name_of(error).startswith("SQLITE_CORRUPT"):  # told to forget what it has not
                self._index_is_fit = False
            raise self._told(error) from error
        self.commit()
        self._index_is_fit = True
        return seen

    def _is_any_noted(self) -> bool:
        """Without the lock, which others may want: most often there is none."""
        try:
            some = self._statements.rows(self._pooled.driver_connection, search.ANY_NOTED)
        except self._error as error:
            self.drop()
            raise self._told(error) from error
        return bool(some)

    def drop(self) -> None:
        """Give the connection up, and with it what it had not committed."""
        if self._pooled is not None:
            with suppress(Exception):
                self._pooled.invalidate()
            self._pooled = None
        self._version = -1

    def _told(self, error: BaseException) -> BaseException:
        """The refusal that tells of an error of the machine; a defect stays what it is."""
        if why := why_not_now(error):
            detail = f"The database cannot be written now: {why}. Nothing was saved. "
            return RefusedError("RC030", f"{detail}Send the call again.", retry_after=5)
        return error


# Errors that have their cause in the machine and not in us, by how SQLite names them.
_CAUSES: Final = {
    "SQLITE_BUSY": "another process holds it",
    "SQLITE_CANTOPEN": "its file cannot be opened",
    "SQLITE_CORRUPT": "its file is damaged, or its disk cannot be read",
    "SQLITE_FULL": "its disk is full",
    "SQLITE_IOERR": "its disk fails",
    "SQLITE_LOCKED": "another call holds it",
    "SQLITE_NOMEM": "there is no memory for it",
    "SQLITE_NOTADB": "its file is damaged",
    "SQLITE_PROTOCOL": "another process holds it",
    "SQLITE_READONLY": "its file may not be written",
}


def name_of(error: BaseException | None) -> str:
    """SQLite's name for an error, the driver's own or SQLAlchemy's around it."""
    return str(getattr(getattr(error, "orig", error), "sqlite_errorname", ""))


def why_not_now(error: BaseException) -> str | None:
    """Why the database cannot do its work now; None for an error that is a defect of ours."""
    return _CAUSES.get("_".join(name_of(error).split("_")[:2]))
