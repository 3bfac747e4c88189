"""What a store says of itself, for whoever watches over it."""

from dataclasses import dataclass, field
from typing import Final

from recontact.counting import Histogram

_SECONDS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
_CALLS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_ITEMS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)


@dataclass(slots=True)
class Commits:
    """
    The commits so far.

    seconds: from COMMIT until all is on the disk. calls, items: in each that had any; items as a
    batch counts them, so a call with a Filter is 1,000. failed: those after which nobody was told
    that it is saved.
    """

    seconds: Histogram = field(default_factory=lambda: Histogram(_SECONDS))
    calls: Histogram = field(default_factory=lambda: Histogram(_CALLS))
    items: Histogram = field(default_factory=lambda: Histogram(_ITEMS))
    failed: int = 0

    def add(self, seconds: float, calls: int, items: int) -> None:
        """One more, that went well."""
        self.seconds.add(seconds)
        if calls:  # others only write what could wait
            self.calls.add(calls)
            self.items.add(items)


@dataclass(frozen=True, slots=True)
class Figures:
    """
    How a store stands. Sizes are in bytes.

    writes, reads: calls that wait for the database or are in it. unseen: changed logs that the
    index of the search has yet to see. size, wal: of the files. journal_bodies, journal_size: calls
    whose bodies the journal has, and the bytes of all; None: nobody knows just now.
    """

    commits: Commits
    writes: int
    reads: int
    unseen: int
    size: int
    wal: int
    journal_bodies: int | None
    journal_size: int | None
