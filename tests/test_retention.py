"""The journal keeps its days and its bytes: what is past them goes, and nothing else does."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conftest import PATIENCE, Answer, Neto, TestClock, served, serving
from sqlalchemy import Connection

from recontact.clock import new_request_id
from recontact.config import SettingError, load
from recontact.model import Repeatable, Site
from recontact.store import IDEMPOTENCY, JournalLimits, retention
from recontact.store.retention import Retention
from recontact.store.sqlite import driver, make_engine
from recontact.store.transaction import Group, Statements, Transaction

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
MANY = 2**60


def ask(path: Path, sql: str, *values: Any) -> list[Any]:
    with closing(driver.connect(path, timeout=5)) as file:
        return file.execute(sql, values).fetchall()


def journal_calls(
    path: Path, at: datetime | list[datetime], sizes: Sequence[int | None], site: int = 1
) -> list[bytes]:
    """
    Calls that were made at that time, in the order of `sizes`: of their bodies; None: without any.

    Their ids, as a server would have given them.
    """
    times = at if isinstance(at, list) else [at] * len(sizes)
    # Of one millisecond, they differ in what follows.
    ids = [
        new_request_id(moment)[:6] + number.to_bytes(10, "big")
        for number, moment in enumerate(times)
    ]
    with closing(driver.connect(path, timeout=5)) as file:
        file.executemany(
            "INSERT INTO journal VALUES (?, ?, ?, 1, 'UpdateCustomerLog', 'json', '', 200,"
            " 'Success', 1, 0, 0, 1, 1, NULL, 1, NULL, NULL, NULL)",
            [(site, request, 0) for request in ids],
        )
        file.executemany(
            "INSERT INTO journal_body VALUES (?, ?, 0, ?, ?)",
            [
                (site, request, bytes(size - size // 3), bytes(size // 3) or None)
                for request, size in zip(ids, sizes, strict=True)
                if size is not None
            ],
        )
        file.commit()
    return ids


def entries(path: Path, site: int = 1) -> list[bytes]:
    sql = "SELECT request FROM journal WHERE site = ? ORDER BY request"
    return [request for (request,) in ask(path, sql, site)]


def bodies(path: Path, site: int = 1) -> list[bytes]:
    sql = "SELECT request FROM journal_body WHERE site = ? ORDER BY request"
    return [request for (request,) in ask(path, sql, site)]


def size_of(path: Path) -> int:
    sql = "SELECT ifnull(length(request_body), 0) + ifnull(length(answer_body), 0)"
    return sum(size for (size,) in ask(path, f"{sql} FROM journal_body"))


class Swept:
    """
    What `sweep` did.

    steps: of each transaction, how many rows it deleted. looks: how many it took until there was
    nothing to do, each time. size: at the end.
    """

    def __init__(self) -> None:
        self.steps: list[int] = []
        self.looks = [0]
        self.size = 0


def sweep(
    path: Path,
    *,
    days: int = 36_500,
    size: int = MANY,
    amid: Callable[[int], object] = lambda _: None,
    now: datetime | Callable[[], datetime] = NOW,
    then: Sequence[Callable[[], object]] = (),
) -> Swept:
    """
    Keep the journal of a file within these limits, until there is nothing more to do.

    amid: called after each step with its number. then: called one by one, each when there is
    nothing to do.
    """
    engine = make_engine(path, writes=True)
    done = Swept()
    left = list(then)

    async def run() -> None:
        quiet = asyncio.Event()

        async def read(look: Callable[[Connection], Any]) -> Any:
            with engine.connect() as connection, connection.begin():
                found = look(connection)
            done.looks[-1] += 1
            if found == (True, None):
                if left:
                    left.pop(0)()
                    done.looks.append(0)
                else:
                    quiet.set()
            return found

        async def write(delete: Callable[[Any], Any]) -> Any:
            with engine.connect() as connection, connection.begin():
                one = connection.connection.driver_connection
                before = one.total_changes
                result = delete(one)
                done.steps.append(one.total_changes - before)
            amid(len(done.steps))
            return result

        clock = now if callable(now) else lambda: now
        kept = Retention(JournalLimits(days, size), clock, read, write)
        kept.start()
        await asyncio.wait_for(quiet.wait(), 2 * PATIENCE)
        await kept.stop()
        done.size = kept.size

    try:
        asyncio.run(run())
    finally:
        engine.dispose()
    return done


# -- how long, and how much ----------------------------------------------------------------------


def test_an_entry_goes_when_its_days_are_over_and_not_a_millisecond_before(database: Path) -> None:
    over = timedelta(days=90)
    ms = timedelta(milliseconds=1)
    times = [NOW - over - ms, NOW - over, NOW - over + ms, NOW - ms, NOW + ms]
    ids = journal_calls(database, times, [300, 300, None, 300, 300])

    done = sweep(database, days=90)

    assert entries(database) == ids[1:]
    assert bodies(database) == [ids[1], ids[3], ids[4]]
    assert done.size == size_of(database) == 900


def test_past_its_bytes_the_oldest_bodies_go_and_all_entries_stay(database: Path) -> None:
    ids = journal_calls(database, NOW, [1_000] * 30)

    assert sweep(database, size=12_000).size == 12_000
    assert bodies(database) == ids[18:]
    assert sweep(database, size=11_999).size == size_of(database) == 11_000
    assert bodies(database) == ids[19:]
    assert sweep(database, size=0).size == size_of(database) == 0
    assert entries(database) == ids


def test_the_days_of_an_entry_count_on_each_site_and_the_bytes_on_all_together(
    database: Path,
) -> None:
    with closing(driver.connect(database)) as file:
        file.execute("INSERT INTO site (site, name, zone, created_at) VALUES (2, 'Two', 'UTC', 0)")
        file.commit()
    old, new = NOW - timedelta(days=91), NOW - timedelta(days=1)
    journal_calls(database, old, [500] * 3)
    journal_calls(database, old, [500] * 2, site=2)
    ours = journal_calls(database, new, [500] * 4)
    theirs = journal_calls(database, new, [500] * 4, site=2)

    sweep(database, days=90, size=2_500)

    assert (entries(database), entries(database, site=2)) == (ours, theirs)
    # One site wrote before the other.
    assert (bodies(database), bodies(database, site=2)) == (ours[3:], theirs)


def test_revisions_logs_and_customers_stay_whatever_goes(serve: Callable[..., Any]) -> None:
    clock = TestClock()
    with serve() as neto:
        path = neto.path
        neto.add({"Notes": "one"}, {"Notes": "two"})
        neto.update("json", {"LogID": 1, "Notes": "three", "AllocatedTo": "ana"})
        neto.call("json", "AddCustomer", {"Customer": {"Username": "bob"}})
    tables = ("customer_log", "revision", "customer", "customer_revision", "key", "site")
    before = [ask(path, f"SELECT * FROM {name}") for name in tables]
    assert len(before[1]) == 3

    sweep(path, days=1, now=clock.now() + timedelta(days=2))

    assert (entries(path), bodies(path)) == ([], [])
    after = [ask(path, f"SELECT * FROM {name}") for name in tables]
    assert after == before
    with serving(path, clock) as neto:
        assert neto.log(1)["Revision"] == "2"
        neto.update("json", {"LogID": 1, "Notes": "four"})
        assert neto.log(1)["Revision"] == "3"


# -- what an Idempotency-Key names ---------------------------------------------------------------


def name_by_keys(path: Path, requests: Sequence[bytes], site: int = 1) -> None:
    """Let each of these calls have come with an Idempotency-Key of its own."""
    with closing(driver.connect(path, timeout=5)) as file:
        file.executemany(
            "INSERT INTO idempotency VALUES (?, 1, ?, ?, ?)",
            [(site, sha256(one).hexdigest(), sha256(one).digest(), one) for one in requests],
        )
        file.commit()


def named(path: Path, site: int = 1) -> list[bytes]:
    sql = "SELECT request FROM idempotency WHERE site = ? ORDER BY request"
    return [request for (request,) in ask(path, sql, site)]


WEEK = timedelta(days=7) + retention.GRACE


def test_a_key_goes_after_its_week_and_what_it_named_stays_in_the_journal(database: Path) -> None:
    times = [NOW - WEEK + timedelta(milliseconds=ms) for ms in (-2, -1, 0, 1)]
    ids = journal_calls(database, times, [300] * 4)
    name_by_keys(database, ids)

    done = sweep(database, days=90)

    assert named(database) == ids[2:]
    assert entries(database) == bodies(database) == ids
    assert done.size == size_of(database)


def test_a_key_that_is_used_again_as_its_old_row_goes_is_kept(database: Path) -> None:
    """The call found the row, which was over, and the sweep deletes it before that is written."""
    old, new = (Repeatable(1, 1, "k", bytes([n]) * 32, bytes([n]) * 16) for n in (1, 2))
    engine = make_engine(database, writes=True)
    with engine.connect() as connection, connection.begin():
        raw = connection.connection.driver_connection
        assert raw
        for one in (old, new):
            group = Group(raw, Statements(engine.dialect))
            tx = Transaction(group, Site(1, "Shop", ZoneInfo("UTC")), NOW)
            known = tx.get(IDEMPOTENCY, 1, 1, "k")
            tx.put(IDEMPOTENCY, one)
            tx.keep()
            tx.end()
            raw.execute("DELETE FROM idempotency").close()
            group.write(raw)
        assert known == old
    engine.dispose()
    ((fingerprint,),) = ask(database, "SELECT fingerprint FROM idempotency")
    assert fingerprint == new.fingerprint


def test_a_key_is_not_swept_before_it_has_ended_for_callers(serve: Callable[..., Any]) -> None:
    with serve() as neto:
        body = json.dumps({"CustomerLogs": {"CustomerLog": {"Notes": "once"}}}).encode()

        def send() -> Answer:
            return neto.post("AddCustomerLog", body, {"Idempotency-Key": "k"})

        first = send()
        neto.clock.move(days=7, seconds=-30)
        assert send().body == first.body
        neto.clock.move(seconds=60)  # it has ended, and its row is there yet
        assert len(named(neto.path)) == 1
        assert send().body != first.body
        assert neto.log(2)["Notes"] == "once"


def test_past_the_bytes_the_oldest_go_that_no_key_names(database: Path) -> None:
    ids = journal_calls(database, NOW - timedelta(days=6), [1_000] * 30)
    name_by_keys(database, ids[:20:2])

    assert sweep(database, size=15_000).size == size_of(database) == 15_000
    assert bodies(database) == sorted([*ids[:20:2], *ids[25:]])
    assert sweep(database, size=4_000).size == size_of(database) == 10_000  # they wait for the keys
    assert bodies(database) == named(database) == ids[:20:2]
    assert sweep(database, size=4_000, now=NOW + timedelta(days=2)).size == 4_000
    assert (bodies(database), named(database)) == (ids[12:20:2], [])
    assert entries(database) == ids


def test_what_was_passed_over_goes_with_its_key_and_is_not_looked_through_again(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_EVERY", 0.01)
    clock = [NOW]
    of_keys = journal_calls(database, NOW - timedelta(days=6), [1_000] * 3_500)
    name_by_keys(database, of_keys)
    journal_calls(database, NOW - timedelta(days=5), [1_000] * 10)
    later: list[bytes] = []

    def write_more() -> None:
        assert bodies(database) == of_keys
        later[:] = journal_calls(database, NOW, [1_000] * 30)

    def let_keys_end() -> None:
        assert bodies(database) == of_keys
        clock[0] += timedelta(days=2)

    def write_again() -> None:
        assert bodies(database) == []
        later[:] = journal_calls(database, clock[0], [1_000] * 30)

    then = [lambda: None, write_more, let_keys_end, write_again]
    done = sweep(database, size=20_000, now=lambda: clock[0], then=then)

    assert bodies(database) == later[-20:]
    assert done.size == size_of(database) == 20_000
    # 4 over all bodies, 1 more to count them, 1 at the end; then only over what came since.
    assert done.looks[:3] == [6, 1, 2]


def test_no_entry_goes_before_its_key_even_if_its_days_are_over(database: Path) -> None:
    """As they may be when the clock was put back."""
    ids = journal_calls(database, [NOW - timedelta(days=9 - n) for n in range(9)], [100] * 9)
    name_by_keys(database, ids[4:5])

    sweep(database, days=1)

    assert entries(database) == bodies(database) == ids[4:]
    assert named(database) == ids[4:5]
    sweep(database, days=1, now=NOW + timedelta(days=3))
    assert (entries(database), named(database)) == ([], [])


def test_a_journal_that_is_shorter_than_keys_live_is_refused() -> None:
    assert load({"journal_days": 7}, {}).journal_days == 7
    said = "journal_days must be at least 7: .* Idempotency-Key .* got 6"
    with pytest.raises(SettingError, match=said):
        load({"journal_days": 6}, {})


def test_keys_of_each_site_end_in_steps(database: Path) -> None:
    with closing(driver.connect(database)) as file:
        file.execute("INSERT INTO site (site, name, zone, created_at) VALUES (2, 'Two', 'UTC', 0)")
        file.commit()
    for site in (1, 2):
        old = journal_calls(database, NOW - timedelta(days=8), [100] * 450, site=site)
        new = journal_calls(database, NOW - timedelta(days=6), [100] * 5, site=site)
        name_by_keys(database, [*old, *new], site)

    done = sweep(database, days=90)

    assert done.steps == [200, 200, 50] * 2
    assert [len(named(database, site)) for site in (1, 2)] == [5, 5]
    assert len(bodies(database)) == 455


# -- step by step --------------------------------------------------------------------------------


def test_many_go_in_steps_of_a_thousand(database: Path) -> None:
    old = journal_calls(database, NOW - timedelta(days=91), [100] * 2_500)
    new = journal_calls(database, NOW, [100] * 2_500)
    assert len(old) == 2_500

    by_age = sweep(database, days=90)
    assert entries(database) == bodies(database) == new
    by_size = sweep(database, size=0)

    assert by_age.steps == [2_000, 2_000, 1_000]  # an entry and its bodies are two rows
    assert by_size.steps == [1_000, 1_000, 500]


def test_a_huge_body_goes_in_a_step_of_its_own(database: Path) -> None:
    huge = 2 * retention.STEP_BYTES
    sizes = [10, 20, huge, huge, 30, 40]

    journal_calls(database, NOW, sizes)
    assert sweep(database, size=0).steps == [3, 1, 2]
    assert size_of(database) == 0
    journal_calls(database, NOW - timedelta(days=92), sizes)
    assert sweep(database, days=91).steps == [6, 2, 4]
    assert bodies(database) == []


def test_a_body_that_is_larger_than_all_there_may_be_leaves_room_for_those_after_it(
    database: Path,
) -> None:
    ids = journal_calls(database, NOW, [900, 100_000, 200, 300])

    assert sweep(database, size=1_000).size == 500

    assert bodies(database) == ids[2:]


def test_what_is_written_between_the_steps_is_counted(database: Path) -> None:
    journal_calls(database, NOW, [100] * 3_500)
    later: list[bytes] = []

    def write_more(step: int) -> None:
        if step < 3:
            later[:] = journal_calls(database, NOW + timedelta(seconds=step), [100] * 2_100)

    done = sweep(database, size=100_000, amid=write_more)

    assert done.size == size_of(database) == 100_000
    assert bodies(database) == later[-1_000:]


def test_a_body_that_goes_before_it_is_counted_is_not_taken_off(database: Path) -> None:
    """The old ones are numbered last, as if they had been written late."""
    new = journal_calls(database, NOW, [100] * (retention.COUNT_ROWS + 500))
    journal_calls(database, NOW - timedelta(days=91), [100] * 300)

    done = sweep(database, days=90, size=100_000)

    assert done.size == size_of(database) == 100_000
    assert bodies(database) == new[-1_000:]


def test_when_all_are_gone_the_next_are_counted_from_the_first(database: Path) -> None:
    """SQLite numbers them from 1 again."""
    journal_calls(database, NOW - timedelta(days=91), [100] * 50)
    again: list[bytes] = []

    def write_more(step: int) -> None:
        if step == 1:
            assert bodies(database) == []
            again[:] = journal_calls(database, NOW, [100] * 80)

    done = sweep(database, days=90, size=2_000, amid=write_more)

    assert done.size == size_of(database) == 2_000
    assert bodies(database) == again[-20:]


def test_a_step_that_fails_is_tried_again_and_the_bytes_are_counted_anew(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LOOK_EVERY", 0.01)
    ids = journal_calls(database, NOW, [1_000] * 2_000)

    def fail(step: int) -> None:
        if step in (1, 2):  # after the transaction ended: whether it did, nobody knows
            raise OSError("the disk")

    done = sweep(database, size=5_000, amid=fail)

    assert done.size == size_of(database) == 5_000
    assert bodies(database) == ids[-5:]


# -- in a server ---------------------------------------------------------------------------------


def test_a_server_sweeps_what_time_makes_old(neto: Neto) -> None:
    neto.add({"Notes": "one"})
    neto.log(1)
    neto.wait_for(lambda: len(entries(neto.path)) == 2)
    neto.clock.move(days=89.99)
    neto.update("json", {"LogID": 1, "Notes": "two"})
    time.sleep(1.5 * retention.LOOK_EVERY)
    assert len(entries(neto.path)) == 3

    neto.clock.move(days=0.02)

    neto.wait_for(lambda: len(entries(neto.path)) == len(bodies(neto.path)) == 1)
    neto.clock.move(days=91)
    neto.wait_for(lambda: entries(neto.path) == bodies(neto.path) == [])
    assert neto.log(1)["Revision"] == "2"


def test_a_server_keeps_its_bytes_while_calls_come(serve: Callable[..., Any]) -> None:
    with serve(journal_size=40_000) as neto:
        neto.add(*[{"Notes": "x"}] * 10)
        for turn in range(60):
            neto.update("json", {"LogID": 1, "Notes": f"{turn} " + "x" * 1_500})
        (newest,) = bodies(neto.path)[-1:]

        neto.wait_for(lambda: size_of(neto.path) <= 40_000)

        time.sleep(1.5 * retention.LOOK_EVERY)
        assert 40_000 - 2_000 < size_of(neto.path) <= 40_000
        assert bodies(neto.path)[-1] == newest
        assert len(entries(neto.path)) == 61


@pytest.mark.parametrize("setting", ["--journal-days", "--journal-size"])
def test_serve_takes_the_limits_from_its_settings(database: Path, setting: str) -> None:
    now = datetime.now(UTC)
    ids = journal_calls(database, now - timedelta(days=40), [3_000] * 10)
    with served(database) as server:
        time.sleep(1.5 * retention.LOOK_EVERY)
        assert bodies(database) == ids
        assert server.stop() == 0
    limit = {"--journal-days": "39", "--journal-size": "9000"}[setting]

    with served(database, setting, limit) as server:
        left = {"--journal-days": [], "--journal-size": ids[-3:]}[setting]
        server.neto.wait_for(lambda: bodies(database) == left)
        assert entries(database) == ({"--journal-days": []}.get(setting, ids))


@pytest.fixture
def much_is_old(database: Path) -> Path:
    """A database with a journal of which 40,000 calls are old, and 10 are not."""
    then = datetime.now(UTC) - timedelta(days=95)
    times = [then + timedelta(seconds=n) for n in range(40_000)]
    journal_calls(database, times, [100] * 40_000)
    journal_calls(database, datetime.now(UTC), [100] * 10)
    return database


def test_calls_go_on_while_much_is_swept_and_the_sweep_while_they_do(much_is_old: Path) -> None:
    with served(much_is_old) as server:
        server.neto.add({"Notes": "one"})
        calls = 0
        until = time.monotonic() + 2 * PATIENCE
        while (
            calls <= 100 or len(entries(much_is_old)) > 500 + calls
        ) and time.monotonic() < until:
            for _ in range(100):
                calls += 1
                changed = server.neto.update("json", {"LogID": 1, "Notes": f"{calls}"})
                assert changed.ack == "Success"
        assert server.neto.log(1)["Revision"] == f"{calls + 1}"

    assert len(entries(much_is_old)) <= 500 + calls
    assert calls > 100


REFUSE = "CREATE TRIGGER refuse BEFORE DELETE ON journal"
NO = "BEGIN SELECT raise(ABORT, 'no'); END"


@pytest.fixture
def half_may_go(much_is_old: Path) -> Path:
    """The same, of which no sweep takes more than a half: it cannot end while a test stands still.

    It tries again and again, as it does with a disk that fails.
    """
    with closing(driver.connect(much_is_old)) as file:
        middle = entries(much_is_old)[20_000].hex()
        file.execute(f"{REFUSE} WHEN old.request >= x'{middle}' {NO}")
    return much_is_old


def test_a_sweep_that_is_killed_leaves_whole_steps_and_the_next_server_ends_it(
    half_may_go: Path,
) -> None:
    much_is_old = half_may_go
    whole = entries(much_is_old)
    with served(much_is_old) as server:
        server.neto.wait_for(lambda: len(entries(much_is_old)) < len(whole))
        server.process.kill()
        server.process.wait()

    left = entries(much_is_old)
    assert 10 < len(left) < len(whole)
    assert len(left) % retention.STEP_ROWS == 10
    assert left == bodies(much_is_old) == whole[-len(left) :]
    with closing(driver.connect(much_is_old)) as file:
        file.execute("DROP TRIGGER refuse")
    with served(much_is_old) as server:
        server.neto.wait_for(lambda: entries(much_is_old) == whole[-10:])
        assert server.stop() == 0
    assert bodies(much_is_old) == whole[-10:]


def test_a_server_that_sweeps_much_stops_at_once(half_may_go: Path) -> None:
    with served(half_may_go) as server:
        server.neto.wait_for(lambda: len(entries(half_may_go)) < 40_000)
        assert server.stop() == 0  # before there is nothing left to sweep: that will never be
    assert entries(half_may_go) == bodies(half_may_go)
    assert len(entries(half_may_go)) > 1_000


def test_a_sweep_waits_for_whoever_else_writes_and_goes_on(
    serve: Callable[..., Any], database: Path
) -> None:
    with serve() as neto:
        with closing(driver.connect(neto.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            time.sleep(1.5 * retention.LOOK_EVERY)
            other.execute("ROLLBACK")
        ids = journal_calls(neto.path, neto.clock.now() - timedelta(days=89), [100])
        with closing(driver.connect(neto.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            neto.clock.move(days=2)  # not before, or it might be swept before
            time.sleep(1.5 * retention.LOOK_EVERY)
            assert entries(neto.path) == ids
            other.execute("ROLLBACK")

        neto.wait_for(lambda: entries(neto.path) == [])


def test_a_sweep_that_fails_is_told_and_harms_no_call(database: Path) -> None:
    journal_calls(database, datetime.now(UTC) - timedelta(days=91), [100])
    with closing(driver.connect(database)) as file:
        file.execute(f"{REFUSE} {NO}")
    with served(database) as server:
        server.neto.wait_for(lambda: "the journal was not swept" in server.err.text)
        server.neto.add({"Notes": "goes on"})
        with closing(driver.connect(database, timeout=5)) as file:
            file.execute("DROP TRIGGER refuse")
        server.neto.wait_for(lambda: len(entries(database)) == 1)
        assert server.stop() == 0
