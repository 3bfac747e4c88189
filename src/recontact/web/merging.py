"""What a form makes of a log: what its writer changed, merged with what others did meanwhile."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from typing import Any, Final

from msgspec.structs import replace

from recontact.fields import Fields, local
from recontact.model import CHANGEABLE, CustomerLog, Revision, same
from recontact.values import Absent, TooLongError, WrongValueError
from recontact.web import words
from recontact.web.days import WrongTimeError, day_or_time, moment_of
from recontact.web.forms import Form
from recontact.web.timeline import OUTCOMES, contact_line, label

OTHER: Final = "+"
"""In a menu of names: one that it has not, which is written beside it."""
NAMES: Final = {"allocated_to": "who", "follow_up_type": "type"}
"""The elements that are chosen from a menu of names, and their fields."""
_FIELD_OF: Final = {
    **NAMES,
    "status": "status",
    "customer_name": "name",
    "last_contacted": "last",
    "date_required_follow_up": "day",
    "notes": "notes",
}
"""The field of a form that each element is in."""
FILLED: Final = (
    "said", "outcome", "next", "day", "time", "who", "who_other", "status", "name", "type",
    "type_other", "last", "notes", "once",
)  # fmt: skip
"""The fields of a form of a log; once: of each form that a page gives out another text."""
EDITABLE: Final = tuple(_FIELD_OF)
"""The elements that a form can change."""

Filled = Mapping[str, str]
"""A form of a log as it is filled in: the text of each of `FILLED`."""


def filled(form: Form) -> dict[str, str]:
    """What somebody filled in."""
    return {name: form.get(name) for name in FILLED}


def shown(log: CustomerLog, zone: tzinfo) -> dict[str, str]:
    """How a form shows a log: sent back so, nothing was changed."""
    due = log.date_required_follow_up
    at = local(due, zone) if isinstance(due, datetime) else None
    day = at.date() if at else due
    last = local(log.last_contacted, zone) if log.last_contacted else None
    return dict.fromkeys(FILLED, "") | {
        "next": "date" if due else "none",
        "day": day.isoformat() if day else "",
        "time": at.strftime("%H:%M") if at else "",
        "who": option(log.allocated_to),
        "type": option(log.follow_up_type),
        "status": log.status.value,
        "name": _lines(log.customer_name).replace("\n", ""),  # as a browser takes them out
        "last": last.replace(tzinfo=None).isoformat("T", "minutes") if last else "",
        "notes": _lines(log.notes),
    }


def option(name: str | None) -> str:
    """A name as the value of a menu's entry; no name is taken for "nobody" or for `OTHER`."""
    return f"={_lines(name)}" if name else ""


def _lines(text: str | None) -> str:
    """A text as a browser has it, whatever its lines end with."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n")


# -- what a form asks for ------------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """
    What a form asks for: elements by their values, and a line for Notes.

    errors: what cannot be, by the field that it stands in. has_reached: whether the contact was
    made, just now.
    """

    values: dict[str, Any] = field(default_factory=dict)
    line: str = ""
    has_reached: bool = False
    errors: dict[str, str] = field(default_factory=dict)


def asked(
    form: Filled, base: CustomerLog, username: str, now: datetime, zone: tzinfo, table: Fields
) -> Asked:
    """
    What was changed in a form that showed `base`. table: of the action that is to do it.

    username: of who did it.
    """
    found = Asked()
    was = shown(base, zone)
    for key, text in _texts(form, was, base, found.errors).items():
        wire = next(one.wire for one in table.values() if one.key == key)
        try:
            value = wire.type.read(text)
        except WrongValueError as error:
            found.errors[_FIELD_OF[key]] = f"{label(wire.name)} {error.problem}."
            continue
        if not isinstance(value, Absent) and not same(base.value(key), value):
            found.values[key] = value
    _read_follow_up(form, was, base, now, zone, found)
    if form["last"] != was["last"]:
        try:
            found.values["last_contacted"] = moment_of(form["last"], zone) if form["last"] else None
        except WrongTimeError as error:
            found.errors["last"] = f"{error} Or leave it empty."
    outcome = form["outcome"] if form["outcome"] in OUTCOMES else ""
    if outcome or form["said"].strip():
        found.line = contact_line(local(now, zone), username, outcome, form["said"].strip())
        found.has_reached = outcome == "reached"
    return found


def _texts(form: Filled, was: Filled, base: CustomerLog, errors: dict[str, str]) -> dict[str, str]:
    """The elements that were changed and are texts or words, as they would be sent."""
    texts = {}
    for key, name in NAMES.items():
        if form[name] == OTHER:
            texts[key] = form[f"{name}_other"].strip()
            if not texts[key]:
                errors[name] = "Write a name, or choose one of the menu."
        elif form[name] != was[name]:
            texts[key] = form[name].removeprefix("=")
    for key in ("customer_name", "status", "notes"):
        if form[_FIELD_OF[key]] != was[_FIELD_OF[key]]:
            texts[key] = form[_FIELD_OF[key]]
    if "notes" in texts and "\r\n" in (base.notes or ""):  # they end as they did
        texts["notes"] = texts["notes"].replace("\n", "\r\n")
    return texts


def _read_follow_up(
    form: Filled, was: Filled, base: CustomerLog, now: datetime, zone: tzinfo, found: Asked
) -> None:
    choice, key = form["next"], "date_required_follow_up"
    if choice == "none" == was["next"] and form["day"]:  # a day was written, and "Date" not chosen
        choice = "date"
    if choice in words.SNOOZES:
        value: date | datetime | None = words.snoozed(choice, now, zone)
    elif choice == "none":
        value = None
    elif choice != "date" or all(form[name] == was[name] for name in ("next", "day", "time")):
        return
    else:
        try:
            value = day_or_time(form["day"], form["time"], zone)
        except WrongTimeError as error:
            found.errors["day"] = f"{error} Or choose none."
            return
        if words.day_of(value, zone) < words.today_in(now, zone):
            found.errors["day"] = "The date is before today. Choose a later day, or none."
            return
    if not same(value, base.value(key)):
        found.values[key] = value


# -- with what others did ------------------------------------------------------------------------


def before(log: CustomerLog, since: Iterable[Revision]) -> CustomerLog:
    """A log as it was before these revisions, the newest first."""
    for one in since:
        log = replace(log, **{key: old for key, (old, _) in one.changes.items()})
    return log


@dataclass(slots=True)
class Merged:
    """
    What is to be written, by element, and what is not clear.

    conflicts: the elements that both changed, to different values. theirs: those that others
    changed, and this leaves so.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    theirs: list[str] = field(default_factory=list)


def merge(
    mine: Asked,
    base: CustomerLog,
    log: CustomerLog,
    picked: Mapping[str, str],
    seen: CustomerLog,
    now: datetime,
) -> Merged:
    """
    Put what a form asks for on top of what others did since.

    base: the log as the form showed it. log: as it is. picked: of elements that both changed
    "mine", "theirs" or "both", by who saw it as `seen`.
    """
    found = Merged()
    for key, value in mine.values.items():
        current = log.value(key)
        if same(current, value):
            continue
        if not same(current, (seen if key in picked else base).value(key)):
            found.conflicts.append(key)
        elif picked.get(key) == "both" and key == "notes":
            found.changes[key] = both(base.notes, current, value)
        elif picked.get(key) != "theirs":
            found.changes[key] = value
    if mine.has_reached and "last_contacted" not in mine.values:
        found.changes["last_contacted"] = now.replace(microsecond=0)
    found.theirs = [
        key
        for key in CHANGEABLE
        if not same(base.value(key), log.value(key))
        and key not in found.changes
        and key not in found.conflicts
    ]
    if mine.line:  # which leaves theirs there
        notes = found.changes.get("notes", log.notes)
        found.changes["notes"] = with_line(notes, mine.line)
    return found


def with_line(notes: str | None, line: str) -> str:
    """Notes with a line more, that ends as theirs do; nothing of them is lost."""
    if not notes:
        return line
    end = "\r\n" if "\r\n" in notes else "\n"
    between = "" if notes.endswith(("\n", "\r")) else end
    return notes + between + _lines(line).replace("\n", end)


def both(base: str | None, theirs: str | None, mine: str | None) -> str:
    """Two texts that were made of one: theirs, and then what is new in mine."""
    if mine and base and mine.startswith(base):
        mine = mine[len(base) :].lstrip("\r\n")
    return with_line(theirs, mine) if mine else theirs or ""


def too_long(mine: Asked, changes: Mapping[str, Any], table: Fields) -> str:
    """Why Notes do not take one line more; "" where they do."""
    if mine.line and "notes" in changes:
        wire = next(one.wire for one in table.values() if one.key == "notes")
        try:
            wire.type.read(changes["notes"])
        except TooLongError as error:
            return f"With this, Notes are {error.problem.removeprefix('is ')}."
        except WrongValueError as error:
            return f"This {error.problem}."
    return ""


def elements(values: Mapping[str, Any], table: Fields) -> dict[str, str]:
    """Values as a call has them, by the names of their elements; empty where there is none."""
    return {
        name: "" if values[one.key] is None else one.wire.type.write(values[one.key])
        for name, one in table.items()
        if one.key in values
    }
