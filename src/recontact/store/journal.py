"""The journal: a list of its entries, the newest first, all of one entry, and one entry more."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, and_, insert, select

from recontact.model import JournalEntry, Site, unpacked
from recontact.store.tables import (
    dump_bodies,
    dump_journal,
    idempotency,
    journal,
    journal_body,
    load_journal,
    request_at,
    revision,
)

_entry = journal.c
_once = idempotency.c


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    Which entries are asked for: all that is given holds.

    ack: `Success`, `Warning` or `Error`. log_id: they changed that log. since, until: they came
    then or later, and before then; aware. before: their ids are below that one.
    """

    key_id: int | None = None
    action: str | None = None
    ack: str | None = None
    log_id: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: bytes | None = None


def entries(connection: Connection, site: Site, wanted: Wanted, limit: int) -> list[JournalEntry]:
    """
    The newest entries of a site that are wanted, newest first, without bodies.

    They are kept in the order of their ids, so a time and a page cost nothing, and those of a log
    are found by its revisions. A key, action or ack that is rare is looked for in all of them:
    0.1 s a million, once they are in memory.
    """
    conditions: list[Any] = [_entry.site == site.site]
    if wanted.since is not None:
        conditions.append(_entry.request >= request_at(wanted.since))
    if wanted.until is not None:
        conditions.append(_entry.request < request_at(wanted.until))
    if wanted.before is not None:
        conditions.append(_entry.request < wanted.before)
    if wanted.log_id is not None:
        made = select(revision.c.request).where(
            revision.c.site == site.site, revision.c.log_id == wanted.log_id
        )
        conditions.append(_entry.request.in_(made))
    for column, value in (
        (_entry.key_id, wanted.key_id),
        (_entry.action, wanted.action),
        (_entry.ack, wanted.ack),
    ):
        if value is not None:
            conditions.append(column == value)
    found = select(journal).where(*conditions).order_by(_entry.request.desc()).limit(limit)
    return [load_journal(row) for row in connection.execute(found)]


def entry(connection: Connection, site: Site, request: bytes) -> JournalEntry | None:
    """The entry of that request, with the bodies that are kept, unpacked; None: there is none."""
    body = journal_body.c
    both = and_(body.site == _entry.site, body.request == _entry.request)
    found = connection.execute(
        select(journal, body.packed, body.request_body, body.answer_body)
        .join_from(journal, journal_body, both, isouter=True)
        .where(_entry.site == site.site, _entry.request == request)
    ).one_or_none()
    if found is None:
        return None
    *row, packed, came, answered = found
    return replace(
        load_journal(row),
        request_body=None if came is None else unpacked(came, bool(packed & 1)),
        answer_body=None if answered is None else unpacked(answered, bool(packed & 2)),
    )


def beginning_with(connection: Connection, site: Site, digits: str, limit: int) -> list[bytes]:
    """The ids of requests that begin with these hexadecimal digits, at most 32, oldest first."""
    first, last = (bytes.fromhex(digits.ljust(32, pad)) for pad in "0f")
    found = (
        select(_entry.request)
        .where(_entry.site == site.site, _entry.request.between(first, last))
        .order_by(_entry.request)
        .limit(limit)
    )
    return list(connection.execute(found).scalars())


def is_known(connection: Connection, site: int, once: str) -> bool:
    """Whether a form of the panel was done: see `recontact.web.panel.once_of`."""
    of_form = and_(_once.site == site, _once.key_id == 0, _once.idempotency_key == once)
    return connection.execute(select(_once.request).where(of_form)).first() is not None


def enter(connection: Connection, entry: JournalEntry) -> None:
    """Write an entry, in the caller's transaction."""
    connection.execute(insert(journal).values(dump_journal(entry)))
    if entry.request_body or entry.answer_body:
        connection.execute(insert(journal_body).values(dump_bodies(entry)))
