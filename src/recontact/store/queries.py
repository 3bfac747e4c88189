"""What a Get reads: a Query as one SELECT, and the view that runs it on one snapshot."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Select,
    Table,
    and_,
    false,
    or_,
    select,
)

from recontact.fields import Comparison, local, start_of
from recontact.messages import Condition, Query
from recontact.model import Customer, CustomerLog, Site, fold
from recontact.store import search
from recontact.store.tables import CUSTOMERS, LOGS, customer, customer_log, to_seconds

_log = customer_log.c


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
        statement = (
            select(customer)
            .where(
                customer.c.site == self.site.site,
                *(_meets(condition, customer, self.site) for condition in query.conditions),
            )
            .order_by(customer.c.customer_id)
            .limit(query.limit)
            .offset(query.page * query.limit)
        )
        return [CUSTOMERS.load(row) for row in self._rows(statement)]

    def logs_of_customers(
        self, customers: Iterable[Customer], most: int
    ) -> dict[str, list[CustomerLog]]:
        """All logs of these customers, by LogID, for each folded username; `most` in all."""
        found: dict[str, list[CustomerLog]] = {one.username_folded: [] for one in customers}
        names = list(found)
        for some in (names[at : at + 500] for at in range(0, len(names), 500)):
            statement = (
                select(customer_log)
                .where(_log.site == self.site.site, _log.username_folded.in_(some))
                .order_by(_log.username_folded, _log.log_id)
                .limit(most)
            )
            for row in self._rows(statement):
                log = LOGS.load(row)
                found[fold(log.username or "")].append(log)
                most -= 1
        return found

    def _rows(self, statement: Executable) -> Sequence[Sequence[Any]]:
        return self._connection.execute(statement).all()


def logs_of(query: Query, site: Site, rows: search.Rows) -> list[CustomerLog]:
    """
    The logs that meet all conditions of `query`, by LogID, one page of them.

    rows: reads from one snapshot.
    """
    met = [
        _meets(condition, customer_log, site)
        for condition in query.conditions
        if condition.comparison is not Comparison.SEARCH
    ]
    wanted = [c for c in query.conditions if c.comparison is Comparison.SEARCH]
    of_site = select(customer_log).where(_log.site == site.site, *met).order_by(_log.log_id)
    if (few := _few_by_date(query, site, rows)) is not None:
        of_site = of_site.where(_log.log_id.in_(few))
    limit, offset = query.limit, query.page * query.limit
    if wanted:
        page = search.page_of(of_site, site, wanted[0].values[0], limit, offset, rows)
    else:
        page = rows(of_site.limit(limit).offset(offset))
    return [LOGS.load(row) for row in page]


FEW: Final = 5_000
_DATES: Final = ("date_required_follow_up", "date_updated", "date_added")
"""The dates that have an index."""


def _few_by_date(query: Query, site: Site, rows: search.Rows) -> Select[Any] | None:
    """
    The LogIDs that a range of dates leaves, where these are few; None where they are not.

    The database cannot know how many a range leaves, and in the order of LogIDs it reads them all
    to find the few (130 ms of a million). Where many are left, a page is soon found in that order.
    """
    for date_key in _DATES:
        ranges = [
            _bounds(condition, customer_log, site)
            for condition in query.conditions
            if condition.key == date_key and condition.values != (None,)
        ]
        left: list[int] = []
        for bounds in zip(*ranges, strict=True):  # on a day, or at an instant: an index each
            some = select(_log.log_id).where(_log.site == site.site, *bounds)
            left += (log_id for (log_id,) in rows(some.limit(FEW)))
        if ranges and len(left) < FEW:
            return search.listed(left)
    return None


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
        some = [value for value in values if value is not None]
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
                return false(), _log.follow_up_at >= to_seconds(moment)
            day += timedelta(days=1)
    beyond = _BEYOND[comparison]
    return (
        beyond(_log.follow_up_day, day.isoformat()),
        beyond(_log.follow_up_at, to_seconds(moment)),
    )
