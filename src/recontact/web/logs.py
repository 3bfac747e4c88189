"""One log: its details, what happened, what is next; and a new one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from urllib.parse import quote, urlencode

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from recontact.history import Kind, blame, kind_of
from recontact.model import By, Customer, CustomerLog, JournalEntry, Key, Revision, fold, new_log
from recontact.store import Store, Transaction, View, Work, keys, staff
from recontact.store.followups import COUNTED, Cursor, Order, Place, Queue, Tab
from recontact.store.journal import Wanted
from recontact.values import Status
from recontact.web import merging, words
from recontact.web.asked import Asked as AskedQueue
from recontact.web.bulk import name_of
from recontact.web.conflicts import against_of, kept_of, label_of, whose_is
from recontact.web.forms import Form, FormError, number_in
from recontact.web.merging import Filled
from recontact.web.panel import Person, panel_of, person_of
from recontact.web.sessions import local as is_local
from recontact.web.steps import isolated
from recontact.web.timeline import OUTCOMES, Teller, cut, last_said

PAGE: Final = 50
"""Revisions of one page of the timeline."""
BLAMED: Final = 200
"""Revisions that are read at once to look for what set each element last; the newest first."""
BLAMED_MOST: Final = 2_000
"""The same in all: some 20 ms."""
_TRIES: Final = 3
"""How often a save is merged anew with what came in between."""
_TITLES: Final = {
    Tab.OVERDUE: "Overdue",
    Tab.TODAY: "Today",
    Tab.UPCOMING: "Upcoming",
    Tab.NO_DATE: "No date",
    Tab.COMPLETED: "Completed",
}


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
        return _TITLES[self.queue.tab] if self.queue else "Back"

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
        view.customer(log.username) if log and log.username else None,
        _place(view, log, came) if log and came and came.queue else None,
        {key: view.names_in_use(key) for key in merging.NAMES} if log else {},
    )


def _has_all(recent: Sequence[Revision]) -> bool:
    """Whether what set each element is among these revisions, the newest."""
    set_here = (one.changes for one in recent if kind_of(one) is Kind.CHANGED)
    return recent[-1].number == 1 or not set(merging.EDITABLE).difference(*set_here)


def _place(view: View, log: CustomerLog, came: Came) -> Place:
    """Where a log stands; without a position where it is in that queue no more."""
    assert came.queue
    reading = view.queue(came.queue)
    place = reading.place(came.place_of(log))
    here = reading.page(place.before.cursor if place.before else None).entries[:1]
    is_there = bool(here) and here[0].log.log_id == log.log_id
    return place if is_there else Place(None, None, place.before, place.after)


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


def called(log: CustomerLog) -> str:
    """Whom a log is about, for the middle of a sentence."""
    return isolated(cut(" ".join(name_of(log).split()), 60))


_NOT_IN_TEL: Final = re.compile("[^0-9+]")


def ways(customer: Customer | None) -> list[tuple[str, str]]:
    """How to reach a customer: links, and what they say."""
    if customer is None:
        return []
    found = []
    if phone := customer.details.get("bill_phone") or customer.details.get("ship_phone"):
        found.append((f"tel:{_NOT_IN_TEL.sub('', phone)}", f"Call {phone}"))
    if mail := customer.details.get("email_address"):
        found.append((f"mailto:{quote(mail, safe='@')}", mail))
    return found


def _position(place: Place | None) -> str:
    """`6 of 12`, as far as it was counted."""
    if place is None or place.position is None or place.total is None:
        return ""
    if max(place.position, place.total) > COUNTED:
        return ""
    return f"{min(place.position, place.total):,} of {place.total:,}" if place.total else ""


def customer_address(username: str) -> str:
    """The address of a customer's page."""
    if username in (".", ".."):  # browsers go up a path by these, however they are written
        return f"/customers/?{urlencode({'username': username})}"
    return f"/customers/{quote(username, safe='')}"


def customer_name(customer: Customer) -> str:
    """A customer's name as people say it."""
    parts = (customer.details.get(f"bill_{part}_name") for part in ("first", "last"))
    name = " ".join(part for part in parts if part) or customer.details.get("bill_company")
    return (name or customer.username)[:100]


# -- a log's page --------------------------------------------------------------------------------


async def show(request: Request) -> Response:
    """A log; with a form that was filled in before the session ended, as that was filled in."""
    form: Form | None = request.state.kept
    if form is not None and "revision" in form:
        return await _page(request, merging.filled(form), number_in(form.get("revision")))
    return await _page(request)


async def _page(
    request: Request,
    values: Filled | None = None,
    revision: int | None = None,
    errors: Mapping[str, str] | None = None,
    http_status: int = 200,
    problem: str = "",
) -> Response:
    """values: what the form is filled in with; revision: what it began from; else the log's own."""
    panel, person = panel_of(request), person_of(request)
    log_id = _log_id(request)
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
        "timeline": teller.tell(found.revisions, found.undone)[:PAGE],
        "older": found.revisions[PAGE - 1].number if len(found.revisions) > PAGE else 0,
        "is_older": bool(older_than),
        "may_work": person.may("agent"),
    }
    if found.log is None:
        return _gone(request, found, teller, shared, values, problem and http_status)
    log, now, zone = found.log, panel.now, person.site.zone
    values = values or merging.shown(log, zone)
    return panel.render(
        request,
        "log.html",
        http_status,
        **shared,
        log=log,
        name=name_of(log),
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
        blame=_blame(log, found.recent, teller),
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


def _blame(log: CustomerLog, recent: Sequence[Revision], teller: Teller) -> dict[str, Blamed]:
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
    http_status: int | str,
) -> Response:
    """The page of a log that was withdrawn, or erased; what somebody wrote into it is shown."""
    panel = panel_of(request)
    last = found.recent[0]
    if kind_of(last) is Kind.ERASED:
        sentence = "It was erased for privacy: nothing of it is kept."
        return panel.problem(request, 410, f"Log {shared['log_id']} was erased", sentence)
    was = merging.before(_nothing(last), [last])
    return panel.render(
        request,
        "log_gone.html",
        int(http_status or 410),
        **shared,
        name=name_of(was),
        who=teller.who(last),
        when=teller.when(last.at),
        exact=words.exact(last.at),
        number=last.number,
        may_restore=teller.may_undo(last),
        written=(values or {}).get("said", ""),
    )


def _nothing(last: Revision) -> CustomerLog:
    """A log without values, for what its withdrawal took to be put back into."""
    return new_log(last.site, last.log_id, {}, last.at)


def _log_id(request: Request) -> int:
    """The LogID in a page's address; 0: there is none."""
    return number_in(request.path_params["log_id"]) or 0


# -- saving --------------------------------------------------------------------------------------


async def change(request: Request) -> Response:
    """Save what was filled in, or withdraw the log."""
    panel, person = panel_of(request), person_of(request)
    log_id = _log_id(request)
    form = await panel.form(request)
    came = Came.read(request, person)
    if "withdraw" in form:
        return await _withdraw(request, log_id, came)
    here = came.address_of(log_id, came.at) if came else address_of(log_id)
    if "drop" in form:
        return panel.redirect(request, here, "Left as it is: yours was dropped.")
    revision = number_in(form.get("revision"))
    if not revision:
        raise FormError(422, "That form is not whole: open the log again.")
    return await _save(request, form, revision, came)


@dataclass(frozen=True, slots=True)
class Since:
    """A log as it is, None: it is not there; its revisions since a form began, newest first."""

    log: CustomerLog | None
    revisions: Sequence[Revision]
    place: Place | None = None
    cursor: Cursor | None = None


def _since(view: View, log_id: int, revision: int, came: Came | None) -> Since:
    log = view.log(log_id)
    if log is None:
        return Since(None, [])
    found = view.revisions(log_id, None, max(0, log.revision - revision))
    if came is None or came.queue is None:
        return Since(log, found)
    base = merging.before(log, found)
    cursor = came.place_of(base)
    return Since(log, found, view.queue(came.queue).place(cursor), cursor)


async def _save(request: Request, form: Form, revision: int, came: Came | None) -> Response:
    panel, person = panel_of(request), person_of(request)
    log_id, zone = _log_id(request), person.site.zone
    values = merging.filled(form)
    table = panel.shape("UpdateCustomerLog").item
    for _ in range(_TRIES):
        since = await panel.view(
            person, partial(_since, log_id=log_id, revision=revision, came=came)
        )
        if since.log is None:
            problem = "Not saved: the log was withdrawn meanwhile."
            return await _page(request, values, revision, None, 409, problem)
        log, now = since.log, panel.now
        base = merging.before(log, since.revisions)
        seen_at = number_in(form.get("seen")) or revision
        seen = merging.before(log, [one for one in since.revisions if one.number > seen_at])
        mine = merging.asked(values, base, person.username, now, zone, table)
        merged = merging.merge(mine, base, log, _picked(form), seen, now)
        if why := merging.too_long(mine, merged.changes, table):
            mine.errors.setdefault("said", why)
        if mine.errors:
            return await _page(
                request, values, revision, mine.errors, 422, "Not saved yet: see what is marked."
            )
        if merged.conflicts:
            return await _ask(request, form, values, since, base, mine, merged, came)
        if not merged.changes:
            return _on(request, form, since, came, f"Nothing to save of {called(log)}.")
        item: dict[str, Any] = {"LogID": log_id, "Revision": log.revision}
        written = await panel.submit(
            request, "UpdateCustomerLog", [item | merging.elements(merged.changes, table)]
        )
        codes = {one.code for one in written.reply.messages}
        if not codes & {"CL002", "CL004"}:
            break
    else:
        problem = "Not saved: others change this log right now. Save it again."
        return await _page(request, values, revision, None, 409, problem)
    if written.problems:
        problem = f"Not saved: {' '.join(written.problems)}"
        return await _page(request, values, revision, None, 422, problem)
    known = await known_in(panel.store, person)
    teller = Teller(person, known.keys, now)
    text = _told(log, values, merged.changes, teller) + _meanwhile(since, merged.theirs, teller)
    return _on(request, form, since, came, text, written.request)


def _picked(form: Form) -> dict[str, str]:
    """What was chosen of elements that both changed."""
    return {key: pick for key in merging.EDITABLE if (pick := form.get(f"pick_{key}"))}


def _on(
    request: Request, form: Form, since: Since, came: Came | None, text: str, undo: str = ""
) -> Response:
    """After a save: to the next log of the queue, or back to this one."""
    panel, log_id = panel_of(request), _log_id(request)
    if form.get("then") != "next" or came is None:
        path = came.address_of(log_id, since.cursor) if came else address_of(log_id)
    elif since.place and since.place.after:
        path = came.address_of(since.place.after.log.log_id, since.place.after.cursor) + "#said"
    else:
        path = came.address
        text += " That was the last one here." if came.queue else ""
    return panel.redirect(request, path, text, undo)


def _told(log: CustomerLog, values: Filled, changes: Mapping[str, Any], teller: Teller) -> str:
    """What a save did, in a sentence."""
    done = []
    if values["outcome"] in OUTCOMES:
        done.append(OUTCOMES[values["outcome"]])
    elif values["said"].strip():
        done.append("noted")
    if "date_required_follow_up" in changes:
        when = teller.due(changes["date_required_follow_up"])
        done.append(f"next step {when}" if when else "no next date")
    if changes.get("status") is Status.COMPLETED:
        done.append("completed")
    return f"{called(replace(log, **changes))}: {', '.join(done) or 'saved'}."


def _meanwhile(since: Since, keys: Sequence[str], teller: Teller) -> str:
    """Who else changed what while a form was filled in, which was kept."""
    by: dict[str, list[str]] = {}
    for key in keys:
        one = next(one for one in since.revisions if key in one.changes)
        name = "You" if teller.is_own(one) else isolated(teller.who(one, begins=True))
        by.setdefault(name, []).append(label_of(key))
    return "".join(
        f" {who} changed {_listed(names)} meanwhile"
        f"{' in another window' if who == 'You' else ''}: kept."
        for who, names in by.items()
    )


def _listed(names: Sequence[str]) -> str:
    """`Status, Notes and Last contacted`."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


# -- both changed the same -----------------------------------------------------------------------


async def _ask(
    request: Request,
    form: Form,
    values: Filled,
    since: Since,
    base: CustomerLog,
    mine: merging.Asked,
    merged: merging.Merged,
    came: Came | None,
) -> Response:
    """Show theirs and mine of what both changed, side by side, and ask."""
    panel, person = panel_of(request), person_of(request)
    assert since.log
    log, last = since.log, since.revisions[0]
    known = await known_in(panel.store, person)
    teller = Teller(person, known.keys, panel.now)
    told = (merged, mine, base, log, since.revisions, teller)
    own = teller.is_own(last)
    picked = {f"pick_{key}": pick for key, pick in _picked(form).items()}
    unclear = {f"pick_{key}" for key in merged.conflicts}
    hidden = {**values, "revision": form.get("revision"), "seen": str(log.revision)}
    hidden |= {"then": form.get("then")} | {k: v for k, v in picked.items() if k not in unclear}
    return panel.render(
        request,
        "conflict.html",
        409,
        log_id=log.log_id,
        came=came,
        name=name_of(log),
        who=teller.who(last, begins=True),
        is_own=own,
        whose=whose_is(teller, last),
        when=teller.when(last.at),
        exact=words.exact(last.at),
        against=against_of(*told),
        kept=kept_of(*told),
        hidden=hidden,
    )


# -- withdraw ------------------------------------------------------------------------------------


async def _withdraw(request: Request, log_id: int, came: Came | None) -> Response:
    """Take the log away: no call finds it any more, and an undo brings it back."""
    panel, person = panel_of(request), person_of(request)
    entry = panel.entry(request, "Withdraw", {"LogID": log_id}, items=1)

    def run(tx: Transaction) -> CustomerLog | None:
        log = tx.log(log_id)
        if log is None:
            return None
        tx.withdraw(log, By(None, entry.request, entry.who))
        tx.tally(entry, 1, 0)
        tx.keep()
        return log

    log = await panel.store.submit(Work(person.site, run, [log_id]))
    if log is None:
        return panel.redirect(request, address_of(log_id), "It was withdrawn already.")
    path = came.address if came else address_of(log_id)
    text = f"{called(log)} is withdrawn."
    return panel.redirect(request, path, text, entry.request.hex())
