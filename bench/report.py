"""What the figures come to: tables, as text and as Markdown, and the floors that issues ask for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import ge, gt
from typing import Final

import paging
import painting
from legs import FEW_OPEN, LEGS, PACE, PAGE_OPEN, READ_PACE, Figures
from seeding import LOGS_AT_START
from serving import READERS

Results = dict[str, Figures]
"""The figures of each leg that was measured."""


def add_ratios(results: Results) -> None:
    """
    What part of others each leg reaches: `rate_of_a`, `reads_of_…` of reads, and how long it takes
    for the first page of the queue: `queue: p50_of_…`.
    """
    for name, figures in results.items():
        for label, other in LEGS[name].beside.items():
            for what in ("rate", "reads", "queue: p50"):
                if what in results.get(other, {}):
                    figures[f"{what}_of_{label}"] = figures[what] / results[other][what]


# -- tables ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """A table, and a line that explains it. The first two columns are text, as is the last."""

    title: str
    head: tuple[str, ...]
    rows: list[list[str]]
    note: str = ""

    def as_text(self) -> str:
        """For a terminal."""
        widths = [max(map(len, column)) for column in zip(self.head, *self.rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if self._is_number(at) else cell.ljust(width)
                for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.head, *self.rows)
        ]
        return "\n".join(filter(None, (f"{self.title}:", *lines, self.note))) + "\n"

    def as_markdown(self) -> str:
        """For a page."""
        rules = ["---:" if self._is_number(at) else "---" for at in range(len(self.head))]
        lines = [f"| {' | '.join(row)} |" for row in (self.head, rules, *self.rows)]
        parts = (f"### {self.title}", "\n".join(lines), self.note)
        return "\n\n".join(filter(None, parts)) + "\n"

    def _is_number(self, column: int) -> bool:
        return 2 <= column < len(self.head) - 1


def tables(results: Results) -> list[Table]:
    """All that there is something for."""
    made = (_calls, _reads, _pasts, _pages, _paints, _starts, _floors)
    return [table for table in (make(results) for make in made) if table.rows]


def _calls(results: Results) -> Table:
    rows = [
        [
            name,
            LEGS[name].title,
            f"{figures['rate']:,.0f}",
            LEGS[name].unit,
            f"{figures['p50']:.2f}",
            f"{figures['p99']:.2f}",
            f"{figures['megabytes']:.0f}" if "megabytes" in figures else "",
            _ratios(figures, "rate"),
        ]
        for name, figures in results.items()
        if "answer" in figures or name.startswith("b")
    ]
    head = ("leg", "", "rate", "", "p50 ms", "p99 ms", "MB", "of")
    lengths = [f"{results[leg]['answer']:.0f}" for leg in ("a", "c-json") if leg in results]
    note = "An answer has {} bytes with bare HTTP, {} with recontact." if len(lengths) == 2 else ""
    return Table("UpdateCustomerLog and its ceilings", head, rows, note.format(*lengths))


def _reads(results: Results) -> Table:
    rows = [
        [
            name,
            LEGS[name].title,
            f"{figures['reads']:,.0f}",
            f"{figures['read_p50']:.2f}",
            f"{figures['read_p99']:.2f}",
            f"{figures['rate']:,.0f}",
            f"{figures['p50']:.2f}",
            f"{figures['p99']:.2f}",
            f"{_ratios(figures, 'reads')}; {_ratios(figures, 'rate')}".strip("; "),
        ]
        for name, figures in results.items()
        if "reads" in figures
    ]
    head = ("leg", "", "reads/s", "p50 ms", "p99 ms", "updates/s", "p50 ms", "p99 ms", "of")
    note = (
        f"paced: some {PACE} updates/s and {READ_PACE} reads/s; full: no pause on any of 32"
        f" connections that update and {READERS} that read. of: reads; updates."
    )
    return Table("Reads, while UpdateCustomerLog changes what they read", head, rows, note)


def _pasts(results: Results) -> Table:
    rows = [
        [name, LEGS[name].title, f"{figures['p50']:.1f}", f"{figures['p99']:.1f}", ""]
        for name, figures in results.items()
        if name.startswith("j-")
    ]
    return Table("History and undo", ("leg", "", "p50 ms", "p99 ms", ""), rows)


def _pages(results: Results) -> Table:
    rows = [
        [
            name,
            page,
            f"{figures[f'{page}: p50']:.1f}",
            f"{figures[f'{page}: p99']:.1f}",
            f"{figures[f'{page}: raw'] / 1000:.1f}" if f"{page}: raw" in figures else "",
            f"{figures[f'{page}: packed'] / 1000:.1f}" if f"{page}: packed" in figures else "",
            _ratios(figures, f"{page}: p50"),
        ]
        for name, figures in results.items()
        for page in ("all queues", *paging.NAMES)
        if f"{page}: p50" in figures
    ]
    notes = []
    for name, figures in results.items():
        if "queue: p50" in figures:
            notes.append(f"{name}: {LEGS[name].title}.")
        if "queue: p50" in figures and "rate" in figures:
            notes.append(
                f"It did {figures['rate']:.0f} updates/s meanwhile, p50 {figures['p50']:.1f} ms,"
                f" p99 {figures['p99']:.1f}."
            )
    head = ("leg", "page", "p50 ms", "p99 ms", "KB", "KB packed", "of")
    return Table("Pages of the panel", head, rows, " ".join(notes))


def _paints(results: Results) -> Table:
    rows = [
        [
            name,
            page.removesuffix(": paint"),
            f"{ms:.0f}",
            f"{figures[page.replace(': paint', ': shift')]:.3f}",
            f"{figures[page.replace(': paint', ': requests')]:.0f}",
            f"{figures[page.replace(': paint', ': bytes')] / 1000:.1f}",
            "",
        ]
        for name, figures in results.items()
        for page, ms in figures.items()
        if page.endswith(": paint")
    ]
    head = ("leg", "page, visit", "first paint ms", "shift", "requests", "KB sent", "")
    return Table("Pages of the panel in Chromium", head, rows)


def _starts(results: Results) -> Table:
    rows = []
    if h := results.get("h"):
        loaded = results.get("c-json")
        rows = [
            ["h", "from the start to the first answer", f"{h['start']:.2f}", "s"],
            ["h", "memory, idle", f"{h['megabytes']:.0f}", "MB"],
            ["c-json", "memory under load", f"{loaded['megabytes']:.0f}", "MB"] if loaded else [],
        ]
    return Table(
        f"Start, with {LOGS_AT_START:,} logs", ("leg", "", "", ""), list(filter(None, rows))
    )


def _ratios(figures: Figures, what: str) -> str:
    """Of which rate how much: `0.21 of a`."""
    begin = f"{what}_of_"
    parts = (
        f"{value:.2f} {key.removeprefix(begin)}"
        for key, value in figures.items()
        if key.startswith(begin)
    )
    return ", ".join(parts)


# -- floors ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Floor:
    """What an issue asks of one figure in each of some legs."""

    asked: str
    what: str
    legs: tuple[str, ...]
    is_met: Callable[[float], bool]


_ONE_ITEM: Final = ("c-json", "c-xml")
_MOST: Final = tuple(name for name in LEGS if name.startswith("e-") and name.endswith("10m-full"))


def _beside_reads() -> Iterator[Floor]:
    for pace, paces in (("paced", f"{PACE} updates/s"), ("full", "flat out")):
        legs = tuple(name for name in LEGS if name.startswith("e-") and name.endswith(f"1m-{pace}"))
        where = f"with a million logs, {paces}"
        yield Floor(f"reads {where}: p99 under 50 ms", "read_p99", legs, lambda ms: ms < 50)
        yield Floor(
            f"updates beside them, {paces}: p99 under 40 ms", "p99", legs, lambda ms: ms < 40
        )


def _panel() -> Iterator[Floor]:
    at, beside = ("k-1m-idle",), ("k-1m-busy",)
    where = f"with a million logs, beside {PACE} updates/s"
    yield Floor(f"the queue {where}: p50 under 30 ms", "queue: p50", beside, lambda ms: ms < 30)
    for what, most in (("p50", 30), ("p99", 100)):
        asked = f"all queues {where}: {what} under {most} ms"
        yield Floor(asked, f"all queues: {what}", beside, partial(gt, most))
    asked = f"100,000 open page as fast as {FEW_OPEN}: at most 1.5 of the time"
    yield Floor(asked, f"queue: p50_of_{FEW_OPEN} open", at, lambda r: r <= 1.5)
    asked = f"the same with as many rows to show, of {PAGE_OPEN}: at most 1.2 of the time"
    yield Floor(asked, f"queue: p50_of_{PAGE_OPEN} open", at, lambda r: r <= 1.2)
    for page in paging.NAMES:
        asked = f"{page}: under 50 KB, as it is sent"
        yield Floor(asked, f"{page}: packed", at, partial(gt, 50_000))
    for page in painting.PAGES:
        for what, said, most in (
            ("paint", "first paint under 300 ms", 300),
            ("shift", "no layout shift", 0),
            ("requests", "10 requests at most", 10),
            ("bytes", "under 50 KB sent", 50_000),
        ):
            first = f"{page} on the first visit: {said}"
            yield Floor(
                first, f"{page} first: {what}", ("k-10k-paint", "k-1m-paint"), partial(ge, most)
            )


FLOORS: Final = (
    Floor("1 item: at least 0.25 of bare HTTP", "rate_of_a", _ONE_ITEM, lambda r: r >= 0.25),
    Floor("1 item: above bare SQLite, 1 a commit", "rate_of_b1", _ONE_ITEM, lambda r: r > 1),
    Floor("1 item: at least 12 times the peer", "rate_of_f", _ONE_ITEM, lambda r: r >= 12),
    Floor("1 item: p99 under 40 ms", "p99", _ONE_ITEM, lambda ms: ms < 40),
    Floor(
        "with an Idempotency-Key: 0.75 of without",
        "rate_of_no key",
        ("i-json",),
        lambda r: r >= 0.75,
    ),
    Floor(
        "500 items, JSON: at least 0.4 of b1000", "rate_of_b1000", ("d-json",), lambda r: r >= 0.4
    ),
    Floor("500 items, XML: at least 0.3 of b1000", "rate_of_b1000", ("d-xml",), lambda r: r >= 0.3),
    Floor(
        "1 item, 10 million logs: 0.8 of 10 thousand",
        "rate_of_10k",
        ("c-json-10m",),
        lambda r: r >= 0.8,
    ),
    Floor("reads, 10 million logs: 0.8 of 10 thousand", "reads_of_10k", _MOST, lambda r: r >= 0.8),
    Floor("updates beside them: 0.8 of 10 thousand", "rate_of_10k", _MOST, lambda r: r >= 0.8),
    *_beside_reads(),
    Floor("a page of 10,000 revisions: p99 under 50 ms", "p99", ("j-history",), lambda ms: ms < 50),
    Floor("undo of 1,000 items: p50 under 1 s", "p50", ("j-undo",), lambda ms: ms < 1000),
    *_panel(),
    Floor("first answer within 0.8 s", "start", ("h",), lambda s: s <= 0.8),
    Floor("idle memory under 100 MB", "megabytes", ("h",), lambda mb: mb < 100),
)


def _floors(results: Results) -> Table:
    rows = []
    for floor in FLOORS:
        found = {
            leg: results[leg][floor.what]
            for leg in floor.legs
            if floor.what in results.get(leg, {})
        }
        if found:
            values = ", ".join(f"{value:.2f} {leg}" for leg, value in found.items())
            holds = all(map(floor.is_met, found.values()))
            rows.append(["holds" if holds else "MISSED", floor.asked, values])
    return Table("What is asked", ("", "", "measured"), rows)
