"""
Measure recontact beside what bare HTTP, bare SQLite and a peer reach on this machine.

The legs take turns, each figure is the median of its rounds, and each turn gets a fresh copy of the
same database. Writes results.json and results.md too. Exit 1: a call was not answered with Success,
was not written, or a read was answered wrongly; to be slow is no failure.

All of it takes some 45 minutes, of which the databases of a million and of 10 million logs take 25;
`--most 100000` leaves them out. Legs: a bare HTTP, b bare SQLite, c calls of one item, d of 500,
e reads beside updates, f the peer, g growth (c and e with each size), h start and memory, i calls
with an Idempotency-Key, j history and undo, k the pages of the panel.
"""

import argparse
import importlib.util
import json
import os
import platform
import shutil
import signal
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from legs import GROWTH, LEGS, Bench, Figures, ask, say
from report import add_ratios, tables
from seeding import BYTES_EACH, MOST_LOGS

HERE: Final = Path(__file__).parent
RESULTS: Final = HERE / "results.json"
PAGE: Final = HERE / "results.md"
SPARE: Final = 2_000_000_000
"""Bytes of the disk that databases and their copy leave free."""


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


def is_wanted(leg: str, wanted: list[str]) -> bool:
    """Whether one of these is the leg, or else how it begins: c, e-search; g: those of growth."""
    return any(
        one in (leg, leg[0])
        or (one not in LEGS and leg.startswith(f"{one}-"))
        or (one == "g" and leg in GROWTH)
        for one in wanted
    )


def _check_needs(names: list[str], folder: Path) -> None:
    """End with a sentence when a program or room on the disk is missing."""
    if not shutil.which("wrk"):
        sys.exit("bench needs wrk to load the server: apt-get install wrk")
    if any(name.startswith("f") for name in names) and not importlib.util.find_spec("fastapi"):
        sys.exit("the peer needs FastAPI, which `make bench` installs; or leave it out by --only")
    sizes = {LEGS[name].logs for name in names}
    logs = sum(size for size in sizes if not any(folder.glob(f"{size}-*.db"))) + max(sizes)
    needed, free = logs * BYTES_EACH + SPARE, shutil.disk_usage(folder).free
    if needed > free:
        sys.exit(
            f"bench needs {needed / 1e9:.0f} GB in {folder}, which has {free / 1e9:.0f}:"
            " name another folder with --keep, or leave large databases out with --most"
        )


def main() -> int:
    """Measure, show, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=5, help="of each turn of a leg [5]")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each leg [3]")
    parser.add_argument(
        "--only", nargs="+", help="these legs: c-json, or c for all of that letter", metavar="LEG"
    )
    parser.add_argument(
        "--most",
        type=int,
        default=MOST_LOGS,
        metavar="LOGS",
        help="leave out the legs whose database has more logs",
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="where databases are kept for the next time: the largest takes 5 minutes and 10 GB",
    )
    options = parser.parse_args()
    names = [
        name
        for name, leg in LEGS.items()
        if leg.logs <= options.most and (not options.only or is_wanted(name, options.only))
    ]
    if not names:
        parser.error(f"there is none of these legs; there are {', '.join(LEGS)}")
    # Not /tmp: that may be memory, where a commit waits for no disk.
    where = options.keep or Path("/var/tmp")
    where.mkdir(parents=True, exist_ok=True)
    _check_needs(names, where)
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
    about |= {"seconds": options.seconds, "rounds": options.rounds}
    say(f"on {about['machine']}")
    with tempfile.TemporaryDirectory(prefix="recontact-bench-", dir=where) as folder:
        bench = Bench(Path(folder), options.keep or Path(folder), options.seconds)
        results = measure(bench, names, options.rounds)
    add_ratios(results)
    found = tables(results)
    print("\n".join(table.as_text() for table in found))
    RESULTS.write_text(json.dumps(about | {"legs": results}, indent=2) + "\n")
    PAGE.write_text(f"{_said(about)}\n\n" + "\n".join(table.as_markdown() for table in found))
    for fault in bench.faults:
        print(f"FAULT: {fault}")
    return 1 if bench.faults else 0


def _said(about: dict[str, Any]) -> str:
    """When and on what it was measured, as a sentence."""
    on = about["machine"]
    return (
        f"Measured on {about['date'][:10]}: {on['cores']} cores of {on['cpu']}, {on['system']},"
        f" Python {on['python']}, SQLite {on['sqlite']}; medians of {about['rounds']} rounds of"
        f" {about['seconds']} s."
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # through the finally of each server
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
