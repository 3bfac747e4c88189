"""All that the API can do, and the work that runs one call and journals it."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from recontact import fields
from recontact.actions.action import Action, Reading, Writing
from recontact.actions.add_customer import add_customer
from recontact.actions.add_customer_log import add_customer_log
from recontact.actions.get_customer import get_customer
from recontact.actions.get_customer_log import get_customer_log
from recontact.actions.handling import Handling, all_or_none
from recontact.actions.update_customer import update_customer
from recontact.actions.update_customer_log import update_customer_log
from recontact.catalogue import Severity
from recontact.fields import Shape, record_of
from recontact.messages import Call, RefusedError, Reply
from recontact.model import By, Dialect, JournalEntry, Repeatable, Site, packed
from recontact.store import ALONE, IDEMPOTENCY, MOST_TEXT, Transaction, View, Work

__all__ = [
    "ACTIONS",
    "Action",
    "Answer",
    "Handling",
    "Reading",
    "Writing",
    "reading",
    "writing",
]

ACTIONS: Final = MappingProxyType(
    {
        action.shape.action: action
        for action in (
            Writing(fields.UPDATE_CUSTOMER_LOG, update_customer_log),
            Writing(fields.ADD_CUSTOMER_LOG, add_customer_log),
            Reading(fields.GET_CUSTOMER_LOG, get_customer_log),
            Writing(fields.ADD_CUSTOMER, add_customer),
            Writing(fields.UPDATE_CUSTOMER, update_customer),
            Reading(fields.GET_CUSTOMER, get_customer),
        )
    }
)
"""Every action by its name."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The bytes of an answer, and the journal's entry of the call.

    is_noted: whether the entry is yet to be written, behind the call: it changed nothing. replayed:
    whether the bytes are those of an earlier call.
    """

    body: bytes
    entry: JournalEntry
    is_noted: bool = False
    replayed: bool = False


Encode = Callable[[Reply], bytes]


def writing(
    action: Writing,
    call: Call,
    site: Site,
    entry: JournalEntry,
    encode: Encode,
    elapsed: Callable[[], float],
    handling: Handling,
) -> Work[Answer]:
    """
    The work that runs a call that writes, and enters it in the journal in the same transaction.

    entry: what is known of the call before it runs, its request body included. elapsed: seconds
    since it arrived.
    """
    if handling.mode:  # what a live site forgives by a warning may leave an item out (SPEC §2)
        site = dataclasses.replace(site, dialect=Dialect.DOCUMENTED)

    def run(tx: Transaction) -> Answer:
        if handling.idempotency_key and (before := _before(tx, entry, handling, elapsed)):
            return before
        reply = action.run(call, tx, By(entry.key_id or None, entry.request, entry.who))
        if handling.strict and not all_or_none(call, reply):
            tx.discard()
        if handling.dry_run:
            if call.query is None:  # with a Filter the answer has the records anyway
                _show(action.shape, reply, site)
            answered = journaled(entry, reply, elapsed())
            return Answer(encode(reply), replace(answered, changed=0), is_noted=True)
        body = encode(reply)
        answered = journaled(entry, reply, elapsed())
        if reply.changed or handling.idempotency_key:  # bytes both ways; else the request's alone
            kept, flag = packed(body, 2)
            answered = replace(answered, answer_body=kept, packed=entry.packed | flag)
        if name := handling.idempotency_key:
            repeatable = Repeatable(
                site.site, entry.key_id, name, handling.fingerprint, entry.request
            )
            tx.put(IDEMPOTENCY, repeatable)
        tx.enter(answered)
        tx.keep()
        return Answer(body, answered)

    log_ids = [item.values["log_id"] for item in call.items if "log_id" in item.values]
    queries = call.query is not None and bool(call.query.conditions)
    # A question writes all of its batch once more, so it is the last of it.
    weight = ALONE if queries else max(1, len(call.items))
    return Work(site, run, log_ids, weight, queries)


def _before(
    tx: Transaction, entry: JournalEntry, handling: Handling, elapsed: Callable[[], float]
) -> Answer | None:
    """The answer of the call that this one repeats; None: it is the first."""
    known = tx.get(IDEMPOTENCY, tx.site.site, entry.key_id, handling.idempotency_key)
    if known is None or not handling.judge(known, tx.now):
        return None
    kept = tx.answer(known.request)
    if kept is None:  # the journal keeps it for as long, so somebody took it out by hand
        raise handling.gone()
    ack, body = kept
    mode = ", ".join(filter(None, (entry.mode, "replayed")))
    answered = replace(entry, ack=ack, http_status=200, duration=elapsed(), mode=mode)
    return Answer(body, answered, is_noted=True, replayed=True)


def _show(shape: Shape, reply: Reply, site: Site) -> None:
    """
    Answer the records as a call that is only tried would make them; none of it is there.

    Raises RefusedError (CL037) where they are longer than one answer may be.
    """
    reply.list_name = shape.record
    reply.records = []
    length = 0
    for one in reply.became.values():
        record = record_of(shape.becomes, one.value, site.zone)
        reply.records.append(record)
        length += sum(len(text) for text in record.values() if isinstance(text, str))
        if length > MOST_TEXT:
            raise RefusedError(
                "CL037",
                f"The records of this call have over {MOST_TEXT:,} characters together. Try it "
                "with fewer items. Nothing was applied.",
            )


def reading(
    action: Reading, call: Call, entry: JournalEntry, encode: Encode, elapsed: Callable[[], float]
) -> Callable[[View], Answer]:
    """What reads, and makes the journal's entry, which is written behind."""

    def read(view: View) -> Answer:
        reply = action.run(call, view)
        return Answer(encode(reply), journaled(entry, reply, elapsed()), is_noted=True)

    return read


def journaled(entry: JournalEntry, reply: Reply, duration: float) -> JournalEntry:
    """`entry` with what the call did."""
    return replace(
        entry,
        http_status=reply.http_status,
        ack=reply.ack,
        errors=reply.count(Severity.ERROR),
        warnings=reply.count(Severity.WARNING),
        changed=reply.changed,
        duration=duration,
    )
