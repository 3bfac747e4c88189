"""A queue for paper: all of it, up to a bound, with what was noted last."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from recontact.model import Customer
from recontact.store import View
from recontact.store.followups import Entry, Tab
from recontact.web import words
from recontact.web.asked import ME, NOBODY, NONE, TITLES, Asked, as_counted
from recontact.web.followups import Row, row_of
from recontact.web.naming import name_of, phone_of
from recontact.web.panel import Person, panel_of, person_of
from recontact.web.timeline import last_lines

MOST: Final = 500
"""Follow-ups of one print: some 40 sheets."""
PAGES: Final = 40
"""Pages of the queue that are read for one print; where what matches is rare some are empty."""
NOTES: Final = 400
"""Characters of the notes of each."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A follow-up, the number to call, and the end of its notes."""

    row: Row
    phone: str
    notes: str


async def printed(request: Request) -> Response:
    """The queue that an address asks for, from its first page on."""
    panel, person = panel_of(request), person_of(request)
    asked, now, zone = Asked.read(request.query_params).first, panel.now, person.site.zone
    found, number = await panel.view(person, lambda view: _read(view, asked, person))
    came, today = quote(asked.address, "/?=:,"), words.today_in(now, zone)
    return panel.render(
        request,
        "printed.html",
        asked=asked,
        title=TITLES[asked.tab],
        rows=[
            Printed(
                row_of(entry, name_of(entry.log, customer), asked, came, now, person),
                phone_of(customer) if customer else "",
                last_lines(entry.log.notes, NOTES),
            )
            for entry, customer in found
        ],
        number=number,
        day=words.day(today, today),
        filters=_filters(asked, person),
        is_done=asked.tab is Tab.COMPLETED,
    )


_Found = list[tuple[Entry, Customer | None]]


def _read(view: View, asked: Asked, person: Person) -> tuple[_Found, str]:
    """The first follow-ups, each with its customer, and what is said of their number."""
    entries, number = _entries(view, asked, person)
    customers = view.customers_of([one.log for one in entries])
    return [(one, customers.get(one.log.log_id)) for one in entries], number


def _entries(view: View, asked: Asked, person: Person) -> tuple[list[Entry], str]:
    """The first follow-ups, from page to page, and what is said of their number."""
    reading = view.queue(asked.queue(person))
    entries: list[Entry] = []
    cursor = None
    for _ in range(PAGES):
        page = reading.page(cursor)
        entries += page.entries
        cursor = page.after
        if cursor is None:
            return entries, f"{len(entries)} follow-up{'' if len(entries) == 1 else 's'}"
        if len(entries) >= MOST:
            break
    counts = reading.counts() or {}
    if asked.tab in counts:
        return entries, f"The first {len(entries)} of {as_counted(counts[asked.tab])}"
    return entries, f"The first {len(entries)}, there may be more"


def _filters(asked: Asked, person: Person) -> list[str]:
    """What the list leaves out, as what it has: `for Ana`."""
    who = {ME: person.username, NOBODY: "nobody"}.get(asked.who, asked.who.removeprefix("name:"))
    kind = "no type" if asked.type == NONE else asked.type.removeprefix("name:")
    said = [
        f"for {who}" if who else "",
        kind,
        asked.status or "",
        f"“{asked.q}”" if asked.q else "",
    ]
    return [one for one in said if one]
