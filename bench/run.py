"""
Measure recontact beside what bare HTTP and bare SQLite reach on this machine in the same minutes.

The legs take turns, each figure is the median of its rounds, and each turn gets a fresh copy of the
same database. Writes results.json too. Exit 1: a call was not answered with Success, was not
written, or a read was answered wrongly; to be slow is no failure.
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
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from legs import LEGS, PACE, READ_PACE, Bench, Figures, ask, say
from seeding import LOGS_AT_START, MANY_LOGS
from serving import READERS

RESULTS: Final = Path(__file__).with_name("results.json")


def measure(bench: Bench, names: list[str], rounds: int) -> dict[str, Figures]:
    """The medians of each leg; the legs take turns, so that a busy minute harms all alike."""
    taken: dict[str, list[Figures]] = {name: [] for name in names}
    for number in range(1, rounds + 1):
        for name in names:
            say(f"round {number} of {rounds}: {name}, {LEGS[name].title}")
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


@dataclass(frozen=True, slots=True)
class Floor:
    """What an issue asks of a figure, in each of some legs."""

    legs: tuple[str, ...]
    what: str
    floor: str
    is_met: Callable[[float], bool]


def _beside_reads(pace: str, paces: str) -> list[Floor]:
    """What is asked of reads, and of the updates that go on meanwhile."""
    legs = tuple(name for name in LEGS if name.startswith("e-") and name.endswith(f"-1m-{pace}"))
    where = f"at {MANY_LOGS:,} logs, {paces}"
    return [
        Floor(legs, "read_p99", f"reads {where}: p99 under 50 ms", lambda ms: ms < 50),
        Floor(legs, "p99", f"updates beside reads {where}: p99 under 40 ms", lambda ms: ms < 40),
    ]


FLOORS: Final = [
    Floor(("c-json",), "to_http", "1 item, JSON: at least 0.2 of bare HTTP", lambda r: r >= 0.2),
    Floor(("c-json",), "p99", "1 item, JSON: p99 under 40 ms", lambda ms: ms < 40),
    Floor(("s",), "start", f"first answer within 1 s at {LOGS_AT_START:,} logs", lambda s: s <= 1),
    *_beside_reads("paced", f"{PACE} updates/s"),
    *_beside_reads("full", "flat out"),
]


# -- what is shown -------------------------------------------------------------------------------


def show(results: dict[str, Figures]) -> None:
    """The tables and the floors."""
    beside = {name: figures for name, figures in results.items() if "reads" in figures}
    _show_calls({name: results[name] for name in results if name not in beside})
    _show_reads(beside)
    if s := results.get("s"):
        print(f"{'s':7}{LEGS['s'].title:28}{s['start']:10.2f} s to the first answer,", end="")
        print(f" then {s['megabytes']:.0f} MB")
    if {"a", "c-json"} <= set(results):
        lengths = (f"{results[name]['answer']:.0f}" for name in ("a", "c-json"))
        print("bytes of an answer: bare HTTP {}, recontact {}".format(*lengths))
    for floor in FLOORS:
        found = {
            leg: results[leg][floor.what]
            for leg in floor.legs
            if floor.what in results.get(leg, {})
        }
        if found:
            holds = all(map(floor.is_met, found.values()))
            of = "{} {:.2f}" if len(floor.legs) > 1 else "{1:.2f}"
            values = ", ".join(of.format(leg, value) for leg, value in found.items())
            print(f"{'holds' if holds else 'MISSED':7}{floor.floor}: {values}")


def _show_calls(results: dict[str, Figures]) -> None:
    row = "{:7}{:28}{:>10} {:11}{:>8}{:>9}{:>9}  {}"
    if results:
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


def _show_reads(results: dict[str, Figures]) -> None:
    """Gets, and beside them the updates that went on meanwhile."""
    row = "{:22}{:>9}{:>9}{:>9}  {:>11}{:>9}{:>9}"
    if results:
        print(row.format("leg", "reads/s", "p50 ms", "p99 ms", "updates/s", "p50 ms", "p99 ms"))
    for name, figures in results.items():
        reads, updates = (
            (f"{figures[rate]:,.0f}", f"{figures[p50]:.2f}", f"{figures[p99]:.2f}")
            for rate, p50, p99 in (("reads", "read_p50", "read_p99"), ("rate", "p50", "p99"))
        )
        print(row.format(name, *reads, *updates))
    if results:
        print(
            f"paced: some {PACE} updates/s and {READ_PACE} reads/s; full: no pause on any of",
            end="",
        )
        print(f" 32 connections that update and {READERS} that read")


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
        "sqlite": ask(":memory:", "SELECT sqlite_version()"),
        "load_before": os.getloadavg()[0],
    }


def _is_wanted(leg: str, wanted: list[str]) -> bool:
    """Whether one of these is the leg, or how its name begins: e-search."""
    return any(leg == one or leg.startswith(f"{one}-") for one in wanted)


def main() -> int:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--seconds", type=int, default=5, help="of each turn of a leg [5]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each leg [3]")
    parser.add_argument(
        "--only", nargs="+", help="these legs: c-json, or c for all of that letter", metavar="LEG"
    )
    options = parser.parse_args()
    names = [name for name in LEGS if not options.only or _is_wanted(name, options.only)]
    if not names:
        parser.error(f"there is none of these legs; there are {', '.join(LEGS)}")
    if not shutil.which("wrk"):
        sys.exit("bench needs wrk to load the server: apt-get install wrk")
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    say(f"on {about['machine']}")
    # Not /tmp: that may be memory, where a commit waits for no disk.
    with tempfile.TemporaryDirectory(prefix="recontact-bench-", dir="/var/tmp") as folder:
        bench = Bench(Path(folder), options.seconds)
        results = measure(bench, names, options.rounds)
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
