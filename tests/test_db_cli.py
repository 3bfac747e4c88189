"""`recontact db`: the database is looked after while it is served, and never in halves."""

import io
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, RECONTACT, Neto, Output, Served, clean_environ, served
from msgspec.structs import replace
from test_migrations import content, copies, of_schema

from recontact.cli import main
from recontact.clock import new_request_id
from recontact.model import By, JournalEntry, new_log
from recontact.store import (
    DatabaseError,
    Transaction,
    Work,
    copying,
    keys,
    open_store,
    tables,
    upkeep,
)
from recontact.store.sqlite import claim, driver

MEGABYTE = 1024 * 1024


def db(path: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run `recontact db` on the database at `path`: in this process, which is quick."""
    argv = ["recontact", "db", *map(str, words), "--database", f"sqlite:///{path}"]
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", argv)
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    return subprocess.CompletedProcess(argv, code, out.getvalue(), err.getvalue())


def done(path: Path, *words: object) -> str:
    """The same, which must succeed; what it says."""
    ended = db(path, *words)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def refused(path: Path, *words: object) -> str:
    """The same, which must fail with a sentence, and do nothing else."""
    ended = db(path, *words)
    assert (ended.returncode, ended.stdout) == (1, ""), ended
    assert re.fullmatch(r"recontact: .+\n", ended.stderr), ended.stderr
    return ended.stderr


def write(path: Path, *statements: str) -> None:
    with closing(driver.connect(path, timeout=5)) as file:
        for sql in statements:
            file.executescript(sql)
        file.commit()


def names(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


@pytest.fixture(scope="module")
def made(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a shop that has worked with it for a while."""
    path = Path(shutil.copy(template, tmp_path_factory.mktemp("made") / "recontact.db"))
    with served(path) as server:
        neto = server.neto
        neto.call("json", "AddCustomer", {"Customer": [{"Username": "ana"}, {"Username": "bob"}]})
        neto.call("json", "UpdateCustomer", {"Customer": {"Username": "bob", "CreditLimit": "5"}})
        neto.add({"Notes": "forty chairs"}, {"Notes": "a table"}, {"Username": "ana"})
        for notes in ("one", "two", "three lamps"):
            neto.update("json", {"LogID": 2, "Notes": notes})
        neto.wait_for(lambda: not content(path).rows["search_pending"])
        assert server.stop() == 0
    return path


@pytest.fixture
def shop(made: Path, tmp_path: Path) -> Path:
    """A copy of that file."""
    return Path(shutil.copy(made, tmp_path / "shop.db"))


@pytest.fixture(scope="module")
def made_large(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of one with 24 MB, which are copied in several steps."""
    path = Path(shutil.copy(made, tmp_path_factory.mktemp("large") / "recontact.db"))
    notes = "x" * 60_000
    with served(path) as server:
        for _ in range(10):
            server.neto.add(*[{"Notes": notes}] * 20)
        assert server.stop() == 0
    assert path.stat().st_size > 20 * MEGABYTE
    return path


@pytest.fixture
def large(made_large: Path, tmp_path: Path) -> Path:
    """A copy of that file."""
    return Path(shutil.copy(made_large, tmp_path / "shop.db"))


def starting(statement: str) -> tuple[str, ...]:
    """A recontact that does this at first."""
    program = "from recontact.cli import main\nfrom recontact.store import committer\n"
    return (sys.executable, "-c", f"{program}{statement}\nmain()")


PATIENT = starting(f"committer.PATIENCE = {PATIENCE}")
"""It waits while a command that a busy machine holds up has the lock."""


@contextmanager
def written(server: Served, threads: int = 4) -> Iterator[list[int]]:
    """Meanwhile it is written to without a pause; a list of how many items each call changed."""
    ended = threading.Event()
    changed: list[int] = []

    def run(number: int) -> None:
        with closing(Neto(server.url, server.neto.key, None, None, server.path).http) as http:
            headers = {"NETOAPI_ACTION": "AddCustomerLog", "NETOAPI_KEY": server.neto.key}
            while not ended.is_set():
                items = [{"Notes": f"{number} {len(changed)}"}] * (1 + len(changed) % 3)
                answer = http.post(
                    "/do/WS/NetoAPI",
                    json={"CustomerLogs": items},
                    headers=headers | {"Accept": "application/json"},
                )
                changed.append(len(items) if answer.json()["Ack"] == "Success" else -1)

    writers = [threading.Thread(target=run, args=[number]) for number in range(threads)]
    for one in writers:
        one.start()
    try:
        Neto.wait_for(lambda: len(changed) > 20)
        yield changed
    finally:
        ended.set()
        for one in writers:
            one.join()
    assert -1 not in changed


def logs_in(path: Path) -> int:
    with closing(driver.connect(path)) as file:
        ((count,),) = file.execute("SELECT count(*) FROM customer_log").fetchall()
        return int(count)


# -- backup --------------------------------------------------------------------------------------


def test_a_backup_is_the_whole_database_and_can_be_served(shop: Path, tmp_path: Path) -> None:
    shop.chmod(0o600)
    to = tmp_path / "backup of a shop?#%41.db"

    said = done(shop, "backup", to)

    assert said == f"Copied {shop} to {to}: {to.stat().st_size:,} bytes.\n"
    assert to.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == {shop.name, to.name}
    assert content(to) == content(shop)
    assert done(to, "check") == f"The database {to} is sound.\n"
    with served(to) as server:
        assert server.neto.get(Search="lamps").log_ids == ["2"]
        assert server.neto.add({"Notes": "goes on"}) == [4]


def test_a_backup_beside_a_server_that_writes_is_of_one_moment(large: Path, tmp_path: Path) -> None:
    to = tmp_path / "backup.db"
    with served(large, program=PATIENT) as server:
        with written(server) as changed:
            before = sum(changed)
            done(large, "backup", to)
            after = sum(changed)
        assert server.stop() == 0

    rest = logs_in(large) - sum(changed)
    assert rest + before <= logs_in(to) <= rest + after + 4 * 3  # four calls are under way
    assert done(to, "check") == f"The database {to} is sound.\n"
    assert done(large, "check") == f"The database {large} is sound.\n"


def test_a_backup_does_not_begin_again_whenever_somebody_writes(
    large: Path, tmp_path: Path
) -> None:
    to = tmp_path / "backup.db"
    steps: list[tuple[int, int]] = []

    def write_more(copied: int, pages: int) -> None:
        steps.append((copied, pages))
        assert len(steps) < 50, "it begins again"
        write(large, "UPDATE customer_log SET notes = 'changed' WHERE log_id = 1")

    before = content(large)
    upkeep.backup(large, to, write_more)

    assert [copied for copied, _ in steps] == sorted({copied for copied, _ in steps})
    assert len(steps) > 4
    assert {pages for _, pages in steps} == {steps[-1][0]}
    assert content(to) == before != content(large)


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_a_backup_overwrites_nothing(large: Path, tmp_path: Path, when: str) -> None:
    to = tmp_path / "backup.db"
    if when == "before":
        to.write_text("something else")
        assert f"There is a file {to} already" in refused(large, "backup", to)
        with pytest.raises(DatabaseError, match="already"):
            upkeep.backup(large, to, lambda *_: pytest.fail("it copies first"))
    else:
        with pytest.raises(DatabaseError, match=f"There is a file {to} already"):
            upkeep.backup(large, to, lambda *_: to.write_text("something else"))

    assert to.read_text() == "something else"
    assert copies(large) == [to]


def test_a_backup_needs_room(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = tmp_path / "backup.db"
    size = large.stat().st_size
    usage = shutil._ntuple_diskusage  # type: ignore[attr-defined]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2 * size, size + 1, size - 1))

    with pytest.raises(DatabaseError, match=f"no room for {to}: {size:,} .* {size - 1:,} are free"):
        upkeep.backup(large, to)

    assert copies(large) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2 * size, size, size))
    upkeep.backup(large, to)


def test_a_backup_to_a_disk_that_fails_leaves_nothing(large: Path, tmp_path: Path) -> None:
    to = tmp_path / "backup.db"
    limit = f"ulimit -f {5 * 1024}; exec {sys.executable} -m recontact db backup {to}"
    ended = subprocess.run(
        ["bash", "-c", f"{limit} --database sqlite:///{large}"],
        env=clean_environ(),
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"recontact: Cannot back up .*\.\n", ended.stderr)
    assert copies(large) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from recontact.store.upkeep import backup
def kill(copied, pages):
    if copied == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
backup(Path(sys.argv[1]), Path(sys.argv[2]), kill)
"""


@pytest.mark.parametrize("after", ["some", "all"])
def test_a_backup_that_is_killed_leaves_no_file_and_the_next_one_succeeds(
    large: Path, tmp_path: Path, after: str
) -> None:
    to = tmp_path / "backup.db"
    pages = large.stat().st_size // 4096
    at = pages if after == "all" else 2 * 1024

    killed = subprocess.run([sys.executable, "-c", KILLED, large, to, str(at)], env=clean_environ())

    assert killed.returncode == -signal.SIGKILL
    assert not to.exists()
    assert copies(large) == [tmp_path / "backup.db.partial"]
    done(large, "backup", to)
    assert copies(large) == [to]
    assert content(to) == content(large)


def test_of_two_backups_to_one_file_the_second_is_refused(large: Path, tmp_path: Path) -> None:
    to = tmp_path / "backup.db"
    second: list[str] = []

    def back_up_too(copied: int, pages: int) -> None:
        if not second:
            second.append(refused(large, "backup", to))

    upkeep.backup(large, to, back_up_too)

    assert second == [f"recontact: Another process is just writing {to}.\n"]
    assert content(to) == content(large)


def test_a_backup_that_another_just_finished_is_not_written_into(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, partial = tmp_path / "backup.db", tmp_path / "backup.db.partial"
    lock = copying.fcntl.flock
    whole = shop.read_bytes()

    def finish_first(held: int, how: int) -> None:
        partial.write_bytes(whole)
        partial.rename(to)
        lock(held, how)

    monkeypatch.setattr(copying.fcntl, "flock", finish_first)
    with pytest.raises(DatabaseError, match="just writing"):
        upkeep.backup(shop, to)

    assert to.read_bytes() == whole


def test_a_backup_is_on_the_disk_before_it_has_its_name(large: Path, tmp_path: Path) -> None:
    to, trace = tmp_path / "backup.db", tmp_path / "trace"
    calls = "trace=fsync,fdatasync,rename,renameat,renameat2,pwrite64"
    command = ["strace", "-fy", "-o", str(trace), "-e", calls, *RECONTACT, "db", "backup", str(to)]

    subprocess.run(
        [*command, "--database", f"sqlite:///{large}"],
        env=clean_environ(),
        check=True,
        stdout=subprocess.DEVNULL,
    )

    ours = [line for line in trace.read_text().splitlines() if f"{tmp_path}" in line]
    kinds = [re.sub(r"^\d+ +(\w+)\(.*", r"\1", line) for line in ours if str(large) not in line]
    assert kinds[-3:] == [kinds[-3], "rename", "fsync"]
    assert kinds[-3] in ("fsync", "fdatasync")
    assert sum(kind.endswith("sync") for kind in kinds) > 5, "all is brought to it at once"
    assert f"<{to}.partial>" in ours[-3]
    assert f"<{tmp_path}>" in ours[-1]


@pytest.mark.parametrize("what", ["no database", "another's", "no file of SQLite", "empty"])
def test_what_is_no_database_of_ours_is_neither_backed_up_nor_made(
    tmp_path: Path, what: str
) -> None:
    path = tmp_path / "shop.db"
    if what == "another's":
        write(path, "CREATE TABLE songs (name)")
    elif what != "no database":
        path.write_bytes(b"not SQLite at all " * 300 if what == "no file of SQLite" else b"")
    before = names(tmp_path)

    said = [refused(path, *words) for words in (("backup", "to.db"), ("check",), ("compact",))]

    assert names(tmp_path) == before
    for one in said:
        assert str(path) in one


# -- restore -------------------------------------------------------------------------------------


@pytest.fixture
def backup(shop: Path, tmp_path: Path) -> Path:
    """A backup, alone in its folder."""
    folder = tmp_path / "backups"
    folder.mkdir()
    done(shop, "backup", folder / "backup.db")
    return folder / "backup.db"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a database may be restored to: an empty folder."""
    folder = tmp_path / "place"
    folder.mkdir()
    return folder / "shop.db"


def test_a_backup_is_restored_as_it_was_and_says_what_to_do_next(
    shop: Path, backup: Path, place: Path
) -> None:
    backup.chmod(0o640)

    said = done(place, "restore", backup)

    assert said == (
        f"Restored {backup} to {place}.\n"
        f"Now start the server: recontact serve --database sqlite:///{place}\n"
    )
    assert names(backup.parent) == {backup.name}
    assert names(place.parent) == {place.name, f"{place.name}.lock"}
    assert place.stat().st_mode & 0o777 == 0o640
    assert content(place) == content(shop)
    with served(place) as server:
        assert server.neto.get(Search="lamps").log_ids == ["2"]
        assert server.neto.add({"Notes": "goes on"}) == [4]


@pytest.mark.parametrize("there", ["", "-wal", "-shm"])
def test_a_restore_overwrites_nothing(backup: Path, place: Path, there: str) -> None:
    old = place.with_name(place.name + there)
    old.write_bytes(b"of somebody")

    assert f"There is a file {old} already" in refused(place, "restore", backup)

    assert old.read_bytes() == b"of somebody"
    assert names(place.parent) == {old.name}


def test_a_backup_that_may_only_be_read_is_restored_to_be_written(
    backup: Path, place: Path
) -> None:
    backup.chmod(0o440)

    done(place, "restore", backup)

    assert place.stat().st_mode & 0o777 == 0o640


def test_a_restore_under_a_server_is_refused(backup: Path, place: Path) -> None:
    with claim(place):
        assert f"served already, by process {os.getpid()}" in refused(place, "restore", backup)

    assert not place.exists()


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 2 // 3)


def flip(path: Path) -> None:
    """Damage a page of an index."""
    with closing(driver.connect(path)) as file:
        ((page,),) = file.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'customer_log_by_site_status_log_id'"
        )
        file.execute("PRAGMA journal_mode = DELETE")
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096 + 4000)
        file.write(bytes(96))


def newer(path: Path) -> None:
    write(path, "UPDATE alembic_version SET version_num = '9999'")


NO_BACKUPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut off": (cut_off, "damaged"),
    "damaged": (flip, "is damaged"),
    "newer": (newer, "schema 9999, which this recontact does not know"),
    "of another program": (
        lambda path: (path.unlink(), write(path, "CREATE TABLE songs (name)")),
        "another program's database (it has a table songs)",
    ),
    "no file of SQLite": (lambda path: path.write_bytes(b"text " * 1_000), "damaged"),
    "empty": (lambda path: path.write_bytes(b""), "no database of recontact's"),
    "not there": (lambda path: path.unlink(), "There is no file"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "There is no file"),
}


@pytest.mark.parametrize("what", NO_BACKUPS)
def test_what_is_no_sound_backup_is_not_restored(backup: Path, place: Path, what: str) -> None:
    spoil, said = NO_BACKUPS[what]
    spoil(backup)
    before = names(backup.parent)

    ended = refused(place, "restore", backup)

    assert said in ended
    assert str(backup) in ended
    assert names(place.parent) == set()
    assert names(backup.parent) == before


def test_a_restore_into_no_folder_is_told(backup: Path, place: Path) -> None:
    gone = place.parent / "gone" / "shop.db"

    assert f"Cannot restore {backup}: {gone}.lock: No such file" in refused(gone, "restore", backup)


def test_files_that_were_copied_by_hand_are_restored_with_their_wal(
    shop: Path, place: Path, tmp_path: Path
) -> None:
    with served(shop) as server:
        server.neto.add({"Notes": "in the WAL alone"})
        server.process.kill()
        server.process.wait()
    copied = tmp_path / "copied"
    copied.mkdir()
    for end in ("", "-wal"):
        shutil.copy(shop.with_name(shop.name + end), copied)

    done(place, "restore", copied / shop.name)

    assert "in the WAL alone" in str(content(place).rows["customer_log"])


def test_an_old_backup_is_restored_and_upgraded_by_the_server(tmp_path: Path, place: Path) -> None:
    old = of_schema("0001", tmp_path / "old.db")

    said = done(place, "restore", old)

    assert f"schema is 0001: the server changes it to {tables.SCHEMA_REVISION}" in said
    assert content(place).rows["alembic_version"] == [("0001",)]
    with served(place) as server:
        assert server.neto.log(1)["AllocatedTo"] == "ana"


# -- check ---------------------------------------------------------------------------------------

FAULTS = {
    "a revision is gone": (
        "DELETE FROM revision WHERE log_id = 2 AND number = 2",
        "Log 2 of site 1 is at revision 4, but there are 3 revisions of it, numbered 1 to 4.",
    ),
    "the last revision is gone": (
        "DELETE FROM revision WHERE log_id = 2 AND number = 4",
        "Log 2 of site 1 is at revision 4, but there are 3 revisions of it, numbered 1 to 3.",
    ),
    "a revision has another number": (
        "UPDATE revision SET number = 9 WHERE log_id = 2 AND number = 3",
        "Log 2 of site 1 is at revision 4, but there are 4 revisions of it, numbered 1 to 9.",
    ),
    "no revision is there": (
        "DELETE FROM revision WHERE log_id = 1",
        "Log 1 of site 1 is at revision 1, but there are 0 revisions of it, numbered None to None.",
    ),
    "a log was put back": (
        "UPDATE customer_log SET revision = 3 WHERE log_id = 2",
        "Log 2 of site 1 is at revision 3, but there are 4 revisions of it, numbered 1 to 4.",
    ),
    "a customer was put back": (
        "UPDATE customer SET revision = 1 WHERE customer_id = 2",
        "Customer 2 of site 1 is at revision 1, but there are 2 revisions of it, numbered 1 to 2.",
    ),
    "a customer is gone": (
        "DELETE FROM customer WHERE customer_id = 2",
        "Customer 2 of site 1 is not there, but there are revisions of it.",
    ),
    "a LogID would be given again": (
        "UPDATE site SET next_log_id = 3",
        "Site 1 would give the LogID 3 next, but 3 was given already.",
    ),
    "a customer's ID would be given again": (
        "UPDATE site SET next_customer_id = 1",
        "Site 1 would give the customer ID 1 next, but 2 was given already.",
    ),
    "a call is gone from the journal": (
        "DELETE FROM journal WHERE request ="
        " (SELECT request FROM revision WHERE log_id = 2 AND number = 3)",
        "The call that made revision 3 of log 2 of site 1 is not in the journal.",
    ),
    "a customer's call is gone": (
        "DELETE FROM journal WHERE request ="
        " (SELECT request FROM customer_revision WHERE customer_id = 2 AND number = 2)",
        "The call that made revision 2 of customer 2 of site 1 is not in the journal.",
    ),
    "a log that was withdrawn is there": (
        "UPDATE revision SET changes ="
        """ '{"status":["Completed",null],"notes":["three lamps",null]}'"""
        " WHERE log_id = 2 AND number = 4",
        "Log 2 of site 1 is there, but its revision 4 took it away.",
    ),
    "a log that was erased is there": (
        """UPDATE revision SET changes = '{"notes":["erased","erased"]}' WHERE log_id = 2""",
        "Log 2 of site 1 is there, but its revision 4 took it away.",
    ),
    "a customer that was withdrawn is there": (
        """UPDATE customer_revision SET changes = '{"username":["bob",null]}'"""
        " WHERE customer_id = 2 AND number = 2",
        "Customer 2 of site 1 is there, but its revision 2 took it away.",
    ),
    "a log was withdrawn once, and later lost": (
        "DELETE FROM customer_log WHERE log_id = 2;"
        """UPDATE revision SET changes = '{"status":["Completed",null]}'"""
        " WHERE log_id = 2 AND number = 3",
        "Log 2 of site 1 is not there, but there are revisions of it.",
    ),
    "a revision of a withdrawn log is gone": (
        "DELETE FROM customer_log WHERE log_id = 2;"
        """UPDATE revision SET changes = '{"status":["Completed",null]}'"""
        " WHERE log_id = 2 AND number = 4;"
        "DELETE FROM revision WHERE log_id = 2 AND number = 2",
        "Log 2 of site 1 was taken away, but there are 3 revisions of it, numbered 1 to 4.",
    ),
    "the answer that a key stands for is gone": (
        "INSERT INTO idempotency VALUES (1, 1, 'key', zeroblob(32),"
        " x'0123456789abcdef0123456789abcdef')",
        "The answer of call 0123456789abcdef0123456789abcdef of site 1 is not in the journal, but "
        "an Idempotency-Key names it.",
    ),
    "the index lacks a log": (
        "INSERT INTO log_search (log_search, rowid, words)"
        " VALUES ('delete', (1 << 34) + 1, ' forty chairs ')",
        "The index of the search has 2 logs, but should have 3.",
    ),
    "the index has one too many": (
        "INSERT INTO log_search (rowid, words) VALUES ((1 << 34) + 9, ' ghost ')",
        "The index of the search has 4 logs, but should have 3.",
    ),
    "a change was not noted": (
        "INSERT INTO search_pending (site, log_id) VALUES (1, 2)",
        "The index of the search has 3 logs, but should have 2.",
    ),
    "a key is of no site": (
        "INSERT INTO key (site, digest, hint, may, created_at) VALUES (9, x'00', '', 'read', 0)",
        "A row of key refers to one that is not in site.",
    ),
}


@pytest.mark.parametrize("what", FAULTS)
def test_each_fault_is_told_on_a_line(shop: Path, what: str) -> None:
    sql, line = FAULTS[what]
    write(shop, sql)

    ended = db(shop, "check")

    assert ended.returncode == 1
    assert line in ended.stdout.splitlines()
    assert f"The database {shop} is not sound" in ended.stderr


def test_a_lost_log_is_told_by_its_revisions_and_the_index(shop: Path) -> None:
    write(shop, "DELETE FROM customer_log WHERE log_id = 1")

    assert db(shop, "check").stdout.splitlines() == [
        "Log 1 of site 1 is not there, but there are revisions of it.",
        "The index of the search has 3 logs, but should have 2.",
    ]


@pytest.fixture
def with_history(shop: Path) -> Path:
    """That shop, where log 2 was withdrawn, log 3 also restored, and all of customer 2 erased."""
    now = datetime.now(UTC)
    by = By(None, new_request_id(now), "a test")
    entry = JournalEntry(1, by.request, now, 0, "undo", "", "", 200, "Success", who=by.who)

    def withdraw(tx: Transaction) -> None:
        two, three, bob = tx.log(2), tx.log(3), tx.customer("bob")
        assert None not in (two, three, bob)
        tx.withdraw(two, by)
        tx.withdraw(three, by)
        tx.withdraw_customer(bob, by)
        tx.enter(entry)
        tx.keep()

    def restore(tx: Transaction) -> None:
        tx.save(replace(new_log(1, 3, {"notes": "it is back"}, now), revision=3), None, by)
        tx.keep()

    with closing(open_store(f"sqlite:///{shop}", now=lambda: now)) as store:
        with store.begin() as connection:
            (site,) = {key.site for key in keys.keys(connection).values()}
        store.write(Work(site, withdraw))
        store.write(Work(site, restore))
    write(
        shop,
        "UPDATE customer_revision SET changes = (SELECT json_group_object(key,"
        " json_array('erased', 'erased')) FROM json_each(changes)) WHERE customer_id = 2",
    )
    return shop


def test_what_was_withdrawn_restored_or_erased_is_no_fault(with_history: Path) -> None:
    assert [row[1] for row in content(with_history).rows["customer_log"]] == [1, 3]
    assert done(with_history, "check") == f"The database {with_history} is sound.\n"
    with served(with_history) as server:  # it lets the index of the search see it
        server.neto.wait_for(lambda: not content(with_history).rows["search_pending"])
        assert server.stop() == 0
    assert done(with_history, "check") == f"The database {with_history} is sound.\n"


def test_a_key_whose_call_was_erased_is_no_fault(shop: Path) -> None:
    write(shop, "INSERT INTO idempotency VALUES (1, 1, 'key', x'', zeroblob(16))")

    assert done(shop, "check") == f"The database {shop} is sound.\n"


def test_damage_of_the_file_is_told_in_the_words_of_sqlite(shop: Path) -> None:
    flip(shop)

    ended = db(shop, "check")

    assert ended.returncode == 1
    assert "SQLite says: " in ended.stdout
    assert "customer_log_by_site_status_log_id" in ended.stdout
    assert "Traceback" not in ended.stderr


def test_the_same_fault_of_many_logs_is_told_a_hundred_times(shop: Path) -> None:
    with served(shop) as server:
        server.neto.add(*[{"Notes": "x"}] * 150)
        assert server.stop() == 0
    write(shop, "UPDATE customer_log SET revision = 7")

    lines = db(shop, "check").stdout.splitlines()

    assert len([line for line in lines if "is at revision 7" in line]) == 100
    assert "There are more such faults: 100 were shown." in lines


def test_what_the_journal_does_not_hold_any_more_is_no_fault(shop: Path) -> None:
    oldest = "(SELECT request FROM revision WHERE log_id = 2 AND number = 2)"
    for table in ("journal_body", "journal"):
        write(shop, f"DELETE FROM {table} WHERE request < {oldest}")
        assert done(shop, "check") == f"The database {shop} is sound.\n"
    write(shop, f"DELETE FROM journal WHERE request = {oldest}")
    (line,) = db(shop, "check").stdout.splitlines()
    assert re.fullmatch(
        "The bodies of call [0-9a-f]{32} of site 1 are there, but .* no entry.*", line
    )


def test_a_log_that_the_index_has_yet_to_see_is_no_fault(shop: Path) -> None:
    with served(shop, program=starting("committer.FEED_AFTER = 3_600")) as server:
        server.neto.add({"Notes": "new"})
        server.neto.update("json", {"LogID": 1, "Notes": "changed"})
        server.process.kill()
        server.process.wait()
    assert content(shop).rows["search_pending"]

    assert done(shop, "check") == f"The database {shop} is sound.\n"


def test_an_index_that_the_next_server_makes_anew_is_no_fault(shop: Path) -> None:
    write(
        shop,
        "INSERT INTO log_search (log_search) VALUES ('delete-all')",
        "UPDATE search_index SET made_by = 'SQLite 3.40.1, Unicode 14.0.0'",
    )

    assert done(shop, "check") == f"The database {shop} is sound.\n"


def test_a_check_beside_a_server_that_writes_finds_no_fault(shop: Path) -> None:
    with served(shop, program=PATIENT) as server:
        with written(server) as changed:

            def until_some_are_written(_step: str) -> None:
                before = len(changed)
                Neto.wait_for(lambda: len(changed) > before + 4)

            for _ in range(3):
                assert list(upkeep.check(shop, until_some_are_written)) == []
        assert server.stop() == 0


def test_an_older_schema_is_not_checked_but_named(tmp_path: Path) -> None:
    old = of_schema("0002", tmp_path / "old.db")

    assert "has schema 0002" in refused(old, "check")

    assert content(old).rows["alembic_version"] == [("0002",)]


# -- compact -------------------------------------------------------------------------------------


@pytest.fixture
def half_empty(shop: Path) -> Path:
    """A database with 20 MB in it that hold nothing any more."""
    with closing(driver.connect(shop)) as file:
        file.execute("CREATE TABLE filler (x)")
        file.executemany("INSERT INTO filler VALUES (zeroblob(4000))", [()] * 5_000)
        file.commit()
        ((before,),) = file.execute("PRAGMA page_count").fetchall()
        file.execute("DROP TABLE filler")
        file.commit()
    assert before > 5_000
    return shop


def test_compact_gives_back_what_holds_nothing_and_leaves_the_rest(half_empty: Path) -> None:
    before, rows = half_empty.stat().st_size, content(half_empty)

    said = done(half_empty, "compact")

    after = half_empty.stat().st_size
    assert after < before - 19 * MEGABYTE
    assert said == f"Gave back {before - after:,} bytes; {half_empty} has {after:,} now.\n"
    assert content(half_empty) == rows
    assert done(half_empty, "check") == f"The database {half_empty} is sound.\n"
    again = done(half_empty, "compact")
    assert again == f"Gave back 0 bytes; {half_empty} has {after:,} now.\n"


def test_compact_beside_a_server_that_writes_holds_up_no_call(
    half_empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wal = half_empty.with_name(half_empty.name + "-wal")
    with served(half_empty, program=PATIENT) as server:
        with written(server) as changed:

            def until_some_are_written(seconds: float) -> None:
                before = len(changed)
                time.sleep(seconds)
                Neto.wait_for(lambda: len(changed) > before + 4)

            before = len(changed)
            with monkeypatch.context() as patch:
                patch.setattr(upkeep, "sleep", until_some_are_written)
                said = done(half_empty, "compact")
            assert len(changed) > before + 20
        given = int(re.search(r"Gave back ([\d,]+) bytes", said)[1].replace(",", ""))  # type: ignore[index]
        assert given > 10 * MEGABYTE  # what is written meanwhile takes some of it
        # Once the index of the search has seen all, nobody writes, and the WAL can be cut.
        Neto.wait_for(lambda: not content(half_empty).rows["search_pending"])
        done(half_empty, "compact")
        assert wal.stat().st_size == 0
        assert half_empty.stat().st_size < 6 * MEGABYTE
        assert server.stop() == 0
    assert done(half_empty, "check") == f"The database {half_empty} is sound.\n"


# -- upgrade -------------------------------------------------------------------------------------


def test_upgrade_brings_an_old_database_to_the_schema_of_today(tmp_path: Path) -> None:
    old = of_schema("0001", tmp_path / "old.db")
    rows = content(old)

    said = done(old, "upgrade")

    kept = tmp_path / "old.db.before-upgrade-from-0001"
    assert said == (
        f"Changed {old} from schema 0001 to {tables.SCHEMA_REVISION}. "
        f"As it was, it is kept in {kept}.\n"
    )
    assert content(kept) == rows
    assert content(old).rows["alembic_version"] == [(tables.SCHEMA_REVISION,)]
    assert "nothing to do" in done(old, "upgrade")
    assert names(tmp_path) == {old.name, kept.name, "old.db.lock"}


def test_upgrade_beside_a_server_of_the_same_release_does_nothing(shop: Path) -> None:
    with served(shop) as server:
        assert "nothing to do" in done(shop, "upgrade")
        assert server.neto.add({"Notes": "undisturbed"}) == [4]


def test_upgrade_makes_a_database_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new.db"

    assert f"Made the database {path}" in done(path, "upgrade")

    assert done(path, "check") == f"The database {path} is sound.\n"


def test_upgrade_of_a_newer_database_is_refused(shop: Path) -> None:
    newer(shop)

    assert "Upgrade recontact" in refused(shop, "upgrade")


# -- on a terminal -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("backup", "to.db"), "Copying"),
        (("check",), "Looking at"),
        (("compact",), "Compacting"),
    ],
)
def test_a_person_sees_how_far_it_is(half_empty: Path, words: tuple[str, ...], shown: str) -> None:
    ours, theirs = pty.openpty()
    output = Output(os.fdopen(ours, "rb", buffering=0))
    ended = subprocess.run(
        [*RECONTACT, "db", *words, "--database", f"sqlite:///{half_empty}"],
        cwd=half_empty.parent,
        env=clean_environ(TERM="xterm"),
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        timeout=2 * PATIENCE,
    )
    os.close(theirs)

    assert ended.returncode == 0, output.whole()
    assert shown in output.whole()
    assert ended.stdout.count("\n") == 1
