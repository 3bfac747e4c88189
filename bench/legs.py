"""What is measured: each leg of the bench, on a fresh copy of a database, and its figures."""

import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from random import Random
from time import perf_counter, sleep
from typing import Any, Final

import bare_sqlite
import paging
import painting
import reading
import serving
import staffing
import undoing
from reading import Reads
from seeding import (
    LOGS,
    LOGS_AT_START,
    LOGS_EACH,
    MANY_LOGS,
    MOST_LOGS,
    NOW,
    seeded,
    sync,
    write_changes,
)
from serving import Updates

from recontact.store.sqlite import driver, make_engine  # type: ignore[attr-defined]  # not exported

WARM_UP: Final = 1
"""Seconds of load that do not count: Python specialises its code, statements are compiled."""
PACE: Final = 500
"""Updates a second beside reads when they are paced, a part of what the server can do."""
READ_PACE: Final = 50
"""Reads a second beside paced updates."""
PAGE_PACE: Final = 20
"""Pages a second beside updates: of thirty people, each of whom opens one every other second."""
PAGES_SHARE: Final = 4
"""How many times as long as other legs those of the panel take, which have many pages."""
FEW_OPEN: Final = 10
"""Open logs of the queue that a long one is compared with."""
PAGE_OPEN: Final = 70
"""The same of one that has just a page of them overdue, so as many rows to show."""
ITEMS_UNDONE: Final = 1_000
"""Items of the call that is undone."""
SIZES: Final = {"10k": LOGS, "1m": MANY_LOGS, "10m": MOST_LOGS}
"""Logs of a database, by how the names of legs say it."""

# What counts the revisions that updates made; that of recontact reads no log that was not updated.
_OURS: Final = (
    "SELECT count(*) FROM customer_log CROSS JOIN revision USING (site, log_id)"
    f" WHERE site = 1 AND date_updated > {int(NOW.timestamp())} AND number > 1"
)
_CONTACTS: Final = (
    "SELECT group_concat(log_id || status || notes)"
    " FROM (SELECT log_id, status, notes FROM customer_log ORDER BY site, log_id)"
)
"""All that a call can have overwritten."""
_PLAIN_INDEXES: Final = """
DROP INDEX customer_log_by_site_status_follow_up_day;
DROP INDEX customer_log_by_site_date_updated;
DROP INDEX customer_log_open_by_site_username_folded;
CREATE INDEX by_day ON customer_log (site, status, follow_up_day);
CREATE INDEX by_at ON customer_log (site, status, follow_up_at) WHERE follow_up_at IS NOT NULL;
CREATE INDEX by_update ON customer_log (site, date_updated);
"""
"""What the API alone needs, in place of what the panel has made wider: as schema 0004 had it."""
_THE_PEERS: Final = "SELECT count(*) FROM change"

Figures = dict[str, float]
"""
rate: a second. p50, p99: of a call or a commit, ms. start: s. answer: bytes.

megabytes: what the server holds, at most where it was under load. Where Gets are asked beside
updates, reads, read_p50 and read_p99 are theirs, rows is what one of them finds, and noted how many
logs the index of the search has yet to see as the load ends.

Of the panel: `queue: p50` and so on for each page, see paging.py, with bytes as they are (raw) and
as they are sent (packed); `all queues` are these together. Of what a browser sees, see painting.py.
"""


class Bench:
    """
    What the legs share: the databases that they copy, and the faults they met.

    folder: for what is served. kept: where the databases are, or are made. seconds: of each load.
    """

    def __init__(self, folder: Path, kept: Path, seconds: int) -> None:
        self._folder = folder
        self._kept = kept
        self._seconds = seconds
        write_changes(folder / serving.CHANGES)
        self.faults: list[str] = []

    # -- the legs ------------------------------------------------------------------------------

    def bare_calls(self) -> Figures:
        """Calls of one item to the same server, with an app that answers fixed bytes."""
        with self._copy(LOGS) as path, serving.serve(path, serving.BARE_HTTP) as server:
            loads = self._load(server, Updates())
            peak = server.peak_megabytes()
        self._check_answers(loads)
        return _figures(loads[-1]) | {"answer": server.answer, "megabytes": peak}

    def bare_commits(self, size: int) -> Figures:
        """The statements of calls of one item, `size` of them in a commit, without recontact."""
        copy = self._folder / "bare.db"
        took = bare_sqlite.write(self._database(LOGS), copy, self._changes, size, self._seconds)
        return {"rate": size * len(took) / sum(took)} | _percentiles([s * 1000 for s in took])

    def calls(
        self,
        updates: Updates,
        program: tuple[str, ...] = serving.RECONTACT,
        written: str = _OURS,
        indexes: str = "",
    ) -> Figures:
        """
        UpdateCustomerLog: each item changes one log of all, chosen at random.

        indexes: SQL that changes those of the database before.
        """
        with self._copy(updates.logs) as path:
            if indexes:
                with closing(driver.connect(str(path))) as db:
                    db.executescript(indexes)
                sync(path)
            with serving.serve(path, program) as server:
                before = ask(path, written)
                loads = self._load(server, updates)
                peak = server.peak_megabytes()
            after = ask(path, written)
        self._check_answers(loads)
        self._check_written(after - before, loads, updates)
        more = {"answer": server.answer, "megabytes": peak}
        return _figures(loads[-1], updates.items) | more

    def _load(self, server: serving.Server, updates: Updates) -> list[serving.Load]:
        # One call after the other first: a server that just started knows nothing of the machine.
        warm_up = server.load(WARM_UP, replace(updates, connections=1))
        return [warm_up, server.load(self._seconds, updates)]

    def reads(self, kind: str, logs: int, *, paced: bool) -> Figures:
        """Gets of one kind, while UpdateCustomerLog changes what they read and search."""
        updates = Updates(logs=logs, pace=PACE if paced else 0)
        pace = READ_PACE if paced else 0
        with self._copy(logs) as path:
            with serving.serve(path) as server:
                before = ask(path, _OURS)
                both = [
                    server.load_and_read(seconds, updates, kind, pace)
                    for seconds in (WARM_UP, self._seconds)
                ]
                noted = float(ask(path, "SELECT count(*) FROM search_pending"))
            after = ask(path, _OURS)
        loads, read = zip(*both, strict=True)
        self._check_answers(loads)
        self._check_written(after - before, loads, updates)
        self._check_reads(read)
        last: Reads = read[-1]
        percentiles = _percentiles(last.took)
        return _figures(loads[-1]) | {
            "reads": len(last.took) / self._seconds,
            "read_p50": percentiles["p50"],
            "read_p99": percentiles["p99"],
            "rows": last.rows / len(last.took),
            "noted": noted,
        }

    def history(self) -> Figures:
        """A page of the history of a log that was changed very often."""
        with self._copy(LOGS) as path, serving.serve(path) as server:
            there = ask(path, "SELECT revision FROM customer_log WHERE log_id = 1")
            for part in _parts(range(there + 1, reading.REVISIONS + 1)):
                server.update({"LogID": 1, "Notes": f"Revision {n}"} for n in part)
            read = reading.ask("history", server.port, LOGS, self._seconds, 0, Random(1))
        self._check_reads([read])
        return _percentiles(read.took)

    def undo(self) -> Figures:
        """To take back what a call did to many logs, beside the server that ran it."""
        took: list[float] = []
        with self._copy(LOGS) as path, serving.serve(path) as server:
            before = ask(path, _CONTACTS)
            while sum(took) < 1000 * self._seconds or len(took) < 2:
                changes = {"Status": "Completed", "Notes": f"Overwritten {len(took)}"}
                request = server.update({"LogID": n} | changes for n in range(1, ITEMS_UNDONE + 1))
                started = perf_counter()
                changed = undoing.take_back(path, request)
                took.append((perf_counter() - started) * 1000)
                if changed != ITEMS_UNDONE or ask(path, _CONTACTS) != before:
                    self.faults.append(f"of {ITEMS_UNDONE} items {changed} were undone")
        return _percentiles(took)

    def pages(self, logs: int, open_logs: int, *, beside: bool) -> Figures:
        """The pages of the panel, alone or beside updates by the API."""
        updates = Updates(logs=logs, pace=PACE)
        with self._copy(logs) as path:
            session = staffing.let_in(path, open_logs)
            sync(path)
            with serving.serve(path) as server:
                asked = (server.port, session, logs)
                paging.ask(*asked, WARM_UP, 0, Random(0))
                seconds = PAGES_SHARE * self._seconds
                if not beside:
                    seen, more = paging.ask(*asked, seconds, 0, Random(1)), {}
                else:
                    program = [str(serving.HERE / "paging.py")]
                    program += [str(one) for one in (*asked, seconds, PAGE_PACE)]
                    load, (said,) = server.load_beside(seconds, updates, [program])
                    self._check_answers([load])
                    seen, more = paging.Seen(**said), _figures(load)
        if seen.faults:
            self.faults.append(f"{seen.faults} pages were wrong: {seen.wrong}")
        if open_logs > PAGE_OPEN and seen.empty:
            self.faults.append(f"there was nothing in {', '.join(sorted(set(seen.empty)))}")
        return more | _of_pages(seen)

    def painted(self, logs: int, open_logs: int) -> Figures:
        """What a browser sees of the panel."""
        with self._copy(logs) as path:
            session = staffing.let_in(path, open_logs)
            with serving.serve(path) as server:
                seen = painting.paint(server.port, session)
        return {f"{page}: {what}": n for page, one in seen.items() for what, n in one.items()}

    def start(self) -> Figures:
        """From starting the process to its first answer to a call, and the memory it holds then."""
        with self._copy(LOGS_AT_START) as path, serving.serve(path) as server:
            sleep(1)
            return {"start": server.start, "megabytes": server.megabytes()}

    # -- databases -----------------------------------------------------------------------------

    def _database(self, logs: int) -> Path:
        """The database of so many logs, made when it is first asked for."""
        if not any(self._kept.glob(f"{logs}-*.db")):
            say(f"making a database of {logs:,} logs")
        return seeded(self._kept, logs)

    @cached_property
    def _changes(self) -> list[bare_sqlite.Change]:
        """What recontact writes for calls that come one by one."""
        say("recording what recontact tells SQLite")
        with self._copy(LOGS) as path, serving.serve(path, serving.RECORDING) as server:
            server.load(max(5, 2 * self._seconds), Updates(connections=1))
        return bare_sqlite.load(self._folder / "recorded.pickle")

    @contextmanager
    def _copy(self, logs: int) -> Iterator[Path]:
        """A copy to serve. On the disk, or the first commits would wait for gigabytes of it."""
        path = self._folder / "served.db"
        subprocess.run(["cp", self._database(logs), path], check=True)  # it clones where it can
        sync(path)
        yield path
        for left in self._folder.glob("served.*"):
            left.unlink()

    # -- checks --------------------------------------------------------------------------------

    def _check_answers(self, loads: Sequence[serving.Load]) -> None:
        for load in loads:
            wrong = load.requests - load.acknowledged
            if wrong or load.lost or not load.requests:
                self.faults.append(f"{wrong} of {load.requests} were no Success, {load.lost} lost")

    def _check_written(self, written: int, loads: Sequence[serving.Load], updates: Updates) -> None:
        """Each change that was acknowledged made a revision, and so may one that wrk cut off."""
        acknowledged = updates.items * sum(load.acknowledged for load in loads)
        in_flight = updates.items * updates.connections * len(loads)
        say(
            f"  {acknowledged:,} changes acknowledged, {written:,} revisions written"
            f" ({written - acknowledged:,} in flight as the load ended, at most {in_flight:,})"
        )
        if not 0 <= written - acknowledged <= in_flight:
            self.faults.append(f"{acknowledged} acknowledged, but {written} revisions written")

    def _check_reads(self, read: Sequence[Reads]) -> None:
        """A read that finds nothing measures nothing; chance leaves some searches without a log."""
        for one in read:
            if one.faults or not one.took:
                self.faults.append(f"{one.faults} of {len(one.took)} reads were wrong: {one.wrong}")
            if one.empty > len(one.took) / 20:
                self.faults.append(f"{one.empty} of {len(one.took)} reads found nothing")


def _parts(numbers: range) -> Iterator[range]:
    """As many at a time as a call may have items."""
    return (numbers[at : at + 1000] for at in range(0, len(numbers), 1000))


def ask(database: Path | str, sql: str) -> Any:
    """The one value that a SELECT gives."""
    engine = make_engine(database, writes=False)
    with engine.connect() as connection:
        value = connection.exec_driver_sql(sql).scalar()
    engine.dispose()
    return value


def _figures(load: serving.Load, items: int = 1) -> Figures:
    return {"rate": items * load.acknowledged / load.seconds, "p50": load.p50, "p99": load.p99}


def _percentiles(milliseconds: list[float]) -> Figures:
    percentiles = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50": percentiles[49], "p99": percentiles[98]}


def _of_pages(seen: paging.Seen) -> Figures:
    figures: Figures = {}
    queues = [
        ms for name in paging.NAMES if name.startswith(paging.LISTS) for ms in seen.took[name]
    ]
    for name, took in {"all queues": queues, **seen.took}.items():
        if len(took) > 1:
            figures |= {f"{name}: {what}": ms for what, ms in _percentiles(took).items()}
    for name in paging.NAMES:
        figures |= {f"{name}: raw": seen.raw[name], f"{name}: packed": seen.packed[name]}
    return figures


def say(what: str) -> None:
    """Tell the person who waits."""
    print(what, file=sys.stderr, flush=True)


# -- all of them -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leg:
    """One row of a table. beside: the legs it is compared with, by label. logs: of its database."""

    title: str
    unit: str
    measure: Callable[[Bench], Figures]
    beside: Mapping[str, str] = field(default_factory=dict)
    logs: int = LOGS


def _bare(size: int) -> Leg:
    return Leg(f"bare SQLite, {size:,} a commit", "changes/s", lambda b: b.bare_commits(size))


def _calls(updates: Updates, beside: dict[str, str]) -> Leg:
    many = updates.items > 1
    title = f"{updates.items} items" if many else "1 item"
    size = "" if updates.logs == LOGS else f", {updates.logs:,} logs"
    key = ", with an Idempotency-Key" if updates.with_key else ""
    return Leg(
        f"{title}, {updates.format.upper()}{size}{key}",
        "items/s" if many else "requests/s",
        lambda bench: bench.calls(updates),
        beside,
        updates.logs,
    )


def _peer(title: str, program: tuple[str, ...]) -> Leg:
    return Leg(
        f"FastAPI + SQLAlchemy{title}",
        "requests/s",
        lambda bench: bench.calls(Updates(), program, _THE_PEERS),
    )


def _reads() -> Iterator[tuple[str, Leg]]:
    """The same Gets in databases of each size take their turns one after the other."""
    kinds = {
        "customer": f"GetCustomer, {LOGS_EACH} logs each",
        "status": "GetCustomerLog by status and day",
        "search": "GetCustomerLog by Search",
    }
    for kind, title in kinds.items():
        for pace in ("paced", "full"):
            for size, logs in SIZES.items():
                measure = partial(Bench.reads, kind=kind, logs=logs, paced=pace == "paced")
                beside = {} if size == "10k" else {"10k": f"e-{kind}-10k-{pace}"}
                leg = Leg(f"{title}, {logs:,} logs", "updates/s", measure, beside, logs)
                yield f"e-{kind}-{size}-{pace}", leg


def _same(*legs: str) -> dict[str, str]:
    """Legs that are labelled by their own names."""
    return dict(zip(legs, legs, strict=True))


def _panel() -> Iterator[tuple[str, Leg]]:
    """The pages of the panel; of a long queue and a short one in turns."""
    for size in ("10k", "1m"):
        logs = SIZES[size]
        short = {f"{FEW_OPEN} open": f"k-{size}-few", f"{PAGE_OPEN} open": f"k-{size}-page"}
        for kind, open_logs, beside, ratio in (
            ("idle", logs // 10, False, short),
            ("few", FEW_OPEN, False, {}),
            ("page", PAGE_OPEN, False, {}),
            ("busy", logs // 10, True, {}),
        ):
            where = f", beside {PACE} updates/s" if beside else ""
            title = f"{logs:,} logs, {open_logs:,} open{where}"
            measure = partial(Bench.pages, logs=logs, open_logs=open_logs, beside=beside)
            yield f"k-{size}-{kind}", Leg(title, "", measure, ratio, logs)
        paint = partial(Bench.painted, logs=logs, open_logs=logs // 10)
        yield f"k-{size}-paint", Leg(f"{logs:,} logs, in Chromium", "", paint, {}, logs)


_ONE_ITEM: Final = _same("a", "b1", "b32", "f", "f-turn")
LEGS: Final = {
    "a": Leg("bare HTTP", "requests/s", Bench.bare_calls),
    "b1": _bare(1),
    "b32": _bare(32),
    "b1000": _bare(1000),
    "f": _peer("", serving.PEER),
    "f-turn": _peer(", calls in turn", serving.PEER_IN_TURN),
    "c-json": _calls(Updates("json", 1, 32), _ONE_ITEM),
    "i-json": _calls(Updates("json", 1, 32, with_key=True), {"no key": "c-json"}),
    "c-xml": _calls(Updates("xml", 1, 32), _ONE_ITEM),
    "d-json": _calls(Updates("json", 500, 3), _same("b1000")),
    "d-xml": _calls(Updates("xml", 500, 3), _same("b1000")),
    "c-json-1m": _calls(Updates(logs=MANY_LOGS), {"10k": "c-json", "plain": "c-json-1m-plain"}),
    "c-json-1m-plain": Leg(
        f"the same, {MANY_LOGS:,} logs, without what the panel adds to indexes",
        "requests/s",
        lambda bench: bench.calls(Updates(logs=MANY_LOGS), indexes=_PLAIN_INDEXES),
        {},
        MANY_LOGS,
    ),
    "c-json-10m": _calls(Updates(logs=MOST_LOGS), {"10k": "c-json"}),
    **dict(_reads()),
    "j-history": Leg(f"a page of a log's {reading.REVISIONS:,} revisions", "", Bench.history),
    "j-undo": Leg(f"undo of a call of {ITEMS_UNDONE:,} items", "", Bench.undo),
    **dict(_panel()),
    "h": Leg(f"start, {LOGS_AT_START:,} logs", "", Bench.start, logs=LOGS_AT_START),
}
"""In the order of their turns: what is compared is measured in the same minutes."""
GROWTH: Final = tuple(name for name in LEGS if name.startswith(("c-json", "e-")))
"""The legs that `g` stands for."""
