"""A new log: of whom, what about, and when next."""

from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from recontact.model import CustomerLog, Revision, new_log
from recontact.values import Status
from recontact.web import merging, words
from recontact.web.forms import Form
from recontact.web.logs import (
    Came,
    address_of,
    known_in,
    menus_of,
)
from recontact.web.naming import called, customer_name, name_of
from recontact.web.panel import Panel, Person, once_of, panel_of, person_of


@dataclass(slots=True)
class New:
    """What the form of a new log is shown with."""

    values: dict[str, str]
    username: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    problem: str = ""


async def new(request: Request) -> Response:
    """A new log, of a customer who is named in the address or in the form."""
    panel, person = panel_of(request), person_of(request)
    if request.method == "POST":
        return await _add(request, await panel.form(request))
    form: Form | None = request.state.kept
    if form is not None and "username" in form:
        return await _new_page(request, New(merging.filled(form), form.get("username")))
    username = request.query_params.get("username", "")[:100]
    customer = None
    if username:
        customer = await panel.view(person, lambda view: view.customer(username))
    values = merging.shown(_blank(person, panel), person.site.zone)
    values["who"] = merging.option(person.username)
    if customer:
        username = customer.username
        values["name"] = customer_name(customer)
    return await _new_page(request, New(values, username))


def _blank(person: Person, panel: Panel) -> CustomerLog:
    return new_log(person.site.site, 0, {}, panel.now)


async def _new_page(request: Request, one: New, http_status: int = 200) -> Response:
    panel, person = panel_of(request), person_of(request)
    known = await known_in(panel.store, person)
    in_use = await panel.view(
        person, lambda view: {key: view.names_in_use(key) for key in merging.NAMES}
    )
    return panel.render(
        request,
        "new_log.html",
        http_status,
        came=Came.read(request, person),
        values=one.values,
        username=one.username,
        errors=one.errors,
        problem=one.problem,
        menus=menus_of(person, known, in_use, one.values),
        statuses=list(Status),
        snoozes=words.SNOOZES,
        zone=person.site.zone,
        other=merging.OTHER,
    )


async def _add(request: Request, form: Form) -> Response:
    panel, person = panel_of(request), person_of(request)
    one = New(merging.filled(form), form.get("username").strip())
    table = panel.shape("AddCustomerLog").item
    # Neither a contact nor its time is asked for here: what it is about stands in Notes as written.
    plain = one.values | {"said": "", "outcome": "", "last": ""}
    mine = merging.asked(
        plain, _blank(person, panel), person.username, panel.now, person.site.zone, table
    )
    one.errors = mine.errors
    if not one.username and "customer_name" not in mine.values:
        one.errors.setdefault("name", "Say who the customer is: a name, or a username.")
    if one.errors:
        one.problem = "Not added yet: see what is marked."
        return await _new_page(request, one, 422)
    item = merging.elements(mine.values, table)
    item["Status"] = one.values["status"] or Status.REQUIRE_RECONTACT
    if one.username:
        item["Username"] = one.username
    once = once_of(request, one.values | {"username": one.username})
    # Before: what is added is never said not to be, for want of a name.
    customer = await panel.view(person, lambda view: view.customer(one.username))
    written = await panel.submit(request, "AddCustomerLog", [item], once)
    came = Came.read(request, person)
    if written.again:
        (added,) = await panel.view(
            person, lambda view: view.made_by(bytes.fromhex(written.request), 1)
        )
        assert isinstance(added, Revision)
        path = address_of(added.log_id, came.address if came else "")
        text = f"Log {added.log_id} was added already, and not a second time."
        return panel.redirect(request, path, text)
    if written.problems:
        codes = {message.code for message in written.reply.messages}
        if codes <= {"CL003", "CL010", "CL014"} and one.username:
            one.errors["username"] = "No customer has that username. Leave it out, or correct it."
        one.problem = "Not added yet: see what is marked."
        if not one.errors:
            one.problem = f"Not added: {' '.join(written.problems)}"
        return await _new_page(request, one, 422)
    (log,) = written.reply.became.values()
    assert isinstance(log, CustomerLog)
    path = address_of(log.log_id, came.address if came else "")
    return panel.redirect(
        request, path, f"{called(name_of(log, customer))} is added.", written.request
    )
