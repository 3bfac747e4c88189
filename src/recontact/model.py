"""
CustomerLog, Revision and JournalEntry, and what a change does to them.

Records are msgspec Structs: a frozen dataclass of 13 fields takes 3 us to make and 5 us to replace,
a Struct a tenth of that, and each call makes half a dozen.
"""

import unicodedata
import zlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from recontact.fields import Changes
from recontact.values import Status


class CustomerLog(Struct, frozen=True):
    """
    One record of contact with a customer. None: the element has no value.

    Times are aware, in UTC, to the second. `date_required_follow_up` is a `date` for a calendar
    day of the site and a `datetime` for an instant. `revision` counts its writes from 1.
    """

    site: int
    log_id: int
    allocated_to: str | None
    follow_up_type: str | None
    username: str | None
    customer_name: str | None
    last_contacted: datetime | None
    date_required_follow_up: date | datetime | None
    status: Status
    notes: str | None
    date_added: datetime
    date_updated: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Site:
    """One shop: its number, its name, its IANA time zone, and the origins that CORS lets in."""

    site: int
    name: str
    zone: ZoneInfo
    cors_origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Key:
    """
    What lets an integration in. The key itself is not kept: `hint` is its first characters.

    username: of a user's key; None for a site-wide one. may: of `read`, `write`. Times are aware,
    UTC.
    """

    key_id: int
    site: Site
    hint: str
    username: str | None
    may: frozenset[str]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


CHANGEABLE = tuple(
    name
    for name in CustomerLog.__struct_fields__
    if name not in {"site", "log_id", "date_added", "date_updated", "revision"}
)
"""The attributes that a revision can change."""


def new_log(site: int, log_id: int, changes: Changes, now: datetime) -> CustomerLog:
    """The log that `changes` describe, at revision 1; Status is Require Recontact unless sent."""
    values: dict[str, Any] = dict.fromkeys(CHANGEABLE)
    values["status"] = Status.REQUIRE_RECONTACT
    values.update(changes)
    return CustomerLog(
        site=site, log_id=log_id, date_added=now, date_updated=now, revision=1, **values
    )


def amend(log: CustomerLog, changes: Changes, now: datetime) -> CustomerLog:
    """`log` with `changes` applied, one revision on; `log` itself when they change nothing."""
    changed = {
        key: value
        for key, value in changes.items()
        if key in CHANGEABLE and not same(getattr(log, key), value)
    }
    if not changed:
        return log
    return replace(log, **changed, date_updated=now, revision=log.revision + 1)


def same(one: Any, other: Any) -> bool:
    """Whether two values of a field are the same: a day is not the instant it starts at."""
    return bool(one == other) and type(one) is type(other)


class Revision(Struct, frozen=True):
    """
    One change of one log.

    number: from 1, counted in its log. at: aware, UTC. key_id: the key that made it.
    request: the id of the journal entry that made it. changes: by attribute, the value before
    and after; all that have a value, for revision 1.
    """

    site: int
    log_id: int
    number: int
    at: datetime
    key_id: int | None
    request: bytes
    changes: dict[str, tuple[Any, Any]]


def revision_of(
    before: CustomerLog | None, after: CustomerLog, key_id: int | None, request: bytes
) -> Revision:
    """The revision that made `after` of `before` (None: of nothing)."""
    changes = {}
    for key in CHANGEABLE:
        old = getattr(before, key) if before is not None else None
        new = getattr(after, key)
        if old is not new and not same(old, new):
            changes[key] = (old, new)
    return Revision(
        after.site, after.log_id, after.revision, after.date_updated, key_id, request, changes
    )


class JournalEntry(Struct, frozen=True):
    """
    One authenticated call: what came, what was answered, what it did.

    request: its id, a UUIDv7 in 16 bytes. at: when it arrived, aware, UTC. duration: seconds
    until its answer was made. changed: how many revisions it made. passed_over: the elements it
    sent that the action does not know. request_body, answer_body: the exact bytes; None: not kept;
    `packed` says which are packed by zlib: 1 the request's, 2 the answer's, 3 both.
    """

    site: int
    request: bytes
    at: datetime
    key_id: int
    action: str
    format: str
    address: str
    http_status: int
    ack: str
    items: int = 0
    errors: int = 0
    warnings: int = 0
    changed: int = 0
    duration: float = 0.0
    passed_over: tuple[str, ...] = ()
    request_length: int = 0
    request_hash: bytes | None = None
    request_body: bytes | None = None
    answer_body: bytes | None = None
    packed: int = 0


# Small bodies stay raw: packing each costs the write path 115 us and saves little.
PACKED_FROM = 4_096


def packed(body: bytes, flag: int) -> tuple[bytes, int]:
    """A body as the journal keeps it, and `flag` when that is packed, else 0."""
    return (body, 0) if len(body) < PACKED_FROM else (zlib.compress(body, 1), flag)


def fold(text: str | None) -> str | None:
    """`text` as filters compare it: NFC, case-folded, NFC again (Unicode §3.13, D145)."""
    if text is None:
        return None
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
