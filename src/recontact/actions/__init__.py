"""All that the API can do, and the work that runs one call and journals it."""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from recontact import fields
from recontact.actions.action import Action, Answering, Reading, Writing
from recontact.actions.add_customer import add_customer
from recontact.actions.add_customer_log import add_customer_log
from recontact.actions.get_customer import get_customer
from recontact.actions.get_customer_log import get_customer_log
from recontact.actions.update_customer import update_customer
from recontact.actions.update_customer_log import update_customer_log
from recontact.catalogue import Severity
from recontact.messages import Call, Reply
from recontact.model import JournalEntry, Site, packed
from recontact.store import Transaction, View, Work

__all__ = ["ACTIONS", "Action", "Answer", "Reading", "Writing", "reading", "writing"]

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
    """A reply, its bytes, and the journal's entry of the call."""

    reply: Reply
    body: bytes
    entry: JournalEntry


ALONE: Final = 1_000
"""The weight of a call that fills a batch."""
Encode = Callable[[Reply], bytes]


def writing(
    action: Writing,
    call: Call,
    site: Site,
    entry: JournalEntry,
    encode: Encode,
    elapsed: Callable[[], float],
) -> Work[Answer]:
    """
    The work that runs a call that writes, and enters it in the journal in the same transaction.

    entry: what is known of the call before it runs, its request body included. elapsed: seconds
    since it arrived.
    """

    def run(tx: Transaction) -> Answer:
        reply = action.run(call, tx, Answering(entry.key_id, entry.request))
        body = encode(reply)
        answered = journaled(entry, reply, elapsed())
        if reply.changed:  # bytes both ways; of another call the request's alone
            kept, flag = packed(body, 2)
            answered = replace(answered, answer_body=kept, packed=entry.packed | flag)
        tx.enter(answered)
        tx.keep()
        return Answer(reply, body, answered)

    log_ids = [item.values["log_id"] for item in call.items if "log_id" in item.values]
    queries = call.query is not None and bool(call.query.conditions)
    # A question writes all of its batch once more, so it is the last of it.
    weight = ALONE if queries else max(1, len(call.items))
    return Work(site, run, log_ids, weight, queries)


def reading(
    action: Reading, call: Call, entry: JournalEntry, encode: Encode, elapsed: Callable[[], float]
) -> Callable[[View], Answer]:
    """What reads, and makes the journal's entry, which is written behind."""

    def read(view: View) -> Answer:
        reply = action.run(call, view)
        return Answer(reply, encode(reply), journaled(entry, reply, elapsed()))

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
