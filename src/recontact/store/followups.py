"""
What the panel's queue asks: which follow-ups are overdue, due today, to come, without a date, done.

A follow-up is on a calendar day of the site or at an instant, which belongs to its day in the
site's zone. Nobody can tell a database what day that is, so days and instants are read apart, each
in the order of the index (`customer_log` by status and follow-up), and put together here. The index
has all that the filters ask for: of 100,000 open logs it takes 5 ms to look through them all.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from heapq import merge
from itertools import groupby, islice
from typing import Any, Final, TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    tuple_,
    union_all,
)

from recontact.fields import local, start_of
from recontact.model import SEARCHED, CustomerLog, Site, finds, fold, words
from recontact.store import search
from recontact.store.tables import (
    LOGS,
    customer_log,
)
from recontact.values import ABSENT, Absent, Status

_log = customer_log.c

PAGE: Final = 50
"""Logs of a page."""
COUNTED: Final = 1_000
"""Logs that are counted of a tab; a count above it stands for more."""
STEP: Final = 5_000
"""Logs that one step of `Reading.matching` finds at most."""

_FIRST_YEAR: Final = 1_000
"""No date of a log is before it: see `values.DayOrTime`."""
_WALKED: Final = 50_000
"""Completed logs, newest first, that are looked through for one page (10 ms)."""
_HITS: Final = 50_000
"""Logs with the words of a search, past which its index is of no use here (20 ms)."""
_SAMPLE: Final = 100
"""First logs of a queue, which tell how common the words are in it (4 ms)."""
_COMMON: Final = 5
"""Of the sample: where so many have the words, 1,000 logs that are looked through fill a page."""
_VERY_COMMON: Final = 20
"""Of the sample: where so many have them, the index is not asked at all."""
_HITS_OPEN: Final = 10_000
"""The same of open logs that meet the filters."""
_LOOKED_THROUGH: Final = 1_000
"""Logs whose texts are looked through for one page, `_READ` at a time (20 ms)."""
_READ: Final = 250
_FEW: Final = 2_000
"""Logs that are read one by one, rather than all of an index to find them."""
_SOUGHT: Final = 500
"""The same where it is done for each tab."""


class Tab(StrEnum):
    """A part of the queue. All but Completed have the logs that are not; by the day in the site."""

    OVERDUE = "overdue"
    TODAY = "today"
    UPCOMING = "upcoming"
    NO_DATE = "no-date"
    COMPLETED = "completed"


class Order(StrEnum):
    """In which order the open logs stand; Completed has the last updated first, always."""

    OLDEST = "oldest"
    NEWEST = "newest"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Queue:
    """
    What somebody wants to see: a tab, its order, and filters, which must all be met.

    allocated_to, follow_up_type: a name in whatever case, None: those without one, ABSENT: any.
    status: None: any; Completed has but one. text: words, as the filter Search takes them.
    """

    tab: Tab = Tab.OVERDUE
    order: Order = Order.OLDEST
    allocated_to: str | Absent | None = ABSENT
    follow_up_type: str | Absent | None = ABSENT
    status: Status | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """
    A place in a queue, which stays where it is whatever becomes of its log.

    value: what the queue is in the order of: the day, the second of an instant, or the folded name
    of a customer; None: the log has none.
    """

    log_id: int
    value: date | int | str | None

    def write(self) -> str:
        """It as text, for an address; `read` takes it."""
        kind = {date: "d", int: "t", str: "n"}.get(type(self.value), "")
        return f"{self.log_id}.{kind}{'' if self.value is None else self.value}"

    @staticmethod
    def read(text: str) -> "Cursor | None":
        """The place that a text names; None: none."""
        number, _, rest = text.partition(".")
        if not (number.isascii() and number.isdecimal() and len(number) <= 10):
            return None
        kind, value = rest[:1], rest[1:]
        try:
            match kind:
                case "":
                    return Cursor(int(number), None)
                case "d" if (day := date.fromisoformat(value)).year >= _FIRST_YEAR:
                    return Cursor(int(number), day)
                case "t" if datetime.fromtimestamp(int(value), UTC).year >= _FIRST_YEAR:
                    return Cursor(int(number), int(value))
                case "n":
                    value.encode()
                    return Cursor(int(number), value)
        except (ValueError, OverflowError, OSError):  # there is no such time
            pass
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """A log as it stands in a queue."""

    log: CustomerLog
    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Page:
    """
    Some logs of a queue, in its order.

    before, after: where to go on, if there may be more. It may have less than a page and yet an
    `after`, where what is looked for is rare: so many logs were looked through, and no more.
    """

    entries: list[Entry]
    before: Cursor | None
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a log stands in a queue: `position` of `total`, and its neighbours.

    Both count up to `COUNTED`, what is above stands for more; None where nobody has counted, and
    where the log is not there any more.
    """

    position: int | None
    total: int | None
    before: Entry | None
    after: Entry | None


@dataclass(frozen=True, slots=True)
class Some:
    """A step of what comes in steps. after: the number to go on from; None: that was all."""

    log_ids: list[int]
    after: int | None


K = TypeVar("K")
_Condition = ColumnElement[bool]
_OPEN: Final = [status for status in Status if status is not Status.COMPLETED]
_OPEN_TABS: Final = [tab for tab in Tab if tab is not Tab.COMPLETED]
_name: Final = _log.customer_name_folded


class Reading:
    """One queue of a site at one moment. rows: reads from one snapshot."""

    def __init__(self, queue: Queue, site: Site, now: datetime, rows: search.Rows) -> None:
        self._queue = queue
        self._site = site
        self._rows = rows
        self._today = min(local(now, site.zone).date(), date.max - timedelta(days=1))
        self._is_done = queue.tab is Tab.COMPLETED
        self._met: list[_Condition] = [_log.site == site.site]
        for key in ("allocated_to", "follow_up_type"):
            if not isinstance(name := getattr(queue, key), Absent):
                self._met.append(_is_beside(key, name))
        self._statuses = [queue.status] if queue.status in _OPEN else _OPEN
        self._words = words(queue.text)
        self._hits: list[int] | Select[Any] | None = None  # LogIDs of all that can be in the tab
        self._open_hits: Sequence[Sequence[Any]] | None = None  # with their days and instants
        self._looks_through = False
        if self._words:
            self._hits = self._search()
            self._looks_through = self._hits is None
            if isinstance(self._hits, list) and not self._is_done:
                self._met = [_log.site == site.site]  # they meet the rest

    # -- what the pages ask --------------------------------------------------------------------

    def page(self, cursor: Cursor | None = None, *, back: bool = False) -> Page:
        """The page that follows a cursor, or with `back` the one before it; else the first one."""
        if cursor is None or not self._fits(cursor):
            found, more = self._find(None, PAGE)
            return Page(found, None, more)
        found, more = self._find(cursor, PAGE, back=back)
        if back and more is None:  # the first page, which is to be a whole one
            return self.page()
        end = found[0].cursor if found else cursor
        return Page(found[::-1], more, end) if back else Page(found, end, more)

    def counts(self) -> dict[Tab, int] | None:
        """How many logs each open tab has; `COUNTED` + 1: or more. None: it would take long."""
        if self._hits is None and not self._looks_through:
            return self._numbers({tab: self._parts(tab, None) for tab in _OPEN_TABS})
        # Each tab would go through the index once more.
        hits = self._open_hits
        if self._is_done and self._hits is not None:
            hits = self._open_among(self._hits)
        if hits is None:
            return None
        numbers = Counter(self._tab(day, at) for _, day, at in hits)
        return {tab: min(numbers[tab], COUNTED + 1) for tab in _OPEN_TABS}

    def place(self, cursor: Cursor) -> Place:
        """Where the log at a cursor stands, or stood."""
        if not self._fits(cursor):
            return Place(None, None, None, None)
        before, _ = self._find(cursor, 1, back=True)
        after, _ = self._find(cursor, 1)
        place = Place(None, None, before[0] if before else None, after[0] if after else None)
        if self._looks_through or self._is_done:
            return place
        here, _ = self._find(place.before.cursor if place.before else None, 1)
        if not here or here[0].log.log_id != cursor.log_id:
            return place
        tab = self._queue.tab
        parts = {"before": self._parts(tab, cursor, back=True), "all": self._parts(tab, None)}
        numbers = self._numbers(parts)
        return replace(place, position=numbers["before"] + 1, total=numbers["all"])

    def matching(self, after: int = 0) -> Some:
        """
        The LogIDs of all logs of the tab that meet the filters, those above `after`: one step.

        A step may find none and yet not be the last. No log comes twice, whatever others write.
        """
        if not self._looks_through:
            return self._above(after, STEP)
        some = self._above(after, _LOOKED_THROUGH)
        return Some(sorted(self._having_words(some.log_ids)), some.after)

    def tab_of(self, log: CustomerLog) -> Tab:
        """The tab that a log is in, whether or not it meets the filters."""
        value = log.date_required_follow_up
        if log.status is Status.COMPLETED:
            return Tab.COMPLETED
        if isinstance(value, datetime):
            return self._tab(None, int(value.timestamp()))
        return self._tab(value.isoformat() if value else None, None)

    # -- finding -------------------------------------------------------------------------------

    def _find(
        self, cursor: Cursor | None, limit: int, *, back: bool = False
    ) -> tuple[list[Entry], Cursor | None]:
        """So many logs beyond a cursor, going forth or back; and where to go on from, if at all."""
        if not self._looks_through:
            keys, more = self._keys(cursor, limit, back=back)
            return self._entries(keys), more
        found: list[Cursor] = []
        for _ in range(_LOOKED_THROUGH // _READ):
            keys, cursor = self._keys(cursor, _READ, back=back)
            having = self._having_words([key.log_id for key in keys])
            found += [key for key in keys if key.log_id in having]
            if len(found) >= limit:
                return self._entries(found[:limit]), found[limit - 1]
            if cursor is None:
                break
        return self._entries(found), cursor

    def _keys(
        self, cursor: Cursor | None, limit: int, *, back: bool
    ) -> tuple[list[Cursor], Cursor | None]:
        """The cursors of so many logs, texts apart; and where to go on from, if at all."""
        if self._is_done:
            return self._done(cursor, limit, back=back)
        if self._queue.order is Order.CUSTOMER:
            order: list[ColumnElement[Any]] = [_name.is_(None), _name, _log.log_id]
            falls = back
            apart: list[_Condition] = [_log.status.in_(self._statuses)]
        else:
            order = [_log.follow_up_day, _log.follow_up_at, _log.log_id]
            falls = self._falls(back=back)
            apart = [_log.status == status for status in self._statuses]  # each has its order
        ordered = [column.desc() for column in order] if falls else order
        columns = (_log.log_id, _log.follow_up_day, _log.follow_up_at, _name)
        arms = [
            union_all(*(select(literal(arm), *columns).where(*part, status) for status in apart))
            .order_by(*ordered)
            .limit(limit + 1)
            .subquery()
            for arm, part in enumerate(self._parts(self._queue.tab, cursor, back=back))
        ]
        rows = self._rows(union_all(*(select(arm) for arm in arms)))
        # Of the days and the instants, no more are looked at than come first.
        some = [map(self._cursor, list(arm)) for _, arm in groupby(rows, key=lambda row: row[0])]
        keys = list(islice(merge(*some, key=self._rank, reverse=falls), limit + 1))
        return keys[:limit], keys[limit - 1] if len(keys) > limit else None

    def _done(
        self, cursor: Cursor | None, limit: int, *, back: bool
    ) -> tuple[list[Cursor], Cursor | None]:
        """The same of Completed, which is in the order of DateUpdated, the last one first."""
        columns = (_log.date_updated, _log.log_id)
        of_site = select(*columns).where(_log.site == self._site.site)
        if cursor is not None:
            of_site = of_site.where(_beyond(_log.date_updated, cursor, falls=not back))
        met = [*self._met, *self._among(), _log.status == Status.COMPLETED]
        few = self._few()
        if few is not None:
            met.append(_log.log_id.in_(search.listed(few)))
            # + 0, or SQLite walks the index of the dates to have them in order.
            order: list[ColumnElement[Any]] = [_log.date_updated + 0, _log.log_id]
        else:
            order = [*columns]
        ordered = order if back else [column.desc() for column in order]
        edge = None
        if few is None:
            edge = self._one(of_site.order_by(*ordered).limit(1).offset(_WALKED - 1))
        if edge is not None:
            last = tuple_(*columns)
            met.append(last <= tuple_(*edge) if back else last >= tuple_(*edge))
        rows = self._rows(of_site.where(*met).order_by(*ordered).limit(limit + 1))
        keys = [Cursor(log_id, updated) for updated, log_id in rows[:limit]]
        if len(rows) > limit:
            return keys, keys[-1]
        return keys, None if edge is None else Cursor(edge[1], edge[0])

    def _above(self, after: int, most: int) -> Some:
        """The LogIDs of so many logs, or of those among so many, texts apart."""
        wanted = select(_log.log_id).where(_log.log_id > after)
        if not self._is_done:
            is_open = _log.status.in_(self._statuses)
            parts = self._parts(self._queue.tab, None)
            found = union_all(*(wanted.where(*part, is_open) for part in parts)).subquery()
            rows = self._rows(select(found).order_by(found.c.log_id).limit(most))
            log_ids = [log_id for (log_id,) in rows]
            return Some(log_ids, log_ids[-1] if len(log_ids) == most else None)
        done = wanted.where(_log.site == self._site.site, _log.status == Status.COMPLETED)
        done = done.order_by(_log.log_id)
        few = self._few()
        if few is not None:
            done = done.where(_log.log_id.in_(search.listed(few)))
        edge = self._one(done.limit(1).offset(most - 1))
        met = [*self._met, *self._among()]
        if edge is not None:
            met.append(_log.log_id <= edge[0])
        log_ids = [log_id for (log_id,) in self._rows(done.where(*met))]
        return Some(log_ids, None if edge is None else edge[0])

    # -- what meets the filters ----------------------------------------------------------------

    def _parts(
        self, tab: Tab, cursor: Cursor | None, *, back: bool = False
    ) -> list[list[_Condition]]:
        """
        The conditions of the logs of a tab beyond a cursor: of those on a day, at an instant.

        Filters are among them, but for the status.
        """
        # That a log with a day has no instant goes without saying; said, SQLite sorts each day.
        days = [*self._met, *self._among()]
        instants = [*self._met, *self._among(), _log.follow_up_day.is_(None)]
        tomorrow = self._today + timedelta(days=1)
        first = {Tab.TODAY: self._today, Tab.UPCOMING: tomorrow}.get(tab)
        end = {Tab.OVERDUE: self._today, Tab.TODAY: tomorrow}.get(tab)
        falls = self._falls(back=back)
        if cursor is not None and not isinstance(cursor.value, str | None):
            # Of two bounds on one side SQLite begins at the wider, so it is told the nearer alone.
            day = self._day(cursor.value) if isinstance(cursor.value, int) else cursor.value
            if falls and end is not None:
                end, cursor = (None, cursor) if day < end else (end, None)
            elif not falls and first is not None:
                first, cursor = (None, cursor) if day >= first else (first, None)
        if first is not None:
            days.append(_log.follow_up_day >= first.isoformat())
            instants.append(_log.follow_up_at >= self._start(first))
        if end is not None:
            days.append(_log.follow_up_day < end.isoformat())
            instants.append(_log.follow_up_at < self._start(end))
        parts = [days, instants]
        if tab is Tab.NO_DATE:
            parts = [[*instants, _log.follow_up_at.is_(None)]]
        if cursor is None:
            return parts
        if self._queue.order is Order.CUSTOMER:
            return [[*part, _beyond_name(cursor, back=back)] for part in parts]
        beyond = self._beyond(cursor, falls=falls)
        return [[*part, one] for part, one in zip(parts, beyond, strict=False)]

    def _beyond(self, cursor: Cursor, *, falls: bool) -> tuple[_Condition, ...]:
        """What is later than a cursor, or earlier if it falls: on a day, and at an instant."""
        value = cursor.value
        if isinstance(value, int):
            day = self._day(value)
            on = _log.follow_up_day
            days = on <= day.isoformat() if falls else on > day.isoformat()
            return days, _beyond(_log.follow_up_at, cursor, falls=falls)
        if isinstance(value, date):
            start = self._start(value)
            at = _log.follow_up_at < start if falls else _log.follow_up_at >= start
            on_text = Cursor(cursor.log_id, value.isoformat())
            return _beyond(_log.follow_up_day, on_text, falls=falls), at
        return (_log.log_id < cursor.log_id if falls else _log.log_id > cursor.log_id,)

    def _search(self) -> list[int] | Select[Any] | None:
        """
        The LogIDs of the logs with the words; None: it is quicker to look through the logs.

        Those of open tabs meet the filters too.
        """
        most = _HITS
        last = self._one(select(func.max(_log.log_id)).where(_log.site == self._site.site))
        if last and (last[0] or 0) > _HITS:
            sample, _ = self._keys(None, _SAMPLE, back=False)
            common = len(self._having_words([key.log_id for key in sample]))
            if common >= _VERY_COMMON:
                return None
            if common >= _COMMON:
                most = _FEW
        asked = search.asked_quickly(self._words, self._rows)
        hits = search.hits(self._site, asked, most, self._rows) if asked else None
        if hits is None:
            return None
        found, number = hits
        if len(asked) < len(self._words):
            if number > _FEW:
                return None
            having = self._having_words([log_id for (log_id,) in self._rows(found)])
            found, number = search.listed(sorted(having)), len(having)
        if self._is_done:
            return found if number > _FEW else [row[0] for row in self._rows(found)]
        self._open_hits = self._open_among(found, is_few=number <= _FEW)
        return None if self._open_hits is None else [log_id for log_id, *_ in self._open_hits]

    def _open_among(
        self, found: list[int] | Select[Any], *, is_few: bool = False
    ) -> Sequence[Sequence[Any]] | None:
        """The open logs among these that meet the filters, with days and instants; None: many."""
        if isinstance(found, list):
            is_few = len(found) <= _FEW
            found = search.listed(found)
        # + 0: a few are read one by one; many are looked up while the index of the open logs goes.
        log_id = _log.log_id if is_few else _log.log_id + 0
        is_open = _log.status.in_(self._statuses)
        whole = select(_log.log_id, _log.follow_up_day, _log.follow_up_at)
        rows = self._rows(whole.where(*self._met, is_open, log_id.in_(found)).limit(_HITS_OPEN + 1))
        return rows if len(rows) <= _HITS_OPEN else None

    def _having_words(self, log_ids: list[int]) -> set[int]:
        """Those of these logs that have the words."""
        texts = [_log[key] for key in SEARCHED]
        logs = self._rows(
            self._logs(log_ids)
            .with_only_columns(_log.log_id, *texts)
            .where(*(search.may_have(word, texts) for word in self._words))
        )
        return {
            log_id
            for log_id, *some in logs
            if finds(self._words, "\n".join(text for text in some if text))
        }

    def _among(self) -> list[_Condition]:
        """That a log is one of those with the words, where they are known."""
        if self._hits is None:
            return []
        if not isinstance(self._hits, list):
            return [(_log.log_id + 0).in_(self._hits)]
        if not self._hits:
            return [false()]
        # + 0: some are read one by one; many are looked up while the index of the tab goes.
        log_id = _log.log_id if len(self._hits) <= _SOUGHT else _log.log_id + 0
        return [log_id.in_(search.listed(self._hits))]

    def _few(self) -> list[int] | None:
        """A few LogIDs that have among them all that meet the filters; None: there are many."""
        if isinstance(self._hits, list):
            return self._hits
        for key in ("allocated_to", "follow_up_type"):
            if not isinstance(name := getattr(self._queue, key), Absent):
                some = select(_log.log_id).where(_log.site == self._site.site, _is(key, name))
                rows = self._rows(some.limit(_FEW + 1))
                if len(rows) <= _FEW:
                    return [log_id for (log_id,) in rows]
        return None

    # -- the order -----------------------------------------------------------------------------

    def _tab(self, day: str | None, at: int | None) -> Tab:
        """The tab of an open log."""
        if day is None and at is None:
            return Tab.NO_DATE
        for tab, end in ((Tab.OVERDUE, 0), (Tab.TODAY, 1)):
            first = self._today + timedelta(days=end)
            if day < first.isoformat() if day else (at or 0) < self._start(first):
                return tab
        return Tab.UPCOMING

    def _falls(self, *, back: bool) -> bool:
        """Whether dates become earlier as one goes on."""
        return (self._queue.order is Order.NEWEST) is not back

    def _fits(self, cursor: Cursor) -> bool:
        """Whether it is one of this queue's."""
        if self._is_done:
            return isinstance(cursor.value, int)
        if self._queue.order is Order.CUSTOMER:
            return cursor.value is None or isinstance(cursor.value, str)
        if self._queue.tab is Tab.NO_DATE:
            return cursor.value is None
        return isinstance(cursor.value, int | date)

    def _cursor(self, row: Sequence[Any]) -> Cursor:
        _, log_id, day, at, name = row
        if self._queue.order is Order.CUSTOMER:
            return Cursor(log_id, name)
        return Cursor(log_id, date.fromisoformat(day) if day else at)

    def _rank(self, cursor: Cursor) -> tuple[Any, ...]:
        """What the cursors of a queue are sorted by; of one day, those without a time are first."""
        match cursor.value:
            case None:
                return (True, "", cursor.log_id)
            case str(name):
                return (False, name, cursor.log_id)
            case int(at):
                return (False, self._day(at), True, at, cursor.log_id)
            case day:
                return (False, day, False, 0, cursor.log_id)

    def _start(self, day: date) -> int:
        """The second at which a day begins in the site."""
        return int(start_of(day, self._site.zone).timestamp())

    def _day(self, at: int) -> date:
        """The day that has that second, by the starts of days: so nothing falls between two."""
        day = local(datetime.fromtimestamp(at, UTC), self._site.zone).date()
        if at < self._start(day):
            return day - timedelta(days=1)
        if day < date.max and at >= self._start(day + timedelta(days=1)):
            return day + timedelta(days=1)
        return day

    # -- reading -------------------------------------------------------------------------------

    def _entries(self, keys: list[Cursor]) -> list[Entry]:
        rows = self._rows(self._logs([key.log_id for key in keys])) if keys else []
        logs = {log.log_id: log for log in map(LOGS.load, rows)}
        return [Entry(logs[key.log_id], key) for key in keys]

    def _logs(self, log_ids: list[int]) -> Select[Any]:
        of_site = select(customer_log).where(_log.site == self._site.site)
        return of_site.where(_log.log_id.in_(search.listed(log_ids)))

    def _numbers(self, parts: dict[K, list[list[_Condition]]]) -> dict[K, int]:
        """How many logs meet these conditions, for each name; `COUNTED` + 1: or more."""
        is_any_of = _log.status.in_(self._statuses)
        counts = []
        for some in parts.values():
            every = union_all(*(select(_log.log_id).where(*part, is_any_of) for part in some))
            most = every.limit(COUNTED + 1).subquery()
            counts.append(select(func.count()).select_from(most).scalar_subquery())
        return dict(zip(parts, self._rows(select(*counts))[0], strict=True))

    def _one(self, statement: Select[Any]) -> Sequence[Any] | None:
        return next(iter(self._rows(statement)), None)


def _is(key: str, name: str | None) -> _Condition:
    """Whether a text is that one, in whatever case; None: whether there is none."""
    column = _log[f"{key}_folded"]
    return column.is_(None) if name is None else column == fold(name)


def _is_beside(key: str, name: str | None) -> _Condition:
    """The same, but not by the text's own index, which would read each log for its date."""
    return func.coalesce(_log[f"{key}_folded"], "") == ("" if name is None else fold(name))


def _beyond(column: ColumnElement[Any], cursor: Cursor, *, falls: bool) -> _Condition:
    """Whether a log is later than a cursor, or earlier if it falls, by a column and the LogID."""
    pair, end = tuple_(column, _log.log_id), tuple_(cursor.value, cursor.log_id)
    return pair < end if falls else pair > end


def _beyond_name(cursor: Cursor, *, back: bool) -> _Condition:
    """Whether a log is beyond a cursor by the customer's name; those without one are last."""
    number, value = cursor.log_id, cursor.value
    beyond = _log.log_id < number if back else _log.log_id > number
    if value is None:
        return or_(_name.is_not(None), beyond) if back else and_(_name.is_(None), beyond)
    same = and_(_name == value, beyond)
    return or_(_name < value, same) if back else or_(_name > value, _name.is_(None), same)
