"""Take back what a revision, a request, or a key in a span of time did (SPEC §8)."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from recontact import history
from recontact.history import AnyRevision, Kind, Left
from recontact.messages import RecontactError
from recontact.model import (
    By,
    Customer,
    CustomerLog,
    JournalEntry,
    Site,
    amend,
    amend_customer,
    fold,
    turn,
)
from recontact.store import ALONE, Found, Span, Touched, Transaction, View, Work

STEP: Final = 200
"""Records that are undone in one transaction: 20 to 65 ms, in which nobody else writes."""
STEP_REVISIONS: Final = 2_000
"""Revisions that are read in one transaction, unless one record has more: as long."""


class NoRevisionError(RecontactError):
    """There is no such revision."""


@dataclass(frozen=True, slots=True)
class OneRevision:
    """One revision of one log, or of one customer."""

    is_log: bool
    record: int
    number: int

    def has(self, revision: AnyRevision) -> bool:
        """Whether it is this one; asked of those of its record."""
        return revision.number == self.number


Chosen: TypeAlias = Span | OneRevision
"""The revisions that are to be undone."""


@dataclass(frozen=True, slots=True)
class Remains:
    """
    What an undo leaves as it is, and why.

    record: `log 7`. revision: the chosen one that stays. element: "" where it stays whole. later:
    the revision of its record that is why, where one is.
    """

    record: str
    revision: int
    element: str
    why: str
    later: int | None = None


@dataclass(slots=True)
class Step:
    """Of so many records: the revisions that an undo made, or would make, and what it left."""

    records: int
    made: list[AnyRevision] = field(default_factory=list)
    remains: list[Remains] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What an undo did, or would do; `effect` in words. records: how many are done with."""

    effect: history.Effect = field(default_factory=history.Effect)
    records: int = 0
    changed: int = 0
    remains: list[Remains] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """What one more step did."""
        for revision in step.made:
            self.effect.add(revision)
        self.records += step.records
        self.changed += len(step.made)
        self.remains += step.remains


# -- what is to be done --------------------------------------------------------------------------


def touched(view: View, chosen: Chosen) -> list[Touched]:
    """The records that have chosen revisions: logs, then customers. Raises NoRevisionError."""
    if isinstance(chosen, Span):
        return view.touched(chosen)
    of = view.revisions if chosen.is_log else view.customer_revisions
    newest: Sequence[AnyRevision] = of(chosen.record, None, 1)
    last = newest[0].number if newest else 0
    if chosen.number > last:
        noun = "log" if chosen.is_log else "customer"
        raise NoRevisionError(
            f"There is no revision {chosen.number} of {noun} {chosen.record}. "
            f"recontact {noun} history shows those that there are."
        )
    return [Touched(chosen.is_log, chosen.record, chosen.number, last - chosen.number + 1)]


@dataclass(slots=True)
class Course:
    """
    What an undo did so far, for its parts that follow.

    back: customers that came back, or could not; gone: LogIDs that went; both where nothing is
    written yet. changed, left: by the number of a part, how much it changed and left.
    """

    back: dict[int, Customer | None] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    changed: dict[int, int] = field(default_factory=dict)
    left: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Part:
    """Records that are undone in one step. brings_back: only those that are not there."""

    number: int
    records: list[Touched]
    brings_back: bool = False


def parts(records: Sequence[Touched]) -> Iterator[Part]:
    """
    The steps of an undo: customers come back before their logs, and go after them.

    So the customers among `records` are looked at twice.
    """
    number = 0
    customers = [one for one in records if not one.is_log]
    logs = [one for one in records if one.is_log]
    # Without logs, nothing waits for a customer to come back.
    for some, brings_back in ((customers if logs else [], True), (logs, False), (customers, False)):
        for step in _steps_of(some):
            yield Part(number, step, brings_back)
            number += 1


def _steps_of(records: Iterable[Touched]) -> Iterator[list[Touched]]:
    some: list[Touched] = []
    count = 0
    for one in records:
        if some and (len(some) == STEP or count + one.count > STEP_REVISIONS):
            yield some
            some, count = [], 0
        some.append(one)
        count += one.count
    if some:
        yield some


class Around(Protocol):
    """What an undo asks of all that is beside a record."""

    @property
    def now(self) -> datetime: ...

    def customer(self, username: str) -> Customer | None: ...

    def has_logs(self, username: str, but: Collection[int] = ()) -> bool: ...


Becomes: TypeAlias = CustomerLog | Customer | None


def _undo(
    found: Found, chosen: Chosen, around: Around, course: Course
) -> tuple[Becomes, list[Remains]]:
    """What a record is (None: withdrawn) once all that is chosen of it is undone; what is left."""
    record = found.record
    values = None if record is None else history.values_of(record)
    plan = history.plan(values, found.revisions, chosen.has)
    remains = [_left(found, one) for one in plan.left]
    if plan.values is None:
        if isinstance(record, Customer) and around.has_logs(record.username, course.gone):
            why = "it has logs that this undo does not take away"
            return record, [*remains, _stays(found, why)]
        return None, remains
    if isinstance(record, CustomerLog):
        return amend(record, dict.fromkeys(values or ()) | plan.values, around.now), remains
    if isinstance(record, Customer):
        changes = dict.fromkeys(values or ()) | plan.values
        return amend_customer(record, changes, around.now), remains
    assert found.added is not None, "it was added once"
    last = found.revisions[-1]
    if (username := plan.values.get("username")) is not None:
        there = around.customer(username) or next(
            (one for one in course.back.values() if one and one.username_folded == fold(username)),
            None,
        )
        if not found.of.is_log and there:
            why = f"customer {there.customer_id} has its username now"
            return None, [*remains, _stays(found, why)]
        # Else it would be among the logs of whoever took the name since.
        if found.of.is_log and (there is None or there.date_added > last.at):
            why = "another customer has its Username now" if there else "its customer is not there"
            return None, [*remains, _stays(found, why)]
    return history.made(found.added, last, plan.values, around.now), remains


_DID: Final = {Kind.CHANGED: "changed", Kind.WITHDRAWN: "withdrew", Kind.RESTORED: "restored"}
"""What a later revision can have done."""


def _name(of: Touched) -> str:
    return f"{'log' if of.is_log else 'customer'} {of.number}"


def _left(found: Found, left: Left[AnyRevision]) -> Remains:
    by = left.by
    if by is None:
        why, later = "it was erased", None
    else:
        why, later = f"revision {by.number} {_DID[history.kind_of(by)]} it later", by.number
    return Remains(_name(found.of), left.revision.number, left.element, why, later)


def _stays(found: Found, why: str) -> Remains:
    return Remains(_name(found.of), found.of.first, "", why)


# -- as a preview, and for good ------------------------------------------------------------------


def preview(view: View, part: Part, chosen: Chosen, course: Course) -> Step:
    """What one step of an undo would do; nothing is written. course: one for all its steps."""
    step = Step(0 if part.brings_back else len(part.records))
    for found in _turn_of(view, part, course):
        after, remains = _undo(found, chosen, view, course)
        step.remains += remains
        if after is not found.record:
            step.made.append(turn(found.record, after, view.now, By(None, b"")))
            if after is None and found.of.is_log:
                course.gone.add(found.of.number)
        if part.brings_back:
            course.back[found.of.number] = after if isinstance(after, Customer) else None
    return step


def _turn_of(reader: View | Transaction, part: Part, course: Course) -> Iterator[Found]:
    """Those records of a part whose turn it is."""
    for found in reader.found(part.records):
        if part.brings_back:
            if found.record is None:
                yield found
        elif found.of.is_log or found.of.number not in course.back:
            yield found


def steps(
    site: Site, records: Sequence[Touched], chosen: Chosen, entry: JournalEntry
) -> Iterator[Work[Step]]:
    """
    The works that undo what is chosen of these records, for `Store.write` or `Store.submit`.

    Each is a transaction of its own. entry: the journal's, of them all; it has a request's id of
    its own, by which the undo can be undone. If they are not all run, the undo can be run again:
    what is undone already counts as nothing to do.
    """
    course = Course()
    for part in parts(records):
        yield _step(site, part, chosen, entry, course)


def _step(
    site: Site, part: Part, chosen: Chosen, entry: JournalEntry, course: Course
) -> Work[Step]:
    by = By(entry.key_id or None, entry.request, entry.who)

    def run(tx: Transaction) -> Step:
        """It may be called twice, and leaves the same in `course`."""
        step = Step(0 if part.brings_back else len(part.records))
        for found in _turn_of(tx, part, course):
            after, remains = _undo(found, chosen, tx, course)
            step.remains += remains
            if after is not found.record:
                step.made.append(tx.become(found.record, after, by))
            if part.brings_back:
                course.back[found.of.number] = None  # its row tells
        course.changed[part.number] = len(step.made)
        course.left[part.number] = len(step.remains)
        tx.tally(entry, sum(course.changed.values()), sum(course.left.values()))
        tx.keep()
        return step

    log_ids = [one.number for one in part.records if one.is_log]
    return Work(site, run, log_ids, ALONE, queries=True)
