"""`recontact site`: the shops whose logs are kept."""

from typing import Annotated

import typer

from recontact.cli.shared import Database, SiteName, fail, group, note, print_rows
from recontact.cli.shared import database as open_database
from recontact.clock import SYSTEM

app = group("The shops whose logs are kept, apart from each other.")

_ZONE = typer.Option(help="Its time zone, by IANA name: Australia/Sydney. Days are days there.")
_DIALECT = typer.Option(
    help="How it answers: documented, or live, as the real service was seen to."
)
_ORIGINS = typer.Option(
    help="Whose pages may call it from a browser: https://shop.example, several with blanks; '' "
    "for none."
)


@app.command("create")
def site_create(
    name: Annotated[str, typer.Option(help="What it is called.")],
    zone: Annotated[str, _ZONE] = "UTC",
    dialect: Annotated[str, _DIALECT] = "documented",
    cors_origins: Annotated[str, _ORIGINS] = "",
    database: Database = None,
) -> None:
    """
    Make another site, with logs, customers and keys of its own.

    Example: recontact site create --name Harbour --zone Australia/Sydney
    """
    from recontact.store import keys

    with open_database(database) as connection:
        number = keys.add_site(
            connection,
            name,
            zone,
            SYSTEM.now(),
            dialect=dialect,
            cors_origins=cors_origins.split(),
        )
        made = {"name": name, "zone": zone, "dialect": dialect, "cors_origins": cors_origins}
        note(connection, keys.sites(connection)[number], "CreateSite", made)
    print(f"Site {number}, {name}. Make a key for it: recontact key create --site {number}")


@app.command("set")
def site_set(
    site: SiteName = None,
    name: Annotated[str | None, typer.Option(help="What it is called.")] = None,
    zone: Annotated[str | None, _ZONE] = None,
    dialect: Annotated[str | None, _DIALECT] = None,
    cors_origins: Annotated[str | None, _ORIGINS] = None,
    database: Database = None,
) -> None:
    """
    Change a site. A running server takes it up within a second.

    Example: recontact site set --dialect live
    """
    from recontact.store import keys

    origins = None if cors_origins is None else cors_origins.split()
    changed = {"name": name, "zone": zone, "dialect": dialect, "cors_origins": origins}
    if not any(value is not None for value in changed.values()):
        fail("Nothing to set: give --name, --zone, --dialect or --cors-origins.", 2)
    with open_database(database) as connection:
        found = keys.find_site(connection, site)
        keys.set_site(connection, found, **changed)
        asked = {name: value for name, value in changed.items() if value is not None}
        note(connection, found, "SetSite", asked)
        found = keys.sites(connection)[found.site]
    print(f"Site {found.site}, {found.name}: {found.zone.key}, {found.dialect}.")


@app.command("list")
def site_list(
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    database: Database = None,
) -> None:
    """
    Show the sites.

    Example: recontact site list --json
    """
    from recontact.store import keys

    with open_database(database) as connection:
        known = keys.sites(connection)
    rows = [
        {
            "site": site.site,
            "name": site.name,
            "zone": site.zone.key,
            "dialect": site.dialect.value,
            "cors origins": " ".join(sorted(site.cors_origins)),
        }
        for site in known.values()
    ]
    print_rows(rows, json, "No sites yet: recontact serve makes the first one.")
