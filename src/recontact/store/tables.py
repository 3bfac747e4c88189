"""The schema, once for SQLite and PostgreSQL; and how each record is kept in its table."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    text,
)

from recontact.fields import CUSTOMER_LOG, is_instant
from recontact.model import CustomerLog, JournalEntry, Revision, fold
from recontact.values import Status
from recontact.values import Text as TextType

SCHEMA_REVISION: Final = "0001"
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

# Data tables: every key begins with the site, so that a distributed PostgreSQL can spread sites.
# Without rowid, SQLite keeps a row in its key's own tree: one tree to write in place of two.

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
    Index(None, "site", "date_updated"),  # what a client that keeps in step asks for
    Index(None, "site", "follow_up_day"),
    Index(None, "site", "follow_up_at"),
    sqlite_with_rowid=False,
)

revision = Table(
    "revision",
    metadata,
    Column("site", Integer, primary_key=True, autoincrement=False),
    Column("log_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("key_id", Integer),
    Column("request", LargeBinary(16), nullable=False),
    Column("changes", Text, nullable=False),
    sqlite_with_rowid=False,
)

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

REFERENCE_TABLES: Final = frozenset({"site", "key"})


# -- values ------------------------------------------------------------------------------------


def to_seconds(moment: datetime | None) -> int | None:
    """Seconds since 1970 of an aware time: how every instant is stored."""
    return None if moment is None else int(moment.timestamp())


def to_instant(seconds: int | None) -> datetime | None:
    """The aware time, in UTC, of stored seconds."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


FOLDED: Final = ("allocated_to", "follow_up_type", "username", "customer_name")


# -- records -----------------------------------------------------------------------------------

R = TypeVar("R")


@dataclass(frozen=True, slots=True, eq=False)
class Kept(Generic[R]):
    """
    How one kind of record is kept: its table, the attributes of its key, and both directions.

    dump: the row, by column name. load: the record, of a row in the table's column order.
    """

    table: Table
    key: tuple[str, ...]
    dump: Callable[[R], dict[str, Any]]
    load: Callable[[Sequence[Any]], R]


def _dump_log(log: CustomerLog) -> dict[str, Any]:
    due = log.date_required_follow_up
    instant = due is not None and is_instant(due)
    return {
        "site": log.site,
        "log_id": log.log_id,
        "allocated_to": log.allocated_to,
        "allocated_to_folded": fold(log.allocated_to),
        "follow_up_type": log.follow_up_type,
        "follow_up_type_folded": fold(log.follow_up_type),
        "username": log.username,
        "username_folded": fold(log.username),
        "customer_name": log.customer_name,
        "customer_name_folded": fold(log.customer_name),
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


_encode_changes = msgspec.json.Encoder().encode
_TYPES = {field.key: field.wire.type for field in CUSTOMER_LOG.values()}


def _dump_revision(one: Revision) -> dict[str, Any]:
    # Values as answers write them: whoever reads the database by hand reads the API's words.
    changes = {
        key: tuple(None if v is None else _TYPES[key].write(v) for v in pair)
        for key, pair in one.changes.items()
    }
    return {
        "site": one.site,
        "log_id": one.log_id,
        "number": one.number,
        "at": to_seconds(one.at),
        "key_id": one.key_id,
        "request": one.request,
        "changes": _encode_changes(changes).decode(),
    }


def _load_revision(row: Sequence[Any]) -> Revision:
    site, log_id, number, at, key_id, request, changes = row
    return Revision(
        site=site,
        log_id=log_id,
        number=number,
        at=datetime.fromtimestamp(at, UTC),
        key_id=key_id,
        request=request,
        changes={
            key: (_value_of(key, old), _value_of(key, new))
            for key, (old, new) in msgspec.json.decode(changes).items()
        },
    )


def _value_of(key: str, text: str | None) -> Any:
    """The typed value of a stored change; limits of text do not apply to what was once taken."""
    if text is None or isinstance(_TYPES[key], TextType):
        return text
    return _TYPES[key].read(text)


REVISIONS: Final = Kept(revision, ("site", "log_id", "number"), _dump_revision, _load_revision)


@dataclass(frozen=True, slots=True)
class Counter:
    """The site's counter: the LogID that its next log gets."""

    site: int
    next_log_id: int


COUNTERS: Final = Kept(
    site,
    ("site",),
    lambda counter: {"site": counter.site, "next_log_id": counter.next_log_id},
    lambda row: Counter(row[0], row[4]),
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
    }


def dump_bodies(entry: JournalEntry) -> dict[str, Any]:
    """The row of the bodies."""
    return {
        "site": entry.site,
        "request": entry.request,
        "packed": entry.packed,
        "request_body": entry.request_body,
        "answer_body": entry.answer_body,
    }
