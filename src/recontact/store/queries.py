"""What a Get reads: a Query as one SELECT, and the view that runs it on one snapshot."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Table,
    and_,
    false,
    or_,
    select,
    union_all,
)

from recontact.fields import Comparison, local, start_of
from recontact.messages import Condition, Query, RefusedError
from recontact.model import (
    Customer,
    CustomerLog,
    CustomerRevision,
    JournalEntry,
    Revision,
    Site,
    fold,
)
from recontact.store import finding, followups, journal, past, search
from recontact.store.past import CUSTOMERS_PAST, LOGS_PAST, Found, Span, Touched
from recontact.store.tables import CUSTOMERS, LOGS, customer, customer_log, to_seconds
from recontact.values import Status

_log = customer_log.c

MOST_TEXT: Final = 32_000_000
"""Characters that one read takes into memory; an answer holds a few copies of them."""
_FETCHED: Final = 256
"""Rows between two looks at how long they are together."""


def fetched(cursor: Any) -> list[Sequence[Any]]:
    """All rows of a cursor. Raises RefusedError (CL037) past `MOST_TEXT` characters."""
    found: list[Sequence[Any]] = []
    length = 0
    while some := cursor.fetchmany(_FETCHED):
        found += some
        length += sum(len(value) for row in some for value in row if isinstance(value, str))
        if length > MOST_TEXT:
            raise RefusedError(
                "CL037",
                f"Filter: the records of this page have over {MOST_TEXT:,} characters together. "
                "Send a smaller Limit. Nothing was applied.",
            )
    return found


class View:
    """One site as it stood at one moment. now: aware, UTC."""

    def __init__(self, connection: Connection, site: Site, now: datetime) -> None:
        self._connection = connection
        self.site = site
        self.now = now

    def logs(self, query: Query) -> list[CustomerLog]:
        """The logs that meet all conditions of `query`, by LogID, one page of them."""
        return logs_of(query, self.site, self._rows)

    def customers(self, query: Query) -> list[Customer]:
        """The customers that meet all conditions of `query`, by ID, one page of them."""
        page = _page(_CUSTOMERS, query.conditions, self.site, self._rows)
        return [CUSTOMERS.load(row) for row in page(query.limit, query.page * query.limit)]

    def log(self, log_id: int) -> CustomerLog | None:
        """The log with that LogID."""
        return LOGS_PAST.record(self._given, self.site.site, log_id)

    def customer(self, username: str) -> Customer | None:
        """The customer with that username, in whatever case."""
        return past.customer_named(self._given, self.site.site, username)

    def customer_numbered(self, customer_id: int) -> Customer | None:
        """The customer with that ID."""
        return CUSTOMERS_PAST.record(self._given, self.site.site, customer_id)

    def has_logs(self, username: str, but: Collection[int] = ()) -> bool:
        """Whether any log is of that customer, but for those with these LogIDs."""
        return past.has_logs(self._given, self.site.site, username, but)

    def customer_number(self, username: str) -> int | None:
        """The ID of the customer with that username; of those withdrawn, the last that had it."""
        if there := self.customer(username):
            return there.customer_id
        return max(self.customers_named(username), default=None)

    def customers_named(self, username: str) -> list[int]:
        """The IDs of all customers that ever had that username, in whatever case."""
        return past.customers_named(self._given, self.site.site, username)

    def revisions(
        self, log_id: int, before: int | None = None, limit: int = past.ALL
    ) -> list[Revision]:
        """A log's revisions, newest first: those numbered below `before`, so many."""
        return LOGS_PAST.page(self._given, self.site.site, log_id, before, limit)

    def customer_revisions(
        self, customer_id: int, before: int | None = None, limit: int = past.ALL
    ) -> list[CustomerRevision]:
        """A customer's revisions, newest first: those numbered below `before`, so many."""
        return CUSTOMERS_PAST.page(self._given, self.site.site, customer_id, before, limit)

    def life(self, log_id: int) -> Iterator[Revision]:
        """All revisions of a log, oldest first, read piece by piece."""
        return LOGS_PAST.since(self._given, self.site.site, log_id, 1)

    def customer_life(self, customer_id: int) -> Iterator[CustomerRevision]:
        """All revisions of a customer, oldest first, read piece by piece."""
        return CUSTOMERS_PAST.since(self._given, self.site.site, customer_id, 1)

    def made_by(self, request: bytes, limit: int = past.ALL) -> list[Revision | CustomerRevision]:
        """The revisions that a request made, of logs and then of customers, up to so many."""
        of, site, span = self._given, self.site.site, Span(request, request)
        logs = LOGS_PAST.made(of, site, span, limit)
        return [*logs, *CUSTOMERS_PAST.made(of, site, span, limit - len(logs))]

    def touched(self, span: Span) -> list[Touched]:
        """The logs, and then the customers, that a span of requests wrote, by number."""
        return [
            *LOGS_PAST.touched(self._given, self.site.site, span),
            *CUSTOMERS_PAST.touched(self._given, self.site.site, span),
        ]

    def found(self, some: Iterable[Touched]) -> list[Found]:
        """Records that are to be undone, with their revisions since the first chosen one."""
        return past.found(self._given, self.site.site, some)

    def logs_of_customers(
        self, customers: Iterable[Customer], most: int, most_text: int
    ) -> dict[str, list[CustomerLog]] | None:
        """
        All logs of these customers, by LogID, for each folded username.

        None where they are more than `most`, or have more than `most_text` characters of notes.
        """
        found: dict[str, list[CustomerLog]] = {one.username_folded: [] for one in customers}
        names = list(found)
        for some in (names[at : at + 500] for at in range(0, len(names), 500)):
            statement = (
                select(customer_log)
                .where(_log.site == self.site.site, _log.username_folded.in_(some))
                .order_by(_log.username_folded, _log.log_id)
                .limit(most + 1)
            )
            for row in self._connection.execute(statement):  # not all at once: they may be long
                log = LOGS.load(row)
                found[fold(log.username or "")].append(log)
                most -= 1
                most_text -= len(log.notes or "")
                if most < 0 or most_text < 0:
                    return None
        return found

    def queue(self, queue: followups.Queue) -> followups.Reading:
        """What the panel asks of a queue, as it is now."""
        return followups.Reading(queue, self.site, self.now, self._rows)

    def names_in_use(self, key: str) -> list[str]:
        """The names that logs have in `allocated_to` or in `follow_up_type`; see `finding`."""
        return finding.names_in_use(key, self.site, self._rows)

    def customers_of(self, logs: Iterable[CustomerLog]) -> dict[int, Customer]:
        """Whose logs these are, by LogID: customers with what names and reaches them alone."""
        of = {log.log_id: fold(log.username) for log in logs if log.username}
        found = finding.customers_in_short(set(of.values()), self.site, self._rows)
        return {log_id: found[name] for log_id, name in of.items() if name in found}

    def logs_without_notes(self, log_ids: Sequence[int]) -> list[CustomerLog]:
        """The logs with these LogIDs, but for their Notes; see `finding`."""
        return finding.without_notes(log_ids, self.site, self._rows)

    def without_next_step(self, after: int, limit: int) -> tuple[list[Customer], int | None]:
        """Customers above that ID of whom no open log has a date; see `finding`."""
        return finding.without_next_step(after, limit, self.site, self._rows)

    def customers_with(
        self, words: list[str], cursor: str | None, limit: int, *, back: bool = False
    ) -> finding.Customers:
        """Customers with these words, by username, beyond a cursor or before it; see `finding`."""
        return finding.customers_with(words, cursor, limit, self.site, self._rows, back=back)

    def next_steps(self, usernames: Collection[str]) -> dict[str, list[date | datetime]]:
        """The first day and the first instant that open logs of customers have; see `finding`."""
        return finding.next_steps(usernames, self.site, self._rows)

    def logs_of_customer(self, one: Customer, limit: int, *, is_open: bool) -> list[CustomerLog]:
        """The newest of the customer's logs that are open, or that are not."""
        return finding.logs_of_customer(one, limit, self.site, self._rows, is_open=is_open)

    def happened(
        self, one: Customer, before: finding.Moment | None, limit: int
    ) -> list[Revision | CustomerRevision]:
        """The revisions of a customer and of their logs, newest first; see `finding`."""
        return finding.happened(one, before, limit, self.site, self._rows)

    def journal_entries(self, wanted: journal.Wanted, limit: int) -> list[JournalEntry]:
        """The newest entries of the journal that are wanted, newest first, without bodies."""
        return journal.entries(self._connection, self.site, wanted, limit)

    def journal_entry(self, request: bytes) -> JournalEntry | None:
        """The journal's entry of a request, with the bodies that are kept, unpacked."""
        return journal.entry(self._connection, self.site, request)

    def requests(self, digits: str, limit: int) -> list[bytes]:
        """The ids of requests in the journal that begin with these hexadecimal digits."""
        return journal.beginning_with(self._connection, self.site, digits, limit)

    def _rows(self, statement: Executable) -> Sequence[Sequence[Any]]:
        return fetched(self._connection.execute(statement))

    def _given(self, statement: Executable, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement, values).fetchall()


def logs_of(query: Query, site: Site, rows: search.Rows) -> list[CustomerLog]:
    """
    The logs that meet all conditions of `query`, by LogID, one page of them.

    rows: reads from one snapshot.
    """
    words = [c.values[0] for c in query.conditions if c.comparison is Comparison.SEARCH]
    others = [c for c in query.conditions if c.comparison is not Comparison.SEARCH]
    page = _page(_LOGS, others, site, rows)
    offset = query.page * query.limit
    if not words:
        return [LOGS.load(row) for row in page(query.limit, offset)]
    met = [_meets(condition, customer_log, site) for condition in others]
    asked = search.Asked(site, words[0], _after(others), met, query.limit, offset)
    return [LOGS.load(row) for row in search.page_of(asked, page, rows)]


@dataclass(frozen=True, slots=True, eq=False)
class Numbered:
    """A table of records in the order of their numbers. dates: those that have an index."""

    table: Table
    number: ColumnElement[Any]
    dates: tuple[str, ...]


_LOGS: Final = Numbered(
    customer_log,
    _log.log_id,
    ("date_required_follow_up", "date_updated", "date_added", "last_contacted"),
)
_CUSTOMERS: Final = Numbered(customer, customer.c.customer_id, ("date_updated", "date_added"))

WALKED: Final = 5_000
"""Numbers that a walk goes through before it gives up."""


def _page(
    of: Numbered, conditions: Sequence[Condition], site: Site, rows: search.Rows
) -> Callable[[int, int], Sequence[Sequence[Any]]]:
    """
    What gives the rows that meet the conditions, by number: so many, from such an offset.

    Of a range of dates nobody knows beforehand how many records it leaves. Where they are many, a
    walk by number soon has its page (1 ms), and to sort them all takes 90 ms of a million; where
    they are few, the walk reads all records to find them (150 ms), and their index has them at
    once. So the walk goes first, a few steps.
    """
    is_in_site = of.table.c.site == site.site
    met = [_meets(condition, of.table, site) for condition in conditions]
    of_site = select(of.table).where(is_in_site).order_by(of.number)
    key = next((key for key in of.dates if any(_is_range(c, key) for c in conditions)), "")

    def walk(limit: int, offset: int, *within: ColumnElement[bool]) -> Sequence[Sequence[Any]]:
        return rows(of_site.where(*met, *within).limit(limit).offset(offset))

    def walk_or_seek(limit: int, offset: int) -> Sequence[Sequence[Any]]:
        walked = walk(limit, offset, of.number <= _after(conditions) + WALKED)
        if len(walked) == limit:
            return walked
        ranges = [_bounds(c, of.table, site) for c in conditions if _is_range(c, key)]
        rest = [_meets(c, of.table, site) for c in conditions if not _is_range(c, key)]
        if key == "date_required_follow_up" and not any(c.key == "status" for c in conditions):
            rest.append(_log.status.in_(list(Status)))  # their index begins with it
        # A follow-up is on a day or at an instant, in an index each.
        arms = [
            select(of.number.label("number")).where(is_in_site, *bounds, *rest)
            for bounds in zip(*ranges, strict=True)
        ]
        found = union_all(*arms).subquery().c.number
        # + 0, or SQLite takes the order for a reason to walk after all.
        page = select(found).order_by(found + 0).limit(limit).offset(offset)
        return rows(of_site.where(of.number.in_(page)))

    return walk_or_seek if key else walk


def _is_range(condition: Condition, key: str) -> bool:
    """Whether a condition bounds that date; sent empty, it asks for none."""
    return condition.key == key and condition.values != (None,)


def _after(conditions: Sequence[Condition]) -> int:
    """The number above which records are wanted."""
    return next((c.values[0] for c in conditions if c.comparison is Comparison.AFTER), 0)


def _meets(condition: Condition, table: Table, site: Site) -> ColumnElement[bool]:
    if condition.comparison is Comparison.IS:
        return _is_any_of(condition.key, table, condition.values)
    if condition.values != (None,):
        return or_(*_bounds(condition, table, site))
    if condition.key == "date_required_follow_up":
        return and_(_log.follow_up_day.is_(None), _log.follow_up_at.is_(None))
    return table.c[condition.key].is_(None)


def _bounds(condition: Condition, table: Table, site: Site) -> tuple[ColumnElement[bool], ...]:
    """Whether a column is on the right side of a value; of a follow-up, either of its two."""
    beyond, value = _BEYOND[condition.comparison], condition.values[0]
    if condition.key == "date_required_follow_up":
        return _due(condition.comparison, value, site)
    if isinstance(value, date):
        value = to_seconds(value if isinstance(value, datetime) else start_of(value, site.zone))
    return (beyond(table.c[condition.key], value),)


_BEYOND: Final[dict[Comparison, Callable[[Any, Any], ColumnElement[bool]]]] = {
    Comparison.AFTER: lambda column, value: column > value,
    Comparison.FROM: lambda column, value: column >= value,
    Comparison.TO: lambda column, value: column <= value,
}


def _is_any_of(key: str, table: Table, values: Sequence[Any]) -> ColumnElement[bool]:
    column = table.c.get(f"{key}_folded")
    if column is None:
        column = table.c[key]
        # A boolean is kept as a small integer.
        some = [int(one) if isinstance(one, bool) else one for one in values if one is not None]
    else:
        some = [fold(value) for value in values if value is not None]
    # Older SQLite takes 32,766 values in a statement; JSON is one.
    conditions = [column.in_(search.listed(some) if len(some) > 100 else some)] if some else []
    if len(some) < len(values):
        conditions.append(column.is_(None))
    return or_(*conditions)


def _due(
    comparison: Comparison, value: date | datetime, site: Site
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """
    Whether a follow-up is from or up to `value`, both included: on a day, and at an instant.

    A day counts from its start in the site's zone, whether it is the log's or the filter's.
    """
    if not isinstance(value, datetime):
        moment, day = start_of(value, site.zone), value
    else:
        moment, day = value, local(value, site.zone).date()
        # From a moment after a day's start, that day has begun too early to count.
        if comparison is Comparison.FROM and start_of(day, site.zone) < moment:
            if day == date.max:
                return false(), and_(
                    _log.follow_up_day.is_(None), _log.follow_up_at >= to_seconds(moment)
                )
            day += timedelta(days=1)
    beyond = _BEYOND[comparison]
    return (
        beyond(_log.follow_up_day, day.isoformat()),
        and_(_log.follow_up_day.is_(None), beyond(_log.follow_up_at, to_seconds(moment))),
    )
