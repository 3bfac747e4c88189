"""The command line: run the server, and manage its sites and keys."""

import os
import sys
from contextlib import suppress
from typing import Annotated

import typer

from recontact import __version__
from recontact.cli import db, journal, keys, records, sites, staff, undoing
from recontact.cli.erasing import erase, export_customer
from recontact.cli.serve import serve
from recontact.cli.shared import fail
from recontact.messages import RecontactError

app = typer.Typer(
    name="recontact",
    help="The customer logs of a Neto shop, as a server that anyone can run.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve)
app.add_typer(keys.app, name="key")
app.add_typer(sites.app, name="site")
app.add_typer(staff.app, name="staff")
app.add_typer(records.logs, name="log")
records.customers.command("export")(export_customer)
app.add_typer(records.customers, name="customer")
app.add_typer(journal.app, name="journal")
app.add_typer(undoing.app, name="undo")
app.command()(erase)
app.add_typer(db.app, name="db")


def main() -> None:
    """The command `recontact`. Exit 0: done; 1: failed; 2: wrong use."""
    if sys.stderr is None:  # some init scripts close it
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        app()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except RecontactError as error:
        from recontact.store.errors import AddressError, SiteSettingError

        fail(str(error), 2 if isinstance(error, AddressError | SiteSettingError) else 1)
    finally:
        _let_go()


def _let_go() -> None:
    """Drop what stdout and stderr still hold for a reader who is gone, or the exit code is 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"recontact {__version__}")
        raise typer.Exit


@app.callback()
def _recontact(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    pass
