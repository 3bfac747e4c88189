"""The schema, once for SQLite and PostgreSQL; and how each record is kept in its table."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Final, Generic, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from recontact.fields import CUSTOMER_DETAILS, CUSTOMER_LOG, is_instant
from recontact.model import (
    ERASED,
    Customer,
    CustomerLog,
    CustomerRevision,
    JournalEntry,
    Repeatable,
    Revision,
    fold,
)
from recontact.values import Status, WireType
from recontact.values import Text as TextType

SCHEMA_REVISION: Final = "0005"
"""The Alembic revision that these tables are; a test compares it with the migrations."""

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_by_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_name)s",
    }
)

# Small reference tables, named ones first: they alone have a key that does not begin with the site.

site = Table(
    "site",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("name", String(100), nullable=False),
    Column("zone", String(64), nullable=False),
    Column("cors_origins", Text, nullable=False, server_default=""),
    Column("next_log_id", BigInteger, nullable=False, server_default=text("1")),
    Column("created_at", BigInteger, nullable=False),
    Column("dialect", String(12), nullable=False, server_default="documented"),
    Column("next_customer_id", BigInteger, nullable=False, server_default=text("1")),
    Column("follow_up_types", Text, nullable=False, server_default="Phone\nEmail\nSMS\nVisit"),
)

key = Table(
    "key",
    metadata,
    Column("key_id", Integer, primary_key=True),
    Column("site", ForeignKey("site.site"), nullable=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("hint", String(16), nullable=False),
    Column("username", Text),
    Column("may", String(20), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("last_used_at", BigInteger),
)

# Who works in the panel, who is signed in, and links that make a site's first login. See `staff`.
staff = Table(
    "staff",
    metadata,
    Column("staff_id", Integer, primary_key=True, autoincrement=False),
    Column("site", ForeignKey("site.site"), nullable=False),
    Column("username", Text, nullable=False),
    Column("username_folded", Text, nullable=False),
    Column("role", String(10), nullable=False),
    Column("password", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("last_login_at", BigInteger),
    UniqueConstraint("site", "username_folded"),
)

session = Table(
    "session",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("staff_id", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", Text, nullable=False),
    # A form that was filled in before the login, and the page that shows it.
    Column("kept_path", Text),
    Column("kept", Text),
    Index(None, "staff_id"),
    sqlite_with_rowid=False,
)

setup = Table(
    "setup",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary(32), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Data tables: every key begins with the site, so that a distributed PostgreSQL can spread sites.
# Without rowid, SQLite keeps a row in its key's own tree: one tree to write in place of two.

HAS_NEXT_STEP: Final = text(
    "status <> 'Completed' AND (follow_up_day IS NOT NULL OR follow_up_at IS NOT NULL)"
)
"""Whether a log is open and has a date: in these words the index is found that has only those."""

customer_log = Table(
    "customer_log",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("log_id", BigInteger, primary_key=True, autoincrement=False),
    # Text has no length here: the field table has the limits, and counts a CRLF as one character.
    # Filters compare the folded form, so that both databases agree.
    Column("allocated_to", Text),
    Column("allocated_to_folded", Text),
    Column("follow_up_type", Text),
    Column("follow_up_type_folded", Text),
    Column("username", Text),
    Column("username_folded", Text),
    Column("customer_name", Text),
    Column("customer_name_folded", Text),
    Column("last_contacted", BigInteger),
    # A follow-up is on a day of the site (YYYY-MM-DD) or at an instant (seconds), never both: a
    # day's instant changes with the site's zone.
    Column("follow_up_day", String(10)),
    Column("follow_up_at", BigInteger),
    Column("status", Text, nullable=False),
    Column("notes", Text),
    Column("date_added", BigInteger, nullable=False),
    Column("date_updated", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index(None, "site", "allocated_to_folded", "log_id"),
    Index(None, "site", "status", "log_id"),
    Index(None, "site", "last_contacted"),
    Index(None, "site", "date_added"),
    # What a client that keeps in step asks for; and Completed in the panel, with its filters.
    Index(
        "customer_log_by_site_date_updated",
        "site",
        "date_updated",
        "log_id",
        "status",
        "allocated_to_folded",
        "follow_up_type_folded",
    ),
    # Days and, of logs without one, instants; with all that the panel's queue filters and sorts by.
    Index(
        "customer_log_by_site_status_follow_up_day",
        "site",
        "status",
        "follow_up_day",
        "follow_up_at",
        "log_id",
        "allocated_to_folded",
        "follow_up_type_folded",
        "customer_name_folded",
    ),
    Index(
        "customer_log_open_by_site_username_folded",
        "site",
        "username_folded",
        sqlite_where=HAS_NEXT_STEP,
        postgresql_where=HAS_NEXT_STEP,
    ),
    Index(None, "site", "username_folded", "log_id"),  # the logs of a customer
    Index(None, "site", "customer_name_folded", "log_id"),
    Index(None, "site", "follow_up_type_folded", "log_id"),
    sqlite_with_rowid=False,
)

# By the name that calls give; an ID finds it by the index. Only what filters ask for has a column.
customer = Table(
    "customer",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("username_folded", Text, primary_key=True),
    Column("customer_id", BigInteger, nullable=False),
    Column("username", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("type", Text),
    Column("active", SmallInteger, nullable=False),
    Column("on_credit_hold", SmallInteger, nullable=False),
    Column("newsletter_subscriber", SmallInteger, nullable=False),
    Column("email_address_folded", Text),
    Column("bill_company_folded", Text),
    Column("bill_state_folded", Text),
    Column("user_group_folded", Text),
    Column("date_added", BigInteger, nullable=False),
    Column("date_updated", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index(None, "site", "customer_id", unique=True),
    Index(None, "site", "email_address_folded", "customer_id"),
    Index(None, "site", "date_added"),
    Index(None, "site", "date_updated"),
    sqlite_with_rowid=False,
)


def _revision_table(name: str, number: str) -> Table:
    """The revisions of the records that `number` numbers."""
    return Table(
        name,
        metadata,
        Column("site", Integer, primary_key=True, autoincrement=False),
        Column(number, BigInteger, primary_key=True, autoincrement=False),
        Column("number", BigInteger, primary_key=True, autoincrement=False),
        Column("at", BigInteger, nullable=False),
        Column("key_id", Integer),
        Column("request", LargeBinary(16), nullable=False),
        Column("changes", Text, nullable=False),
        Column("who", Text),
        # Requests are numbered by time, so new rows come at its end.
        Index(None, "site", "request", "key_id"),
        sqlite_with_rowid=False,
    )


revision = _revision_table("revision", "log_id")
customer_revision = _revision_table("customer_revision", "customer_id")

# Logs that changed since the index of the search saw them: see `search`. was: the text that the
# index has of the log; NULL: it has none. words: of the log as it is, with a blank before and after
# each; NULL: to be made.
search_pending = Table(
    "search_pending",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("log_id", BigInteger, primary_key=True, autoincrement=False),
    Column("was", Text),
    Column("words", Text),
    sqlite_with_rowid=False,
)

# One row: who made the index of the search, see `search.made_by`.
search_index = Table("search_index", metadata, Column("made_by", String(60), primary_key=True))

journal = Table(
    "journal",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("request", LargeBinary(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("key_id", Integer, nullable=False),
    Column("action", String(40), nullable=False),
    Column("format", String(10), nullable=False),
    Column("address", String(64), nullable=False),
    Column("http_status", SmallInteger, nullable=False),
    Column("ack", String(10), nullable=False),
    Column("items", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("warnings", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("duration_us", BigInteger, nullable=False),
    Column("passed_over", Text),
    Column("request_length", BigInteger, nullable=False),
    Column("request_hash", LargeBinary(32)),
    Column("mode", String(40)),
    Column("who", Text),
    sqlite_with_rowid=False,
)

# Apart from the journal, so that lists read narrow rows. A body is raw, or zlib: see `packed`.
# With rowid: in a key's own tree, rows of some kilobytes leave pages half empty (measured: +13 %).
journal_body = Table(
    "journal_body",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("request", LargeBinary(16), primary_key=True),
    Column("packed", SmallInteger, nullable=False),  # 1: the request is, 2: the answer is, 3: both
    Column("request_body", LargeBinary),
    Column("answer_body", LargeBinary),
)

# What an Idempotency-Key stands for; the journal has the answer. fingerprint: empty: erased.
idempotency = Table(
    "idempotency",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Integer, primary_key=True, autoincrement=False),
    Column("idempotency_key", Text, primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("request", LargeBinary(16), nullable=False),
    Index(None, "site", "request"),
    sqlite_with_rowid=False,
)

# Queues that a person wants at hand: what stands behind the ? of their address.
saved_view = Table(
    "saved_view",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("staff_id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("address", Text, nullable=False),
    sqlite_with_rowid=False,
)

REFERENCE_TABLES: Final = frozenset({"site", "key", "staff", "session", "setup", "search_index"})


# -- values ------------------------------------------------------------------------------------


def to_seconds(moment: datetime | None) -> int | None:
    """Seconds since 1970 of an aware time: how every instant is stored."""
    return None if moment is None else int(moment.timestamp())


def to_instant(seconds: int | None) -> datetime | None:
    """The aware time, in UTC, of stored seconds."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def request_at(moment: datetime) -> bytes:
    """What the ids of requests before that moment are below: a UUIDv7 begins with milliseconds."""
    return max(0, int(moment.timestamp() * 1000)).to_bytes(6, "big") + bytes(10)


def folded(value: str | None) -> str | None:
    """A text as filters compare it, or none."""
    return None if value is None else fold(value)


# -- records -----------------------------------------------------------------------------------

R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Kept(Generic[R]):
    """
    How one kind of record is kept: its table, the attributes of its key, and both directions.

    dump: the row, by column name. load: the record, of a row in the table's column order.
    merge: what two records of one key come to; without, the later one counts. new: for those with
    `merge`, the columns that a row which is there already takes over.
    """

    table: Table
    key: tuple[str, ...]
    dump: Callable[[R], dict[str, Any]]
    load: Callable[[Sequence[Any]], R]
    merge: Callable[[R, R], R] | None = None
    new: tuple[str, ...] = ()


def _dump_log(log: CustomerLog) -> dict[str, Any]:
    due = log.date_required_follow_up
    instant = due is not None and is_instant(due)
    return {
        "site": log.site,
        "log_id": log.log_id,
        "allocated_to": log.allocated_to,
        "allocated_to_folded": folded(log.allocated_to),
        "follow_up_type": log.follow_up_type,
        "follow_up_type_folded": folded(log.follow_up_type),
        "username": log.username,
        "username_folded": folded(log.username),
        "customer_name": log.customer_name,
        "customer_name_folded": folded(log.customer_name),
        "last_contacted": to_seconds(log.last_contacted),
        "follow_up_day": None if due is None or instant else due.isoformat(),
        "follow_up_at": to_seconds(due) if isinstance(due, datetime) else None,
        "status": log.status.value,
        "notes": log.notes,
        "date_added": to_seconds(log.date_added),
        "date_updated": to_seconds(log.date_updated),
        "revision": log.revision,
    }


def _load_log(row: Sequence[Any]) -> CustomerLog:
    (
        site, log_id, allocated_to, _, follow_up_type, _, username, _, customer_name, _,
        last_contacted, day, at, status, notes, added, updated, number,
    ) = row  # fmt: skip
    return CustomerLog(
        site=site,
        log_id=log_id,
        allocated_to=allocated_to,
        follow_up_type=follow_up_type,
        username=username,
        customer_name=customer_name,
        last_contacted=to_instant(last_contacted),
        date_required_follow_up=date.fromisoformat(day) if day else to_instant(at),
        status=Status(status),
        notes=notes,
        date_added=datetime.fromtimestamp(added, UTC),
        date_updated=datetime.fromtimestamp(updated, UTC),
        revision=number,
    )


LOGS: Final = Kept(customer_log, ("site", "log_id"), _dump_log, _load_log)


_to_json = msgspec.json.Encoder().encode
Types = dict[str, WireType]

_DETAIL_TYPES: Final[Types] = {key: wire.type for key, wire in CUSTOMER_DETAILS.items()}
_LOG_TYPES: Final[Types] = {field.key: field.wire.type for field in CUSTOMER_LOG.values()}
_CUSTOMER_TYPES: Final[Types] = _DETAIL_TYPES | {"username": TextType(25)}


def _text_of(types: Types, key: str, value: Any) -> str | None:
    """A value as answers write it: whoever reads the database by hand reads the API's words."""
    return None if value is None else types[key].write(value)


def _value_of(types: Types, key: str, text: str | None) -> Any:
    """The typed value of a stored text; limits of text do not apply to what was once taken."""
    if text is None or isinstance(types[key], TextType):
        return text
    return ERASED if text == ERASED else types[key].read(text)


def _dump_customer(customer: Customer) -> dict[str, Any]:
    of = customer.details.get
    details = {key: _text_of(_DETAIL_TYPES, key, value) for key, value in customer.details.items()}
    return {
        "site": customer.site,
        "username_folded": customer.username_folded,
        "customer_id": customer.customer_id,
        "username": customer.username,
        "details": _to_json(details).decode(),
        "type": _text_of(_DETAIL_TYPES, "type", of("type")),
        "active": int(of("active", False)),
        "on_credit_hold": int(of("on_credit_hold", False)),
        "newsletter_subscriber": int(of("newsletter_subscriber", False)),
        "email_address_folded": folded(of("email_address")),
        "bill_company_folded": folded(of("bill_company")),
        "bill_state_folded": folded(of("bill_state")),
        "user_group_folded": folded(of("user_group")),
        "date_added": to_seconds(customer.date_added),
        "date_updated": to_seconds(customer.date_updated),
        "revision": customer.revision,
    }


def _load_customer(row: Sequence[Any]) -> Customer:
    site, _, customer_id, username, details, *_, added, updated, number = row
    return Customer(
        site=site,
        customer_id=customer_id,
        username=username,
        details={
            key: _value_of(_DETAIL_TYPES, key, text)
            for key, text in msgspec.json.decode(details).items()
            if key in _DETAIL_TYPES  # a newer release may know more
        },
        date_added=datetime.fromtimestamp(added, UTC),
        date_updated=datetime.fromtimestamp(updated, UTC),
        revision=number,
    )


CUSTOMERS: Final = Kept(customer, ("site", "username_folded"), _dump_customer, _load_customer)


V = TypeVar("V", Revision, CustomerRevision)


def _revisions(table: Table, record: Callable[..., V], number: str, types: Types) -> Kept[V]:
    """How revisions are kept of records that `number` numbers."""

    def dump(one: V) -> dict[str, Any]:
        changes = {
            key: tuple(_text_of(types, key, value) for value in pair)
            for key, pair in one.changes.items()
        }
        return {
            "site": one.site,
            number: getattr(one, number),
            "number": one.number,
            "at": to_seconds(one.at),
            "key_id": one.key_id,
            "request": one.request,
            "changes": _to_json(changes).decode(),
            "who": one.who,
        }

    def load(row: Sequence[Any]) -> V:
        *key, at, key_id, request, changes, who = row
        typed = {
            key: (_value_of(types, key, old), _value_of(types, key, new))
            for key, (old, new) in msgspec.json.decode(changes).items()
        }
        return record(*key, datetime.fromtimestamp(at, UTC), key_id, request, typed, who)

    return Kept(table, ("site", number, "number"), dump, load)


REVISIONS: Final = _revisions(revision, Revision, "log_id", _LOG_TYPES)
CUSTOMER_REVISIONS: Final = _revisions(
    customer_revision, CustomerRevision, "customer_id", _CUSTOMER_TYPES
)


IDEMPOTENCY: Final = Kept(
    idempotency,
    ("site", "key_id", "idempotency_key"),
    msgspec.structs.asdict,
    lambda row: Repeatable(*row),
    # A call that met a key which is over may find its row swept away since.
    merge=lambda _before, last: last,
    new=("fingerprint", "request"),
)


@dataclass(frozen=True, slots=True)
class Pending:
    """
    A log that the index of the search has yet to see.

    was: the text that the index has, or None for a new log. words: the log's own, as `search` keeps
    them.
    """

    site: int
    log_id: int
    was: str | None
    words: str


PENDING: Final = Kept(
    search_pending,
    ("site", "log_id"),
    lambda one: {"site": one.site, "log_id": one.log_id, "was": one.was, "words": one.words},
    lambda row: Pending(*row),
    merge=lambda first, last: replace(first, words=last.words),
    new=("words",),
)


@dataclass(frozen=True, slots=True)
class Counter:
    """The site's counters: the LogID that its next log gets, and the ID of its next customer."""

    site: int
    next_log_id: int
    next_customer_id: int


COUNTERS: Final = Kept(
    site,
    ("site",),
    lambda counter: {
        "site": counter.site,
        "next_log_id": counter.next_log_id,
        "next_customer_id": counter.next_customer_id,
    },
    lambda row: Counter(row[0], row[4], row[7]),
)


KEY_USES: Final[Kept[dict[str, Any]]] = Kept(key, ("key_id",), dict, lambda row: {})
"""Written only: when a key was last used."""


def dump_journal(entry: JournalEntry) -> dict[str, Any]:
    """The row of the narrow journal."""
    return {
        "site": entry.site,
        "request": entry.request,
        "at": int(entry.at.timestamp() * 1000),
        "key_id": entry.key_id,
        "action": entry.action,
        "format": entry.format,
        "address": entry.address,
        "http_status": entry.http_status,
        "ack": entry.ack,
        "items": entry.items,
        "errors": entry.errors,
        "warnings": entry.warnings,
        "changed": entry.changed,
        "duration_us": int(entry.duration * 1_000_000),
        "passed_over": "\n".join(entry.passed_over) or None,
        "request_length": entry.request_length,
        "request_hash": entry.request_hash,
        "mode": entry.mode or None,
        "who": entry.who,
    }


@dataclass(frozen=True, slots=True)
class Tally:
    """What an entry of the journal says that its call did, where that goes on after it."""

    site: int
    request: bytes
    changed: int
    warnings: int
    ack: str


_TALLIED: Final = [journal.columns.keys().index(name) for name in ("changed", "warnings", "ack")]
TALLIES: Final = Kept(
    journal,
    ("site", "request"),
    dataclasses.asdict,
    lambda row: Tally(row[0], row[1], *(row[at] for at in _TALLIED)),
)


def load_journal(row: Sequence[Any]) -> JournalEntry:
    """The entry, without bodies, of a row of the narrow journal in its columns' order."""
    (
        site, request, at, key_id, action, format, address, http_status, ack, items, errors,
        warnings, changed, duration, passed_over, length, request_hash, mode, who,
    ) = row  # fmt: skip
    return JournalEntry(
        site=site,
        request=request,
        at=datetime.fromtimestamp(at / 1000, UTC),
        key_id=key_id,
        action=action,
        format=format,
        address=address,
        http_status=http_status,
        ack=ack,
        items=items,
        errors=errors,
        warnings=warnings,
        changed=changed,
        duration=duration / 1_000_000,
        passed_over=tuple(passed_over.split("\n")) if passed_over else (),
        request_length=length,
        request_hash=request_hash,
        mode=mode or "",
        who=who,
    )


def dump_bodies(entry: JournalEntry) -> dict[str, Any]:
    """The row of the bodies."""
    return {
        "site": entry.site,
        "request": entry.request,
        "packed": entry.packed,
        "request_body": entry.request_body,
        "answer_body": entry.answer_body,
    }
