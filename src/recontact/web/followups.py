"""The queue: who must be contacted, and what is next."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from recontact.model import fold
from recontact.store import View, staff
from recontact.store.followups import PAGE, Entry, Order, Page, Tab
from recontact.store.followups import Some as Matching
from recontact.store.saved import SavedView, SavedViewError, forget_view, save_view, saved_views
from recontact.values import Status
from recontact.web import words
from recontact.web.asked import ME, NOBODY, NONE, TITLES, Asked, as_counted, named
from recontact.web.bulk import READ, Outcome, bulk, foreseen
from recontact.web.forms import Form, number_in
from recontact.web.naming import names_in
from recontact.web.outcomes import follow_ups, tell
from recontact.web.panel import Panel, Person, panel_of, person_of
from recontact.web.steps import StepError, isolated, step_in, step_of
from recontact.web.timeline import last_said

LINE: Final = 90
"""Characters of a log's notes on its row."""
ROW_STEPS: Final = {
    "done": "Done",
    "tomorrow": "Tomorrow",
    "next-week": "Next week",
    "move": "Date…",
    "assign": "Assign…",
}
"""The buttons of a row: each is named so, and has the LogID for its value."""
OFFERED: Final = 6
"""Names that the menu of Assign has a line for; it completes the others as they are typed."""
STEPS_OF_DONE: Final = {"reopen": "Reopen", "assign": "Assign…"}
MENUS: Final = ("move", "assign")
"""Those that open a menu."""


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a tab. empty: where there is none; why: and what that means."""

    noun: str
    empty: str
    why: str


TABS: Final = {
    Tab.OVERDUE: Words("overdue", "Nothing is overdue", "Everyone was followed up in time."),
    Tab.TODAY: Words("due today", "Nothing is due today", "Nobody waits for today."),
    Tab.UPCOMING: Words(
        "to come",
        "Nothing is to come",
        "Follow-ups that get a later day wait here until it comes.",
    ),
    Tab.NO_DATE: Words(
        "without a date", "Every follow-up has a date", "None can be forgotten here."
    ),
    Tab.COMPLETED: Words("completed", "Nothing is completed yet", "What is done is kept here."),
}
ORDERS: Final = {
    Order.OLDEST: "Oldest first",
    Order.NEWEST: "Newest first",
    Order.CUSTOMER: "By customer",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A follow-up as it stands in the list."""

    log_id: int
    revision: int
    name: str
    line: str
    address: str
    due: words.Due
    exact: str
    type: str
    status: str
    who: str
    last: str
    last_exact: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read for a page."""

    page: Page
    names: Mapping[int, str]
    counts: dict[Tab, int] | None
    nobodys: int
    who: list[str]
    types: list[str]


# -- the list --------------------------------------------------------------------------------------


async def queue(request: Request) -> Response:
    """The home page."""
    notice = ""
    if (kept := request.state.kept) is not None:
        notice = "You were logged out before this was done: choose it once more."
    return await _show(request, Asked.read(request.query_params), kept, notice)


async def _show(
    request: Request,
    asked: Asked,
    form: Form | None = None,
    problem: str = "",
    http_status: int = 200,
) -> Response:
    panel, person = panel_of(request), person_of(request)
    seen, (people, views) = await asyncio.gather(
        panel.view(person, lambda view: _see(view, asked, person)),
        panel.store.look(
            lambda connection: (
                [one for one in staff.everyone(connection, person.site) if not one.revoked_at],
                saved_views(connection, person.site.site, person.staff_id),
            )
        ),
    )
    form = form or Form()
    now = panel.now
    today = words.today_in(now, person.site.zone)
    came = quote(asked.here.address, "/?=:,")
    rows = [
        row_of(entry, seen.names[entry.log.log_id], asked, came, now, person)
        for entry in seen.page.entries
    ]
    known = _once([*(one.username for one in people), *seen.who])
    chosen = {row.log_id for row in rows} if asked.is_all else _numbers(form.all("log"))
    return panel.render(
        request,
        "queue.html",
        http_status,
        asked=asked,
        tabs=_tabs(asked, seen.counts),
        title=TITLES[asked.tab],
        words=TABS[asked.tab],
        orders=ORDERS,
        statuses=[one for one in Status if one is not Status.COMPLETED],
        who=_with(seen.who, asked.who, (ME, NOBODY)),
        types=_with([*person.site.follow_up_types, *seen.types], asked.type, (NONE,)),
        named=named,
        people=[one for one in known if fold(one) != fold(person.username)],
        offered=OFFERED,
        views=views,
        rows=rows,
        row_steps=(STEPS_OF_DONE if asked.tab is Tab.COMPLETED else ROW_STEPS).items(),
        chosen=chosen,
        one=next((row for row in rows if row.log_id == asked.one), None),
        form=form,
        problem=problem,
        snoozes=words.SNOOZES,
        today=today,
        day=words.day(today, today),
        before=asked.here.but(after=None, before=seen.page.before) if seen.page.before else None,
        after=asked.here.but(after=seen.page.after, before=None) if seen.page.after else None,
        number=_count(asked, seen.counts),
        empty=None if rows else _empty(asked, seen),
    )


def _see(view: View, asked: Asked, person: Person) -> Seen:
    reading = view.queue(asked.queue(person))
    page = reading.page(asked.before or asked.after, back=asked.before is not None)
    nobodys = 0
    if not page.entries and asked.who == ME and asked.tab is not Tab.COMPLETED:
        counts = view.queue(asked.but(who=NOBODY).queue(person)).counts()
        nobodys = counts[asked.tab] if counts else 0
    return Seen(
        page,
        names_in(view, [entry.log for entry in page.entries]),
        reading.counts(),
        nobodys,
        view.names_in_use("allocated_to"),
        view.names_in_use("follow_up_type"),
    )


def row_of(entry: Entry, name: str, asked: Asked, came: str, now: datetime, person: Person) -> Row:
    """A follow-up as it stands in a list. came: the list's address, quoted."""
    log, zone = entry.log, person.site.zone
    if asked.tab is Tab.COMPLETED:
        due = words.Due(words.moment(log.date_updated, now, zone), "", is_late=False)
        exact = words.exact(log.date_updated)
    else:
        value = log.date_required_follow_up
        due = words.due(value, now, zone)
        exact = "" if value is None else words.exact(value)
    last = log.last_contacted
    return Row(
        log.log_id,
        log.revision,
        name,
        last_said(log.notes, LINE),
        f"/logs/{log.log_id}?from={came}&at={quote(entry.cursor.write())}",
        due,
        exact,
        log.follow_up_type or "",
        log.status,
        log.allocated_to or "",
        words.ago(last, now, zone),
        "" if last is None else words.exact(last),
    )


def _tabs(asked: Asked, counts: dict[Tab, int] | None) -> list[dict[str, Any]]:
    return [
        {
            "label": TITLES[tab],
            "address": asked.first.but(tab=tab).address,
            "count": as_counted(counts[tab]) if counts and tab in counts else "",
            "is_here": tab is asked.tab,
            "is_late": tab is Tab.OVERDUE and bool(counts and counts[tab]),
        }
        for tab in TABS
    ]


def _count(asked: Asked, counts: dict[Tab, int] | None) -> str:
    return as_counted(counts[asked.tab]) if counts and asked.tab in counts else ""


def _once(names: Sequence[str]) -> list[str]:
    """Each name once, whatever its case, in order."""
    return sorted({fold(name): name for name in reversed(names)}.values(), key=fold)


def _with(names: Sequence[str], asked: str, words: Sequence[str]) -> list[str]:
    """The names of a menu, with the one that is asked for."""
    other = [] if not asked or asked in words else [asked.removeprefix("name:")]
    return _once([*other, *names])


def _numbers(texts: Sequence[str]) -> set[int]:
    return {number for number in map(number_in, texts) if number is not None}


def _shown(text: str) -> dict[int, int]:
    """The rows that a form's page had, in their order: LogIDs with the revisions they were at."""
    pairs = (pair.partition(".") for pair in text.split(","))
    found = ((_numbers([log_id]), _numbers([number])) for log_id, _, number in pairs)
    return {log_id: number for ids, numbers in found for log_id in ids for number in numbers}


def _empty(asked: Asked, seen: Seen) -> dict[str, Any]:
    """Why there is nothing, and what to do."""
    said = TABS[asked.tab]
    if seen.page.after or asked.after or asked.before:
        more = asked.here.but(after=seen.page.after, before=None) if seen.page.after else None
        links = [("Look further", more)] if more else []
        return {
            "heading": "Nothing on this page",
            "why": "What matches is rare, or was moved meanwhile.",
            "links": [*links, ("Go to the first page", asked.first)],
            "is_bare": False,
        }
    counts = seen.counts or {}
    near = [tab for tab in (Tab.TODAY, Tab.OVERDUE, Tab.UPCOMING, Tab.NO_DATE) if counts.get(tab)]
    there = next((tab for tab in near if tab is not asked.tab), None)
    links = []
    why = []
    is_mine = asked == asked.unfiltered.but(who=ME)
    if is_mine and seen.nobodys:
        why.append(f"{_follow_ups(seen.nobodys)} of nobody's {_is(seen.nobodys)} {said.noun}.")
        links.append(("Show nobody's", asked.but(who=NOBODY)))
    if there:
        whose = " of yours" if is_mine else " that match" if asked.is_filtered else ""
        number = counts[there]
        why.append(f"{_follow_ups(number)}{whose} {_is(number)} {TABS[there].noun}.")
        links.append((f"Go to {TITLES[there].lower()}", asked.but(tab=there)))
    is_bare = not near and not links and not asked.is_filtered
    if is_mine:
        heading = f"Nothing of yours is {said.noun}"
    elif asked.is_filtered:
        heading = "Nothing matches"
        why.insert(0, f"No follow-up that is {said.noun} meets all of these filters.")
        links.insert(0, ("Clear the filters", asked.unfiltered))
    else:
        heading = said.empty
        why.insert(0, said.why)
        if is_bare:
            why.append("Add one, or let a program of your shop send them: that takes a key.")
    return {"heading": heading, "why": " ".join(why), "links": links, "is_bare": is_bare}


def _follow_ups(number: int) -> str:
    return f"{as_counted(number)} follow-up{'' if number == 1 else 's'}"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


# -- what is done to some --------------------------------------------------------------------------


async def act(request: Request) -> Response:
    """The next step of one follow-up, of those chosen, or of all that match."""
    panel, person = panel_of(request), person_of(request)
    form = await panel.form(request)
    asked = Asked.read(request.query_params)
    here = asked.here
    shown = _shown(form.get("shown"))
    for name in MENUS:
        if one := min(_numbers([form.get(name)]), default=0):
            return panel.redirect(request, here.but(step=name, one=one).address)
    for name in (*ROW_STEPS, *STEPS_OF_DONE):
        if name in form:
            form = Form((("do", name), ("one", form.get(name)), ("shown", form.get("shown"))))
            break
    try:
        step = step_of(form, person.username, panel.now, person.site.zone)
    except StepError as error:
        menu = "assign" if form.get("do") == "assign" else "move"
        one = min(_numbers([form.get("one")]), default=0)
        return await _show(request, asked.but(step=menu, one=one), form, str(error), 422)
    if step is None:
        return panel.redirect(request, here.address)
    if form.get("one"):
        log_ids = sorted(_numbers([form.get("one")]))
    elif asked.is_all:
        log_ids = await all_matching(panel, person, here)
        if len(log_ids) > PAGE:
            fields = "&".join(Form((pair,)).encode() for pair in step.fields)
            query = here.first.query
            return panel.redirect(request, f"/many?{query}{'&' if query else ''}{fields}")
    else:
        log_ids = sorted(shown if "page" in form else _numbers(form.all("log")))
    if not log_ids:
        return panel.redirect(request, here.address, "Nothing was chosen, so nothing was done.")
    outcome = await bulk(
        panel,
        request,
        log_ids,
        step.changes,
        asked={"LogID": log_ids, **step.changes},
        unseen=lambda log_id, number, _at: number > shown.get(log_id, number),
    )
    place = await _place(panel, person, here, list(shown), set(log_ids))
    return await tell(request, step, outcome, here, place)


async def _place(
    panel: Panel, person: Person, here: Asked, shown: Sequence[int], done: set[int]
) -> str:
    """The address of the page after that, at the row that stands where the first one stood."""
    at = next((i for i, log_id in enumerate(shown) if log_id in done), None)
    entries = await panel.view(person, lambda view: here.entries(view, person))
    if not entries and (here.after or here.before):
        here = here.first
        entries = await panel.view(person, lambda view: here.entries(view, person))
    if at is None or not entries:
        return here.address
    return f"{here.address}#log-{entries[min(at, len(entries) - 1)].log.log_id}"


async def all_matching(panel: Panel, person: Person, asked: Asked) -> list[int]:
    """The LogIDs of all that match, read in steps between which others are answered."""
    found: list[int] = []
    after: int | None = 0

    def step(view: View, after: int) -> Matching:
        return view.queue(asked.queue(person)).matching(after)

    while after is not None:
        some = await panel.view(person, partial(step, after=after))
        found += some.log_ids
        after = some.after
    return found


# -- what is done to many --------------------------------------------------------------------------


async def many(request: Request) -> Response:
    """What a step would do to all that match; it is done by a press there."""
    panel, person = panel_of(request), person_of(request)
    asked = Asked.read(request.query_params).first
    step = step_in(request)
    if step is None:
        return panel.redirect(request, asked.address)
    looked_at = panel.now
    log_ids = await all_matching(panel, person, asked)
    outcome = Outcome()
    for at in range(0, len(log_ids), READ):
        read = partial(foreseen, log_ids=log_ids[at : at + READ], changes=step.changes)
        outcome.add(await panel.view(person, read))
    return panel.render(
        request,
        "many.html",
        asked=asked,
        step=step,
        outcome=outcome,
        number=len(log_ids),
        will=follow_ups(outcome.changed.number),
        looked_at=int(looked_at.timestamp()),
        noun=TABS[asked.tab].noun,
    )


async def do_many(request: Request) -> Response:
    """Do it to all that match, but for those that changed since they were looked at."""
    panel, person = panel_of(request), person_of(request)
    form = await panel.form(request)
    asked = Asked.read(request.query_params).first
    step = step_in(request)
    seconds = form.get("looked_at")
    if step is None or not (seconds.isascii() and seconds.isdecimal() and len(seconds) <= 11):
        return panel.redirect(request, asked.address)
    looked_at = datetime.fromtimestamp(int(seconds), UTC)
    log_ids = await all_matching(panel, person, asked)
    if not log_ids:
        return panel.redirect(request, asked.address, "Nothing matches any more.")
    outcome = await bulk(
        panel,
        request,
        log_ids,
        step.changes,
        asked={"Queue": asked.address, **step.changes},
        # In the second of the look it may have come before it or after: nobody can tell.
        unseen=lambda _log_id, _number, at: at >= looked_at,
    )
    return await tell(request, step, outcome, asked, asked.address)


# -- views that people keep ------------------------------------------------------------------------


async def views(request: Request) -> Response:
    """Save the view that is open under a name, or forget one."""
    panel, person = panel_of(request), person_of(request)
    form = await panel.form(request)
    asked = Asked.of_address(form.get("address")).first
    site, who = person.site.site, person.staff_id
    if "forget" in form:
        name = form.get("forget")
        await panel.administer(
            request,
            "ForgetView",
            {"Name": name},
            lambda connection: forget_view(connection, site, who, name),
        )
        return panel.redirect(request, asked.address, f"The view {isolated(name)} is forgotten.")
    view = SavedView(" ".join(form.get("name").split()), asked.address)
    try:
        await panel.administer(
            request,
            "SaveView",
            {"Name": view.name, "Address": view.address},
            lambda connection: save_view(connection, site, who, view),
        )
    except SavedViewError as error:
        return panel.problem(request, 422, "Not saved", str(error))
    return panel.redirect(request, asked.address, f"Saved as {isolated(view.name)}.")
