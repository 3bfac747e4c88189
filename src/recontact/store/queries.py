"""What a Get reads: a Query as one SELECT, and the view that runs it on one snapshot."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from recontact.fields import Comparison, local, start_of
from recontact.messages import Condition, Query
from recontact.model import CustomerLog, Site, fold
from recontact.store.tables import FOLDED, LOGS, customer_log, to_seconds

_log = customer_log.c


class View:
    """One site as it stood at one moment. now: aware, UTC."""

    def __init__(self, connection: Connection, site: Site, now: datetime) -> None:
        self._connection = connection
        self.site = site
        self.now = now

    def logs(self, query: Query) -> list[CustomerLog]:
        """The logs that meet all conditions of `query`, by LogID, one page of them."""
        statement = (
            select(customer_log)
            .where(
                _log.site == self.site.site,
                *(_meets(condition, self.site) for condition in query.conditions),
            )
            .order_by(_log.log_id)
            .limit(query.limit)
            .offset(query.page * query.limit)
        )
        return [LOGS.load(row) for row in self._connection.execute(statement)]


def _meets(condition: Condition, site: Site) -> ColumnElement[bool]:
    if condition.comparison is Comparison.AFTER:
        return _BEYOND[Comparison.AFTER](_log.log_id, condition.values[0])
    if condition.comparison is Comparison.IS:
        return _is_any_of(condition.key, condition.values)
    value = condition.values[0]
    if condition.key == "date_required_follow_up":
        return _due(condition.comparison, value, site)
    column = _log[condition.key]
    if value is None:
        return column.is_(None)
    return _BEYOND[condition.comparison](column, to_seconds(value))


_BEYOND: Final[dict[Comparison, Callable[[Any, Any], ColumnElement[bool]]]] = {
    Comparison.AFTER: lambda column, value: column > value,
    Comparison.FROM: lambda column, value: column >= value,
    Comparison.TO: lambda column, value: column <= value,
}


def _is_any_of(key: str, values: Sequence[Any]) -> ColumnElement[bool]:
    column = _log[key]
    if key in FOLDED:
        column = _log[f"{key}_folded"]
        values = [fold(value) for value in values]
    some = [value for value in values if value is not None]
    conditions = [column.in_(some)] if some else []
    if len(some) < len(values):
        conditions.append(column.is_(None))
    return or_(*conditions)


def _due(comparison: Comparison, value: date | datetime | None, site: Site) -> ColumnElement[bool]:
    """
    Whether a follow-up is from or up to `value`, both included.

    A day counts from its start in the site's zone, whether it is the log's or the filter's.
    """
    if value is None:
        return and_(_log.follow_up_day.is_(None), _log.follow_up_at.is_(None))
    if not isinstance(value, datetime):
        moment, day = start_of(value, site.zone), value
    else:
        moment, day = value, local(value, site.zone).date()
        # From a moment after a day's start, that day has begun too early to count.
        if comparison is Comparison.FROM and start_of(day, site.zone) < moment:
            if day == date.max:
                return _log.follow_up_at >= to_seconds(moment)
            day += timedelta(days=1)
    beyond = _BEYOND[comparison]
    return or_(
        beyond(_log.follow_up_day, day.isoformat()), beyond(_log.follow_up_at, to_seconds(moment))
    )
