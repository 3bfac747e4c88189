"""Migrations: Alembic brings a database to the schema of `tables`, all of it or nothing."""

import shutil
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from recontact.store.copying import copy
from recontact.store.errors import DatabaseError


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings, with the connection that the migrations use."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


def upgrade_sqlite(engine: Engine, path: Path, found: str | None) -> None:
    """
    Bring the file at `path`, at revision `found`, to the newest schema, keeping a copy of it.

    engine: one whose transactions take the write lock as they begin. Raises DatabaseError, and
    leaves the file as it was, when it is of a newer recontact or there is no room for the copy.
    """
    if found is not None:
        refuse_unknown(found, path)
        with engine.connect() as connection:
            connection.rollback()
            _keep_copy(connection.connection.dbapi_connection, path, found)
    # One transaction around all steps: a migration that is killed leaves the old schema.
    with engine.begin() as connection:
        command.upgrade(config(connection), "head")


def refuse_unknown(found: str, path: Path) -> None:
    """DatabaseError, when the schema of the file at `path` is of a newer recontact."""
    scripts = ScriptDirectory.from_config(config())
    if found not in {script.revision for script in scripts.walk_revisions()}:
        raise DatabaseError(
            f"The database {path} has schema {found}, which this recontact does not know: "
            "it was written by a newer one. Upgrade recontact."
        )


def copy_before(path: Path, found: str) -> Path:
    """Where the file at `path` is kept as it was at revision `found`, before it is upgraded."""
    return path.with_name(f"{path.name}.before-upgrade-from-{found}")


def _keep_copy(source: Any, path: Path, found: str) -> None:
    size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
    if free < 2 * size:
        raise DatabaseError(
            f"There is no room to keep a copy of {path} before its schema is changed: "
            f"{size:,} bytes are needed twice and {free:,} are free. Make room and start again."
        )
    copy(source, copy_before(path, found), replace=True)
