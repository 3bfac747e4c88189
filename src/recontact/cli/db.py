"""`recontact db`: look after the database, while the server runs or not."""

from pathlib import Path
from typing import Annotated

import typer

from recontact.cli.shared import Database, fail, group, progress, settings, spinner

app = group("The database: is it sound, back it up, restore it, give space back.")

_File = Annotated[Path, typer.Argument(metavar="FILE", show_default=False)]


@app.command("check")
def db_check(database: Database = None) -> None:
    """
    Look whether the database is sound. Exit 1 with a line for each fault.

    It looks at the file, at its indexes, and at what is promised: each log and customer has all its
    revisions, no LogID can be given twice, each change is in the journal, and the search knows each
    log. A server that runs goes on meanwhile.

    Example: recontact db check
    """
    from recontact.store import upkeep

    path = _path(database)
    with spinner("Looking at") as show:
        faults = list(upkeep.check(path, show))
    for fault in faults:
        print(fault)
    if faults:
        fail(f"The database {path} is not sound. Keep it as it is, and restore a backup elsewhere.")
    print(f"The database {path} is sound.")


@app.command("backup")
def db_backup(file: _File, database: Database = None) -> None:
    """
    Copy the database to FILE, as it is at one moment. A server that runs goes on meanwhile.

    FILE is there only when all of it is on the disk, and is never overwritten.

    Example: recontact db backup /mnt/backup/shop-2026-11-24.db
    """
    from recontact.store import upkeep

    path = _path(database)
    with progress("Copying") as show:
        upkeep.backup(path, file, show)
    print(f"Copied {path} to {file}: {file.stat().st_size:,} bytes.")


@app.command("restore")
def db_restore(file: _File, database: Database = None) -> None:
    """
    Put the backup FILE where the database is kept, if none is there yet.

    It is looked at first: a file that is damaged, or of a newer recontact, is refused.

    Example: recontact db restore /mnt/backup/shop-2026-11-24.db
    """
    from recontact.store import tables, upkeep

    path = _path(database)
    with progress("Restoring") as show:
        found = upkeep.restore(file, path, show)
    print(f"Restored {file} to {path}.")
    if found != tables.SCHEMA_REVISION:
        print(f"Its schema is {found}: the server changes it to {tables.SCHEMA_REVISION} at first.")
    print(f"Now start the server: recontact serve --database sqlite:///{path}")


@app.command("compact")
def db_compact(database: Database = None) -> None:
    """
    Give space that holds nothing any more back to the disk, in small steps.

    The server uses such space again by itself, so this is only needed after much was swept out of
    the journal. A server that runs goes on meanwhile.

    Example: recontact db compact
    """
    from recontact.store import upkeep

    path = _path(database)
    with progress("Compacting") as show:
        given = upkeep.compact(path, show)
    print(f"Gave back {given:,} bytes; {path} has {path.stat().st_size:,} now.")


@app.command("upgrade")
def db_upgrade(database: Database = None) -> None:
    """
    Bring the database to the schema of this recontact, keeping a copy of it as it was.

    The server does the same when it starts; here you choose when.

    Example: recontact db upgrade
    """
    from recontact.clock import SYSTEM
    from recontact.store import open_store, tables, upkeep

    address = settings(database=database).database
    path = _path(database)
    found = upkeep.schema_of(path)
    open_store(address, now=SYSTEM.now).close()
    if found == tables.SCHEMA_REVISION:
        print(f"The database {path} has schema {found}, as this recontact does: nothing to do.")
    elif found is None:
        print(f"Made the database {path}, with schema {tables.SCHEMA_REVISION}.")
    else:
        from recontact.store.migrations import copy_before

        print(
            f"Changed {path} from schema {found} to {tables.SCHEMA_REVISION}. As it was, it is "
            f"kept in {copy_before(path, found)}."
        )


def _path(database: str | None) -> Path:
    from recontact.store import file_of

    return file_of(settings(database=database).database)
