"""
Checkpoints of SQLite's WAL, beside the writes: what was committed comes into the database file.

SQLite's own way is that the connection which commits stops now and then, and copies what the WAL
has gathered: every call waits meanwhile. Here another connection copies, and the one that writes
has only the last few pages left, after which the WAL begins again from its start.
"""

import os
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from recontact.store.transaction import Driver


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

    def copy(self) -> int:
        """Copy what is committed, and bring it to the disk; how many pages the WAL has."""
        if self._pooled is None:
            self._pooled = self._engine.raw_connection()
        if self._file is None:
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        pages = checkpoint(self._pooled.driver_connection)
        # SQLite does this only once it has copied everything. Under steady writes that is the
        # last step, for which all calls wait.
        os.fsync(self._file)
        return pages

    def drop(self) -> None:
        """Give the connection up."""
        if self._pooled is not None:
            self._pooled.invalidate()
            self._pooled = None

    def close(self) -> None:
        """
        Let the file go, once all connections of this process have.

        To close any descriptor of a file ends all locks that the process has on it (POSIX), those
        of SQLite too.
        """
        self.drop()
        if self._file is not None:
            os.close(self._file)
            self._file = None
