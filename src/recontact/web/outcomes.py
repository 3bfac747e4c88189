"""What came of a step: in a sentence, and on a page where what was left has no room in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from recontact.history import Kind, kind_of
from recontact.model import Revision
from recontact.store import View
from recontact.store.journal import enter
from recontact.values import Status
from recontact.web import words
from recontact.web.asked import Asked
from recontact.web.bulk import GONE, Left, Outcome, Some
from recontact.web.naming import names_in
from recontact.web.panel import FORMAT, panel_of, person_of
from recontact.web.steps import Step, isolated, step_in
from recontact.web.timeline import Teller, cut
from recontact.web.undoing import request_in

ACTION: Final = "Leave"
"""The journal's entry of what a step left; its request body is a list of `Kept`."""
LISTED: Final = 500
"""Logs of a page of those that were left."""
IN_LINE: Final = 2
"""Logs that were left and are told in the sentence, each with why; more are on the page."""
_NAME: Final = 40
"""Characters of a name in a sentence that has several."""


class Kept(msgspec.Struct, rename="pascal", omit_defaults=True):
    """
    A log that was left, as the journal keeps it: no name of a customer is in it.

    revision: the number of the one that came between; 0: `why` says why.
    """

    log_id: int = msgspec.field(name="LogID")
    revision: int = 0
    why: str = ""


async def tell(
    request: Request, step: Step, outcome: Outcome, asked: Asked, place: str
) -> Response:
    """
    Go on to a place and say there what came of a step; or to the page of what was left, if that is
    more than a sentence has room for. asked: the queue that it was done from.
    """
    panel, person = panel_of(request), person_of(request)
    teller = Teller(person, await panel.keys(person), panel.now)
    text = told(step, outcome, teller)
    if len(outcome.left) > IN_LINE:
        kept = [
            Kept(one.log_id, one.later.number if one.later else 0, one.why) for one in outcome.left
        ]
        entry = panel.entry(request, ACTION, kept, items=len(kept), ack="Warning")
        await panel.store.administer(lambda connection: enter(connection, entry))
        place = f"/left/{entry.request.hex()}?{urlencode(_query(asked, step))}"
    undo = outcome.request if outcome.changed.number else ""
    return panel.redirect(request, place, text, undo)


def _query(asked: Asked, step: Step) -> list[tuple[str, str]]:
    return [("queue", asked.address), *step.fields]


def told(step: Step, outcome: Outcome, teller: Teller) -> str:
    """What was done, and what was not, in a line."""
    number = outcome.changed.number
    if outcome.number == 1:
        if number:
            return step.told(isolated(outcome.changed.names[0]), 1)
        if outcome.had_it.number:
            name = isolated(outcome.had_it.names[0])
            return f"Nothing to change: {name} had that already."
        (one,) = outcome.left
        name = isolated(one.name)
        if one.why == GONE:
            return f"{name} was withdrawn meanwhile: nothing was changed."
        again = " Choose again to do it anyway." if one.later else ""
        return f"{name} was left as it is: {_why(one, teller)}.{again}"
    said = [step.told(follow_ups(number), number) if number else "Nothing was changed."]
    if outcome.had_it.number:
        said.append(f"{outcome.had_it.number:,} had it already{_names(outcome.had_it)}.")
    if len(outcome.left) > IN_LINE:
        said.append(f"{len(outcome.left):,} were left as they are: above is why.")
    elif outcome.left:
        some = "; ".join(f"{_short(one.name)} ({_why(one, teller)})" for one in outcome.left)
        again = " Choose again to do it anyway." if any(one.later for one in outcome.left) else ""
        said.append(f"Left as they are: {some}.{again}")
    if outcome.stopped:
        said.append(f"It ended before it was through: {outcome.stopped}. Do it again for the rest.")
    return " ".join(said)


def follow_ups(number: int) -> str:
    """How many there are: `1 follow-up`."""
    return f"{number:,} follow-up{'' if number == 1 else 's'}"


def _names(some: Some) -> str:
    names = ", ".join(map(_short, some.names))
    return f" ({names}{', …' if some.number > len(some.names) else ''})"


def _short(name: str) -> str:
    return isolated(cut(name, _NAME))


def _why(one: Left, teller: Teller) -> str:
    return did(one.later, teller) if one.later else one.why


def did(one: Revision, teller: Teller, *, begins: bool = False) -> str:
    """Who did what to the next step of a log, and when: `Ana moved it to Fri 27 Nov just now`."""
    parts = []
    for key, (_, new) in one.changes.items():
        match key:
            case "status":
                is_done = new is Status.COMPLETED
                parts.append("completed it" if is_done else f"set it to {new}")
            case "date_required_follow_up":
                parts.append(f"moved it to {teller.due(new)}" if new else "took its date away")
            case "allocated_to":
                parts.append(f"assigned it to {_short(new)}" if new else "made it nobody\u2019s")
    if kind_of(one) is Kind.RESTORED:
        parts = ["brought it back"]
    what = " and ".join(parts) or "changed it"
    return f"{isolated(teller.who(one, begins=begins))} {what} {teller.ago(one.at)}"


# -- the page of what was left ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A log that was left. revision: the one it is at now; 0: it is gone."""

    log_id: int
    name: str
    revision: int
    why: str


async def left(request: Request) -> Response:
    """What a step left as it is, row by row, and why; to be done all the same by a press there."""
    panel, person = panel_of(request), person_of(request)
    whole = request_in(request.path_params["id"])
    entry = await panel.view(person, lambda view: view.journal_entry(whole)) if whole else None
    is_one = entry is not None and (entry.action, entry.format) == (ACTION, FORMAT)
    is_own = entry is not None and entry.who == person.username
    if not (entry and entry.request_body and is_one and (is_own or person.may("admin"))):
        sentence = "The journal keeps it no longer, or somebody else did it."
        return panel.problem(request, 404, "There is no such list", sentence)
    kept = msgspec.json.decode(entry.request_body, type=list[Kept])
    teller = Teller(person, await panel.keys(person), panel.now)
    rows = await panel.view(person, lambda view: _rows(view, kept[:LISTED], teller))
    return panel.render(
        request,
        "left.html",
        asked=Asked.of_address(request.query_params.get("queue", "")),
        step=step_in(request),
        rows=rows,
        number=len(kept),
        when=teller.when(entry.at),
        exact=words.exact(entry.at),
    )


def _rows(view: View, kept: Sequence[Kept], teller: Teller) -> list[Row]:
    logs = {log.log_id: log for log in view.logs_without_notes([one.log_id for one in kept])}
    names = names_in(view, list(logs.values()))
    rows = []
    for one in kept:
        log, why = logs.get(one.log_id), words.first(one.why)
        for later in view.revisions(one.log_id, one.revision + 1, 1) if one.revision else ():
            why = did(later, teller, begins=True)
        name = names.get(one.log_id, f"#{one.log_id}")
        rows.append(Row(one.log_id, name, log.revision if log else 0, why))
    return rows
