"""One log: its details, what happened, what is next, and its timeline; `saving` has the rest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from recontact.history import Kind, blame, kind_of
from recontact.model import Customer, CustomerLog, JournalEntry, Key, Revision, fold, new_log
from recontact.store import Store, View, keys, staff
from recontact.store.followups import COUNTED, Cursor, Order, Place, Queue, Tab
from recontact.store.journal import Wanted
from recontact.values import Status
from recontact.web import merging, words
from recontact.web.asked import TITLES, as_counted
from recontact.web.asked import Asked as AskedQueue
from recontact.web.forms import Form, number_in
from recontact.web.merging import Filled
from recontact.web.naming import customer_address, name_of, ways
from recontact.web.panel import Person, panel_of, person_of
from recontact.web.sessions import local as is_local
from recontact.web.timeline import OUTCOMES, Teller, last_said, over_with

PAGE: Final = 50
"""Revisions of one page of the timeline."""
BLAMED: Final = 200
"""Revisions that are read at once to look for what set each element last; the newest first."""
BLAMED_MOST: Final = 2_000
"""The same in all: some 20 ms."""


# -- where one came from -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Came:
    """
    Where one came from, `address`, a path of ours; where that is a queue, the log's place there.

    at: where the log stood when it was opened, which stays, whatever becomes of the log.
    """

    address: str
    queue: Queue | None = None
    at: Cursor | None = None

    @classmethod
    def read(cls, request: Request, person: Person) -> "Came | None":
        """What the page's address says of it."""
        address = request.query_params.get("from", "")
        if not address or len(address) > 2_000 or not is_local(address):
            return None
        if address != "/" and not address.startswith("/?"):
            return cls(address)
        queue = AskedQueue.of_address(address).queue(person)
        return cls(address, queue, Cursor.read(request.query_params.get("at", "")))

    @property
    def title(self) -> str:
        """What the link back says."""
        return TITLES[self.queue.tab] if self.queue else "Back"

    def place_of(self, log: CustomerLog) -> Cursor:
        """Where the log stands in the queue."""
        assert self.queue
        if self.at is not None and self.at.log_id == log.log_id:
            return self.at
        value: Any = log.date_required_follow_up
        if self.queue.tab is Tab.COMPLETED:
            value = log.date_updated
        elif self.queue.order is Order.CUSTOMER:
            value = fold(log.customer_name) if log.customer_name else None
        elif self.queue.tab is Tab.NO_DATE:
            value = None
        return Cursor(log.log_id, int(value.timestamp()) if hasattr(value, "timestamp") else value)

    def address_of(self, log_id: int, at: Cursor | None = None) -> str:
        """The address of a log that one came to from there."""
        return address_of(log_id, self.address, at)


def address_of(log_id: int, came: str = "", at: Cursor | None = None) -> str:
    """The address of a log's page. came: of the one that it is opened from."""
    query = ({"from": came} if came else {}) | ({"at": at.write()} if at else {})
    return f"/logs/{log_id}" + (f"?{urlencode(query)}" if query else "")


# -- what a page shows ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Found:
    """
    A log (None: it is not there) and what is beside it.

    revisions: those of the timeline, newest first, then one more if there are more. recent: the
    newest ones. undone: by their requests, the journal's entries of the undos among them. names:
    those that logs have, by element.
    """

    log: CustomerLog | None
    revisions: Sequence[Revision]
    recent: Sequence[Revision]
    undone: Mapping[bytes, JournalEntry]
    customer: Customer | None
    place: Place | None
    names: Mapping[str, list[str]]


def _find(view: View, log_id: int, older_than: int | None, came: Came | None) -> Found | None:
    """All of a log that its page shows, from one snapshot; None: there never was such a log."""
    recent = list(view.revisions(log_id, None, BLAMED))
    if not recent:
        return None
    while not _has_all(recent) and len(recent) < BLAMED_MOST:
        recent += view.revisions(log_id, recent[-1].number, BLAMED)
    log = view.log(log_id)
    revisions = view.revisions(log_id, older_than, PAGE + 1) if older_than else recent[: PAGE + 1]
    undos = view.journal_entries(Wanted(log_id=log_id, action="Undo"), PAGE)
    told = {one.request for one in revisions}
    whole = [view.journal_entry(one.request) for one in undos if one.request in told]
    return Found(
        log,
        revisions,
        recent,
        {one.request: one for one in whole if one},
        _customer(view, log or _was(recent[0])),
        view.queue(came.queue).place(came.place_of(log)) if log and came and came.queue else None,
        {key: view.names_in_use(key) for key in merging.NAMES} if log else {},
    )


def _was(last: Revision) -> CustomerLog:
    """A log as it was before its withdrawal, the last revision; nothing of one that was erased."""
    nothing = new_log(last.site, last.log_id, {}, last.at)
    return nothing if kind_of(last) is Kind.ERASED else merging.before(nothing, [last])


def _customer(view: View, log: CustomerLog) -> Customer | None:
    return view.customer(log.username) if log.username else None


def _has_all(recent: Sequence[Revision]) -> bool:
    """Whether what set each element is among these revisions, the newest."""
    set_here = (one.changes for one in recent if kind_of(one) is Kind.CHANGED)
    return recent[-1].number == 1 or not set(merging.EDITABLE).difference(*set_here)


@dataclass(frozen=True, slots=True)
class Known:
    """Who is known by name: the site's keys, by number, and the staff who work there."""

    keys: Mapping[int, Key]
    staff: Sequence[str]


async def known_in(store: Store, person: Person) -> Known:
    """The keys of a person's site, and who works there."""
    number = person.site.site
    found, everyone = await store.look(
        lambda connection: (keys.keys(connection), staff.everyone(connection, person.site))
    )
    own = {one.key_id: one for one in found.values() if one.site.site == number}
    return Known(own, [one.username for one in everyone if one.revoked_at is None])


def _options(first: Iterable[str], then: Iterable[str], current: str) -> list[tuple[str, str]]:
    """
    A menu of names, each once, in whatever case: its entries' values and what they say.

    current: the value that is chosen.
    """
    chosen = current.removeprefix("=") if current.startswith("=") else ""
    names = {fold(name): name for name in reversed([*first, *then])}
    if chosen:
        names[fold(chosen)] = chosen
    ordered = dict.fromkeys(fold(name) for name in [*first, *then, chosen] if name)
    return [(merging.option(names[one]), names[one]) for one in ordered]


def menus_of(
    person: Person, known: Known, in_use: Mapping[str, list[str]], values: Filled
) -> dict[str, list[tuple[str, str]]]:
    """The menus of names, by their fields."""
    return {
        "who": _options(
            [person.username, *known.staff], in_use.get("allocated_to", ()), values["who"]
        ),
        "type": _options(
            person.site.follow_up_types, in_use.get("follow_up_type", ()), values["type"]
        ),
    }


def _position(place: Place | None) -> str:
    """`6 of 12`, as far as it was counted."""
    if place is None or place.position is None or place.total is None:
        return ""
    return f"{place.position:,} of {as_counted(place.total)}" if place.position <= COUNTED else ""


# -- a log's page --------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    """A log; with a form that was filled in before the session ended, as that was filled in."""
    form: Form | None = request.state.kept
    if form is not None and "revision" in form:
        return await log_page(request, merging.filled(form), number_in(form.get("revision")))
    return await log_page(request)


async def log_page(
    request: Request,
    values: Filled | None = None,
    revision: int | None = None,
    errors: Mapping[str, str] | None = None,
    http_status: int = 200,
    problem: str = "",
) -> Response:
    """
    A log's page. values: what the form is filled in with; revision: what it began from; else the
    log's own.
    """
    panel, person = panel_of(request), person_of(request)
    log_id = log_id_of(request)
    came = Came.read(request, person)
    older_than = number_in(request.query_params.get("before", ""))
    found = None
    if log_id:
        found = await panel.view(
            person, partial(_find, log_id=log_id, older_than=older_than, came=came)
        )
    if found is None:
        return panel.problem(
            request,
            404,
            "There is no such log",
            "There never was one of that number in this shop. Look for the customer instead.",
        )
    known = await known_in(panel.store, person)
    teller = Teller(person, known.keys, panel.now)
    shared: dict[str, Any] = {
        "log_id": log_id,
        "came": came,
        "here_address": came.address_of(log_id, came.at) if came else address_of(log_id),
        "timeline": teller.tell(found.revisions, found.undone, over_with(found.recent))[:PAGE],
        "older": found.revisions[PAGE - 1].number if len(found.revisions) > PAGE else 0,
        "is_older": bool(older_than),
        "may_work": person.may("agent"),
    }
    if found.log is None:
        return _gone(request, found, teller, shared, values, http_status if problem else 410)
    log, now, zone = found.log, panel.now, person.site.zone
    values = values or merging.shown(log, zone)
    return panel.render(
        request,
        "log.html",
        http_status,
        **shared,
        log=log,
        name=name_of(log, found.customer),
        due=words.due(log.date_required_follow_up, now, zone),
        due_exact=_exact(log),
        is_done=log.status is Status.COMPLETED,
        last_said=last_said(log.notes),
        ways=ways(found.customer),
        customer_path=customer_address(log.username) if log.username else "",
        position=_position(found.place),
        place=found.place,
        values=values,
        revision=revision or log.revision,
        menus=menus_of(person, known, found.names, values),
        statuses=list(Status),
        outcomes=OUTCOMES,
        snoozes=words.SNOOZES,
        blame=_blame(found.recent, teller),
        zone=zone,
        errors=errors or {},
        problem=problem,
        other=merging.OTHER,
    )


def _exact(log: CustomerLog) -> str:
    due = log.date_required_follow_up
    return words.exact(due) if due else ""


@dataclass(frozen=True, slots=True)
class Blamed:
    """What set an element last: who, and when. exact: that time in UTC."""

    who: str
    when: str
    exact: str


def _blame(recent: Sequence[Revision], teller: Teller) -> dict[str, Blamed]:
    """By the field that each element is in. Older than the revisions at hand: not told."""
    found = blame(reversed(recent))
    has_all = recent[-1].number == 1
    return {
        key: Blamed(teller.who(one, begins=True), teller.when(one.at), words.exact(one.at))
        for key, one in found.items()
        if has_all or kind_of(one) is Kind.CHANGED
    }


def _gone(
    request: Request,
    found: Found,
    teller: Teller,
    shared: dict[str, Any],
    values: Filled | None,
    http_status: int,
) -> Response:
    """The page of a log that was withdrawn, or erased; what somebody wrote into it is shown."""
    panel = panel_of(request)
    last = found.recent[0]
    if kind_of(last) is Kind.ERASED:
        sentence = "It was erased for privacy: nothing of it is kept."
        return panel.problem(request, 410, f"Log {shared['log_id']} was erased", sentence)
    return panel.render(
        request,
        "log_gone.html",
        http_status,
        **shared,
        name=name_of(_was(last), found.customer),
        who=teller.who(last),
        when=teller.when(last.at),
        exact=words.exact(last.at),
        number=last.number,
        may_restore=teller.may_undo(last),
        written=(values or {}).get("said", ""),
    )


def log_id_of(request: Request) -> int:
    """The LogID in a page's address; 0: there is none."""
    return number_in(request.path_params["log_id"]) or 0
