"""What the panel asks beside the queue: of customers, and of the names that logs have."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    Select,
    and_,
    func,
    literal,
    null,
    select,
    tuple_,
)

from recontact.model import Customer, CustomerLog, CustomerRevision, Revision, Site, finds
from recontact.store import search, tables
from recontact.store.tables import (
    CUSTOMER_REVISIONS,
    CUSTOMERS,
    HAS_NEXT_STEP,
    LOGS,
    REVISIONS,
    customer,
    customer_log,
)
from recontact.values import Status

SEARCHED_DETAILS: Final = (
    "bill_first_name",
    "bill_last_name",
    "bill_company",
    "ship_first_name",
    "ship_last_name",
    "ship_company",
    "email_address",
    "secondary_email_address",
    "bill_phone",
    "ship_phone",
)
"""The details of a customer that are looked into for words, beside the username."""

CALLED: Final = ("bill_first_name", "bill_last_name", "bill_company", "bill_phone", "ship_phone")
"""The details by which people call a customer, in both senses."""

_PIECE_IN_SHORT: Final = 100
"""Customers that are read at once for those; the rest of them may be 100,000 characters each."""
_PIECE: Final = 500
_LOOKED_AT: Final = 5_000
"""Customers that may have the words, and are looked at for one page: 0.2 s among 70,000."""
_LOGS: Final = 2_000
"""Logs of a customer, the newest, whose revisions are put in one line of time."""

_WALKED: Final = 1_000
"""Customers among whom one step looks for those without a next step."""
NAMES: Final = 200
"""Names that a menu offers at most."""

_one = customer.c
_log = customer_log.c


@dataclass(frozen=True, slots=True)
class Customers:
    """
    Some customers, by username. before, after: usernames to go on from, if there may be more.

    There may be less than a page of them and yet an `after`: so many were looked at, and no more.
    """

    customers: list[Customer]
    before: str | None
    after: str | None


def customers_with(
    words: list[str], cursor: str | None, limit: int, site: Site, rows: search.Rows, *, back: bool
) -> Customers:
    """
    The customers that have all the words, the last one as a beginning; without words, all.

    Those with a folded username beyond `cursor`; with `back`, those before it.
    """
    found, more = _beyond(words, cursor, limit, site, rows, back=back)
    if back and more is None:  # the first page, which is to be a whole one
        return customers_with(words, None, limit, site, rows, back=False)
    end = found[0].username_folded if found else cursor
    if back:
        return Customers(found[::-1], more, end)
    return Customers(found, None if cursor is None else end, more)


def _beyond(
    words: list[str], cursor: str | None, limit: int, site: Site, rows: search.Rows, *, back: bool
) -> tuple[list[Customer], str | None]:
    """So many customers that have the words, and the username to go on from."""
    name = _one.username_folded
    of_site = select(name, _one.username, _one.details).where(_one.site == site.site)
    texts = (_one.username, _one.details)
    of_site = of_site.where(*(search.may_have(word, texts) for word in words))
    of_site = of_site.order_by(name.desc() if back else name)
    found: list[str] = []
    more, piece = cursor, _PIECE if words else limit + 1
    for _ in range(max(1, _LOOKED_AT // piece)):
        beyond = [] if more is None else [name < more if back else name > more]
        some = rows(of_site.where(*beyond).limit(piece))
        for folded, username, details in some:
            if not words or finds(words, _searched(username, details)):
                if len(found) == limit:
                    return _whole(found, site, rows), found[-1]
                found.append(folded)
        if len(some) < piece:
            return _whole(found, site, rows), None
        more = some[-1][0]
    return _whole(found, site, rows), more


def _whole(names: list[str], site: Site, rows: search.Rows) -> list[Customer]:
    """The customers with these folded usernames, in this order."""
    whole = _by_name(names, site, rows)
    return [whole[name] for name in names]


_Texts = msgspec.defstruct("_Texts", [(key, str, "") for key in SEARCHED_DETAILS])
_read_texts = msgspec.json.Decoder(_Texts).decode


def _searched(username: str, details: str) -> str:
    texts = _read_texts(details)
    return "\n".join([username, *(getattr(texts, key) for key in SEARCHED_DETAILS)])


# -- one customer, and some --------------------------------------------------------------------


def customers_in_short(
    names: Collection[str], site: Site, rows: search.Rows
) -> dict[str, Customer]:
    """The customers with these folded usernames, by those, with the details `CALLED` alone."""
    every = list(names)
    found = {}
    for at in range(0, len(every), _PIECE_IN_SHORT):
        for name, one in _by_name(every[at : at + _PIECE_IN_SHORT], site, rows).items():
            called = {key: one.details[key] for key in CALLED if key in one.details}
            found[name] = replace(one, details=called)
    return found


def _by_name(names: Collection[str], site: Site, rows: search.Rows) -> dict[str, Customer]:
    found = rows(select(customer).where(_one.site == site.site, _one.username_folded.in_(names)))
    return {one.username_folded: one for one in map(CUSTOMERS.load, found)}


def next_steps(
    usernames: Collection[str], site: Site, rows: search.Rows
) -> dict[str, list[date | datetime]]:
    """Of each folded username, the first day and the first instant of its open logs."""
    found = rows(
        select(_log.username_folded, func.min(_log.follow_up_day), func.min(_log.follow_up_at))
        .where(_log.site == site.site, _log.username_folded.in_(usernames), HAS_NEXT_STEP)
        .group_by(_log.username_folded)
    )
    return {
        name: [
            *([date.fromisoformat(day)] if day else []),
            *([datetime.fromtimestamp(at, UTC)] if at is not None else []),
        ]
        for name, day, at in found
    }


def logs_of_customer(
    one: Customer, limit: int, site: Site, rows: search.Rows, *, is_open: bool
) -> list[CustomerLog]:
    """The customer's open logs, or those that are Completed; the newest, newest first."""
    is_done = _log.status == Status.COMPLETED
    some = _of(one, site).with_only_columns(customer_log).where(~is_done if is_open else is_done)
    return [LOGS.load(row) for row in rows(some.limit(limit))]


def _of(one: Customer, site: Site) -> Select[Any]:
    """The LogIDs of the customer's logs, newest first."""
    is_theirs = and_(_log.site == site.site, _log.username_folded == one.username_folded)
    return select(_log.log_id).where(is_theirs).order_by(_log.log_id.desc())


@dataclass(frozen=True, slots=True, order=True)
class Moment:
    """Where a revision stands in a line of time: its request, its log (0: none), its number."""

    request: bytes
    log_id: int
    number: int

    @classmethod
    def of(cls, one: Revision | CustomerRevision) -> "Moment":
        """Where that revision stands."""
        return cls(one.request, one.log_id if isinstance(one, Revision) else 0, one.number)

    def write(self) -> str:
        """It as text, for an address; `read` takes it."""
        return f"{self.request.hex()}.{self.log_id}.{self.number}"

    @classmethod
    def read(cls, text: str) -> "Moment | None":
        """The moment that a text names; None: none."""
        request, _, rest = text.partition(".")
        numbers = rest.split(".")
        is_one = len(request) == 32 and len(numbers) == 2
        if not is_one or not all(n.isascii() and n.isdecimal() and len(n) < 11 for n in numbers):
            return None
        try:
            return cls(bytes.fromhex(request), *map(int, numbers))
        except ValueError:
            return None


def happened(
    one: Customer, before: Moment | None, limit: int, site: Site, rows: search.Rows
) -> list[Revision | CustomerRevision]:
    """The revisions of a customer and of their logs, newest first: so many before a moment."""
    row = tables.revision.c
    # Not by itself, or all requests of the site are walked through in the hope of meeting one.
    request = func.coalesce(row.request, literal(b""))
    place = tuple_(request, row.log_id, row.number)
    newest = select(row.log_id, row.number).where(
        row.site == site.site, row.log_id.in_(_of(one, site).limit(_LOGS))
    )
    if before is not None:
        newest = newest.where(place < tuple_(before.request, before.log_id, before.number))
    newest = newest.order_by(request.desc(), row.log_id.desc(), row.number.desc()).limit(limit)
    whole = [
        rows(select(tables.revision).where(
            row.site == site.site, row.log_id == log_id, row.number == number
        ))[0]
        for log_id, number in rows(newest)
    ]  # fmt: skip
    own = tables.customer_revision
    of_customer = select(own).where(own.c.site == site.site, own.c.customer_id == one.customer_id)
    if before is not None:
        place = tuple_(own.c.request, literal(0), own.c.number)
        of_customer = of_customer.where(
            place < tuple_(before.request, before.log_id, before.number)
        )
    theirs = rows(of_customer.order_by(own.c.number.desc()).limit(limit))
    found: list[Revision | CustomerRevision] = [
        *map(REVISIONS.load, whole),
        *map(CUSTOMER_REVISIONS.load, theirs),
    ]
    return sorted(found, key=Moment.of, reverse=True)[:limit]


# -- names, and rows without their texts -----------------------------------------------------------


def without_notes(log_ids: Sequence[int], site: Site, rows: search.Rows) -> list[CustomerLog]:
    """These logs, as many as there are, by LogID; Notes, which may be long, are not read."""
    columns = [null() if column is _log.notes else column for column in customer_log.columns]
    found = select(*columns).where(_log.site == site.site, _log.log_id.in_(search.listed(log_ids)))
    return [LOGS.load(row) for row in rows(found.order_by(_log.log_id))]


def names_in_use(key: str, site: Site, rows: search.Rows) -> list[str]:
    """
    What logs of the site have in `allocated_to` or `follow_up_type`, each name once, as its last
    log has it: by the folded name, the first `NAMES`.

    The index is asked for the next name, and the next: 0.1 ms each, however many logs have it.
    """
    column, folded = _log[key], _log[f"{key}_folded"]
    of_site = _log.site == site.site
    first = select(func.min(folded).label("name")).where(of_site).cte("names", recursive=True)
    then = select(func.min(folded)).where(of_site, folded > first.c.name).scalar_subquery()
    names = first.union_all(select(then).where(first.c.name.is_not(None)))
    last = select(column).where(of_site, folded == names.c.name).order_by(_log.log_id.desc())
    found = select(last.limit(1).scalar_subquery()).where(names.c.name.is_not(None))
    return [name for (name,) in rows(found.limit(NAMES))]


def without_next_step(
    after: int, limit: int, site: Site, rows: search.Rows
) -> tuple[list[Customer], int | None]:
    """
    Customers of whom no open log has a date, by ID: those above `after`; and the ID to go on from.

    So many at most, and of `_WALKED` at most: it may be none, and yet not be all.
    """
    there = select(customer).where(_one.site == site.site, _one.customer_id > after)
    there = there.order_by(_one.customer_id)
    edge = there.with_only_columns(_one.customer_id).limit(1).offset(_WALKED - 1)
    last = next((row[0] for row in rows(edge)), None)
    if last is not None:
        there = there.where(_one.customer_id <= last)
    of_customer = and_(_log.site == _one.site, _log.username_folded == _one.username_folded)
    step = select(_log.log_id).where(of_customer, HAS_NEXT_STEP).exists()
    found = [CUSTOMERS.load(row) for row in rows(there.where(~step).limit(limit + 1))]
    if len(found) > limit:
        return found[:limit], found[limit - 1].customer_id
    return found, last
