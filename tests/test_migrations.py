"""From an empty file, or an older schema, to the tables as they are: all of it or nothing."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from conftest import KEY, PATIENCE, RECONTACT, clean_environ, served

from recontact.store import DatabaseError, keys, migrations, open_store, sqlite, tables
from recontact.store.checking import faults
from recontact.store.sqlite import driver

# What a later release could bring. `amid` stands in the middle of it.
LATER = """
import os, signal
import sqlalchemy as sa
from alembic import op

revision = "later"
down_revision = "{head}"


def upgrade():
    op.create_table("crew", sa.Column("staff_id", sa.Integer(), primary_key=True))
    {amid}
    op.add_column("site", sa.Column("colour", sa.Text(), server_default="none"))
"""

# The same in a process of its own: the argument is the file, then the folder of the later release.
OPEN_AS_LATER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_migrations import as_later
as_later(setattr, Path(sys.argv[2]))
from recontact.store import open_store
open_store(f"sqlite:///{{sys.argv[1]}}", now=lambda: datetime.now(UTC)).close()
"""


def now() -> datetime:
    return datetime.now(UTC)


def later_release(folder: Path, amid: str = "") -> Path:
    """A folder with a migration that comes after those we have."""
    folder.mkdir()
    script = LATER.format(head=tables.SCHEMA_REVISION, amid=amid)
    (folder / "r9999_later.py").write_text(script)
    return folder


def as_later(set_attribute: Callable[..., None], folder: Path) -> None:
    """Make this process one of the later release."""
    ours = migrations.config

    def config(connection: Any = None) -> Config:
        settings = ours(connection)
        versions = f"{Path(migrations.__file__).parent / 'versions'}{os.pathsep}{folder}"
        settings.set_main_option("version_locations", versions)
        return settings

    set_attribute(migrations, "config", config)
    set_attribute(tables, "SCHEMA_REVISION", "later")


# What is to be killed: the argument is a file to open, or one that is not there yet, and a folder.
# In the folder, each copy was opened by a process that ended at another statement that writes, or
# call that copies, or right after a commit. Forked: Alembic takes long to import.
KILLED_EVERYWHERE = """
import os, re, shutil, signal, sys
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from recontact.store import migrations, open_store
from recontact.store.checking import faults
from recontact.store.sqlite import driver

def end_at(last):
    steps = count(1)
    def step():
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)
    def trace(sql):
        if not re.match("SELECT|PRAGMA (?!main.journal|journal|auto)|--", sql.strip()):
            step()
    def profile(frame, event, _):
        code = frame.f_code
        copies = event == "c_call" and code.co_filename.endswith("copying.py")
        if copies or (event == "c_return" and code.co_name == "do_commit"):
            step()
    connect = driver.connect
    def traced(*args, **options):
        connection = connect(*args, **options)
        connection.set_trace_callback(trace)
        return connection
    driver.connect = traced
    sys.setprofile(profile)

source, folder = map(Path, sys.argv[1:])
for last in count(1):
    path = folder / str(last) / "shop.db"
    path.parent.mkdir()
    if source.exists():
        shutil.copy(source, path)
    child = os.fork()
    if child == 0:
        end_at(last)
        open_store(f"sqlite:///{path}", now=lambda: datetime.now(UTC)).close()
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
"""

SCHEMAS = Path(__file__).parent / "schemas"
REVISIONS = sorted(
    script.revision for script in ScriptDirectory.from_config(migrations.config()).walk_revisions()
)


def of_schema(revision: str, path: Path) -> Path:
    """A database that the release of that schema wrote, with the key of all tests."""
    with closing(driver.connect(path)) as file:
        file.executescript((SCHEMAS / f"{revision}.sql").read_text("utf-8"))
        file.execute("PRAGMA journal_mode = WAL")
    return path


def open_and_close(path: Path) -> None:
    open_store(f"sqlite:///{path}", now=now).close()


class Content(NamedTuple):
    """What is in a file: its schema and its rows, but for the search's index, which is SQLite's."""

    schema: dict[str, Any]
    rows: dict[str, list[Any]]


def content(path: Path) -> Content:
    with closing(sqlite3.connect(path)) as file:
        schema = {
            name: (
                file.execute("SELECT * FROM pragma_table_xinfo(?)", (name,)).fetchall(),
                without_rowid,
                sorted(
                    (index, unique, *file.execute("SELECT name FROM pragma_index_info(?)", [index]))
                    for _, index, unique, *_ in file.execute(
                        "SELECT * FROM pragma_index_list(?)", (name,)
                    )
                ),
                file.execute("SELECT * FROM pragma_foreign_key_list(?)", (name,)).fetchall(),
            )
            for name, without_rowid in file.execute(
                "SELECT name, wr FROM pragma_table_list WHERE schema = 'main'"
                " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'log_search%'"
            )
        }
        return Content(
            schema,
            {name: sorted(file.execute(f"SELECT * FROM {name}").fetchall()) for name in schema},
        )


@pytest.fixture
def shop(database: Path) -> Path:
    """The file of a shop that has worked with it for a while."""
    with served(database) as server:
        server.neto.add({"Notes": "one"}, {"Notes": "two"})
        server.neto.update("json", {"LogID": 2, "Status": "Completed"})
        assert server.stop() == 0
    return database


def copies(path: Path) -> list[Path]:
    """What stands beside a file, but for what SQLite and the lock need."""
    own = {path.name, *(path.name + rest for rest in ("-wal", "-shm", ".lock"))}
    return [one for one in path.parent.iterdir() if one.is_file() and one.name not in own]


# -- the schema that they make -------------------------------------------------------------------


def test_a_new_database_is_what_the_tables_say(tmp_path: Path) -> None:
    migrated, made = tmp_path / "migrated.db", tmp_path / "made.db"
    open_and_close(migrated)
    engine = sa.create_engine(f"sqlite:///{made}")
    tables.metadata.create_all(engine)
    engine.dispose()

    engine = sa.create_engine(f"sqlite:///{migrated}")
    with engine.connect() as connection:
        # Defaults are compared below: Alembic takes '' in SQLite for another than "".
        options = {
            "compare_type": True,
            "include_name": lambda name, *_: not str(name).startswith("log_search"),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()
    schema = content(migrated).schema
    assert schema.pop("alembic_version")
    assert schema == content(made).schema


def test_the_revision_of_the_tables_is_the_only_head(database: Path) -> None:
    scripts = ScriptDirectory.from_config(migrations.config())

    assert scripts.get_heads() == [tables.SCHEMA_REVISION]
    assert content(database).rows["alembic_version"] == [(tables.SCHEMA_REVISION,)]


def test_the_migrations_go_back_to_nothing_and_up_again(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'up.db'}")
    for revision in ("head", "base", "head"):
        with engine.begin() as connection:
            go = command.downgrade if revision == "base" else command.upgrade
            go(migrations.config(connection), revision)
            names = set(sa.inspect(connection).get_table_names()) - {"alembic_version"}
            index = {name for name in names if name.startswith("log_search")}
            names -= index
        assert bool(index) == (revision == "head")
        assert names == (set() if revision == "base" else set(tables.metadata.tables))
    engine.dispose()


# -- an upgrade ----------------------------------------------------------------------------------


def test_an_upgrade_changes_the_schema_and_keeps_rows_and_a_copy(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(shop)
    with monkeypatch.context() as patch:
        as_later(patch.setattr, later_release(tmp_path / "later"))
        open_and_close(shop)
        (copy,) = copies(shop)
        open_and_close(shop)
        assert copies(shop) == [copy], "the second start made another copy"

    after = content(shop)
    assert after.rows["alembic_version"] == [("later",)]
    assert "crew" in after.schema
    for name in ("customer_log", "revision", "journal", "journal_body", "key"):
        assert after.rows[name] == before.rows[name]
    assert tables.SCHEMA_REVISION in copy.name
    assert content(copy) == before
    with served(copy) as server:  # with the release from before
        assert server.neto.log(2)["Status"] == "Completed"


def test_a_copy_holds_what_only_the_wal_had(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(shop) as server:
        server.neto.add({"Notes": "in the WAL alone"})
        server.process.kill()
        server.process.wait()
    assert shop.with_name(shop.name + "-wal").stat().st_size > 0

    as_later(monkeypatch.setattr, later_release(tmp_path / "later"))
    open_and_close(shop)

    (copy,) = copies(shop)
    assert "in the WAL alone" in str(content(copy).rows["customer_log"])
    assert "in the WAL alone" in str(content(shop).rows["customer_log"])


def test_without_room_for_the_copy_nothing_is_changed(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, size = content(shop), shop.stat().st_size
    as_later(monkeypatch.setattr, later_release(tmp_path / "later"))
    disk = shutil._ntuple_diskusage  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk(2 * size, size, size))

    with pytest.raises(DatabaseError, match=r"no room .* copy") as refused:
        open_and_close(shop)

    assert f"{size:,}" in str(refused.value)
    assert content(shop) == before
    assert copies(shop) == []


def test_a_migration_that_fails_leaves_the_old_schema(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(shop)
    with monkeypatch.context() as patch:
        later = later_release(tmp_path / "later", amid="raise ZeroDivisionError('amid')")
        as_later(patch.setattr, later)
        with pytest.raises((DatabaseError, ZeroDivisionError)):
            open_and_close(shop)

    assert content(shop) == before
    with served(shop) as server:
        assert server.neto.add({"Notes": "goes on"}) == [3]


def test_a_migration_that_is_killed_leaves_the_old_schema(shop: Path, tmp_path: Path) -> None:
    before = content(shop)
    later = later_release(tmp_path / "later", amid="os.kill(os.getpid(), signal.SIGKILL)")
    code = OPEN_AS_LATER.format(tests=str(Path(__file__).parent))

    killed = subprocess.run(
        [sys.executable, "-c", code, shop, later], cwd=tmp_path, env=clean_environ()
    )

    assert killed.returncode == -signal.SIGKILL
    assert content(shop) == before
    with served(shop) as server:
        assert server.neto.add({"Notes": "goes on"}) == [3]


def test_what_another_process_upgraded_meanwhile_is_not_kept_as_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = of_schema("0001", tmp_path / "shop.db")
    before = content(path)
    claim = sqlite.claim

    def claim_late(of: Path) -> Any:
        monkeypatch.setattr(sqlite, "claim", claim)
        open_and_close(of)
        return claim(of)

    monkeypatch.setattr(sqlite, "claim", claim_late)
    open_and_close(path)

    assert content(path).rows["alembic_version"] == [(tables.SCHEMA_REVISION,)]
    assert [content(copy) for copy in copies(path)] == [before]


def test_a_database_that_is_served_is_not_upgraded_under_its_server(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_later(monkeypatch.setattr, later_release(tmp_path / "later"))
    with served(shop) as server:
        with pytest.raises(DatabaseError, match=f"served already.* {server.process.pid}"):
            open_and_close(shop)
        assert server.neto.add({"Notes": "undisturbed"}) == [3]
        assert server.stop() == 0

    assert content(shop).rows["alembic_version"] != [("later",)]
    assert copies(shop) == []


@pytest.mark.parametrize("revision", [None, REVISIONS[0]])
def test_an_upgrade_that_is_killed_anywhere_leaves_the_old_schema_or_the_new(
    revision: str | None, tmp_path: Path
) -> None:
    """None: what is made is a new database."""
    source, whole, folder = (tmp_path / name for name in ("source.db", "whole.db", "killed"))
    old = None
    if revision:
        old = content(of_schema(revision, source))
        shutil.copy(source, whole)
    open_and_close(whole)
    new = content(whole)
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-c", KILLED_EVERYWHERE, source, folder],
        env=clean_environ(),
        check=True,
    )

    *killed, finished = sorted(folder.iterdir(), key=lambda one: int(one.name))
    found = []
    for at in killed:
        path = at / "shop.db"
        kept = [copy for copy in copies(path) if not copy.name.endswith(".partial")]
        assert [content(copy) for copy in kept] in ([], [old])
        found.append(content(path) if path.exists() else NOTHING)
        open_and_close(path)
        check_upgraded(path, old, new)

    check_upgraded(finished / "shop.db", old, new)
    assert len(killed) > 20
    assert all(one in (old or NOTHING, new) for one in found)
    assert (old or NOTHING) in found
    assert new in found


NOTHING = Content({}, {})


def check_upgraded(path: Path, old: Content | None, new: Content) -> None:
    """It is as if nobody had been killed, with one copy of what it was."""
    assert content(path) == new
    assert [content(copy) for copy in copies(path)] == ([old] if old else [])
    with closing(sqlite3.connect(path)) as file:
        for pragma, value in (("auto_vacuum", 2), ("journal_mode", "wal")):
            assert file.execute(f"PRAGMA {pragma}").fetchone() == (value,)
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# -- each schema that there was ------------------------------------------------------------------


def test_each_schema_is_kept_as_its_release_wrote_it(tmp_path: Path) -> None:
    assert sorted(file.stem for file in SCHEMAS.iterdir()) == REVISIONS, (
        "a schema is new: .venv/bin/python tools/schema.py"
    )
    for revision in REVISIONS:
        kept = content(of_schema(revision, tmp_path / f"kept {revision}"))
        engine = sa.create_engine(f"sqlite:///{tmp_path / revision}")
        with engine.begin() as connection:
            command.upgrade(migrations.config(connection), revision)
        engine.dispose()

        assert kept.schema == content(tmp_path / revision).schema, revision
        assert [name for name, rows in kept.rows.items() if not rows] == []
        assert kept.rows["alembic_version"] == [(revision,)]


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_an_older_release_wrote_is_read_searched_and_changed(
    revision: str, tmp_path: Path
) -> None:
    path = of_schema(revision, tmp_path / "shop.db")
    before = content(path).rows

    with served(path) as server:
        neto = server.neto
        one, two = neto.log(1), neto.log(2)
        assert {name: one[name] for name in ("Notes", "AllocatedTo", "Status", "Revision")} == {
            "Notes": "Wants the chairs in oak",
            "AllocatedTo": "ana",
            "Status": "Recontacting",
            "Revision": "3",
        }
        assert two["CustomerName"] == "Café Lumière"
        assert two["DateRequiredFollowUp"] == "2026-11-24 15:00:00"
        assert neto.get(Search="oak cha").log_ids == ["1"]
        assert neto.get(Search="long cafe").log_ids == ["2"]
        assert neto.get(Search="quote").log_ids == []
        assert neto.update("json", {"LogID": 1, "Notes": "a lamp", "Revision": 3}).ack == "Success"
        assert neto.add({"Notes": "another lamp"}) == [3]
        added = neto.call("json", "AddCustomer", {"Customer": {"Username": "bob"}})
        assert added.ack == "Success"
        assert neto.add({"Username": "bob", "Notes": "a lamp too"}) == [4]
        assert neto.get(Search="lamp").log_ids == ["1", "3", "4"]
        neto.wait_for(lambda: not content(path).rows["search_pending"])
        assert neto.get(Search="lamp").log_ids == ["1", "3", "4"]
        assert neto.get(Search="oak").log_ids == []
        assert server.stop() == 0

    after = content(path).rows
    for name in ("revision", "journal", "journal_body", "customer_revision"):
        # Columns that are new stand behind the others, without a value.
        width = len(after[name][0])
        assert {row + (None,) * (width - len(row)) for row in before.get(name, [])} < set(
            after[name]
        )
    with closing(driver.connect(path)) as file:
        assert list(faults(file)) == []


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("serve", "--port", "0"), ("key", "list")])
def test_a_database_of_a_newer_release_is_refused_and_left_alone(
    shop: Path, words: tuple[str, ...]
) -> None:
    with closing(sqlite3.connect(shop)) as file:
        file.execute("UPDATE alembic_version SET version_num = '9999'")
        file.commit()
    before = shop.read_bytes()

    done = subprocess.run(
        [*RECONTACT, *words, "--database", f"sqlite:///{shop}"],
        cwd=shop.parent,
        env=clean_environ(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    for said in (str(shop), "9999", "newer", "Upgrade recontact"):
        assert said in done.stderr
    assert shop.read_bytes() == before
    assert copies(shop) == []


# -- several at once -----------------------------------------------------------------------------


# A command that waits long for its turn: one that a busy machine holds up may hold the database.
PATIENT = f"""
from recontact.cli import main
from recontact.store import sqlite
sqlite.PATIENCE = {PATIENCE}
main()
"""


def test_processes_that_open_a_new_file_at_once_all_work(tmp_path: Path) -> None:
    for attempt in range(2):
        address = f"sqlite:///new{attempt}.db"
        at_once = [
            subprocess.Popen(
                [sys.executable, "-c", PATIENT, "key", "create", "--database", address],
                cwd=tmp_path,
                env=clean_environ(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(4)
        ]
        printed = [process.communicate(timeout=2 * PATIENCE) for process in at_once]
        codes = [process.returncode for process in at_once]
        assert codes == [0] * 4, printed

        found = content(tmp_path / f"new{attempt}.db").rows
        assert len(found["site"]) == 1
        assert sorted(row[2] for row in found["key"]) == sorted(
            keys.digest_of(out.strip()) for out, _ in printed
        )
        assert found["alembic_version"] == [(tables.SCHEMA_REVISION,)]


def test_two_servers_on_a_new_file_at_once_are_one_server(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    both = [
        subprocess.Popen(
            [*RECONTACT, "serve", "--port", "0", "--database", f"sqlite:///{path}"],
            cwd=tmp_path,
            env=clean_environ(RECONTACT_FIRST_KEY=KEY),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        said = [process.stdout.readline() for process in both if process.stdout]
        (loser,) = [n for n, line in enumerate(said) if not line]
        assert b"listens on" in said[1 - loser]
        _, why = both[loser].communicate(timeout=PATIENCE)
        assert (both[loser].returncode, b"served already" in why) == (1, True)
        assert b"Traceback" not in why
        assert both[1 - loser].poll() is None
    finally:
        for process in both:
            process.kill()
            process.communicate()
    assert len(content(path).rows["key"]) == 1
