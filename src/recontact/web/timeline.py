"""Revisions in words that people use: when, who, through what, and what was what before."""

import dataclasses
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from recontact.history import AnyRevision, Kind, kind_of, wires_of
from recontact.model import COMMAND_LINE, ERASED, JournalEntry, Key, fold
from recontact.web import words
from recontact.web.panel import Person

LONGEST: Final = 280
"""Characters that the timeline shows of a text."""
LOOKED_AT: Final = 2_000
"""Characters at the end of Notes among which the last line is looked for."""
OUTCOMES: Final = {"reached": "reached", "none": "no answer", "message": "left a message"}
"""How a contact went: as a form has it, and as Notes and people do."""

_WORD: Final = re.compile("[A-Z]+(?![a-z])|[A-Z][a-z]*|[0-9]+")
_LINE: Final = re.compile(
    r"(?:(?P<before>.*?)\n)?\d{4}-\d\d-\d\d \d\d:\d\d (?P<who>[^\n]{1,100}?)"
    rf"(?:, (?P<outcome>{'|'.join(OUTCOMES.values())}))?(?:: (?P<said>.*))?",
    re.DOTALL,
)
"""What `contact_line` writes, and what may stand before it."""


def label(name: str) -> str:
    """An element's name as people read it: `Follow-up type` of FollowUpType."""
    parts = _WORD.findall(name)
    parts = [one if len(one) > 1 and one.isupper() else one.lower() for one in parts]
    text = " ".join(parts).replace("follow up", "follow-up")
    return text[:1].upper() + text[1:]


def cut(text: str, most: int = LONGEST) -> str:
    """The beginning of a text, if it is longer than that."""
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def contact_line(at: datetime, who: str, outcome: str, said: str) -> str:
    """What Notes get of a contact. at: in the site's zone. outcome: one of `OUTCOMES`, or ""."""
    how = f", {OUTCOMES[outcome]}" if outcome else ""
    what = f": {said}" if said else ""
    when = at.replace(tzinfo=None).isoformat(" ", "minutes")
    return f"{when} {who}{how}{what}"


def last_lines(notes: str | None, most: int) -> str:
    """The last lines of Notes, as many as there is room for; of a longer one the beginning."""
    lines = [line for one in (notes or "")[-LOOKED_AT:].splitlines() if (line := one.strip())]
    found: list[str] = []
    for line in reversed(lines):
        if found and len("\n".join([line, *found])) > most:
            break
        found.insert(0, cut(line, most))
    return "\n".join(found)


def last_said(notes: str | None, most: int = 160) -> str:
    """The last line of Notes that tells something; of a contact, what was said."""
    for line in reversed((notes or "")[-LOOKED_AT:].splitlines()):
        found = _LINE.fullmatch(line.strip())
        if said := (found["said"] or "" if found else line).strip():
            return cut(said, most)
    return ""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two texts, apart where they differ: what is before that, each one's own, what is behind."""

    before: str
    old: str
    new: str
    after: str


def difference(old: str, new: str) -> Difference:
    """Where two texts differ, in whole words."""
    start = _alike(old, new)
    while _splits(old, start) or _splits(new, start):
        start -= 1
    end = _alike(old[start:][::-1], new[start:][::-1])
    while _splits(old, len(old) - end) or _splits(new, len(new) - end):
        end -= 1
    return Difference(
        old[:start], old[start : len(old) - end], new[start : len(new) - end], old[len(old) - end :]
    )


def _alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _splits(text: str, at: int) -> bool:
    """Whether a word of the text goes on there."""
    return 0 < at < len(text) and not text[at - 1].isspace() and not text[at].isspace()


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in words. exact: of a time, in UTC; else ""."""

    text: str
    exact: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One element that changed. old: None: what it was is not told."""

    label: str
    old: Shown | None
    new: Shown


@dataclass(frozen=True, slots=True)
class Told:
    """
    A revision in words.

    when, exact: its time. sentence: who did what, but the end of it, `request`, its id, where it
    came with a key or the reader may look at it, else "". said: what a contact brought into Notes.
    may_undo: whether the reader may.
    """

    number: int
    when: str
    exact: str
    sentence: str
    request: str
    said: str
    is_new: bool
    changes: tuple[Change, ...]
    may_undo: bool


def over_with(revisions: Iterable[AnyRevision]) -> set[int]:
    """
    The numbers of those whose every element was changed again: an undo would change nothing.

    revisions: of one record, from the newest down.
    """
    found: set[int] = set()
    later: set[str] = set()
    for one in revisions:
        if kind_of(one) is Kind.CHANGED:  # what is withdrawn and comes back is as it was
            if later.issuperset(one.changes):
                found.add(one.number)
            later.update(one.changes)
    return found


class Teller:
    """Tells a person of revisions of their site. keys: of the site, by number."""

    def __init__(self, person: Person, keys: Mapping[int, Key], now: datetime) -> None:
        self._person = person
        self._keys = keys
        self._now = now
        self._zone = person.site.zone

    def when(self, at: datetime) -> str:
        """`today 09:12`."""
        return words.moment(at, self._now, self._zone)

    def ago(self, at: datetime) -> str:
        """`5 minutes ago`."""
        return words.ago(at, self._now, self._zone)

    def who(self, one: AnyRevision, *, begins: bool = False) -> str:
        """`Ana`, `you`, `key 3, erp-sync`. begins: a sentence."""
        if one.key_id:
            key = self._keys.get(one.key_id)
            name = f"key {one.key_id}" + (f", {key.username}" if key and key.username else "")
        elif one.who == COMMAND_LINE:
            name = "the command line"
        elif self.is_own(one):
            name = "you"
        else:
            return one.who or ("Somebody" if begins else "somebody")
        return name[0].upper() + name[1:] if begins else name

    def is_own(self, one: AnyRevision) -> bool:
        """Whether the reader made it."""
        return not one.key_id and one.who == self._person.username

    def may_undo(self, one: AnyRevision) -> bool:
        """Whether the reader may undo it: agents what they did, admins all."""
        return self._person.may("admin") or (self._person.may("agent") and self.is_own(one))

    def due(self, value: date | datetime | None) -> str:
        """`tomorrow`, `Wed 25 Nov`, `today 14:00`; "" for none."""
        if value is None or isinstance(value, datetime):
            return self.when(value) if value else ""
        today = words.today_in(self._now, self._zone)
        near = {0: "today", 1: "tomorrow"}.get((value - today).days)
        return near or words.day(value, today)

    def due_in(self, value: date | datetime) -> words.Due:
        """How late a follow-up is, or when it is due."""
        return words.due(value, self._now, self._zone)

    def value(self, one: AnyRevision, key: str, value: Any) -> Shown:
        """A value of an element that a revision changed."""
        if value is None:
            return Shown("nobody" if key == "allocated_to" else "none")
        if value == ERASED:
            return Shown("erased")
        if isinstance(value, datetime):
            return Shown(self.when(value), words.exact(value))
        if isinstance(value, bool):
            return Shown("yes" if value else "no")
        if isinstance(value, date):
            today = words.today_in(self._now, self._zone)
            return Shown(words.day(value, today), words.exact(value))
        return Shown(cut(wires_of(one)[key].type.write(value)))

    def tell(
        self,
        revisions: Iterable[AnyRevision],
        undone: Mapping[bytes, JournalEntry] | None = None,
        over: Collection[int] = (),
    ) -> list[Told]:
        """
        The revisions of one record, in the order they come in.

        undone: by their requests, the journal's entries of those that undid something. over: see
        `over_with`; their undo is not offered.
        """
        some = list(revisions)
        undone = undone or {}
        return [
            self._told(one, some, undone.get(one.request), is_over=one.number in over)
            for one in some
        ]

    def _told(
        self,
        one: AnyRevision,
        among: list[AnyRevision],
        undo: JournalEntry | None,
        *,
        is_over: bool,
    ) -> Told:
        kind = kind_of(one)
        is_new = kind is Kind.ADDED
        said, outcome = self._spoken(one) if is_new or kind is Kind.CHANGED else ("", "")
        through = "" if one.key_id or one.who == COMMAND_LINE else ", through the panel"
        by = f"by {self.who(one)}{through}"
        if kind is not Kind.CHANGED:
            sentence = f"{_DID[kind]} {by}"
        elif outcome:
            sentence = f"{outcome[0].upper()}{outcome[1:]}: {by.removeprefix('by ')}"
            if outcome == OUTCOMES["reached"]:
                sentence = f"Reached {by}"
        else:
            sentence = f"{self.who(one, begins=True)}{through}"
        if undo is not None:
            sentence = f"{sentence}: undo{self._of(undo, among)}"
        keys = [key for key in one.changes if not (key == "notes" and (said or outcome))]
        changes: list[Change] = []
        if kind in (Kind.CHANGED, Kind.ADDED):
            changes = [self.change(one, key, *one.changes[key]) for key in keys]
        if is_new:  # there was nothing before
            changes = [dataclasses.replace(change, old=None) for change in changes]
        return Told(
            one.number,
            words.first(self.when(one.at)),
            words.exact(one.at),
            sentence,
            str(UUID(bytes=one.request)) if one.key_id or self._person.may("admin") else "",
            said,
            is_new,
            tuple(changes),
            kind is Kind.CHANGED and not is_over and self.may_undo(one),
        )

    def _spoken(self, one: AnyRevision) -> tuple[str, str]:
        """What was added to Notes, where nothing else of them changed, and how a contact went."""
        old, new = one.changes.get("notes", (None, None))
        if new is None or new == ERASED or not new.startswith(old or ""):
            return "", ""
        added = new[len(old or "") :].strip()
        found = _LINE.fullmatch(added)
        if found is None or fold(found["who"]) != fold(one.who or ""):
            return cut(added), ""
        said = "\n".join(part for part in ((found["before"] or "").rstrip(), found["said"]) if part)
        return cut(said), found["outcome"] or ""

    def _of(self, undo: JournalEntry, among: list[AnyRevision]) -> str:
        """What an undo took back: ` of the change of today 09:12`."""
        asked = _asked(undo)
        number, request = asked.get("Revision"), str(asked.get("Request", "")).replace("-", "")
        for one in among:
            if one.number == number or one.request.hex() == request:
                return f" of what was done {self.when(one.at)}"
        return f" of request {words.short(request)}" if request else ""

    def change(self, one: AnyRevision, key: str, old: Any, new: Any) -> Change:
        """An element that a revision changed, in words; of Notes where they differ."""
        name = label(wires_of(one)[key].name)
        if key != "notes" or None in (old, new) or ERASED in (old, new):
            return Change(name, self.value(one, key, old), self.value(one, key, new))
        apart = difference(old, new)
        was = Shown(cut(apart.old.strip())) if apart.old.strip() else None
        return Change(name, was, Shown(cut(apart.new.strip()) or "taken out"))


_DID: Final = {
    Kind.ADDED: "Added",
    Kind.WITHDRAWN: "Withdrawn",
    Kind.RESTORED: "Brought back",
    Kind.ERASED: "Erased since; written",
}


def _asked(entry: JournalEntry) -> dict[str, Any]:
    """What a request asked for, where its journal's entry has it."""
    try:
        asked = msgspec.json.decode(entry.request_body or b"null")
    except msgspec.DecodeError:
        return {}
    return asked if isinstance(asked, dict) else {}
