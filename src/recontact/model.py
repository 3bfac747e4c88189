"""
CustomerLog, Customer, their revisions and JournalEntry, and what a change does to them.

Records are msgspec Structs: a frozen dataclass of 13 fields takes 3 us to make and 5 us to replace,
a Struct a tenth of that, and each call makes half a dozen.
"""

import re
import unicodedata
import zlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from recontact.fields import CUSTOMER_DETAILS, Changes
from recontact.values import CustomerType, Status


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

    def value(self, key: str) -> Any:
        """The value of that field."""
        return getattr(self, key)


class Customer(Struct, frozen=True):
    """
    One customer of a site: `details` has each element of `CUSTOMER_DETAILS` that has a value.

    Times are aware, in UTC, to the second. `revision` counts its writes from 1.
    """

    site: int
    customer_id: int
    username: str
    details: dict[str, Any]
    date_added: datetime
    date_updated: datetime
    revision: int

    @property
    def username_folded(self) -> str:
        """What tells customers apart."""
        return fold(self.username)

    def value(self, key: str) -> Any:
        """The value of that field; None also for what we hold no data of."""
        return self.details.get(key) if key in CUSTOMER_DETAILS else getattr(self, key, None)


class Dialect(StrEnum):
    """How a site answers: as documented, or as the real service was seen to (SPEC §2)."""

    DOCUMENTED = "documented"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Site:
    """
    One shop: its number, its name, its IANA time zone, how it answers, and whom CORS lets in.

    cors_origins: as the header Origin has them, `https://shop.example`. follow_up_types: those that
    the panel offers.
    """

    site: int
    name: str
    zone: ZoneInfo
    dialect: Dialect = Dialect.DOCUMENTED
    cors_origins: frozenset[str] = frozenset()
    follow_up_types: tuple[str, ...] = ()

    @property
    def is_live(self) -> bool:
        """Whether it answers, and judges, as the real service was seen to."""
        return self.dialect is Dialect.LIVE


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
"""The attributes of a log that a revision can change."""

LOG_DEFAULTS: Final = {"status": Status.REQUIRE_RECONTACT}
"""What a new log has unless it is sent."""

CUSTOMER_DEFAULTS: Final = {
    "type": CustomerType.CUSTOMER,
    "active": True,
    "newsletter_subscriber": False,
    "on_credit_hold": False,
}
"""What a new customer has unless it is sent."""


def new_log(site: int, log_id: int, changes: Changes, now: datetime) -> CustomerLog:
    """The log that `changes` describe, at revision 1."""
    values: dict[str, Any] = dict.fromkeys(CHANGEABLE) | LOG_DEFAULTS
    values.update(changes)
    return CustomerLog(
        site=site, log_id=log_id, date_added=now, date_updated=now, revision=1, **values
    )


def amend(log: CustomerLog, changes: Changes, now: datetime) -> CustomerLog:
    """`log` with `changes` applied, one revision on; `log` itself when they change nothing."""
    changed = _changed(log, changes, CHANGEABLE)
    if not changed:
        return log
    return replace(log, **changed, date_updated=now, revision=log.revision + 1)


def new_customer(site: int, customer_id: int, changes: Changes, now: datetime) -> Customer:
    """The customer that `changes` describe, at revision 1."""
    return Customer(
        site=site,
        customer_id=customer_id,
        username=changes["username"],
        details=_details({**CUSTOMER_DEFAULTS, **changes}),
        date_added=now,
        date_updated=now,
        revision=1,
    )


def amend_customer(customer: Customer, changes: Changes, now: datetime) -> Customer:
    """`customer` with `changes` applied, one revision on; itself when they change nothing."""
    changed = _changed(customer, changes, CUSTOMER_DETAILS)
    if not changed:
        return customer
    details = _details({**customer.details, **changed})
    return replace(customer, details=details, date_updated=now, revision=customer.revision + 1)


def _changed(
    record: CustomerLog | Customer, changes: Changes, keys: Collection[str]
) -> dict[str, Any]:
    return {
        key: value
        for key, value in changes.items()
        if key in keys and not same(record.value(key), value)
    }


def _details(values: Changes) -> dict[str, Any]:
    return {k: value for k, value in values.items() if value is not None and k in CUSTOMER_DETAILS}


def same(one: Any, other: Any) -> bool:
    """Whether two values of a field are the same: a day is not the instant it starts at."""
    return bool(one == other) and type(one) is type(other)


ERASED: Final = "erased"
"""Stands in a revision for each value, of any type, of a record that was erased (SPEC §8)."""
COMMAND_LINE: Final = "command line"
"""Who did what a command did, in revisions and in the journal; nobody of the staff is named so."""
EXISTS: Final = {"log": "status", "customer": "username"}
"""What a record has as long as it is there: an add gives it, a withdrawal takes it away."""
IDEMPOTENCY_DAYS: Final = 7
"""How long an Idempotency-Key counts (SPEC §6)."""


class Revision(Struct, frozen=True):
    """
    One change of one log.

    number: from 1, counted in its log. at: aware, UTC. key_id: the key that made it; without one,
    `who` did. request: the id of the journal entry that made it. changes: by attribute, the value
    before and after; all that have a value where the log was added, withdrawn or restored.
    """

    site: int
    log_id: int
    number: int
    at: datetime
    key_id: int | None
    request: bytes
    changes: dict[str, tuple[Any, Any]]
    who: str | None = None


class CustomerRevision(Struct, frozen=True):
    """One change of one customer; as a Revision, but for the customer's ID."""

    site: int
    customer_id: int
    number: int
    at: datetime
    key_id: int | None
    request: bytes
    changes: dict[str, tuple[Any, Any]]
    who: str | None = None


class By(Struct, frozen=True):
    """
    On whose behalf something is written, and by which request: its id in the journal.

    key_id: of a key; None: without one, by `who`, the command line for instance.
    """

    key_id: int | None
    request: bytes
    who: str | None = None


CUSTOMER_CHANGEABLE: Final = ("username", *CUSTOMER_DETAILS)
"""The attributes of a customer that a revision can change."""


def revision_of(before: CustomerLog | None, after: CustomerLog, by: By) -> Revision:
    """The revision that made `after` of `before` (None: of nothing)."""
    return Revision(
        after.site,
        after.log_id,
        after.revision,
        after.date_updated,
        by.key_id,
        by.request,
        _changes(before, after, CHANGEABLE),
        by.who,
    )


def customer_revision_of(before: Customer | None, after: Customer, by: By) -> CustomerRevision:
    """The revision that made `after` of `before` (None: of nothing)."""
    return CustomerRevision(
        after.site,
        after.customer_id,
        after.revision,
        after.date_updated,
        by.key_id,
        by.request,
        _changes(before, after, CUSTOMER_CHANGEABLE),
        by.who,
    )


def withdrawal_of(log: CustomerLog, now: datetime, by: By) -> Revision:
    """The revision that takes a log away."""
    number, changes = log.revision + 1, _gone(log, CHANGEABLE)
    return Revision(log.site, log.log_id, number, now, by.key_id, by.request, changes, by.who)


def customer_withdrawal_of(one: Customer, now: datetime, by: By) -> CustomerRevision:
    """The revision that takes a customer away."""
    number, changes = one.revision + 1, _gone(one, CUSTOMER_CHANGEABLE)
    return CustomerRevision(
        one.site, one.customer_id, number, now, by.key_id, by.request, changes, by.who
    )


def turn(
    before: CustomerLog | Customer | None,
    after: CustomerLog | Customer | None,
    now: datetime,
    by: By,
) -> Revision | CustomerRevision:
    """The revision that made `after` of `before`; of either kind, and either may be nothing."""
    match before, after:
        case CustomerLog() | None, CustomerLog():
            return revision_of(before, after, by)
        case Customer() | None, Customer():
            return customer_revision_of(before, after, by)
        case CustomerLog(), None:
            return withdrawal_of(before, now, by)
        case Customer(), None:
            return customer_withdrawal_of(before, now, by)
    raise TypeError("a record cannot turn into one of another kind")


R = TypeVar("R", CustomerLog, Customer)


def _changes(before: R | None, after: R, keys: Iterable[str]) -> dict[str, tuple[Any, Any]]:
    changes = {}
    for key in keys:
        old = before.value(key) if before is not None else None
        new = after.value(key)
        if old is not new and not same(old, new):
            changes[key] = (old, new)
    return changes


def _gone(one: R, keys: Iterable[str]) -> dict[str, tuple[Any, Any]]:
    return {key: (value, None) for key in keys if (value := one.value(key)) is not None}


class JournalEntry(Struct, frozen=True):
    """
    One authenticated call: what came, what was answered, what it did.

    request: its id, a UUIDv7 in 16 bytes. at: when it arrived, aware, UTC. duration: seconds
    until its answer was made. changed: how many revisions it made. passed_over: the elements it
    sent that the action does not know. request_body, answer_body: the exact bytes; None: not kept;
    `packed` says which are packed by zlib: 1 the request's, 2 the answer's, 3 both. key_id: 0: it
    came without a key, from `who`. mode: what it asked for, see `Handling.mode`.
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
    mode: str = ""
    who: str | None = None


class Repeatable(Struct, frozen=True):
    """
    An Idempotency-Key of one key, and what it stands for: the hash of the call's fingerprint and
    the journal's entry of the call, which has the answer. fingerprint: empty: it was erased.
    key_id: 0: it is no key's, but tells a form of the panel from others.
    """

    site: int
    key_id: int
    idempotency_key: str
    fingerprint: bytes
    request: bytes


# Small bodies stay raw: packing each costs the write path 115 us and saves little.
PACKED_FROM = 4_096


def packed(body: bytes, flag: int) -> tuple[bytes, int]:
    """A body as the journal keeps it, and `flag` when that is packed, else 0."""
    return (body, 0) if len(body) < PACKED_FROM else (zlib.compress(body, 1), flag)


def unpacked(body: bytes, is_packed: bool) -> bytes:
    """A body as it was, of one that the journal keeps."""
    return zlib.decompress(body) if is_packed else body


def fold(text: str) -> str:
    """`text` as filters compare it: NFC, case-folded, NFC again (Unicode §3.13, D145)."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


# -- search --------------------------------------------------------------------------------------

SEARCHED: Final = ("customer_name", "username", "notes")
"""The fields of a log that Search looks into."""

_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD = re.compile(r"[^\W_]+")
# Scripts that are written without blanks: kana, bopomofo, ideographs and their extensions.
_UNSPACED = (
    "[\u3040-\u30ff\u3105-\u312f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_RUNS = re.compile(f"({_UNSPACED}+)")
# Over thirty marks in a row, which no language has (UAX #15 §13, "Stream-Safe Text Format"): to
# put ten thousand in order takes 0.15 s, in which no other thread runs, and one call may bring
# hundreds of such texts.
_CROWDED = re.compile(r"([^\w\s]{30})[^\w\s]+")
LONGEST_WORD: Final = 64
"""Characters of a word that count; the rest of what is longer is passed over, in a query too."""
LONGEST_TEXT: Final = 10_000
"""Characters of a log that Search looks into, or one step of the index could take seconds."""


def words(text: str) -> list[str]:
    """
    The words of a text, for the index and for queries alike, in order.

    NFKC, case-folded, marks removed; runs of letters and digits; of scripts that are written
    without blanks each pair of characters (a lone one stands for itself).
    """
    text = text[:LONGEST_TEXT]
    if text.isascii():
        return [word[:LONGEST_WORD] for word in _ASCII_WORD.findall(text.lower())]
    text = _CROWDED.sub(r"\1 ", text)
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    folded = folded[:LONGEST_TEXT]  # one character may have become eighteen
    plain = "".join(
        c for c in unicodedata.normalize("NFD", folded) if unicodedata.category(c)[0] != "M"
    )
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFC", plain)):
        for run in _RUNS.split(word):
            if _RUNS.fullmatch(run) and len(run) > 1:
                found += (run[at : at + 2] for at in range(len(run) - 1))
            elif run:
                found.append(run[:LONGEST_WORD])
    return found


def searched(log: CustomerLog) -> str:
    """What Search looks into, as one text."""
    return "\n".join(filter(None, map(log.value, SEARCHED)))


def finds(wanted: list[str], text: str) -> bool:
    """Whether a search for the words `wanted` finds `text`: all occur, the last as a beginning."""
    there = set(words(text))
    *whole, last = wanted
    return there.issuperset(whole) and any(word.startswith(last) for word in there)
