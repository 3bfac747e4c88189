"""The bench measures what it says: its databases are as recontact makes them, its SQL is ours."""

import http.client
import importlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from recontact.model import By, customer_revision_of, revision_of, searched, words
from recontact.store import tables
from recontact.store.sqlite import driver

MADE, LOGS = 500, 1_500


PATIENT = (
    "-c",
    "from recontact.limits import Backlog; Backlog.SECONDS = Backlog.LATE = 60\n"
    "from recontact.cli import main; main()",
)
"""A recontact that refuses nothing when the machine is busy with something else."""


@pytest.fixture(scope="module")
def bench() -> Iterator[Any]:
    """Imports a module of bench/, which is no package."""
    folder = str(Path(__file__).parents[1] / "bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(importlib.import_module("serving"), "RECONTACT", PATIENT)
        yield importlib.import_module


@pytest.fixture(scope="module")
def folder(bench: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has a database of MADE logs, and one of LOGS that was multiplied from it."""
    seeding = bench("seeding")
    path = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seeding, "_MADE", MADE)
        seeding.seeded(path, LOGS)
    return path


@pytest.fixture
def multiplied(folder: Path) -> Path:
    (path,) = folder.glob(f"{LOGS}-*.db")
    return path


@pytest.fixture
def made(folder: Path) -> Path:
    (path,) = folder.glob(f"{MADE}-*.db")
    return path


def ask(path: Path, sql: str) -> list[Any]:
    with closing(driver.connect(str(path))) as connection:
        return connection.execute(sql).fetchall()


def test_a_multiplied_database_has_the_schema_and_statistics_of_one_that_was_made(
    made: Path, multiplied: Path
) -> None:
    for sql in (
        "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name",
        "SELECT * FROM sqlite_stat1 ORDER BY tbl, idx",
        "SELECT * FROM log_search_config ORDER BY k",
        "SELECT * FROM search_index",
        "SELECT * FROM search_pending",
        "SELECT * FROM alembic_version",
        "SELECT * FROM key",
        "PRAGMA journal_mode",
        "PRAGMA auto_vacuum",
    ):
        assert ask(multiplied, sql) == ask(made, sql)
    assert ask(multiplied, "PRAGMA integrity_check") == [("ok",)]
    (site,) = ask(multiplied, "SELECT next_log_id, next_customer_id FROM site")
    assert site == (LOGS + 1, LOGS // 50 + 1)


def test_no_table_is_forgotten_when_a_database_is_multiplied(made: Path, multiplied: Path) -> None:
    def filled(path: Path) -> set[str]:
        return {name for name in tables.metadata.tables if ask(path, f"SELECT 1 FROM {name}")}

    assert filled(multiplied) == filled(made)


def test_multiplied_records_and_their_revisions_are_as_recontact_writes_them(
    multiplied: Path,
) -> None:
    logs = ask(multiplied, "SELECT * FROM customer_log")
    assert [row[1] for row in logs] == list(range(1, LOGS + 1))
    assert len({row[14] for row in logs}) > LOGS * 0.9  # Notes
    for kept, number, revisions, revision in (
        (tables.LOGS, "log_id", tables.REVISIONS, revision_of),
        (tables.CUSTOMERS, "customer_id", tables.CUSTOMER_REVISIONS, customer_revision_of),
    ):
        records = [kept.load(row) for row in ask(multiplied, f"SELECT * FROM {kept.table}")]
        rows = ask(multiplied, f"SELECT * FROM {kept.table}")
        assert [tuple(kept.dump(record).values()) for record in records] == rows
        first = [revision(None, record, By(None, bytes(16))) for record in records]
        written = ask(multiplied, f"SELECT * FROM {revisions.table} ORDER BY {number}")
        first.sort(key=lambda one: getattr(one, number))
        assert [tuple(revisions.dump(one).values()) for one in first] == written


def test_the_index_of_a_multiplied_database_has_each_word_of_each_log(multiplied: Path) -> None:
    logs = [tables.LOGS.load(row) for row in ask(multiplied, "SELECT * FROM customer_log")]
    with closing(driver.connect(str(multiplied))) as connection:
        connection.execute("CREATE VIRTUAL TABLE temp.had USING fts5vocab(main, log_search, row)")
        had = dict(connection.execute("SELECT term, doc FROM had").fetchall())
    assert had == Counter(word for log in logs for word in set(words(searched(log))))


def test_gets_of_the_bench_find_what_they_should_in_a_multiplied_database(
    bench: Any, multiplied: Path, tmp_path: Path
) -> None:
    reading, serving = bench("reading"), bench("serving")
    path = tmp_path / "served.db"
    path.write_bytes(multiplied.read_bytes())
    with serving.serve(path) as server:
        for kind in set(reading.KINDS) - {"history"}:
            reads = reading.ask(kind, server.port, LOGS, 0, 0, Random(1))
            assert (kind, reads.faults, reads.wrong) == (kind, 0, "")
            assert reads.rows > reads.empty


def test_history_is_read_and_a_call_undone_as_they_should(
    bench: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    legs, reading, seeding = bench("legs"), bench("reading"), bench("seeding")
    monkeypatch.setattr(legs, "LOGS", MADE)
    monkeypatch.setattr(legs, "ITEMS_UNDONE", 300)
    monkeypatch.setattr(reading, "REVISIONS", 1_150)
    monkeypatch.setattr(seeding, "_MADE", MADE)

    ours = legs.Bench(tmp_path, made.parent, 1)
    figures = {name: legs.LEGS[name].measure(ours) for name in ("j-history", "j-undo")}

    assert ours.faults == []
    assert all(one["p50"] > 0 for one in figures.values())


@pytest.mark.parametrize("beside", [False, True])
def test_pages_of_the_panel_are_asked_for_and_looked_at(
    bench: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, beside: bool
) -> None:
    legs, paging, seeding = bench("legs"), bench("paging"), bench("seeding")
    monkeypatch.setattr(seeding, "_MADE", MADE)

    ours = legs.Bench(tmp_path, made.parent, 1)
    figures = ours.pages(MADE, legs.FEW_OPEN, beside=beside)

    assert ours.faults == []
    assert figures["all queues: p50"] > 0
    assert ("rate" in figures) is beside
    if not beside:  # it takes its time
        assert all(
            figures[f"{name}: raw"] >= figures[f"{name}: packed"] > 0 for name in paging.NAMES
        )


def test_a_page_that_is_none_is_a_fault(bench: Any, made: Path, tmp_path: Path) -> None:
    paging, serving = bench("paging"), bench("serving")
    path = tmp_path / "served.db"
    path.write_bytes(made.read_bytes())
    with serving.serve(path) as server:
        seen = paging.ask(server.port, "no session", MADE, 0, 0, Random(1))

    assert seen.faults == sum(map(len, seen.took.values())) > 0
    assert "was answered 303" in seen.wrong


def test_staff_find_as_many_open_logs_as_they_are_left(
    bench: Any, made: Path, tmp_path: Path
) -> None:
    staffing = bench("staffing")
    path = tmp_path / "shop.db"
    path.write_bytes(made.read_bytes())

    staffing.let_in(path, 120)

    open_logs = "SELECT count(*) FROM customer_log WHERE status <> 'Completed'"
    assert ask(path, open_logs) == [(120,)]
    assert ask(path, f"{open_logs} AND allocated_to IS NULL")[0][0] > 0
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


def test_a_browser_tells_when_it_paints_and_what_it_asks_for(
    bench: Any, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    legs, painting, seeding = bench("legs"), bench("painting"), bench("seeding")
    monkeypatch.setattr(painting, "_VISITS", 1)
    monkeypatch.setattr(seeding, "_MADE", MADE)

    figures = legs.Bench(tmp_path, made.parent, 1).painted(MADE, 120)

    for page in painting.PAGES:
        assert figures[f"{page} first: paint"] > 0
        assert (figures[f"{page} first: requests"], figures[f"{page} again: requests"]) == (3, 1)
        assert figures[f"{page} first: bytes"] > figures[f"{page} again: bytes"] > 0


def test_one_leg_can_be_chosen_or_all_that_begin_alike(bench: Any) -> None:
    run = bench("run")

    def chosen(*wanted: str) -> list[str]:
        return [leg for leg in run.LEGS if run.is_wanted(leg, list(wanted))]

    assert chosen("c-json") == ["c-json"]
    assert chosen("c") == ["c-json", "c-xml", "c-json-1m", "c-json-1m-plain", "c-json-10m"]
    assert chosen("j-undo", "h") == ["j-undo", "h"]
    assert chosen("e-search-1m") == ["e-search-1m-paced", "e-search-1m-full"]
    assert set(chosen("g")) > {"c-json", "c-json-10m", "e-status-1m-full"}


def test_bare_sqlite_is_told_what_each_call_made_recontact_write(
    bench: Any, made: Path, tmp_path: Path
) -> None:
    serving, bare_sqlite, seeding = bench("serving"), bench("bare_sqlite"), bench("seeding")
    path = tmp_path / "served.db"
    path.write_bytes(made.read_bytes())
    headers = {"NETOAPI_ACTION": "UpdateCustomerLog", "NETOAPI_KEY": seeding.KEY}
    with serving.serve(path, serving.RECORDING) as server:  # its first answer is to a call too
        for log_id in range(2, 6):
            item = {"LogID": log_id, "AllocatedTo": "Somebody", "Notes": f"note {log_id}"}
            body = json.dumps({"CustomerLogs": {"CustomerLog": item}})
            with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
                connection.request("POST", "/do/WS/NetoAPI", body, headers)
                assert connection.getresponse().status == 200

    changes = bare_sqlite.load(tmp_path / "recorded.pickle")
    assert len(changes) == 5
    bare = tmp_path / "bare.db"
    bare_sqlite.write(made, bare, changes, 5, seconds=0.001)

    for sql in (
        "SELECT * FROM customer_log WHERE revision > 1",
        "SELECT * FROM revision WHERE number > 1",
        "SELECT * FROM journal",
        "SELECT * FROM journal_body",
    ):
        assert ask(bare, sql) == ask(path, sql)
        assert len(ask(path, sql)) == 5


def test_a_floor_that_is_not_reached_is_said_to_be_missed(bench: Any) -> None:
    report = bench("report")
    times = {"p50": 1.0, "p99": 2.0, "answer": 9.0}
    results = {
        name: {"rate": rate} | times for name, rate in (("a", 100.0), ("f", 1.0), ("c-json", 24.0))
    }
    report.add_ratios(results)
    *_, floors = report.tables(results)
    held = {asked: holds for holds, asked, _ in floors.rows}
    assert held == {
        "1 item: at least 0.25 of bare HTTP": "MISSED",
        "1 item: at least 12 times the peer": "holds",
        "1 item: p99 under 40 ms": "holds",
    }
    assert "| MISSED | 1 item: at least 0.25 of bare HTTP | 0.24 c-json |" in floors.as_markdown()
