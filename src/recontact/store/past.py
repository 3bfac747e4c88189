"""Reads revisions: those of a record, those of a request, and all that a key made in a span."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Executable, Integer, and_, bindparam, func, or_, select

from recontact.model import Customer, CustomerLog, CustomerRevision, Revision, fold
from recontact.store import tables
from recontact.store.tables import CUSTOMER_REVISIONS, CUSTOMERS, LOGS, REVISIONS, Kept

R = TypeVar("R", CustomerLog, Customer)
V = TypeVar("V", Revision, CustomerRevision)

Rows = Callable[[Executable, Mapping[str, Any]], Sequence[Sequence[Any]]]
"""Gives the rows of a statement, with values for its parameters, from one snapshot."""

ALL: Final = (1 << 63) - 1
"""Above every number that there is."""
_PIECE: Final = 500
"""Revisions that are read at once, of one record, which may have very many."""


@dataclass(frozen=True, slots=True)
class Span:
    """
    Requests, by their ids: from `since` to `until`, both included; of one key, or of all.

    One request is the span from its id to its id.
    """

    since: bytes
    until: bytes
    key_id: int | None = None

    def has(self, revision: Revision | CustomerRevision) -> bool:
        """Whether one of these requests made the revision."""
        is_within = self.since <= revision.request <= self.until
        return is_within and self.key_id in (None, revision.key_id)


@dataclass(frozen=True, slots=True)
class Touched:
    """
    A record that has chosen revisions.

    first: the number of the oldest of them. count: how many revisions there are from that one on.
    """

    is_log: bool
    number: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Found:
    """
    A record that is to be undone, as it is (None: withdrawn), and its revisions.

    revisions: from the first chosen one to the last, oldest first. added: its first one of all,
    where the record is not there.
    """

    of: Touched
    record: CustomerLog | Customer | None
    revisions: Sequence[Revision | CustomerRevision]
    added: Revision | CustomerRevision | None


class _Past(Generic[R, V]):
    """Of one kind of record: the statements that read its revisions, made once."""

    def __init__(self, records: Kept[R], revisions: Kept[V]) -> None:
        self._records: Kept[R] = records
        self._revisions: Kept[V] = revisions
        self._number = revisions.key[1]
        row, now = revisions.table.c, records.table.c
        of_site = row.site == bindparam("site")
        of_record = and_(of_site, row[self._number] == bindparam("record"))
        newest = select(revisions.table).where(of_record).order_by(row.number.desc())
        self._page = newest.where(row.number < bindparam("before")).limit(bindparam("limit"))
        self._since = (
            select(revisions.table)
            .where(of_record, row.number >= bindparam("first"))
            .order_by(row.number)
            .limit(bindparam("limit"))
        )
        self._record = select(records.table).where(
            now.site == bindparam("site"), now[self._number] == bindparam("record")
        )
        within: list[ColumnElement[bool]] = [
            of_site,
            row.request >= bindparam("since"),
            row.request <= bindparam("until"),
            # With its type, which PostgreSQL cannot tell of NULL.
            or_(bindparam("key_id", type_=Integer).is_(None), row.key_id == bindparam("key_id")),
        ]
        first, every = func.min(row.number), revisions.table.alias().c
        last = (
            select(func.max(every.number))
            .where(every.site == bindparam("site"), every[self._number] == row[self._number])
            .scalar_subquery()
        )
        self._touched = (
            select(row[self._number], first, last - first + 1)
            .where(*within)
            .group_by(row[self._number])
            .order_by(row[self._number])
        )
        self._made = (
            select(revisions.table)
            .where(*within)
            .order_by(row.request, row[self._number], row.number)
            .limit(bindparam("limit"))
        )

    def page(self, rows: Rows, site: int, record: int, before: int | None, limit: int) -> list[V]:
        """Newest first, those numbered below `before`, so many."""
        values = {"site": site, "record": record, "before": before or ALL, "limit": limit}
        return [self._revisions.load(row) for row in rows(self._page, values)]

    def since(self, rows: Rows, site: int, record: int, first: int) -> Iterator[V]:
        """Oldest first, from that number on; read piece by piece."""
        values = {"site": site, "record": record, "first": first, "limit": _PIECE}
        while some := rows(self._since, values):
            yield from map(self._revisions.load, some)
            values["first"] += len(some)

    def record(self, rows: Rows, site: int, record: int) -> R | None:
        """The record as it is; None: it is not there."""
        found = rows(self._record, {"site": site, "record": record})
        return self._records.load(found[0]) if found else None

    def found(self, rows: Rows, site: int, of: Touched) -> Found:
        """A record, and its revisions since the first chosen one."""
        record = self.record(rows, site, of.number)
        added = None if record is not None else self.page(rows, site, of.number, 2, 1)[0]
        return Found(of, record, list(self.since(rows, site, of.number, of.first)), added)

    def touched(self, rows: Rows, site: int, span: Span) -> list[Touched]:
        """The records that a span of requests wrote."""
        is_log = self._number == "log_id"
        return [Touched(is_log, *row) for row in rows(self._touched, _within(site, span))]

    def made(self, rows: Rows, site: int, span: Span, limit: int) -> list[V]:
        """The revisions that a span of requests made."""
        values = _within(site, span) | {"limit": limit}
        return [self._revisions.load(row) for row in rows(self._made, values)]


def _within(site: int, span: Span) -> dict[str, Any]:
    return {"site": site, "since": span.since, "until": span.until, "key_id": span.key_id}


LOGS_PAST: Final = _Past(LOGS, REVISIONS)
CUSTOMERS_PAST: Final = _Past(CUSTOMERS, CUSTOMER_REVISIONS)

_log, _row = tables.customer_log.c, tables.customer_revision.c
_LOGS_OF: Final = (
    select(_log.log_id)
    .where(_log.site == bindparam("site"), _log.username_folded == bindparam("name"))
    .limit(bindparam("limit"))
)
_NAMED: Final = select(tables.customer).where(
    tables.customer.c.site == bindparam("site"),
    tables.customer.c.username_folded == bindparam("name"),
)
_ADDED: Final = (
    select(_row.customer_id, _row.changes)
    .where(_row.site == bindparam("site"), _row.number == 1, _row.customer_id > bindparam("after"))
    .order_by(_row.customer_id)
    .limit(1_000)
)


def found(rows: Rows, site: int, some: Iterable[Touched]) -> list[Found]:
    """Records that are to be undone, with their revisions since the first chosen one."""
    return [(LOGS_PAST if of.is_log else CUSTOMERS_PAST).found(rows, site, of) for of in some]


def has_logs(rows: Rows, site: int, username: str, but: Collection[int]) -> bool:
    """Whether any log is of that customer, but for those with these LogIDs."""
    values = {"site": site, "name": fold(username), "limit": len(but) + 1}
    return any(log_id not in but for (log_id,) in rows(_LOGS_OF, values))


def customer_named(rows: Rows, site: int, username: str) -> Customer | None:
    """The customer with that username, in whatever case."""
    some = rows(_NAMED, {"site": site, "name": fold(username)})
    return CUSTOMERS.load(some[0]) if some else None


def customers_named(rows: Rows, site: int, username: str) -> list[int]:
    """
    The IDs of all customers that ever had that username, also of those that were withdrawn.

    It walks through all that were ever added: some 0.3 s for 100,000.
    """
    wanted, after, ids = fold(username), 0, []
    while some := rows(_ADDED, {"site": site, "after": after}):
        for after, changes in some:
            _, name = msgspec.json.decode(changes, type=_Names).username
            if name is not None and fold(name) == wanted:
                ids.append(after)
    return ids


class _Names(msgspec.Struct):
    username: tuple[str | None, str | None] = (None, None)
