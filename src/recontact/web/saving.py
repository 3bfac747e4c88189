"""What is done to one log: saved, merged with what others did meanwhile, or withdrawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from recontact.model import By, Customer, CustomerLog, Revision
from recontact.store import Transaction, View, Work
from recontact.store.followups import Cursor, Place
from recontact.values import Status
from recontact.web import merging, words
from recontact.web.conflicts import Both, against_of, kept_of, label_of, whose_is
from recontact.web.forms import Form, FormError, number_in
from recontact.web.logs import Came, address_of, known_in, log_id_of, log_page
from recontact.web.merging import Filled
from recontact.web.naming import called, name_in, name_of
from recontact.web.panel import once_of, panel_of, person_of
from recontact.web.steps import isolated
from recontact.web.timeline import OUTCOMES, Teller

_TRIES: Final = 10
"""How often a save is merged anew with what came in between."""
_TWICE: Final = "{}: this form was saved before, and is not saved twice."


async def change(request: Request) -> Response:
    """Save what was filled in, or withdraw the log."""
    panel, person = panel_of(request), person_of(request)
    log_id = log_id_of(request)
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
    customer: Customer | None = None
    place: Place | None = None
    cursor: Cursor | None = None


def _since(view: View, log_id: int, revision: int, came: Came | None) -> Since:
    log = view.log(log_id)
    if log is None:
        return Since(None, [])
    found = view.revisions(log_id, None, max(0, log.revision - revision))
    customer = view.customer(log.username) if log.username else None
    if came is None or came.queue is None:
        return Since(log, found, customer)
    base = merging.before(log, found)
    cursor = came.place_of(base)
    return Since(log, found, customer, view.queue(came.queue).place(cursor), cursor)


async def _save(request: Request, form: Form, revision: int, came: Came | None) -> Response:
    panel, person = panel_of(request), person_of(request)
    log_id, zone = log_id_of(request), person.site.zone
    values = merging.filled(form)
    table = panel.shape("UpdateCustomerLog").item
    once = once_of(request, values)
    for _ in range(_TRIES):
        since = await panel.view(
            person, partial(_since, log_id=log_id, revision=revision, came=came)
        )
        if since.log is None:
            problem = "Not saved: the log was withdrawn meanwhile."
            return await log_page(request, values, revision, None, 409, problem)
        log, now = since.log, panel.now
        name = called(name_of(log, since.customer))
        if await panel.was_done(request, once):  # or it would meet what it did itself
            return _on(request, form, since, came, _TWICE.format(name))
        base = merging.before(log, since.revisions)
        seen_at = number_in(form.get("seen")) or revision
        seen = merging.before(log, [one for one in since.revisions if one.number > seen_at])
        mine = merging.asked(values, base, person.username, now, zone, table)
        merged = merging.merge(mine, base, log, _picked(form), seen, now)
        if why := merging.too_long(mine, merged.changes, table):
            mine.errors.setdefault("said", why)
        if mine.errors:
            return await log_page(
                request, values, revision, mine.errors, 422, "Not saved yet: see what is marked."
            )
        if merged.conflicts:
            return await _ask(request, form, values, since, base, mine, merged, came)
        if not merged.changes:
            return _on(request, form, since, came, f"Nothing to save of {name}.")
        item: dict[str, Any] = {"LogID": log_id, "Revision": log.revision}
        written = await panel.submit(
            request, "UpdateCustomerLog", [item | merging.elements(merged.changes, table)], once
        )
        if written.again:
            return _on(request, form, since, came, _TWICE.format(name))
        codes = {one.code for one in written.reply.messages}
        if not codes & {"CL002", "CL004"}:
            break
    else:
        problem = "Not saved: others change this log right now. Save it again."
        return await log_page(request, values, revision, None, 409, problem)
    if written.problems:
        problem = f"Not saved: {' '.join(written.problems)}"
        return await log_page(request, values, revision, None, 422, problem)
    known = await known_in(panel.store, person)
    teller = Teller(person, known.keys, now)
    text = _told(log, since.customer, values, merged.changes, teller) + _meanwhile(
        since, merged.theirs, teller
    )
    return _on(request, form, since, came, text, written.request)


def _picked(form: Form) -> dict[str, str]:
    """What was chosen of elements that both changed."""
    return {key: pick for key in merging.EDITABLE if (pick := form.get(f"pick_{key}"))}


def _on(
    request: Request, form: Form, since: Since, came: Came | None, text: str, undo: str = ""
) -> Response:
    """After a save: to the next log of the queue, or back to this one."""
    panel, log_id = panel_of(request), log_id_of(request)
    if form.get("then") != "next" or came is None:
        path = came.address_of(log_id, since.cursor) if came else address_of(log_id)
    elif since.place and since.place.after:
        path = came.address_of(since.place.after.log.log_id, since.place.after.cursor) + "#said"
    else:
        path = came.address
        text += " That was the last one here." if came.queue else ""
    return panel.redirect(request, path, text, undo)


def _told(
    log: CustomerLog,
    customer: Customer | None,
    values: Filled,
    changes: Mapping[str, Any],
    teller: Teller,
) -> str:
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
    became = replace(log, **changes)
    text = f"{called(name_of(became, customer))}: {', '.join(done) or 'saved'}."
    is_contact = bool(values["outcome"] or values["said"].strip())
    if is_contact and "date_required_follow_up" not in changes:
        text += _still_due(became, teller)
    return text


def _still_due(log: CustomerLog, teller: Teller) -> str:
    """What is said where a contact leaves a follow-up late, or due today, as it was."""
    if log.status is Status.COMPLETED or log.date_required_follow_up is None:
        return ""
    due = teller.due_in(log.date_required_follow_up)
    if due.words.endswith("late"):
        return f" The follow-up is still {due.words}."
    is_today = due.is_late or due.words.startswith("today")
    return f" The follow-up is still due {due.words}." if is_today else ""


def _meanwhile(since: Since, keys: Sequence[str], teller: Teller) -> str:
    """Who else changed what while a form was filled in, which was kept."""
    by: dict[str, list[str]] = {}
    for key in keys:
        one = next(one for one in since.revisions if key in one.changes)
        name = "You" if teller.is_own(one) else isolated(teller.who(one, begins=True))
        by.setdefault(name, []).append(label_of(key))
    return "".join(
        f" {who} changed {words.listed(names)} meanwhile"
        f"{' in another window' if who == 'You' else ''}: kept."
        for who, names in by.items()
    )


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
    both = Both(merged, mine, base, log, since.revisions)
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
        name=name_of(log, since.customer),
        who=teller.who(last, begins=True),
        is_own=own,
        whose=whose_is(teller, last),
        when=teller.when(last.at),
        exact=words.exact(last.at),
        against=against_of(both, teller),
        kept=kept_of(both, teller),
        hidden=hidden,
    )


# -- withdraw ------------------------------------------------------------------------------------


async def _withdraw(request: Request, log_id: int, came: Came | None) -> Response:
    """Take the log away: no call finds it any more, and an undo brings it back."""
    panel, person = panel_of(request), person_of(request)
    entry = panel.entry(request, "Withdraw", {"LogID": log_id}, items=1)

    def run(tx: Transaction) -> str:
        log = tx.log(log_id)
        if log is None:
            return ""
        name = name_in(tx, log)
        tx.withdraw(log, By(None, entry.request, entry.who))
        tx.tally(entry, 1, 0)
        tx.keep()
        return name

    name = await panel.store.submit(Work(person.site, run, [log_id]))
    if not name:
        return panel.redirect(request, address_of(log_id), "It was withdrawn already.")
    path = came.address if came else address_of(log_id)
    text = f"{called(name)} is withdrawn."
    return panel.redirect(request, path, text, entry.request.hex())
