"""All that is known of one customer, as one JSON object, written bit by bit."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final
from uuid import UUID

import msgspec

from recontact import history
from recontact.actions.get_customer import get_customer
from recontact.actions.get_customer_log import get_customer_log
from recontact.fields import GET_CUSTOMER, GET_CUSTOMER_LOG, Comparison, Shape
from recontact.messages import Call, Condition, Query, Reply
from recontact.model import CustomerRevision, JournalEntry, Revision
from recontact.store import View
from recontact.store.erasing import Findings
from recontact.values import write_instant

_SOME: Final = 50
"""Records that are read at once: notes may be long."""
_PAGE: Final = 1_000
"""Revisions of one record that are read at once."""
_LEFT_OUT: Final = {"Password", "DefaultShippingAddress", "CustomerLog", "History"}
"""Selectors that say nothing, or again what stands elsewhere."""


def customer_as_json(view: View, found: Findings, write: Callable[[str], object]) -> None:
    """
    Write what was found of a customer: customers and logs as the API answers them, null for those
    that were withdrawn, with their revisions; and the calls that touched or named them.
    """
    about = {
        "Username": found.username,
        "Site": view.site.name,
        "TimeZone": str(view.site.zone),
        "Exported": write_instant(view.now),
    }
    write(_text(about)[:-1])
    for name, some in (
        (
            "Customers",
            _records(view, get_customer, GET_CUSTOMER, "customer_id", found.customer_ids),
        ),
        (
            "CustomerLogs",
            _records(view, get_customer_log, GET_CUSTOMER_LOG, "log_id", found.log_ids),
        ),
        ("Calls", map(_call, _entries(view, found.requests))),
    ):
        write(f',\n"{name}": [')
        for number, one in enumerate(some):
            write(",\n" if number else "\n")
            write(_text(one))
        write("]")
    write("}")


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _records(
    view: View,
    read: Callable[[Call, View], Reply],
    shape: Shape,
    key: str,
    numbers: Iterable[int],
) -> Iterator[dict[str, Any]]:
    """Each record with its revisions, by its number. read: the action that answers it."""
    element = shape.keys[0].name
    selectors = tuple(one for name, one in shape.selectors.items() if name not in _LEFT_OUT)
    in_order = iter(sorted(numbers))
    while some := tuple(islice(in_order, _SOME)):
        query = Query([Condition(key, Comparison.IS, some)], selectors, limit=_SOME)
        reply = read(Call(shape, query=query), view)
        there = {int(one[element]): one for one in reply.records}
        for number in some:
            revisions = map(_revision, _revisions(view, key, number))
            yield {
                element: str(number),
                shape.record: there.get(number),
                "History": list(revisions),
            }


def _revisions(view: View, key: str, number: int) -> Iterator[Revision | CustomerRevision]:
    """All revisions of a record, newest first."""
    read: Any = view.revisions if key == "log_id" else view.customer_revisions
    before = None
    while page := read(number, before, _PAGE):
        yield from page
        before = page[-1].number


def _revision(one: Revision | CustomerRevision) -> dict[str, Any]:
    return {
        "Revision": one.number,
        "Time": write_instant(one.at),
        "Key": one.key_id,
        "Who": one.who,
        "RequestID": _request_id(one.request),
        "Changes": [
            {"Element": name, "Old": old, "New": new} for name, old, new in history.pairs(one)
        ],
    }


def _entries(view: View, requests: Iterable[bytes]) -> Iterator[JournalEntry]:
    """What the journal has of these calls; some are swept by now."""
    for request in sorted(requests):
        if entry := view.journal_entry(request):
            yield entry


def _call(entry: JournalEntry) -> dict[str, Any]:
    return {
        "RequestID": _request_id(entry.request),
        "Time": write_instant(entry.at),
        "Action": entry.action,
        "Key": entry.key_id or None,
        "Who": entry.who,
        "Address": entry.address,
        "Ack": entry.ack,
    }


def _request_id(request: bytes) -> str:
    return str(UUID(bytes=request))
