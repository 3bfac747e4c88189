"""Undo, of a request or of one revision: what it would do, and doing it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from recontact import undo as undoing
from recontact.history import AnyRevision, Kind, counted, kind_of, wires_of
from recontact.messages import RefusedError
from recontact.past_calls import past_call
from recontact.store import Span, Touched, View
from recontact.undo import Chosen, NoRevisionError, OneRevision, Outcome, Remains
from recontact.web.forms import Form, number_in
from recontact.web.naming import customer_address, customer_name, name_in
from recontact.web.panel import FORMAT, Panel, Person, panel_of, person_of
from recontact.web.sessions import local
from recontact.web.timeline import Teller, label
from recontact.web.undone import Undone

AT_ONCE: Final = 200
"""Records that an undo takes on without showing first what it would do."""
FORESEEN: Final = 1_000
"""Records of which a page says what an undo would do; some 0.1 s."""
SHOWN: Final = 50
"""Of what is left, so much is shown."""


@dataclass(frozen=True, slots=True)
class Wish:
    """
    What somebody wants undone. asked: as the journal keeps it; fields: as a form names it; then:
    the path to go on to; is_redo: whether they call it so, as it is an undo that is to be undone.
    """

    chosen: Chosen
    asked: dict[str, Any]
    fields: dict[str, str]
    then: str
    is_redo: bool = False

    @classmethod
    def read(cls, form: Form) -> "Wish | None":
        """What a form asks for: request=019a…, or log=7 or customer=3 with revision=5."""
        then = form.get("then")
        then = then if local(then) else "/"
        if request := request_in(form.get("request")):
            asked: dict[str, Any] = {"Request": str(UUID(bytes=request))}
            fields = {"request": request.hex()}
            is_redo = "redo" in form
            if is_redo:
                fields["redo"] = "1"
            return cls(Span(request, request), asked, fields, then, is_redo)
        number = number_in(form.get("revision"))
        for field, name in (("log", "LogID"), ("customer", "Customer")):
            record = number_in(form.get(field))
            if record and number:
                asked = {name: record, "Revision": number}
                fields = {field: str(record), "revision": str(number)}
                return cls(OneRevision(field == "log", record, number), asked, fields, then)
        return None

    @property
    def address(self) -> str:
        """The page that says what it would do."""
        return f"/undo?{urlencode(self.fields | {'then': self.then})}"


_REQUEST: Final = re.compile("[0-9a-f]{32}")


def request_in(text: str) -> bytes | None:
    """The request that a text names whole, in digits, with hyphens or without."""
    digits = text.replace("-", "").lower()
    return bytes.fromhex(digits) if _REQUEST.fullmatch(digits) else None


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What is to be undone: the records that it wrote, its first revision, and whose it is.

    is_forgotten: it may be one's own, but the journal keeps no longer what would tell.
    """

    records: Sequence[Touched]
    first: AnyRevision | None
    is_own: bool
    is_forgotten: bool = False


def seen(view: View, wish: Wish, person: Person) -> Seen:
    """What a wish is about. Raises NoRevisionError."""
    records = undoing.touched(view, wish.chosen)
    first: AnyRevision | None = None
    chosen = wish.chosen
    if not isinstance(chosen, OneRevision):
        first = next(iter(view.made_by(chosen.since, 1)), None)
    elif chosen.is_log:
        first = view.revisions(chosen.record, chosen.number + 1, 1)[0]
    else:
        first = view.customer_revisions(chosen.record, chosen.number + 1, 1)[0]
    # Commands and imports say who did it too: only the journal tells those from staff.
    is_own = first is not None and first.key_id is None and first.who == person.username
    if is_own and first is not None:
        entry = view.journal_entry(first.request)
        if entry is None:
            return Seen(records, first, is_own=False, is_forgotten=True)
        is_own = entry.format == FORMAT
    return Seen(records, first, is_own)


async def undo(request: Request) -> Response:
    """Undo something; what many records are in is first shown on a page of its own."""
    panel, person = panel_of(request), person_of(request)
    is_sent = request.method == "POST"
    if is_sent:
        form = await panel.form(request)
    else:
        form = request.state.kept or Form.of(request.query_params.multi_items())
    wish = Wish.read(form)
    if wish is None:
        sentence = "The address names nothing that could be undone: press Undo where you saw it."
        return panel.problem(request, 404, "There is nothing to undo", sentence)
    try:
        about = await panel.view(person, lambda view: seen(view, wish, person))
    except NoRevisionError:
        return panel.problem(
            request, 404, "There is nothing to undo", "Your shop has no such log or customer."
        )
    if not (about.is_own or person.may("admin")):
        if about.is_forgotten:
            return panel.problem(
                request,
                403,
                "That was too long ago",
                "The journal keeps no longer that it was done here, in the panel, so only an admin "
                "of your shop can undo it: ask one.",
            )
        return panel.problem(
            request,
            403,
            "Somebody else did that",
            "You can undo what you did yourself, through the panel. Ask an admin of your shop.",
        )
    if is_sent and (len(about.records) <= AT_ONCE or "sure" in form):
        return await _do(request, wish, about.records)
    return await _page(request, wish, about)


def records_of(records: Sequence[Touched]) -> str:
    """How many there are: `3 logs and 1 customer`."""
    logs = sum(one.is_log for one in records)
    parts = (counted(logs, "log") if logs else "", counted(len(records) - logs, "customer"))
    return " and ".join(part for part in parts if part and not part.startswith("0 ")) or "nothing"


async def _do(request: Request, wish: Wish, records: Sequence[Touched]) -> Response:
    panel, person = panel_of(request), person_of(request)
    if not records:
        text = "There was nothing to undo: that changed no log and no customer."
        return panel.redirect(request, wish.then, text)
    entry = panel.entry(request, "Undo", wish.asked, items=len(records))
    outcome = Outcome()
    undone = Undone(wish.is_redo)
    stopped = ""
    for work in undoing.steps(person.site, records, wish.chosen, entry):
        try:
            step = await panel.store.submit(work)
            outcome.add(step)
            undone.add(step.made)
        except RefusedError as refusal:
            if not outcome.changed:
                raise
            stopped = f" Then it stopped: {refusal.message.text}. Undo the rest below."
            break
    did, then = "Nothing to undo: all that can go back is as it was before.", wish.then
    if outcome.changed:
        did, then = await panel.view(
            person, lambda view: (undone.told(view), undone.place(view, person, then))
        )
    if left := len(outcome.remains):
        did += f" {counted(left, 'change')} stayed: below is why."
    made = entry.request.hex() if outcome.changed else ""
    if left or stopped:
        then = f"{wish.address}&done={made}"
    return panel.redirect(request, then, did + stopped, made, is_undo=not wish.is_redo)


# -- the page that says what it would do -----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an undo would do to the first `number` of the records, of `total`."""

    outcome: Outcome
    number: int
    total: int
    made: tuple[AnyRevision, ...]


async def foreseen(
    panel: Panel, person: Person, chosen: Chosen, records: Sequence[Touched], most: int
) -> Foreseen:
    """What undoing the first of these records would do; nothing is written."""
    outcome, course = Outcome(), undoing.Course()
    made: list[AnyRevision] = []
    for part in undoing.parts(records[:most]):
        step = await panel.view(
            person, partial(undoing.preview, part=part, chosen=chosen, course=course)
        )
        outcome.add(step)
        made += step.made
    return Foreseen(outcome, min(most, len(records)), len(records), tuple(made))


@dataclass(frozen=True, slots=True)
class LeftRow:
    """Something that an undo leaves. address: of its record's page, "" without one."""

    name: str
    number: int
    address: str
    what: str
    why: str


def told_why(view: View, one: Remains, teller: Teller) -> str:
    """Why something is left, in words: who did what later, where that is why."""
    if one.later is None:
        return one.why
    noun, _, record = one.record.partition(" ")
    of = view.revisions if noun == "log" else view.customer_revisions
    (later,) = cast("Sequence[AnyRevision]", of(int(record), one.later + 1, 1))
    did = _DID.get(kind_of(later), "changed it")
    for key, (_, new) in later.changes.items():
        if kind_of(later) is Kind.CHANGED and wires_of(later)[key].name == one.element:
            value = teller.value(later, key, new).text
            is_short = new is not None and len(value) <= _SHORT
            did = f"set it to {value}" if is_short else "cleared it" if new is None else did
    return f"{teller.who(later)} {did} {teller.when(later.at)}"


_DID: Final = {Kind.WITHDRAWN: "withdrew it", Kind.RESTORED: "brought it back"}
_SHORT: Final = 60
"""Characters of a value that may stand in a sentence."""


def left_rows(view: View, remains: Sequence[Remains], teller: Teller) -> list[LeftRow]:
    """What is left, with the names of the records."""
    rows = []
    for one in remains:
        noun, _, digits = one.record.partition(" ")
        number = int(digits)
        name, address = one.record, ""
        if noun == "log":
            if log := view.log(number):
                name, address = name_in(view, log), f"/logs/{number}"
        elif customer := view.customer_numbered(number):
            name, address = customer_name(customer), customer_address(customer.username)
        what = label(one.element) if one.element else f"all of the {noun}"
        why = told_why(view, one, teller)
        rows.append(LeftRow(name, number, address, what, why))
    return rows


async def _page(request: Request, wish: Wish, about: Seen) -> Response:
    panel, person = panel_of(request), person_of(request)
    would = await foreseen(panel, person, wish.chosen, about.records, FORESEEN)
    known = await panel.keys(person)
    teller = Teller(person, known, panel.now)
    remains = would.outcome.remains
    rows = await panel.view(person, lambda view: left_rows(view, remains[:SHOWN], teller))
    first = about.first
    done = request_in(request.query_params.get("done", ""))
    return panel.render(
        request,
        "undo.html",
        wish=wish,
        done=await panel.view(person, lambda view: _done(view, done, person)) if done else [],
        would=would,
        effect=would.outcome.effect.words,
        rows=rows,
        left=len(remains),
        records=records_of(about.records),
        who=teller.who(first) if first else "",
        when=teller.when(first.at) if first else "",
        of=str(UUID(bytes=first.request)) if first else "",
    )


def _done(view: View, request: bytes, person: Person) -> list[str]:
    """What the undo that led to the page did, in words, to whoever did it."""
    call = past_call(view, request)
    if call is None or (call.entry.format, call.entry.who) != (FORMAT, person.username):
        return []
    return call.effect
