"""GetCustomerLog: read logs back. Ours: the vendor reads them through GetCustomer only."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from recontact import history
from recontact.actions.action import chosen
from recontact.fields import GET_CUSTOMER_LOG as SHAPE
from recontact.fields import HISTORY_PAGE, ValueOf, record_of
from recontact.messages import Call, Query, RefusedError, Reply
from recontact.model import CustomerLog, Revision
from recontact.store import MOST_TEXT, View

_HISTORY = SHAPE.selectors["History"]
MOST_REVISIONS: Final = 10_000
"""Revisions in one answer: as many as a page of 100 logs can have."""
_AT_ONCE: Final = 10
"""Revisions that are read at once: a setting lets each hold megabytes."""


def get_customer_log(call: Call, view: View) -> Reply:
    """The logs that match the Filter, by LogID, with the elements selected, and LogID always."""
    reply = Reply.to(SHAPE)
    query = call.query or Query()
    reply.add(query.problems)
    if query.problems:
        return reply
    elements = chosen(SHAPE, query)
    past: dict[int, list[ValueOf]] = {}
    try:
        logs = view.logs(query)
        if any(one is _HISTORY for one in elements):
            past = _past(logs, query.history_before, view)
    except RefusedError as refusal:
        reply.add([refusal.message])
        return reply
    reply.records = [
        record_of(elements, _values(log, past.get(log.log_id, [])), view.site.zone) for log in logs
    ]
    return reply


def _values(log: CustomerLog, revisions: list[ValueOf]) -> ValueOf:
    """The log's values, and its revisions beside them."""
    return lambda key: revisions if key == _HISTORY.key else log.value(key)


def _past(logs: Iterable[CustomerLog], before: int | None, view: View) -> dict[int, list[ValueOf]]:
    """A page of the revisions of each log. RefusedError (CL037) where they are too many or long."""
    past: dict[int, list[ValueOf]] = {}
    most, most_text = MOST_REVISIONS, MOST_TEXT
    for log in logs:
        page = past[log.log_id] = []
        for revision in _newest(log.log_id, before, view):
            changes = list(history.pairs(revision))
            most -= 1
            most_text -= sum(len(old or "") + len(new or "") for _, old, new in changes)
            if most < 0 or most_text < 0:
                raise RefusedError(
                    "CL037",
                    f"Filter: the History of this page has over {MOST_REVISIONS:,} revisions, or "
                    f"over {MOST_TEXT:,} characters. Send a smaller Limit.",
                )
            page.append(_revision(revision, changes))
    return past


def _newest(log_id: int, before: int | None, view: View) -> Iterator[Revision]:
    """The newest revisions of a log that are numbered below `before`, newest first."""
    for _ in range(HISTORY_PAGE // _AT_ONCE):
        some = view.revisions(log_id, before, _AT_ONCE)
        yield from some
        if len(some) < _AT_ONCE:
            return
        before = some[-1].number


def _revision(revision: Revision, changes: Iterable[tuple[str, str | None, str | None]]) -> ValueOf:
    values = {
        "number": revision.number,
        "did": history.kind_of(revision).value,
        "time": revision.at,
        "key": None if revision.key_id is None else str(revision.key_id),
        "who": revision.who,
        "request_id": str(UUID(bytes=revision.request)),
        "changes": [{"element": name, "old": old, "new": new}.get for name, old, new in changes],
    }
    return values.get
