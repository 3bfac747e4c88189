"""Customers: a list of them, those whom nobody will contact, and one with all that happened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, tzinfo
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from recontact.fields import CUSTOMER_DETAILS
from recontact.history import AnyRevision, Kind, kind_of, noun_of
from recontact.model import Customer, CustomerLog, CustomerRevision, Revision, words
from recontact.store import View
from recontact.store.finding import Customers, Moment
from recontact.web.forms import number_in
from recontact.web.naming import customer_address, customer_name, phone_of, ways
from recontact.web.panel import Panel, Person, panel_of, person_of
from recontact.web.timeline import Teller, Told, cut, label, last_said, over_with
from recontact.web.words import Due, ago, day_of, due, exact

PAGE: Final = 50
"""Customers of a page."""
LOGS: Final = 20
"""Logs on the page of one customer: the newest that are open, and as many that are completed."""
STEPS: Final = 20
"""Revisions of a page of their timeline. With both full of long notes it has under 50 KB."""
_NEWER: Final = 20
"""Revisions of a record, the newest, that tell whether one of an older page can be undone. Where
what changed it again is further back, an undo is offered, and then says that nothing is left."""
_TRIES: Final = 10
"""Times that customers without a next step are looked for, 1,000 a time, before a page is short."""
LINE: Final = 120
"""Characters of a note that stand in a row."""


# -- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A customer in the list. step: the next one; exact: its date, "" without one."""

    name: str
    username: str
    address: str
    email: str
    phone: str
    step: Due
    exact: str


def row_of(one: Customer, steps: Sequence[date | datetime], now: datetime, person: Person) -> Row:
    """A customer as it stands in a list. steps: the dates of their open logs, or the first ones."""
    zone = person.site.zone
    # Of one day, the one that has no time is as early as any.
    first = min(steps, key=lambda at: (day_of(at, zone), isinstance(at, datetime)), default=None)
    step = Due("none", "", is_late=False) if first is None else due(first, now, zone)
    of = one.details.get
    return Row(
        customer_name(one),
        one.username,
        customer_address(one.username),
        of("email_address") or "",
        phone_of(one),
        step,
        "" if first is None else exact(first),
    )


async def everyone(request: Request) -> Response:
    """All customers, those with some words, or those without a next step."""
    panel, person = panel_of(request), person_of(request)
    query = request.query_params
    asked = query.get("q", "").strip()[:200]
    is_without = query.get("next") == "none"
    if is_without:
        asked = ""

    def read(view: View) -> tuple[Customers, dict[str, list[date | datetime]]]:
        if is_without:
            return _without_next_step(view, query.get("after", "")), {}
        before, after = query.get("before"), query.get("after")
        found = view.customers_with(words(asked), before or after, PAGE, back=before is not None)
        return found, view.next_steps([one.username_folded for one in found.customers])

    found, steps = await panel.view(person, read)
    now = panel.now
    same = {"next": "none"} if is_without else {"q": asked} if asked else {}

    def page(**cursor: str | None) -> str:
        given = {name: value for name, value in cursor.items() if value is not None}
        return f"/customers?{urlencode(same | given)}" if given else ""

    return panel.render(
        request,
        "customers.html",
        rows=[
            row_of(one, steps.get(one.username_folded, ()), now, person) for one in found.customers
        ],
        asked=asked,
        is_without=is_without,
        before=page(before=found.before),
        after=page(after=found.after),
        is_first=not (query.get("after") or query.get("before")),
        is_short=len(found.customers) < PAGE,
    )


def _without_next_step(view: View, text: str) -> Customers:
    """A page of those without a next step, by ID; the way back is the first page."""
    after = number_in(text)
    found: list[Customer] = []
    for _ in range(_TRIES):
        some, after = view.without_next_step(after or 0, PAGE - len(found))
        found += some
        if after is None or len(found) == PAGE:
            break
    return Customers(found, None, None if after is None else str(after))


# -- one -------------------------------------------------------------------------------------------

_GROUPS: Final = (
    (
        "Contact",
        lambda name: name in {"EmailAddress", "SecondaryEmailAddress", "WebsiteURL", "Gender",
                              "DateOfBirth", "NewsletterSubscriber"},
    ),
    ("Billing address", lambda name: name.startswith("Bill")),
    ("Shipping address", lambda name: name.startswith("Ship")),
    ("Own fields", lambda name: name.startswith("UserCustom")),
    ("Account", lambda name: True),
)  # fmt: skip
"""Where an element is shown: in the first group that takes it."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """A log of a customer. exact: of the date, last_exact: of the last contact; "" without one."""

    log_id: int
    due: Due
    exact: str
    type: str
    status: str
    who: str
    line: str
    last: str
    last_exact: str


@dataclass(frozen=True, slots=True)
class Step:
    """A moment in the line of time of a customer: of one of their logs, or of their own details."""

    told: Told
    log_id: int
    customer_id: int


@dataclass(frozen=True, slots=True)
class _Found:
    one: Customer
    open_logs: list[CustomerLog]
    done_logs: list[CustomerLog]
    happened: list[AnyRevision]
    newer: list[AnyRevision]


async def one(request: Request) -> Response:
    """One customer: what is next, details, and all of their logs in one line of time."""
    panel, person = panel_of(request), person_of(request)
    query = request.query_params
    username = request.path_params["username"] or query.get("username", "")
    before = Moment.read(query.get("before", ""))

    def read(view: View) -> _Found | None:
        found = view.customer(username)
        if found is None:
            return None
        happened = view.happened(found, before, STEPS + 1)
        return _Found(
            found,
            view.logs_of_customer(found, LOGS + 1, is_open=True),
            view.logs_of_customer(found, LOGS + 1, is_open=False),
            happened,
            _newer(view, happened) if before else [],
        )

    found = await panel.view(person, read)
    if found is None:
        sentence = (
            f"Your shop has no customer with the username {cut(username, 80)}. It may have another "
            "one, or have been withdrawn: look for it with Find."
        )
        return panel.problem(request, 404, "There is no such customer", sentence)
    return await _page(request, panel, person, found, before)


async def _page(
    request: Request, panel: Panel, person: Person, found: _Found, before: Moment | None
) -> Response:
    now, zone = panel.now, person.site.zone
    customer = found.one
    teller = Teller(person, await panel.keys(person), now)
    address = customer_address(customer.username)
    open_logs = sorted(found.open_logs[:LOGS], key=lambda log: _soonest(log, zone))
    rows = [_log_row(log, now, person) for log in open_logs]
    happened = found.happened[:STEPS]
    more = ""
    if len(found.happened) > STEPS:
        joined = "&" if "?" in address else "?"
        more = f"{address}{joined}before={Moment.of(happened[-1]).write()}#timeline"
    return panel.render(
        request,
        "customer.html",
        customer=customer,
        name=customer_name(customer),
        company=customer.details.get("bill_company") or "",
        address=address,
        ways=ways(customer),
        next=rows[0] if rows and rows[0].exact else None,
        open_logs=rows,
        done_logs=[_log_row(log, now, person) for log in found.done_logs[:LOGS]],
        most=LOGS,
        more_open=len(found.open_logs) > LOGS,
        more_done=len(found.done_logs) > LOGS,
        groups=_details(customer),
        steps=_steps(happened, found.newer, teller),
        older=more,
        is_first=before is None,
    )


def _soonest(log: CustomerLog, zone: tzinfo) -> tuple[bool, date, bool, int]:
    value = log.date_required_follow_up
    if value is None:
        return True, date.min, False, -log.log_id
    return False, day_of(value, zone), isinstance(value, datetime), log.log_id


def _log_row(log: CustomerLog, now: datetime, person: Person) -> LogRow:
    zone = person.site.zone
    value, last = log.date_required_follow_up, log.last_contacted
    return LogRow(
        log.log_id,
        due(value, now, zone),
        "" if value is None else exact(value),
        log.follow_up_type or "",
        log.status,
        log.allocated_to or "",
        last_said(log.notes, LINE),
        ago(last, now, zone),
        "" if last is None else exact(last),
    )


def _details(customer: Customer) -> list[tuple[str, list[tuple[str, str]]]]:
    """All elements that have a value, in groups: names as people read them, and texts."""
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name, _ in _GROUPS}
    for key, wire in CUSTOMER_DETAILS.items():
        value = customer.details.get(key)
        if value is None:
            continue
        text = ("yes" if value else "no") if isinstance(value, bool) else wire.type.write(value)
        group = next(name for name, takes in _GROUPS if takes(wire.name))
        shown = label(wire.name)
        if group in ("Billing address", "Shipping address"):
            shown = label(wire.name[4:])
        groups[group].append((shown, text))
    return [(name, some) for name, some in groups.items() if some]


def _newer(view: View, happened: Sequence[AnyRevision]) -> list[AnyRevision]:
    """The newest revisions of the records of an older page, the newest of each first."""
    found: list[AnyRevision] = []
    for last in {_record_of(one): one for one in reversed(happened)}.values():
        some: Sequence[AnyRevision]
        if isinstance(last, Revision):
            some = view.revisions(last.log_id, None, _NEWER)
        else:
            some = view.customer_revisions(last.customer_id, None, _NEWER)
        found += [one for one in some if one.number > last.number]
    return found


def _steps(
    happened: Sequence[AnyRevision], newer: Sequence[AnyRevision], teller: Teller
) -> list[Step]:
    """What happened, from the newest down. newer: what came after, of the same records."""
    records: dict[tuple[str, int], list[AnyRevision]] = {}
    for one in [*newer, *happened]:
        records.setdefault(_record_of(one), []).append(one)
    over = {record: over_with(some) for record, some in records.items()}
    return [_step(one, teller, over[_record_of(one)]) for one in happened]


def _record_of(one: AnyRevision) -> tuple[str, int]:
    return noun_of(one), one.log_id if isinstance(one, Revision) else one.customer_id


def _step(one: AnyRevision, teller: Teller, over: set[int]) -> Step:
    (told,) = teller.tell([one], over=over)
    is_new = kind_of(one) is Kind.ADDED
    if isinstance(one, CustomerRevision):  # what it was added with stands beside, as it is now
        return Step(replace(told, changes=()) if is_new else told, 0, one.customer_id)
    if is_new:
        others = (change for change in told.changes if change.label not in _THEIRS)
        told = replace(told, changes=tuple(others))
    return Step(told, one.log_id, 0)


_THEIRS: Final = ("Username", "Customer name")
"""What all logs of a customer have in common."""
