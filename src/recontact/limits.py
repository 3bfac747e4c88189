"""How much is let in: calls at a rate, and no more work at once than is done in time."""

import asyncio
import math
import re
from collections.abc import Callable, Hashable
from contextlib import suppress
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
        if text in ("none", ""):
            return cls()
        found = re.fullmatch(r"([1-9][0-9]{0,8})/(second|minute|hour)", text)
        if not found:
            raise ValueError("a number a second, minute or hour, such as 500/minute, or none")
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.calls}/{self.span}" if self.calls else "none"

    @property
    def words(self) -> str:
        """As a sentence says it."""
        return f"{self.calls} calls a {self.span}"

    @property
    def seconds(self) -> int:
        """The length of its span."""
        return _SPANS[self.span]


class Meter:
    """
    Lets each key take a rate: all of it at once if it likes, and then as it comes back, evenly.

    elapsed: gives seconds that never go back. Of the keys that came, the last `MOST` are known.
    """

    MOST: Final = 10_000

    def __init__(self, rate: Rate, elapsed: Callable[[], float]) -> None:
        self.rate = rate
        self._elapsed = elapsed
        # When each key has all of its rate back: one number is enough (GCRA, ITU-T I.371). Whoever
        # took last is at the end.
        self._back_at: dict[Hashable, float] = {}

    def take(self, key: Hashable) -> int:
        """Take one: 0, or where none is left, the whole seconds until there is one."""
        if not self.rate.calls:
            return 0
        now = self._elapsed()
        back_at = max(self._back_at.pop(key, now), now)
        after = back_at + self.rate.seconds / self.rate.calls
        wait = after - now - self.rate.seconds
        has_one = wait < 1e-6  # what adding up fractions may leave
        self._back_at[key] = after if has_one else back_at
        if len(self._back_at) > self.MOST:
            del self._back_at[next(iter(self._back_at))]
        return 0 if has_one else math.ceil(wait)


@dataclass(frozen=True, slots=True)
class Place:
    """A call's place in a Backlog: its work, all the work with it, and when it came."""

    work: float
    all_work: float
    at: float


class Backlog:
    """
    Work in progress, of which no more is let in than is done in some `SECONDS`.

    How much that is it learns from each call: how much was in progress when it came, and how long
    it took (Little's law: work in progress is its rate by the time it takes). Thus it fits a quick
    machine and a slow one. The unit of work is anything that grows with what a call costs.

    start: how much is let in before anything is learnt.
    """

    SECONDS: Final = 0.3
    LATE: Final = 0.45
    """Seconds after which a call that still waits is better refused."""

    def __init__(self, start: float, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._least, self._most = start / 64, start * 4
        self._limit = start
        self._lowered_at = 0.0
        self._work = 0.0
        self._turn = asyncio.Lock()

    async def turn(self, work: float) -> Place:
        """
        Let a call in, or raise RefusedError (503).

        That is at once, unless the call is so large that two of its size have no room: then it
        waits for its turn, some `SECONDS` at most.
        """
        if work <= self._limit / 2:
            return self.enter(work)
        try:
            async with asyncio.timeout(self.SECONDS), self._turn:
                while True:
                    with suppress(RefusedError):
                        return self.enter(work)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise _too_busy() from None

    def enter(self, work: float) -> Place:
        """Let a call in, or raise RefusedError (503) at once."""
        # Of one that is large by itself there may be one at a time, with small ones beside it.
        work = min(work, 0.6 * self._limit)
        if self._work and self._work + work > self._limit:
            raise _too_busy()
        self._work += work
        return Place(work, self._work, self._elapsed())

    def begin(self, place: Place) -> None:
        """The call's turn has come: raise RefusedError (503) if that is too late."""
        if self._elapsed() - place.at > self.LATE:
            raise _too_busy()

    def leave(self, place: Place) -> None:
        """The call is done: learn from it."""
        self._work -= place.work
        now = self._elapsed()
        took = now - place.at
        done_in_time = place.all_work * self.SECONDS / max(took, self.SECONDS / 4)
        if took > self.SECONDS:
            # Once for all that waited together: a disk that stalls for a second makes many late,
            # and says nothing of the next second. One that was alone waited for nobody.
            if place.at >= self._lowered_at and place.all_work > place.work:
                self._lowered_at = now
                self._limit = max(min(done_in_time, self._limit), self._limit / 4)
        elif place.all_work >= self._limit / 2:  # others hardly waited, and do not say how much
            share = min(1 / 8, place.work / place.all_work)
            self._limit += (done_in_time - self._limit) * share
        self._limit = min(max(self._limit, self._least), self._most)


def _too_busy() -> RefusedError:
    detail = "The server has more to do than it can answer in time. Nothing was saved."
    return RefusedError("RC030", f"{detail} Send the call again after a second.", retry_after=1)
