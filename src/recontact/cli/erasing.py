"""`recontact erase`: take a customer or a log out for good; and what is known of a customer."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recontact.cli.shared import (
    Database,
    SiteName,
    command_entry,
    fail,
    opened,
    progress,
    there_already,
)
from recontact.clock import SYSTEM, new_request_id
from recontact.model import Site
from recontact.values import quote

if TYPE_CHECKING:  # SQLAlchemy and lxml take 200 ms
    from recontact.mentions import Mentions
    from recontact.store.erasing import Findings, Left

_SHOWN = 20
"""Numbers that a line lists."""


def erase(
    username: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The customer, and all their logs.", show_default=False),
    ] = None,
    log_id: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="One log alone.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, say what would go.")] = False,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish",
            help="Write the whole file anew, without anything in unused places of it. The server "
            "must be stopped.",
        ),
    ] = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Take a customer or a log out for good: nothing brings it back. Without --yes, say what would go.

    Records, all values in their revisions, both bodies of each call that touched or named them, and
    their words in the index of the search. Then each byte of the file is looked through. A server
    that runs goes on meanwhile. Exit 1 where something is left, with what to do.

    Example: recontact erase --username ana
    """
    from recontact.mentions import Mentions
    from recontact.store import erasing

    if (username is not None) + (log_id is not None) + finish != 1:
        fail("Say what goes: --username NAME, or --log-id N; or --finish alone.", 2)
    if username is not None and not username.strip():
        fail("--username is empty: give a customer's username.", 2)
    path = there_already(database)
    if finish:
        with progress("Writing the file anew"):
            erasing.rewrite(path)
        print(f"Wrote {path} anew: it holds nothing but what is in its tables.")
        return
    found, where = _find(username, log_id, site, database)
    if found.is_empty:
        whose = f"customer {username}" if username is not None else f"log {log_id}"
        fail(f"There is nothing of {whose} in site {where.name}.")
    names = Mentions(found.names, found.own, found.log_ids, found.customer_ids)
    with progress("Looking through the journal") as show:
        last = erasing.find_bodies(path, found, names, show)
    if yes:
        _take_out(where, path, found, names, last)
    else:
        _say_what("would go", found, path)
        print("Nothing was changed. To erase all of it for good, say the same with --yes.")


def _find(
    username: str | None, log_id: int | None, site: str | None, database: str | None
) -> tuple["Findings", Site]:
    """What there is of a customer or of a log, and in which site."""
    from recontact.store import erasing

    path = there_already(database)
    with opened(database, site) as (store, where, _):
        if username is not None:
            ids = store.read(where, lambda view: view.customers_named(username))
    with progress("Looking for logs") as show:
        if username is not None:
            return erasing.find_customer(path, where.site, username, ids, show), where
        return erasing.find_log(path, where.site, log_id or 0, show), where


def _take_out(site: Site, path: Path, found: "Findings", names: "Mentions", last: int) -> None:
    """Erase what was found, look whether any of it is left, and say so."""
    from recontact.store import DatabaseError, erasing, upkeep

    now = SYSTEM.now()
    entry = command_entry(site, new_request_id(now), now, "Erase", None)
    with progress("Erasing") as show:
        erasing.take_out(path, found, names, entry, last, show)
    with progress("Merging the index of the search") as show:
        erasing.clean_index(path, show)
    with progress("Giving space back") as show:
        upkeep.compact(path, show)
    left = _left(path, found)
    why = ""
    if left.unused:
        try:
            with progress("Writing the file anew"):
                erasing.rewrite(path)
            left = _left(path, found)
        except DatabaseError as error:
            why = f" ({error})"
    _say_what("is gone", found, path)
    if left.unused:
        fail(
            f"No call finds any of it, but {len(left.unused)} of its texts still lie in unused "
            f"places of {path} or its WAL, which only whoever reads the file can see. Stop the "
            f"server, if it runs, and say: recontact erase --finish{why}"
        )
    print(
        f"Looked for {left.looked_for:,} of its texts in each byte of {path}: none is left, but "
        "what records of others say too."
    )
    if left.named:
        print("These names stand in records of others, which stay:")
        for name in sorted(left.named)[:_SHOWN]:
            print(f"  {quote(name)}")


def _left(path: Path, found: "Findings") -> "Left":
    from recontact.store import erasing

    with progress("Looking through the file") as show:
        return erasing.left_in(path, found, show)


def _say_what(what: str, found: "Findings", path: Path) -> None:
    """Tell what goes or is gone, and which copies have it still."""
    from recontact.history import counted
    from recontact.store import erasing

    print(f"This {what}:")
    for name, number, detail in (
        ("customer", len(found.customer_ids), _listed("ID", found.customer_ids)),
        ("log", len(found.log_ids), _listed("LogID", found.log_ids)),
        ("revision", found.revisions, "their values; when, by which key and call stays"),
        ("call", len(found.requests), "that touched or named them: the journal's lines stay"),
        ("body", found.bodies, "of these calls, with whatever it says of others"),
        ("Idempotency-Key", found.keys, "of these calls: a repeat gets 422, and is not run"),
    ):
        if number:
            print(f"  {counted(number, name):>25}, {detail}")
    print("  and their words in the index of the search.")
    copies = erasing.copies_of(path)
    if copies:
        print("These copies are not changed; delete them when you need them no more:")
        for one in copies:
            print(f"  {one}")
    print("Backups elsewhere are not changed.")


def _listed(name: str, numbers: Iterable[int]) -> str:
    some = sorted(numbers)
    more = f" and {len(some) - _SHOWN:,} more" if len(some) > _SHOWN else ""
    return f"{name} {', '.join(map(str, some[:_SHOWN]))}{more}"


def export_customer(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The customer's username.")],
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Write all that is known of a customer, as JSON: records, logs, revisions, and calls.

    Also what was withdrawn. Times are in UTC.

    Example: recontact customer export ana > ana.json
    """
    from recontact.exporting import customer_as_json
    from recontact.mentions import Mentions
    from recontact.store import erasing

    found, where = _find(name, None, site, database)
    if found.is_empty:
        fail(f"There is nothing of customer {name} in site {where.name}.")
    names = Mentions(found.names, found.own, found.log_ids, found.customer_ids)
    path = there_already(database)
    with progress("Looking through the journal") as show:
        erasing.find_bodies(path, found, names, show)
    with opened(database, str(where.site)) as (store, _, _):

        def write(text: str) -> None:
            sys.stdout.write(text)

        store.read(where, lambda view: customer_as_json(view, found, write))
    sys.stdout.write("\n")
