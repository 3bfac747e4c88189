"""
Measure recontact beside what bare HTTP and bare SQLite reach on this machine in the same minutes.

The legs take turns, each figure is the median of its rounds, and each turn gets a fresh copy of the
same database. Writes results.json too. Exit 1: a call was not answered with Success, or was not
written; to be slow is no failure.
"""

import argparse
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from time import sleep
from typing import Any, Final

import bare_sqlite
import serving
from seeding import LOGS, LOGS_AT_START, seed

from recontact.store.sqlite import make_engine

RESULTS: Final = Path(__file__).with_name("results.json")
WARM_UP: Final = 1
"""Seconds of load that do not count: Python specialises its code, statements are compiled."""

Figures = dict[str, float]
"""rate: a second. p50, p99: of a call or a commit, ms. start: s. megabytes. answer: bytes."""


class Bench:
    """What the legs share: a folder, the databases that they copy, and the faults they met."""

    def __init__(self, folder: Path, seconds: int) -> None:
        self._folder = folder
        self._seconds = seconds
        self.faults: list[str] = []

    # -- the legs ------------------------------------------------------------------------------

    def bare_calls(self) -> Figures:
        """Calls of one item to the same server, with an app that answers fixed bytes."""
        with self._copy(self._database) as path, serving.serve(path, serving.BARE_HTTP) as server:
            loads = [server.load(seconds) for seconds in (WARM_UP, self._seconds)]
        self._check_answers(loads)
        return _figures(loads[-1]) | {"answer": server.answer}

    def bare_commits(self, size: int) -> Figures:
        """The statements of calls of one item, `size` of them in a commit, without recontact."""
        took = bare_sqlite.write(self._database, self._changes, size, self._seconds)
        percentiles = statistics.quantiles(took, n=100, method="inclusive")
        return {
            "rate": size * len(took) / sum(took),
            "p50": percentiles[49] * 1000,
            "p99": percentiles[98] * 1000,
        }

    def calls(self, format: str, items: int, connections: int) -> Figures:
        """UpdateCustomerLog: each item changes one log of all, chosen at random."""
        with self._copy(self._database) as path:
            with serving.serve(path) as server:
                before = _revisions(path)
                loads = [
                    server.load(seconds, format=format, items=items, connections=connections)
                    for seconds in (WARM_UP, self._seconds)
                ]
            written = _revisions(path) - before
        self._check_answers(loads)
        self._check_written(written, loads, items, connections)
        return _figures(loads[-1], items) | {"answer": server.answer}

    def start(self) -> Figures:
        """From starting the process to its first answer to a call, and the memory it holds then."""
        with self._copy(self._large_database) as path, serving.serve(path) as server:
            sleep(1)
            return {"start": server.start, "megabytes": server.megabytes()}

    # -- databases -----------------------------------------------------------------------------

    @cached_property
    def _database(self) -> Path:
        return self._seeded(LOGS)

    @cached_property
    def _large_database(self) -> Path:
        return self._seeded(LOGS_AT_START)

    def _seeded(self, logs: int) -> Path:
        _say(f"making a database of {logs:,} logs")
        path = self._folder / f"{logs}.db"
        seed(path, logs)
        return path

    @cached_property
    def _changes(self) -> list[bare_sqlite.Change]:
        """What recontact writes for calls that come one by one."""
        _say("recording what recontact tells SQLite")
        with self._copy(self._database) as path, serving.serve(path, serving.RECORDING) as server:
            server.load(2 * self._seconds, connections=1)
        return bare_sqlite.load(self._folder / "recorded.pickle")

    @contextmanager
    def _copy(self, database: Path) -> Iterator[Path]:
        path = Path(shutil.copy(database, self._folder / "served.db"))
        yield path
        path.unlink()

    # -- checks --------------------------------------------------------------------------------

    def _check_answers(self, loads: list[serving.Load]) -> None:
        for load in loads:
            wrong = load.requests - load.acknowledged
            if wrong or load.lost or not load.requests:
                self.faults.append(f"{wrong} of {load.requests} were no Success, {load.lost} lost")

    def _check_written(
        self, written: int, loads: list[serving.Load], items: int, connections: int
    ) -> None:
        """Each change that was acknowledged made a revision, and so may one that wrk cut off."""
        acknowledged = items * sum(load.acknowledged for load in loads)
        in_flight = items * connections * len(loads)
        _say(
            f"  {acknowledged:,} changes acknowledged, {written:,} revisions written"
            f" ({written - acknowledged:,} in flight as the load ended, at most {in_flight:,})"
        )
        if not 0 <= written - acknowledged <= in_flight:
            self.faults.append(f"{acknowledged} acknowledged, but {written} revisions written")


def _ask(database: Path | str, sql: str) -> Any:
    """The one value that a SELECT gives."""
    engine = make_engine(database, writes=False)
    with engine.connect() as connection:
        value = connection.exec_driver_sql(sql).scalar()
    engine.dispose()
    return value


def _revisions(database: Path) -> int:
    return int(_ask(database, "SELECT count(*) FROM revision"))


def _figures(load: serving.Load, items: int = 1) -> Figures:
    return {"rate": items * load.requests / load.seconds, "p50": load.p50, "p99": load.p99}


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


# -- what is measured ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leg:
    """One row of the table. beside: the bare SQLite that writes groups of that size."""

    title: str
    unit: str
    measure: Callable[[Bench], Figures]
    beside: str = ""


LEGS: Final = {
    "a": Leg("bare HTTP", "requests/s", Bench.bare_calls),
    "b1": Leg("bare SQLite, 1 a commit", "changes/s", lambda bench: bench.bare_commits(1)),
    "b32": Leg("bare SQLite, 32 a commit", "changes/s", lambda bench: bench.bare_commits(32)),
    "b1000": Leg("bare SQLite, 1000 a commit", "changes/s", lambda bench: bench.bare_commits(1000)),
    "c-json": Leg("1 item, JSON", "requests/s", lambda bench: bench.calls("json", 1, 32), "b32"),
    "c-xml": Leg("1 item, XML", "requests/s", lambda bench: bench.calls("xml", 1, 32), "b32"),
    "d-json": Leg("500 items, JSON", "items/s", lambda bench: bench.calls("json", 500, 8), "b1000"),
    "d-xml": Leg("500 items, XML", "items/s", lambda bench: bench.calls("xml", 500, 8), "b1000"),
    "s": Leg(f"start, {LOGS_AT_START:,} logs", "", Bench.start),
}


def measure(bench: Bench, names: list[str], rounds: int) -> dict[str, Figures]:
    """The medians of each leg; the legs take turns, so that a busy minute harms all alike."""
    taken: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name in names:
            _say(f"round {number} of {rounds}: {name}, {LEGS[name].title}")
            taken[name].append(LEGS[name].measure(bench))
    return {
        name: {what: statistics.median(one[what] for one in turns) for what in turns[0]}
        for name, turns in taken.items()
    }


def add_ratios(results: dict[str, Figures]) -> None:
    """How near each leg of calls comes to the bare ones, where those were measured."""
    for name, figures in results.items():
        if name.startswith("c") and "a" in results:
            figures["to_http"] = figures["rate"] / results["a"]["rate"]
        if (beside := LEGS[name].beside) in results:
            figures["to_sqlite"] = figures["rate"] / results[beside]["rate"]


# What the issue asks for: the leg, the figure, and whether it is good enough.
FLOORS: Final[list[tuple[str, str, str, Callable[[float], bool]]]] = [
    ("c-json", "to_http", "1 item, JSON: at least 0.2 of bare HTTP", lambda ratio: ratio >= 0.2),
    ("c-json", "p99", "1 item, JSON: p99 under 40 ms", lambda ms: ms < 40),
    ("s", "start", f"first answer within 1 s at {LOGS_AT_START:,} logs", lambda s: s <= 1),
]


# -- what is shown -------------------------------------------------------------------------------


def show(results: dict[str, Figures]) -> None:
    """The table and the floors."""
    row = "{:7}{:28}{:>10} {:11}{:>8}{:>9}{:>9}  {}"
    print(row.format("leg", "", "rate", "", "p50 ms", "p99 ms", "to (a)", "to (b)"))
    for name, figures in results.items():
        if "rate" in figures:
            leg = LEGS[name]
            print(
                row.format(
                    name,
                    leg.title,
                    f"{figures['rate']:,.0f}",
                    leg.unit,
                    f"{figures['p50']:.2f}",
                    f"{figures['p99']:.2f}",
                    f"{figures['to_http']:.2f}" if "to_http" in figures else "",
                    f"{figures['to_sqlite']:.2f} {leg.beside}" if "to_sqlite" in figures else "",
                )
            )
    if s := results.get("s"):
        print(f"{'s':7}{LEGS['s'].title:28}{s['start']:10.2f} s to the first answer,", end="")
        print(f" then {s['megabytes']:.0f} MB")
    if {"a", "c-json"} <= set(results):
        lengths = (f"{results[name]['answer']:.0f}" for name in ("a", "c-json"))
        print("bytes of an answer: bare HTTP {}, recontact {}".format(*lengths))
    for name, what, floor, is_met in FLOORS:
        if what in results.get(name, {}):
            found = results[name][what]
            print(f"{'holds' if is_met(found) else 'MISSED':7}{floor}: {found:.2f}")


def machine() -> dict[str, Any]:
    """On what this ran, and how busy it was already."""
    cpuinfo = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (cpuinfo.read_text() if cpuinfo.exists() else "").splitlines()
        if line.startswith("model name")
    ]
    return {
        "cores": os.cpu_count(),
        "cpu": models[0] if models else platform.processor(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": _ask(":memory:", "SELECT sqlite_version()"),
        "load_before": os.getloadavg()[0],
    }


def main() -> int:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=int, default=5, help="of each turn of a leg [5]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each leg [3]")
    parser.add_argument(
        "--only", nargs="+", choices=LEGS, default=list(LEGS), help="these legs", metavar="LEG"
    )
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("bench needs wrk to load the server: apt-get install wrk")
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    _say(f"on {about['machine']}")
    # Not /tmp: that may be memory, where a commit waits for no disk.
    with tempfile.TemporaryDirectory(prefix="recontact-bench-", dir="/var/tmp") as folder:
        bench = Bench(Path(folder), options.seconds)
        results = measure(bench, options.only, options.rounds)
    add_ratios(results)
    show(results)
    setting = {"seconds": options.seconds, "rounds": options.rounds}
    RESULTS.write_text(json.dumps(about | setting | {"legs": results}, indent=2) + "\n")
    for fault in bench.faults:
        print(f"FAULT: {fault}")
    return 1 if bench.faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally of each server
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
