"""The staff of a shop: who is let into the panel, and as what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recontact.model import Site
from recontact.store import Connection, staff
from recontact.store.staff import Role, Staff, StaffError
from recontact.web.forms import Form
from recontact.web.keys import When, ago
from recontact.web.panel import panel_of, person_of
from recontact.web.sessions import let_out
from recontact.web.steps import isolated

ROLES: Final = {
    Role.VIEWER: "reads, and changes nothing",
    Role.AGENT: "works the logs, and takes back their own changes",
    Role.ADMIN: "also sees requests, makes keys, lets staff in, and takes back what others did",
}
"""What each role may do, in words."""


@dataclass(frozen=True, slots=True)
class Row:
    """One of the staff. sessions: in how many browsers they are logged in."""

    number: int
    username: str
    role: str
    last_login: When | None
    sessions: int
    is_last_admin: bool
    is_me: bool


@dataclass(frozen=True, slots=True)
class _Shop:
    """All staff of a shop, as one moment has them, and their sessions."""

    staff: list[Staff]
    sessions: dict[int, int]

    @classmethod
    def read(cls, connection: Connection, site: Site, now: datetime) -> "_Shop":
        known = staff.everyone(connection, site)
        open_ones = {
            one.staff_id: len(staff.sessions(connection, one.staff_id, now))
            for one in known
            if one.revoked_at is None
        }
        return cls(known, open_ones)

    def rows(self, me: int, site: Site, now: datetime) -> list[Row]:
        """Those who are let in."""
        here = [one for one in self.staff if one.revoked_at is None]
        admins = [one.staff_id for one in here if one.role is Role.ADMIN]
        return [
            Row(
                one.staff_id,
                one.username,
                one.role.value,
                ago(one.last_login_at, site, now),
                self.sessions[one.staff_id],
                is_last_admin=admins == [one.staff_id],
                is_me=one.staff_id == me,
            )
            for one in here
        ]


# -- everyone, and one more ----------------------------------------------------------------------


async def everyone(request: Request) -> Response:
    """The staff of the shop, and the form that lets another in."""
    if request.method != "POST":
        return await _list(request, request.state.kept or Form())
    panel, person, now = panel_of(request), person_of(request), panel_of(request).now
    form = await panel.form(request)
    username, role, password = form.get("username"), form.get("role"), form.get("password")
    asked = {"Username": username.strip(), "Role": role}
    try:
        staff.role_of(role)
        kept = await panel.aside(lambda: panel.passwords.hash(password))
        one = await panel.administer(
            request,
            "CreateStaff",
            asked,
            lambda c: staff.add(c, person.site, username, role, kept, now),
        )
    except StaffError as error:
        return await _list(request, form, str(error))
    said = f"{isolated(one.username)} can log in as {one.role}, with the password that you gave."
    return panel.redirect(request, "/staff", said)


async def _list(request: Request, form: Form, problem: str = "") -> Response:
    panel, person, now = panel_of(request), person_of(request), panel_of(request).now
    shop = await panel.store.look(lambda c: _Shop.read(c, person.site, now))
    return panel.render(
        request,
        "staff.html",
        422 if problem else 200,
        rows=shop.rows(person.staff_id, person.site, now),
        gone=[one.username for one in shop.staff if one.revoked_at],
        form=form,
        roles=ROLES,
        problem=problem,
    )


# -- one of them ---------------------------------------------------------------------------------


async def one_person(request: Request) -> Response:
    """One of the staff: another role, another password, and out."""
    panel, person, now = panel_of(request), person_of(request), panel_of(request).now
    number = request.path_params["number"]
    row = await _row(request, number)
    if row is None:
        sentence = "Nobody of that number works for your shop. Look under Staff."
        return panel.problem(request, 404, "There is no such person", sentence)
    if request.method != "POST":
        return _person(request, row, request.state.kept or Form())
    form = await panel.form(request)
    do, role, password = form.get("do"), form.get("role"), form.get("password")
    name, kept = row.username, ""
    asked: dict[str, Any] = {"Username": name}

    def change(connection: Connection) -> None:
        one = staff.find(connection, person.site, name)
        match do:
            case "role":
                staff.set_role(connection, one, role)
            case "password":
                staff.set_password(connection, one, kept)
            case "sign-out":
                staff.sign_out_everywhere(connection, one)
            case "revoke":
                staff.revoke(connection, one, now)

    try:
        match do:
            case "role":
                action, asked["Role"] = "SetStaff", staff.role_of(role).value
                said = f"{isolated(name)} has the role {role} now."
            case "password":
                kept = await panel.aside(lambda: panel.passwords.hash(password))
                action, asked["Password"] = "SetStaff", True
                said = f"{isolated(name)} has a new password, and is logged out everywhere."
            case "sign-out":
                action = "SignOutEverywhere"
                said = f"{isolated(name)} is logged out everywhere."
            case "revoke":
                action = "RevokeStaff"
                said = f"{isolated(name)} is let in no more."
            case _:
                return _person(request, row, form, "Choose what to do.")
        await panel.administer(request, action, asked, change)
    except StaffError as error:
        return _person(request, await _row(request, number) or row, form, str(error))
    if row.is_me and do != "role":  # the session is over
        response: Response = RedirectResponse("/login?out", 303)
        let_out(request, response)
        return response
    stays = not row.is_me or role == Role.ADMIN
    return panel.redirect(request, "/staff" if stays else "/", said)


async def _row(request: Request, number: str) -> Row | None:
    panel, person, now = panel_of(request), person_of(request), panel_of(request).now
    shop = await panel.store.look(lambda c: _Shop.read(c, person.site, now))
    rows = shop.rows(person.staff_id, person.site, now)
    return next((one for one in rows if str(one.number) == number), None)


def _person(request: Request, row: Row, form: Form, problem: str = "") -> Response:
    return panel_of(request).render(
        request,
        "staff_one.html",
        422 if problem else 200,
        one=row,
        role=form.get("role") or row.role,
        roles=ROLES,
        problem=problem,
    )
