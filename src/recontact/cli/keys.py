"""`recontact key`: what lets integrations in."""

import re
import sys
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from recontact.cli.shared import Database, SiteName, fail, group, note, print_rows, settings
from recontact.cli.shared import database as open_database
from recontact.clock import SYSTEM
from recontact.values import DateTime, WrongValueError, write_instant

app = group("What lets integrations in.")


@app.command("create")
def key_create(
    username: Annotated[
        str | None,
        typer.Option(help="Make a user's key: it lets in only with this NETOAPI_USERNAME."),
    ] = None,
    site: SiteName = None,
    may: Annotated[str, typer.Option(help="The rights: read, write or both.")] = "read,write",
    expires: Annotated[
        str | None, typer.Option(help="When it ends: a day or time in UTC, or days from now: 90d.")
    ] = None,
    database: Database = None,
) -> None:
    """
    Make a key, and print it alone: it is kept only as a digest and never shown again.

    Example: recontact key create --username ana --may read --expires 90d
    """
    from recontact.store import keys

    rights = [right.strip() for right in may.split(",") if right.strip()]
    if not rights or not set(rights) <= set(keys.RIGHTS):
        fail(f"--may takes {', '.join(keys.RIGHTS)} or both with a comma; got {may!r}.", 2)
    expires_at = None if expires is None else _moment(expires)
    if username is not None and not username.strip():
        fail("--username is empty: leave it out for a site-wide key.", 2)
    key = keys.new_key()
    with open_database(database) as connection:
        keys.first_site(connection, SYSTEM.now())
        found = keys.find_site(connection, site)
        number = keys.add_key(
            connection,
            found,
            key,
            now=SYSTEM.now(),
            username=username,
            may=rights,
            expires_at=expires_at,
        )
        asked = {
            "Starts": key[:7],
            "Username": username,
            "May": rights,
            "Expires": write_instant(expires_at) if expires_at else None,
        }
        note(connection, found, "CreateKey", asked)
    whose = f"user {username}'s" if username else "site-wide"
    where = settings(database=database).database
    print(f"Key {number}, {whose}, site {found.name}, in {where}:", file=sys.stderr, flush=True)
    print(key)


def _moment(text: str) -> datetime:
    try:
        if re.fullmatch(r"[0-9]{1,5}d", text):
            moment: datetime | None = SYSTEM.now() + timedelta(days=int(text[:-1]))
        else:
            moment = DateTime().read(text)
    except WrongValueError as error:
        fail(f"--expires {error}.", 2)
    if moment is None or moment <= SYSTEM.now():
        fail(f"--expires must be later than now; got {text!r}.", 2)
    return moment


@app.command("list")
def key_list(
    site: SiteName = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    database: Database = None,
) -> None:
    """
    Show the keys: never the key itself, but how it starts, whose it is, and when it was used.

    Example: recontact key list --json
    """
    from recontact.store import keys

    with open_database(database) as connection:
        only = keys.find_site(connection, site) if site else None
        known = [
            key
            for key in keys.keys(connection).values()
            if only is None or key.site.site == only.site
        ]
    now = SYSTEM.now()
    rows = [
        {
            "key": key.key_id,
            "site": key.site.name,
            "starts": key.hint and key.hint + "…",
            "username": key.username or "",
            "may": ",".join(sorted(key.may)),
            "state": _state(key, now),
            "created": write_instant(key.created_at),
            "expires": write_instant(key.expires_at) if key.expires_at else "",
            "last used": write_instant(key.last_used_at) if key.last_used_at else "",
        }
        for key in known
    ]
    print_rows(rows, json, "No keys yet: make one with recontact key create.")


def _state(key: Any, now: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(now) else "expired"


@app.command("revoke")
def key_revoke(
    number: Annotated[int, typer.Argument(help="The key's number, as recontact key list shows.")],
    database: Database = None,
) -> None:
    """
    Let a key in no more. A running server takes it up within a second.

    Example: recontact key revoke 3
    """
    from recontact.store import keys

    with open_database(database) as connection:
        keys.revoke_key(connection, number, SYSTEM.now())
        (one,) = (key for key in keys.keys(connection).values() if key.key_id == number)
        asked = {"Key": number, "Starts": one.hint, "Username": one.username}
        note(connection, one.site, "RevokeKey", asked)
    print(f"Key {number} is revoked.")
