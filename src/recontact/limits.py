"""How much is let in: calls at a rate, and no more at once than is answered in time."""

import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

from recontact.messages import RefusedError

_SPANS: Final = {"second": 1, "minute": 60, "hour": 3_600}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls a second, minute or hour; without `calls`, any number."""

    calls: int = 0
    span: str = "second"

    @classmethod
    def parse(cls, text: str) -> "Rate":
        """From `500/minute`, or `none`; ValueError says what is expected."""
        if text == "none":
            return cls()
        found = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour)", text)
        if not found:
            raise ValueError("a number a second, minute or hour, such as 500/minute, or none")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.calls}/{self.span}" if self.calls else "none"

    @property
    def seconds(self) -> int:
        """The length of its span."""
        return _SPANS[self.span]


class Meter:
    """
    Lets in a rate of calls for each key: so many at once, and then as they come back, evenly.

    elapsed: gives seconds that never go back. The keys that came last are known, MOST of them; one
    that is forgotten begins anew.
    """

    MOST: Final = 10_000

    def __init__(self, rate: Rate, elapsed: Callable[[], float]) -> None:
        self._rate = rate
        self._elapsed = elapsed
        # When a key would have all its calls back. One number is enough (GCRA, ITU-T I.371).
        self._back_at: dict[Hashable, float] = {}

    def take(self, key: Hashable) -> int:
        """Take a call of `key`: 0, or if there is none left, the whole seconds until there is."""
        if not self._rate.calls:
            return 0
        now = self._elapsed()
        back_at = max(self._back_at.pop(key, now), now)
        after = back_at + self._rate.seconds / self._rate.calls
        wait = after - now - self._rate.seconds
        is_in = wait < 1e-6  # what adding so many fractions leaves
        self._back_at[key] = after if is_in else back_at
        if len(self._back_at) > self.MOST:
            del self._back_at[next(iter(self._back_at))]
        return 0 if is_in else math.ceil(wait)


class Backlog:
    """
    Work in progress, of which no more is let in than is done in `SECONDS`.

    How much that is, is learnt from each call: what was in progress when it came, and how long it
    took (Little's law: what is in progress is the rate by the time that it takes). So it fits a
    slow machine and a quick one. Any unit will do that says roughly which call is how much work.

    start: what is let in before anything is learnt.
    """

    SECONDS: Final = 0.75
    """With what else a call waits for, it is to be answered within a second."""

    def __init__(self, start: float, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._least, self._most = start / 16, start * 16
        self._limit = start
        self._work = 0.0

    def enter(self, work: float) -> tuple[float, float, float]:
        """Let a call in, or raise RefusedError (503) at once; what it gives is for `leave`."""
        # One that is large by itself is let in where little else is going on, and then alone.
        work = min(work, 0.4 * self._limit)
        if self._work and self._work + work > self._limit:
            detail = "The server has too much to do. Nothing was saved. Send it again in a second."
            raise RefusedError("RC030", detail, retry_after=1)
        self._work += work
        return work, self._work, self._elapsed()

    def leave(self, entered: tuple[float, float, float]) -> None:
        """The call is done: learn from it."""
        work, all_work, at = entered
        self._work -= work
        took = self._elapsed() - at
        if all_work < self._limit / 2 and took < self.SECONDS:
            return  # a call that hardly waited says little of how many could
        could = all_work * min(4, self.SECONDS / took)
        learnt = self._limit + (could - self._limit) * min(0.125, work / all_work)
        self._limit = min(max(learnt, self._least), self._most)
