"""One change of many logs, as one request, which one undo takes back."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request

from recontact import actions, wire
from recontact.actions import Writing
from recontact.catalogue import Severity
from recontact.messages import Call, Item, RefusedError
from recontact.model import By, CustomerLog, Dialect, JournalEntry, Revision, Site, amend
from recontact.store import ALONE, Transaction, View, Work
from recontact.web.naming import name_in
from recontact.web.panel import Panel, person_of

STEP: Final = 200
"""Logs that are changed in one transaction: some 20 ms, in which nobody else writes."""
READ: Final = 2_000
"""Logs that a preview reads at once."""
SHOWN: Final = 5
"""Logs that are named, of those that are alike."""
_ACTION: Final = "UpdateCustomerLog"

GONE: Final = "withdrawn"

NEXT_STEP: Final = frozenset({"status", "date_required_follow_up", "allocated_to"})
"""What a step may change, and so what somebody who asks for one relies on."""
LOOKED_BACK: Final = 100
"""Revisions of a log that are looked through for a change of that."""

Unseen = Callable[[int, int, datetime], bool]
"""
Whether a revision, by LogID, number and time, came after what somebody was shown who asks for a
step: where it changed the next step, they have not seen that, and the log is left as it is.
"""


@dataclass(slots=True)
class Some:
    """Logs that are alike: how many, and the first of them by name."""

    number: int = 0
    names: list[str] = field(default_factory=list)

    def add(self, records: View | Transaction, log: CustomerLog) -> None:
        """One more."""
        self.number += 1
        if len(self.names) < SHOWN:
            self.names.append(name_in(records, log))

    def take(self, others: "Some") -> None:
        """Others too."""
        self.number += others.number
        self.names = [*self.names, *others.names][:SHOWN]


@dataclass(frozen=True, slots=True)
class Left:
    """
    A log that was left as it is. later: the revision that came between; else `why` says why.
    """

    log_id: int
    name: str
    why: str = ""
    later: Revision | None = None


@dataclass(slots=True)
class Outcome:
    """
    What a change of many did, or would do. had_it: those that are so already.

    request: its id, in hexadecimal digits, by which it can be undone. stopped: why it ended before
    it was through.
    """

    changed: Some = field(default_factory=Some)
    had_it: Some = field(default_factory=Some)
    left: list[Left] = field(default_factory=list)
    request: str = ""
    stopped: str = ""

    def add(self, other: "Outcome") -> None:
        """What one more step did."""
        self.changed.take(other.changed)
        self.had_it.take(other.had_it)
        self.left += other.left

    @property
    def number(self) -> int:
        """How many logs it is about."""
        return self.changed.number + self.had_it.number + len(self.left)


def read_item(changes: Mapping[str, str]) -> Item:
    """The values of elements, read by the field table's own types."""
    tree: Any = {"LogID": "1", **changes}
    shape = actions.ACTIONS[_ACTION].shape
    for name in reversed(shape.path):
        tree = {name: tree}
    (item,) = wire.decode(msgspec.json.encode(tree), shape).items
    return item


async def bulk(
    panel: Panel,
    request: Request,
    log_ids: Sequence[int],
    changes: Mapping[str, str],
    *,
    asked: Any,
    unseen: Unseen,
) -> Outcome:
    """
    Change so many logs for the person who asks: in steps, with one entry in the journal.

    changes: elements by their names in the API. asked: what the journal keeps of what was asked.
    Raises RefusedError (503) when nothing was saved; when some was, `stopped` says so.
    """
    site = dataclasses.replace(person_of(request).site, dialect=Dialect.DOCUMENTED)
    entry = panel.entry(request, _ACTION, asked, items=len(log_ids))
    outcome = Outcome(request=entry.request.hex())
    item = read_item(changes)
    for at in range(0, len(log_ids), STEP):
        some = log_ids[at : at + STEP]
        try:
            work = _work(site, some, item, entry, unseen, outcome)
            outcome.add(await panel.store.submit(work))
        except RefusedError as refusal:
            if not outcome.changed.number:
                raise
            outcome.stopped = refusal.message.text
            break
    return outcome


def _work(
    site: Site,
    log_ids: Sequence[int],
    item: Item,
    entry: JournalEntry,
    unseen: Unseen,
    so_far: Outcome,
) -> Work[Outcome]:
    action = actions.ACTIONS[_ACTION]
    assert isinstance(action, Writing)
    by = By(None, entry.request, entry.who)

    def run(tx: Transaction) -> Outcome:
        outcome = Outcome()
        for log_id in log_ids:
            log = tx.log(log_id)
            if log is None:
                outcome.left.append(Left(log_id, f"#{log_id}", GONE))
            elif amend(log, item.values, tx.now) is log:
                outcome.had_it.add(tx, log)
            elif later := _later(tx, log, unseen):
                outcome.left.append(Left(log_id, name_in(tx, log), later=later))
            else:
                one = dataclasses.replace(item, values={**item.values, "log_id": log_id})
                reply = action.run(Call(action.shape, items=[one]), tx, by)
                if reply.count(Severity.ERROR):
                    name, why = name_in(tx, log), reply.messages[0].text
                    outcome.left.append(Left(log_id, name, why))
                else:
                    outcome.changed.add(tx, log)
        changed = so_far.changed.number + outcome.changed.number
        tx.tally(entry, changed, len(so_far.left) + len(outcome.left))
        tx.keep()
        return outcome

    return Work(site, run, log_ids, min(len(log_ids), ALONE))


def _later(tx: Transaction, log: CustomerLog, unseen: Unseen) -> Revision | None:
    """The last unseen revision that changed the next step; None: there is none."""
    if not unseen(log.log_id, log.revision, log.date_updated):
        return None
    one = None
    for number in range(log.revision, max(0, log.revision - LOOKED_BACK), -1):
        one = tx.revision(log.log_id, number)
        if one is None or not unseen(log.log_id, number, one.at):
            return None
        if not NEXT_STEP.isdisjoint(one.changes):
            break
    return one


def foreseen(view: View, log_ids: Sequence[int], changes: Mapping[str, str]) -> Outcome:
    """What `bulk` would do to these logs, as they are now; nothing is written."""
    values = read_item(changes).values
    outcome = Outcome()
    for log in view.logs_without_notes(log_ids):
        if amend(log, values, view.now) is log:
            outcome.had_it.add(view, log)
        else:
            outcome.changed.add(view, log)
    return outcome
