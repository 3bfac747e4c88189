"""The WAL stays short while calls come without a pause, and what it held is in the database."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Neto, TestClock, served, serving

from recontact.store import committer, sqlite
from recontact.store.sqlite import driver

MEGABYTE = 1024 * 1024


def write_much(neto: Neto, calls: int) -> None:
    """Some 0.7 MB of the WAL for each call."""
    notes = "A note of an ordinary length, again and again. " * 20
    for call in range(calls):
        neto.add(*({"Notes": f"{call} {n} {notes}"} for n in range(300)))


def wal_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def test_the_wal_stays_short_while_calls_come_without_a_pause(database: Path) -> None:
    with served(database) as server:
        write_much(server.neto, 100)
        written = wal_of(database).stat().st_size
        assert database.stat().st_size > 40 * MEGABYTE
        assert written < 2.5 * committer.WAL_PAGES * 4096
        assert len(server.neto.get(LogIDAfter=29_990).logs) == 10


def test_a_wal_that_a_long_read_held_is_short_again_afterwards(
    database: Path, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "_WAL_KEPT", MEGABYTE)
    monkeypatch.setattr(committer, "WAL_PAGES", 10)
    with serving(database, clock) as neto:
        neto.add({"Notes": "the first"})
        with closing(driver.connect(database, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM customer_log").fetchone() == (1,)
            write_much(neto, 10)
            assert wal_of(database).stat().st_size > 4 * MEGABYTE
            assert reader.execute("SELECT count(*) FROM customer_log").fetchone() == (1,)

        def is_short() -> bool:
            neto.add({"Notes": "another"})
            return wal_of(database).stat().st_size <= MEGABYTE

        neto.wait_for(is_short)


def test_what_a_checkpoint_brought_over_is_whole_without_the_wal(
    database: Path, tmp_path: Path
) -> None:
    with served(database) as server:
        write_much(server.neto, 3)
        assert server.stop() == 0
    assert not wal_of(database).exists()
    alone = Path(shutil.copy(database, tmp_path / "alone.db"))
    with closing(driver.connect(alone)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert file.execute("SELECT count(*) FROM customer_log").fetchone() == (900,)
