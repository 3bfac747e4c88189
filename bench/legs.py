"""What is measured: each leg of the bench, on a fresh copy of a database, and its figures."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from time import sleep
from typing import Any, Final

import bare_sqlite
import serving
from reading import Reads
from seeding import LOGS, LOGS_AT_START, LOGS_EACH, MANY_LOGS, seed, write_changes
from serving import Updates

from recontact.store.sqlite import make_engine

WARM_UP: Final = 1
"""Seconds of load that do not count: Python specialises its code, statements are compiled."""
PACE: Final = 500
"""Updates a second beside reads when they are paced, a part of what the server can do."""
READ_PACE: Final = 50
"""Reads a second beside paced updates."""

Figures = dict[str, float]
"""
rate: a second. p50, p99: of a call or a commit, ms. start: s. megabytes. answer: bytes.

Where Gets are asked beside updates, reads, read_p50 and read_p99 are theirs, rows is what one of
them finds, and noted how many logs the index of the search has yet to see as the load ends.
"""


class Bench:
    """What the legs share: a folder, the databases that they copy, and the faults they met."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = seconds
        write_changes(folder / serving.CHANGES)
        self.faults: list[str] = []

    # -- the legs ------------------------------------------------------------------------------

    def bare_calls(self) -> Figures:
        """Calls of one item to the same server, with an app that answers fixed bytes."""
        with self._copy(LOGS) as path, serving.serve(path, serving.BARE_HTTP) as server:
            loads = [server.load(seconds, Updates()) for seconds in (WARM_UP, self._seconds)]
        self._check_answers(loads)
        return _figures(loads[-1]) | {"answer": server.answer}

    def bare_commits(self, size: int) -> Figures:
        """The statements of calls of one item, `size` of them in a commit, without recontact."""
        took = bare_sqlite.write(self._database(LOGS), self._changes, size, self._seconds)
        return {"rate": size * len(took) / sum(took)} | _percentiles([s * 1000 for s in took])

    def calls(self, updates: Updates) -> Figures:
        """UpdateCustomerLog: each item changes one log of all, chosen at random."""
        with self._copy(updates.logs) as path:
            with serving.serve(path) as server:
                before = _revisions(path)
                loads = [server.load(seconds, updates) for seconds in (WARM_UP, self._seconds)]
            written = _revisions(path) - before
        self._check_answers(loads)
        self._check_written(written, loads, updates)
        return _figures(loads[-1], updates.items) | {"answer": server.answer}

    def reads(self, kind: str, logs: int, *, paced: bool) -> Figures:
        """Gets of one kind, while UpdateCustomerLog changes what they read and search."""
        updates = Updates(logs=logs, pace=PACE if paced else 0)
        pace = READ_PACE if paced else 0
        with self._copy(logs) as path:
            with serving.serve(path) as server:
                before = _revisions(path)
                both = [
                    server.load_and_read(seconds, updates, kind, pace)
                    for seconds in (WARM_UP, self._seconds)
                ]
                noted = float(ask(path, "SELECT count(*) FROM search_pending"))
            written = _revisions(path) - before
        loads, read = zip(*both, strict=True)
        self._check_answers(loads)
        self._check_written(written, loads, updates)
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

    def start(self) -> Figures:
        """From starting the process to its first answer to a call, and the memory it holds then."""
        with self._copy(LOGS_AT_START) as path, serving.serve(path) as server:
            sleep(1)
            return {"start": server.start, "megabytes": server.megabytes()}

    # -- databases -----------------------------------------------------------------------------

    def _database(self, logs: int) -> Path:
        """The database of so many logs, made when it is first asked for."""
        path = self._folder / f"{logs}.db"
        if not path.exists():
            say(f"making a database of {logs:,} logs")
            seed(path, logs)
        return path

    @cached_property
    def _changes(self) -> list[bare_sqlite.Change]:
        """What recontact writes for calls that come one by one."""
        say("recording what recontact tells SQLite")
        with self._copy(LOGS) as path, serving.serve(path, serving.RECORDING) as server:
            server.load(2 * self._seconds, Updates(connections=1))
        return bare_sqlite.load(self._folder / "recorded.pickle")

    @contextmanager
    def _copy(self, logs: int) -> Iterator[Path]:
        """A copy to serve. On the disk, or the first commits would wait for a gigabyte of it."""
        path = self._folder / "served.db"
        subprocess.run(["cp", self._database(logs), path], check=True)  # it clones where it can
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        yield path
        path.unlink()

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


def ask(database: Path | str, sql: str) -> Any:
    """The one value that a SELECT gives."""
    engine = make_engine(database, writes=False)
    with engine.connect() as connection:
        value = connection.exec_driver_sql(sql).scalar()
    engine.dispose()
    return value


def _revisions(database: Path) -> int:
    return int(ask(database, "SELECT count(*) FROM revision"))


def _figures(load: serving.Load, items: int = 1) -> Figures:
    return {"rate": items * load.requests / load.seconds, "p50": load.p50, "p99": load.p99}


def _percentiles(milliseconds: list[float]) -> Figures:
    percentiles = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50": percentiles[49], "p99": percentiles[98]}


def say(what: str) -> None:
    """Tell the person who waits."""
    print(what, file=sys.stderr, flush=True)


# -- all of them -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leg:
    """One row of the table. beside: the bare SQLite that writes groups of that size."""

    title: str
    unit: str
    measure: Callable[[Bench], Figures]
    beside: str = ""


def _calls(updates: Updates) -> Callable[[Bench], Figures]:
    return lambda bench: bench.calls(updates)


LEGS: Final = {
    "a": Leg("bare HTTP", "requests/s", Bench.bare_calls),
    "b1": Leg("bare SQLite, 1 a commit", "changes/s", lambda bench: bench.bare_commits(1)),
    "b32": Leg("bare SQLite, 32 a commit", "changes/s", lambda bench: bench.bare_commits(32)),
    "b1000": Leg("bare SQLite, 1000 a commit", "changes/s", lambda bench: bench.bare_commits(1000)),
    "c-json": Leg("1 item, JSON", "requests/s", _calls(Updates("json", 1, 32)), "b32"),
    "c-xml": Leg("1 item, XML", "requests/s", _calls(Updates("xml", 1, 32)), "b32"),
    "d-json": Leg("500 items, JSON", "items/s", _calls(Updates("json", 500, 8)), "b1000"),
    "d-xml": Leg("500 items, XML", "items/s", _calls(Updates("xml", 500, 8)), "b1000"),
    "s": Leg(f"start, {LOGS_AT_START:,} logs", "", Bench.start),
} | {
    f"e-{kind}-{size}-{pace}": Leg(
        f"{title}, {logs:,} logs, {paces}",
        "updates/s",
        partial(Bench.reads, kind=kind, logs=logs, paced=pace == "paced"),
    )
    for kind, title in {
        "customer": f"GetCustomer, {LOGS_EACH} logs each",
        "status": "GetCustomerLog by status and day",
        "search": "GetCustomerLog by Search",
    }.items()
    for size, logs in {"10k": LOGS, "1m": MANY_LOGS}.items()
    for pace, paces in {"paced": f"{PACE} updates/s", "full": "flat out"}.items()
}
