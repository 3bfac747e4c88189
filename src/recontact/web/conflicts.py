"""What two people changed alike: theirs and mine, side by side, to choose from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from recontact.fields import CUSTOMER_LOG
from recontact.model import CustomerLog, Revision
from recontact.web import merging, words
from recontact.web.timeline import Change, Shown, Teller, cut, difference, label


@dataclass(frozen=True, slots=True)
class Offer:
    """One of the values to choose from: what it is, in parts, of which the middle one differs."""

    pick: str
    parts: tuple[str, str, str]
    of: str
    exact: str = ""
    is_wide: bool = False


@dataclass(frozen=True, slots=True)
class Against:
    """An element that both changed, and the values to choose from. chosen: the first choice."""

    key: str
    label: str
    offers: list[Offer]
    chosen: str


@dataclass(frozen=True, slots=True)
class Kept:
    """An element that only one of them changed. by: who."""

    change: Change
    by: str


@dataclass(frozen=True, slots=True)
class Both:
    """
    What two people made of one log. merged, mine: of the one who saves, see `merging`.

    base: the log as both had it. log: as it is, after the revisions `since`, newest first.
    """

    merged: merging.Merged
    mine: merging.Asked
    base: CustomerLog
    log: CustomerLog
    since: Sequence[Revision]

    def last_of(self, key: str) -> Revision:
        """The revision that changed an element last."""
        return next(one for one in self.since if key in one.changes)


def against_of(both: Both, teller: Teller) -> list[Against]:
    """What both changed, to be chosen from."""
    return [_against(key, both, teller) for key in both.merged.conflicts]


def kept_of(both: Both, teller: Teller) -> list[Kept]:
    """What one of them alone changed, which is kept."""
    found = []
    merged, mine, base = both.merged, both.mine, both.base
    for key, value in merged.changes.items():
        change = teller.change(both.since[0], key, base.value(key), value)
        if key == "notes" and (key in merged.conflicts or key not in mine.values):
            change = Change("One more line in Notes", None, Shown(cut(mine.line)))
        found.append(Kept(change, "You"))
    for key in merged.theirs:
        one = both.last_of(key)
        change = teller.change(one, key, base.value(key), both.log.value(key))
        found.append(Kept(change, f"{teller.who(one, begins=True)}, already saved"))
    return found


def whose_is(teller: Teller, one: Revision) -> str:
    """Of whom something is, as a title says it."""
    return "yours in another window" if teller.is_own(one) else f"{teller.who(one)}\u2019s"


def _against(key: str, both: Both, teller: Teller) -> Against:
    one, value, log = both.last_of(key), both.mine.values[key], both.log
    title = words.first(f"{whose_is(teller, one)}, {teller.when(one.at)}")
    if key != "notes":
        own, other = teller.value(one, key, value), teller.value(one, key, log.value(key))
        offers = [
            Offer("mine", ("", own.text, ""), "Yours", own.exact),
            Offer("theirs", ("", other.text, ""), title, other.exact),
        ]
        return Against(key, label_of(key), offers, "mine")
    apart = difference(log.notes or "", value or "")
    start, end = _end_of(apart.before), _start_of(apart.after)
    together = difference(log.notes or "", merging.both(both.base.notes, log.notes, value))
    offers = [
        Offer("mine", (start, apart.new, end), "Yours"),
        Offer("theirs", (start, apart.old, end), title),
        Offer(
            "both",
            (_end_of(together.before), together.new, _start_of(together.after)),
            "Both, theirs first",
            is_wide=True,
        ),
    ]
    return Against(key, label_of(key), offers, "both")


_CONTEXT: Final = 160
"""Characters that are shown of what two texts have in common, before and behind the difference."""


def _end_of(text: str) -> str:
    return text if len(text) <= _CONTEXT else f"…{text[1 - _CONTEXT :]}"


def _start_of(text: str) -> str:
    return cut(text, _CONTEXT)


def label_of(key: str) -> str:
    """An element's name as people read it."""
    return _LABELS[key]


_LABELS: Final = {one.key: label(name) for name, one in CUSTOMER_LOG.items()}
