"""`recontact staff`: who may use the control panel."""

import sys
from getpass import getpass
from typing import Annotated

import typer

from recontact.cli.shared import (
    Database,
    Json,
    SiteName,
    fail,
    group,
    note,
    print_rows,
    visible,
)
from recontact.cli.shared import database as open_database
from recontact.clock import SYSTEM
from recontact.values import write_instant

app = group("Who may use the control panel: staff, each with a login and a role.")

_Username = Annotated[str, typer.Option(help="Their username.", show_default=False)]
_ROLE = "viewer reads; agent also works logs and undoes their own changes; admin may do everything."


@app.command("create")
def staff_create(
    username: _Username,
    role: Annotated[str, typer.Option(help=_ROLE, show_default=False)],
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Let a person in. The password is asked for twice, or read from the first line of stdin.

    Example: recontact staff create --username ana --role agent
    """
    from recontact.store import keys, staff

    with open_database(database) as connection:
        keys.first_site(connection, SYSTEM.now())
        found = keys.find_site(connection, site)
        staff.role_of(role)
        if staff.named(connection, username, found):
            fail(f"Somebody named {visible(username)} works for site {found.name} already.")
    # No transaction is held while somebody thinks of a password.
    password = staff.PASSWORDS.hash(_password())
    with open_database(database) as connection:
        one = staff.add(connection, found, username, role, password, SYSTEM.now())
        note(connection, found, "CreateStaff", {"Username": one.username, "Role": role})
    print(f"{visible(one.username)} can log in to site {found.name}, as {one.role}.")


@app.command("list")
def staff_list(site: SiteName = None, json: Json = False, database: Database = None) -> None:
    """
    Show who may use the control panel, and who may no more.

    Example: recontact staff list --json
    """
    from recontact.store import keys, staff

    with open_database(database) as connection:
        only = keys.find_site(connection, site) if site else None
        known = keys.sites(connection)
        everyone = staff.everyone(connection, only)
    rows = [
        {
            "username": one.username if json else visible(one.username),
            "site": known[one.site].name,
            "role": one.role.value,
            "state": "revoked" if one.revoked_at else "valid",
            "created": write_instant(one.created_at),
            "last login": write_instant(one.last_login_at) if one.last_login_at else "",
        }
        for one in everyone
    ]
    print_rows(rows, json, "No staff yet: let somebody in with recontact staff create.")


@app.command("set")
def staff_set(
    username: _Username,
    role: Annotated[str | None, typer.Option(help=_ROLE)] = None,
    password: Annotated[
        bool,
        typer.Option("--password", help="Ask for a new password; they are logged out everywhere."),
    ] = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Give a person another role or another password.

    Example: recontact staff set --username ana --role admin
    """
    from recontact.store import keys, staff

    if role is None and not password:
        fail("Nothing to set: give --role, --password or both.", 2)
    with open_database(database) as connection:
        found = keys.find_site(connection, site)
        staff.find(connection, found, username)
    kept = staff.PASSWORDS.hash(_password()) if password else None
    with open_database(database) as connection:
        one = staff.find(connection, found, username)
        if role is not None:
            staff.set_role(connection, one, role)
        if kept is not None:
            staff.set_password(connection, one, kept)
        asked = {"Username": one.username, "Role": role, "Password": bool(kept)}
        note(connection, found, "SetStaff", asked)
    done = [f"has the role {role}"] if role else []
    done += ["has a new password, and is logged out everywhere"] if kept else []
    print(f"{visible(one.username)} {' and '.join(done)}.")


@app.command("revoke")
def staff_revoke(username: _Username, site: SiteName = None, database: Database = None) -> None:
    """
    Let a person in no more, from now on. What they did keeps their name.

    Example: recontact staff revoke --username ana
    """
    from recontact.store import keys, staff

    with open_database(database) as connection:
        found = keys.find_site(connection, site)
        one = staff.find(connection, found, username)
        staff.revoke(connection, one, SYSTEM.now())
        note(connection, found, "RevokeStaff", {"Username": one.username})
    print(f"{visible(one.username)} is let in no more.")


@app.command("sign-out")
def staff_sign_out(username: _Username, site: SiteName = None, database: Database = None) -> None:
    """
    Log a person out everywhere; they can log in again.

    Example: recontact staff sign-out --username ana
    """
    from recontact.store import keys, staff

    with open_database(database) as connection:
        found = keys.find_site(connection, site)
        one = staff.find(connection, found, username)
        ended = staff.sign_out_everywhere(connection, one)
        note(connection, found, "SignOutEverywhere", {"Username": one.username})
    print(f"{visible(one.username)} is logged out everywhere ({ended}).")


def _password() -> str:
    """A new password, asked for twice on a terminal; else the first line of stdin."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass("Password: ")
    if getpass("The same again: ") != first:
        fail("The two passwords are not the same.")
    return first
