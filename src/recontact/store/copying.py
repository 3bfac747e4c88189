"""A copy of a database file: of one moment, whoever writes meanwhile; whole, or not there."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from recontact.store.errors import DatabaseError
from recontact.store.transaction import Driver

Progress = Callable[[int, int], None]
"""Told how much of a long work is done, and how much there is."""

_STEP: Final = 1_024
"""Pages between two words to the progress: 4 MiB."""


def copy(
    source: Driver, to: Path, progress: Progress | None = None, *, replace: bool = False
) -> None:
    """
    Copy the database that `source` has open to the file `to`, with the same permissions.

    There is a file of that name only when all of it is on disk. replace: in place of one that is
    there. Raises DatabaseError when there is one, or no room; OSError; the driver's errors.
    """
    # Without a transaction, the copy begins again whenever another process writes: 2,038 times in
    # 16 s beside 460 updates a second. Within one, all steps read the same snapshot.
    source.execute("BEGIN").close()
    try:
        (pages,) = source.execute("PRAGMA page_count").fetchone()  # the first read: the snapshot
        (page_size,) = source.execute("PRAGMA page_size").fetchone()
        (_, _, path) = source.execute("PRAGMA database_list").fetchone()
        with _becoming(to, replace) as (made, held):
            made.chmod(Path(path).stat().st_mode & 0o777 | 0o600)  # a backup may be read-only
            if (free := shutil.disk_usage(made.parent).free) < pages * page_size:
                raise DatabaseError(
                    f"There is no room for {to}: {pages * page_size:,} bytes are needed and "
                    f"{free:,} are free. Make room, or name a file on another disk."
                )
            # nolock: the lock on the file is ours, and on NFS SQLite's would wait for it.
            address = f"{made.absolute().as_uri()}?nolock=1"
            with closing(type(source)(address, uri=True, isolation_level=None)) as target:
                for pragma in ("journal_mode = OFF", "synchronous = FULL", "fullfsync = ON"):
                    target.execute(f"PRAGMA {pragma}").close()

                def said(_status: int, left: int, total: int) -> None:
                    # Bit by bit: all at once, at the end, holds up the server's own writes, for
                    # half a second with 1.7 GB.
                    os.fsync(held)
                    if progress is not None:
                        progress(total - left, total)

                source.backup(target, pages=_STEP, progress=said)
    finally:
        source.execute("ROLLBACK").close()


@contextmanager
def _becoming(path: Path, replace: bool) -> Iterator[tuple[Path, int]]:
    """
    A file to write beside `path`, and its descriptor; it gets the name at the end.

    After an error it is gone.
    """
    made = path.with_name(f"{path.name}.partial")
    _refuse_existing(path, replace)
    with made.open("ab") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it may have given it its name meanwhile.
            is_ours = os.path.samestat(os.fstat(held.fileno()), made.stat())
        except (BlockingIOError, FileNotFoundError):
            is_ours = False
        if not is_ours:
            raise DatabaseError(f"Another process is just writing {path}.")
        try:
            held.truncate(0)  # what one that was killed left
            yield made, held.fileno()
            _refuse_existing(path, replace)
            made.replace(path)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # its new name
    finally:
        os.close(folder)


def _refuse_existing(path: Path, replace: bool) -> None:
    if not replace and os.path.lexists(path):
        raise DatabaseError(f"There is a file {path} already. Name another, or move it away first.")
