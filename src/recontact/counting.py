"""
What is counted as it comes, in plain numbers, and read when somebody asks for `/metrics`.

Through prometheus-client a request took 8 us to count, and its import is 25 ms of a start.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

UNKNOWN: Final = "unknown"
"""The action of a call that names none of ours. What it names would be a label of its own."""
OTHER: Final = "other"
"""The action of a request to another address than the API's."""
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Histogram:
    """
    How many values were at most each bound, and the sum of all. To add one takes 0.2 us.

    bounds: ascending. Added to from one thread; any may read, and finds at worst the last value
    missing in one of the numbers.
    """

    __slots__ = ("_counts", "bounds", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.total: float = 0
        self._counts = [0] * (len(bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def up_to(self) -> list[int]:
        """How many values were at most each bound, and last how many there were at all."""
        return list(accumulate(self._counts.copy()))


@dataclass(slots=True)
class Counts:
    """The requests of one action. answers: by Ack and HTTP status."""

    answers: defaultdict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    seconds: Histogram = field(default_factory=lambda: Histogram(_SECONDS))
    items: int = 0


class Requests:
    """The requests that are over, by action. `count` is for the event loop and takes 0.6 us."""

    def __init__(self) -> None:
        self._by_action: defaultdict[str, Counts] = defaultdict(Counts)

    def count(self, action: str, ack: str, http_status: int, items: int, seconds: float) -> None:
        """
        One more.

        action: one of the API's, UNKNOWN or OTHER. ack: "" for an answer without. http_status: 0
        for one whose client had gone. seconds: from its arrival to its answer.
        """
        counts = self._by_action[action]
        counts.answers[ack, http_status] += 1
        counts.seconds.add(seconds)
        counts.items += items

    def by_action(self) -> list[tuple[str, Counts]]:
        """What was counted so far; from any thread."""
        return sorted(self._by_action.copy().items())
