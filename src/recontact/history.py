"""What revisions tell of a record: how it was, who set what, what they did, how to undo them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from recontact.fields import CUSTOMER, CUSTOMER_DETAILS, CUSTOMER_LOG, Wire
from recontact.model import (
    CHANGEABLE,
    CUSTOMER_CHANGEABLE,
    ERASED,
    EXISTS,
    Customer,
    CustomerLog,
    CustomerRevision,
    Revision,
    same,
)

__all__ = [
    "AnyRevision",
    "Effect",
    "Kind",
    "Left",
    "Plan",
    "blame",
    "counted",
    "effect",
    "kind_of",
    "made",
    "noun_of",
    "pairs",
    "plan",
    "record_at",
    "values_of",
]

AnyRevision = Revision | CustomerRevision
V = TypeVar("V", bound=Revision | CustomerRevision)
Values = dict[str, Any]
"""The values of a record by attribute; one without a value is not in it."""

_LOG_WIRES: Final = {field.key: field.wire for field in CUSTOMER_LOG.values()}
_CUSTOMER_WIRES: Final = {"username": CUSTOMER["Username"].wire, **CUSTOMER_DETAILS}


class Kind(StrEnum):
    """What a revision did to its record as a whole."""

    ADDED = "added"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    ERASED = "erased"


def noun_of(revision: AnyRevision) -> str:
    """What it is a revision of: `log` or `customer`."""
    return "log" if isinstance(revision, Revision) else "customer"


def kind_of(revision: AnyRevision) -> Kind:
    """What it did. Of one that was erased nobody knows any more."""
    old, new = revision.changes.get(EXISTS[noun_of(revision)], (ERASED, ERASED))
    if old is None:
        return Kind.ADDED if revision.number == 1 else Kind.RESTORED
    if new is None:
        return Kind.WITHDRAWN
    if any(pair == (ERASED, ERASED) for pair in revision.changes.values()):
        return Kind.ERASED
    return Kind.CHANGED


def wires_of(revision: AnyRevision) -> dict[str, Wire]:
    """What the field table says of each attribute that it can change."""
    return _LOG_WIRES if isinstance(revision, Revision) else _CUSTOMER_WIRES


def pairs(revision: AnyRevision) -> Iterator[tuple[str, str | None, str | None]]:
    """Each element that it changed: its name, and its text before and after, times in UTC."""
    wires = wires_of(revision)
    for key, pair in revision.changes.items():
        old, new = (None if value is None else _text(wires[key], value) for value in pair)
        yield wires[key].name, old, new


def _text(wire: Wire, value: Any) -> str:
    return ERASED if value == ERASED else wire.type.write(value)


# -- a record as it was --------------------------------------------------------------------------


def values_of(record: CustomerLog | Customer) -> Values:
    """What a revision could have set of a record."""
    keys = CHANGEABLE if isinstance(record, CustomerLog) else CUSTOMER_CHANGEABLE
    return {key: value for key in keys if (value := record.value(key)) is not None}


def record_at(
    revisions: Iterable[AnyRevision], moment: datetime | None = None
) -> CustomerLog | Customer | None:
    """
    A record as it was at an aware time, None: after all of them; None where it was not there.

    revisions: all of it, oldest first. Of one that was erased nothing is known.
    """
    values: Values = {}
    first = last = None
    for one in revisions:
        if moment is not None and one.at > moment:
            break
        if kind_of(one) is Kind.ERASED:
            return None
        first, last = first or one, one
        values.update((key, new) for key, (_, new) in one.changes.items())
    if first is None or last is None or values[EXISTS[noun_of(last)]] is None:
        return None
    return made(first, last, values)


def made(
    first: AnyRevision, last: AnyRevision, values: Values, at: datetime | None = None
) -> CustomerLog | Customer:
    """
    The record with these values, which its `first` revision added and its `last` one left so.

    at: aware, UTC; then it is written once more, at that time.
    """
    number = last.number if at is None else last.number + 1
    times: Any = {"date_added": first.at, "date_updated": at or last.at, "revision": number}
    if isinstance(last, Revision):
        known: Any = dict.fromkeys(CHANGEABLE) | values
        return CustomerLog(site=last.site, log_id=last.log_id, **known, **times)
    details = {key: values[key] for key in CUSTOMER_DETAILS if values.get(key) is not None}
    return Customer(
        site=last.site,
        customer_id=last.customer_id,
        username=values["username"],
        details=details,
        **times,
    )


def blame(revisions: Iterable[V]) -> dict[str, V]:
    """
    The revision that gave each attribute the value that it has, or took it away; oldest first in.

    A withdrawal and a restore give no values of their own: only what differs after both is theirs.
    """
    values: Values = {}
    found: dict[str, V] = {}
    for one in revisions:
        kind = kind_of(one)
        if kind is Kind.WITHDRAWN:
            continue
        after = {key: new for key, (_, new) in one.changes.items()}
        if kind is Kind.RESTORED:
            after = dict.fromkeys(values) | after
        for key, value in after.items():
            if key not in values or not same(values[key], value):
                values[key], found[key] = value, one
    return found


# -- in words ------------------------------------------------------------------------------------

_SHORT: Final = 40
"""Characters of a value that may stand in a sentence."""


def counted(number: int, noun: str) -> str:
    """`1 log`, `1,200 logs`, `2 bodies`."""
    if number != 1:
        noun = f"{noun[:-1]}ies" if noun.endswith("dy") else f"{noun}s"
    return f"{number:,} {noun}"


class Effect:
    """What revisions did, in words; they come one by one, and none is kept."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str, str], set[int]] = {}
        self._values: dict[tuple[str, str, str], set[str]] = {}

    def add(self, one: AnyRevision) -> None:
        """One more. A record that is changed twice alike counts once."""
        kind, noun = kind_of(one), noun_of(one)
        number = one.log_id if isinstance(one, Revision) else one.customer_id
        if kind is not Kind.CHANGED:
            self._records.setdefault((_DID[kind], noun, ""), set()).add(number)
            return
        for name, old, new in pairs(one):
            if name == "Status":
                did = "moved", noun, f" from {old} to {new}"
            elif new is None:
                did = f"cleared {name} of", noun, ""
            else:
                did = f"{'set' if old is None else 'changed'} {name} of", noun, ""
                values = self._values.setdefault(did, set())
                if len(values) < 2:
                    values.add(new)
            self._records.setdefault(did, set()).add(number)

    @property
    def words(self) -> list[str]:
        """`moved 12 logs from Recontacting to Completed`, `added 2 logs`, …"""
        return [
            f"{did[0]} {counted(len(numbers), did[1])}{did[2]}{_to(self._values.get(did, set()))}"
            for did, numbers in self._records.items()
        ]


def effect(revisions: Iterable[AnyRevision]) -> list[str]:
    """What revisions did, in words: see `Effect`."""
    effect = Effect()
    for one in revisions:
        effect.add(one)
    return effect.words


_DID: Final = {
    Kind.ADDED: "added",
    Kind.WITHDRAWN: "withdrew",
    Kind.RESTORED: "restored",
    Kind.ERASED: "wrote what was erased since of",
}


def _to(values: set[str]) -> str:
    """The value that all got, if it is one, and short."""
    if len(values) != 1:
        return ""
    (value,) = values
    return f" to {value}" if len(value) <= _SHORT and value.isprintable() else ""


# -- undo ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Left(Generic[V]):
    """
    What an undo leaves as it is: an element of a chosen revision, or "" for the whole record.

    by: the later revision that is not chosen and stands in the way; None: it was erased.
    """

    revision: V
    key: str
    by: V | None

    @property
    def element(self) -> str:
        """The element's name; "" for the whole record."""
        return wires_of(self.revision)[self.key].name if self.key else ""


@dataclass(frozen=True, slots=True)
class Plan(Generic[V]):
    """What an undo makes of one record: the values it is to have (None: it goes), and the rest."""

    values: Values | None
    left: list[Left[V]]


def plan(now: Values | None, revisions: Sequence[V], is_chosen: Callable[[V], bool]) -> Plan[V]:
    """
    How to undo the chosen revisions of one record (SPEC §8).

    now: its values; None: it is not there. revisions: from the oldest chosen one to the last there
    is, oldest first. Newest first, each element goes back, unless a revision that is not chosen
    changed it later: it is left then, from there on. An add that is undone withdraws the record,
    if nothing later stays that is not chosen; a withdrawal that is undone restores it. A restore
    that stays counts, with the withdrawal below it, as a change of what differs after both. What
    already is as the undo would have it is not told as left, so one that was cut off can run again.
    """
    if erased := next((one for one in revisions if kind_of(one) is Kind.ERASED), None):
        return Plan(now, [Left(erased, "", None)])
    values = None if now is None else dict(now)
    is_gone_wished: bool | None = None  # None: nothing is wished of the record as a whole
    later: dict[str, V] = {}  # by what else each element was changed since
    wall: V | None = None  # a withdrawal that stays: nothing below it can come back
    left: list[Left[V]] = []
    runs: list[_Run[V]] = []
    run_of: dict[str, _Run[V]] = {}
    below = list(revisions)
    while below:
        one = below.pop()
        kind, chosen = kind_of(one), is_chosen(one)
        if kind is Kind.WITHDRAWN:
            if not chosen:
                wall = wall or one
                continue
            is_gone_wished = False
            if wall:
                left.append(Left(one, "", wall))
            else:
                values = _before(one)
        elif kind is not Kind.CHANGED:
            by = wall or next(iter(later.values()), None)
            if chosen:
                is_gone_wished = True
                if by is None:
                    values = None
                    continue
                left.append(Left(one, "", by))
            if below:  # the withdrawal that it took back
                withdrawal = below.pop()
                if is_chosen(withdrawal):
                    is_gone_wished = False
                for key in one.changes.keys() | withdrawal.changes.keys():
                    old, _ = withdrawal.changes.get(key, (None, None))
                    _, new = one.changes.get(key, (None, None))
                    if not same(old, new):
                        later.setdefault(key, one)
                        run_of.pop(key, None)
        elif chosen:
            for key, (old, _) in one.changes.items():
                if by := wall or later.get(key):
                    if key not in run_of:
                        run_of[key] = _Run(key)
                        runs.append(run_of[key])
                    run_of[key].wish = old
                    run_of[key].left.append(Left(one, key, by))
                else:
                    assert values is not None, "changed, though it was not there"
                    values[key] = old
        else:
            for key in one.changes:
                later.setdefault(key, one)
                run_of.pop(key, None)
    # What already is as it would be need not be told.
    told = [] if is_gone_wished == (values is None) else left
    if values is not None:
        values = {key: value for key, value in values.items() if value is not None}
        runs = [run for run in runs if not same(values.get(run.key), run.wish)]
    elif is_gone_wished:
        runs = []
    return Plan(values, told + [one for run in runs for one in run.left])


@dataclass(slots=True)
class _Run(Generic[V]):
    """Chosen changes of one element that cannot go back, with none between that is not chosen."""

    key: str
    wish: Any = None
    left: list[Left[V]] = field(default_factory=list)


def _before(revision: AnyRevision) -> Values:
    return {key: old for key, (old, _) in revision.changes.items()}
