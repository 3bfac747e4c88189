"""
Checkpoints of SQLite's WAL, beside the writes: what was committed comes into the database file.

SQLite's own way is that the connection which commits stops now and then, and copies what the WAL
has gathered: every call waits meanwhile. Here another connection copies, and the one that writes
has only the last few pages left, after which the WAL begins again from its start.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine

from recontact.store.transaction import Driver

_INDEX_HEADER: Final = 96
"""Bytes of the header of the WAL's index: both its copies."""


def checkpoint(connection: Driver) -> int:
    """Copy what can be copied without waiting for anybody; how many pages the WAL has."""
    _, pages, _ = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return int(pages)


class Checkpoints:
    """
    The connection that copies, for the one server of a database file.

    Errors are the driver's own, or OSError.
    """

    def __init__(self, engine: Engine, path: Path) -> None:
        self._engine = engine
        self._path = path
        self._pooled: Any = None
        self._file: int | None = None
        self._index: int | None = None
        self.is_on_disk = True
        """Whether what SQLite has noted as copied is on the disk for sure."""

    def copy(self) -> int:
        """Copy what is committed, and bring it to the disk; how many pages the WAL has."""
        connection = self._connection()
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        self.is_on_disk = False
        pages = checkpoint(connection)
        # SQLite does this only once it has copied everything. Under steady writes that is the
        # last step, for which all calls wait.
        os.fsync(self._file)
        self.is_on_disk = True
        return pages

    def _connection(self) -> Driver:
        if self._pooled is None:
            self._pooled = self._engine.raw_connection()
        if self._index is None:
            self._index = os.open(f"{self._path}-shm", os.O_RDWR | os.O_CLOEXEC)
        return self._pooled.driver_connection

    def begin_again(self) -> None:
        """
        Let SQLite copy the whole WAL again, while no other connection of this process writes.

        After a failed fsync the system takes pages for written that are not on the disk, and the
        next fsync succeeds: SQLite would go on behind them and begin the WAL again, and they were
        lost.
        """
        connection = self._connection()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        # A commit that failed may lie at the end of the WAL. One that succeeds takes its place, or
        # the other would come to life when the WAL is read.
        for statement in ("BEGIN IMMEDIATE", f"PRAGMA user_version = {version}", "COMMIT"):
            connection.execute(statement).close()
        connection.execute("BEGIN IMMEDIATE").close()
        self._forget_copies()
        connection.execute("COMMIT").close()
        self.is_on_disk = True

    def _forget_copies(self) -> None:
        """
        Make the header of the WAL's index void.

        Whoever comes next reads the whole WAL, as after a crash, while others go on reading
        (https://sqlite.org/walformat.html, the WAL-index).
        """
        if self._index is not None:
            os.pwrite(self._index, bytes(_INDEX_HEADER), 0)

    def drop(self) -> None:
        """Give the connection up."""
        if self._pooled is not None:
            self._pooled.invalidate()
            self._pooled = None

    def end(self) -> None:
        """Give the connection up before the others: the last of them copies what is left."""
        self.drop()
        if not self.is_on_disk:
            with suppress(OSError):  # on a disk that cannot be written nothing will be copied
                self._forget_copies()

    def close(self) -> None:
        """
        Let the files go, once all connections of this process have.

        To close any descriptor of a file ends all locks that the process has on it (POSIX), those
        of SQLite too.
        """
        for file in (self._file, self._index):
            if file is not None:
                os.close(file)
        self._file = self._index = None
