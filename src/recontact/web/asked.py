"""What an address of the queue asks for: `/?tab=today&who=me&status=Recontacting`."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, quote

from recontact.model import fold
from recontact.store import View
from recontact.store.followups import COUNTED, Cursor, Entry, Order, Queue, Tab
from recontact.values import ABSENT, Absent, Status
from recontact.web.forms import number_in
from recontact.web.panel import Person

E = TypeVar("E", Tab, Order, Status)

ME: Final = "me"
NOBODY: Final = "nobody"
NONE: Final = "none"
_NAMED: Final = "name:"
"""Stands before a name that would be taken for one of the words above."""
_LONGEST: Final = 300
"""Characters of a name or of words, past which an address is not one of ours."""
TITLES: Final = {
    Tab.OVERDUE: "Overdue",
    Tab.TODAY: "Today",
    Tab.UPCOMING: "Upcoming",
    Tab.NO_DATE: "No date",
    Tab.COMPLETED: "Completed",
}
_FILTERS: Final = ("who", "type", "status", "q")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A queue as its address names it; what an address has beside that, and what is wrong, is not.

    who: `me`, `nobody`, "" for everyone, or a name; type: `none`, "" for any, or a name: as `named`
    writes them. is_all: whether all that match are chosen. step, one: the menu that is open, and
    the LogID of the one row that it is for; 0: for all that are chosen.
    """

    tab: Tab = Tab.OVERDUE
    who: str = ""
    type: str = ""
    status: Status | None = None
    q: str = ""
    order: Order = Order.OLDEST
    after: Cursor | None = None
    before: Cursor | None = None
    is_all: bool = False
    step: str = ""
    one: int = 0

    @classmethod
    def read(cls, query: Mapping[str, str]) -> "Asked":
        """What the part of an address behind its ? asks for."""
        step = next((step for step in ("move", "assign") if step in query), "")
        return cls(
            _one_of(Tab, query.get("tab", "")) or Tab.OVERDUE,
            query.get("who", "")[:_LONGEST],
            query.get("type", "")[:_LONGEST],
            _one_of(Status, query.get("status", "")),
            query.get("q", "").strip()[:_LONGEST],
            _one_of(Order, query.get("order", "")) or Order.OLDEST,
            Cursor.read(query.get("after", "")),
            Cursor.read(query.get("before", "")),
            "all" in query,
            step,
            number_in(query.get(step, "")) or 0,
        )

    @classmethod
    def of_address(cls, address: str) -> "Asked":
        """The same of a whole address, as a page may carry the one that it was reached from."""
        return cls.read(dict(parse_qsl(address.partition("?")[2])))

    def queue(self, person: Person) -> Queue:
        """The queue itself. person: who `me` is, by their username."""
        who: str | Absent | None = ABSENT
        if self.who:
            who = {ME: person.username, NOBODY: None}.get(self.who, _name_in(self.who))
        kind: str | Absent | None = ABSENT
        if self.type:
            kind = None if self.type == NONE else _name_in(self.type)
        status = None if self.tab is Tab.COMPLETED else self.status
        return Queue(self.tab, self.order, who, kind, status, self.q)

    def entries(self, view: View, person: Person) -> list[Entry]:
        """The rows of this page of it."""
        cursor = self.before or self.after
        return view.queue(self.queue(person)).page(cursor, back=self.before is not None).entries

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves some of its tab out."""
        return any(getattr(self, name) for name in _FILTERS)

    @property
    def address(self) -> str:
        """The address, with as little as names it."""
        written = self.query
        return f"/?{written}" if written else "/"

    @property
    def query(self) -> str:
        """The part of the address behind its ?."""
        pairs = {
            "tab": "" if self.tab is Tab.OVERDUE else self.tab,
            "who": self.who,
            "type": self.type,
            "status": self.status or "",
            "q": self.q,
            "order": "" if self.order is Order.OLDEST else self.order,
            "after": self.after.write() if self.after else "",
            "before": self.before.write() if self.before else "",
            "all": "1" if self.is_all else "",
            self.step: str(self.one) if self.step else "",
        }
        return "&".join(f"{name}={_quoted(value)}" for name, value in pairs.items() if value)

    def but(self, **others: Any) -> "Asked":
        """The same but for these."""
        return dataclasses.replace(self, **others)

    @property
    def first(self) -> "Asked":
        """Its first page, with nothing chosen and no menu open."""
        return self.but(after=None, before=None, is_all=False, step="", one=0)

    @property
    def here(self) -> "Asked":
        """This page of it, with nothing chosen and no menu open."""
        return self.but(is_all=False, step="", one=0)

    @property
    def unfiltered(self) -> "Asked":
        """The first page of its tab, with all that is in it."""
        return Asked(self.tab, order=self.order)


def as_counted(number: int) -> str:
    """How many follow-ups there are, as far as they are counted: `12`, `1,000+`."""
    return f"{COUNTED:,}+" if number > COUNTED else f"{number:,}"


def named(name: str) -> str:
    """A name as an address has it."""
    is_word = fold(name) in (ME, NOBODY, NONE) or name.startswith(_NAMED)
    return f"{_NAMED}{name}" if is_word else name


def _name_in(written: str) -> str:
    return written.removeprefix(_NAMED)


def _one_of(kind: type[E], text: str) -> E | None:
    return kind(text) if text in list(kind) else None


def _quoted(value: str) -> str:
    return quote(value, safe=":,-. ").replace(" ", "+")
