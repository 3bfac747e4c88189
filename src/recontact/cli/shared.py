"""What several commands need."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any, NoReturn

import typer

from recontact.clock import SYSTEM
from recontact.config import Config, SettingError, load

Database = Annotated[
    str | None, typer.Option(help="Where everything is kept (default: sqlite:///recontact.db)")
]
SiteName = Annotated[
    str | None, typer.Option("--site", help="Which site; only needed where there are several.")
]


def group(help: str) -> typer.Typer:
    """Commands that share a first word."""
    return typer.Typer(help=help, no_args_is_help=True, rich_markup_mode=None)


def fail(sentence: str, code: int = 1) -> NoReturn:
    """End with a sentence on stderr. code: 1, failed; 2, wrong use."""
    print(f"recontact: {sentence}", file=sys.stderr)
    raise SystemExit(code)


def settings(**flags: Any) -> Config:
    """The settings that hold, with these flags; a wrong one ends the command."""
    try:
        return load(flags, os.environ)
    except SettingError as error:
        fail(str(error), 2)


@contextmanager
def database(url: str | None) -> Iterator[Any]:
    """A transaction on the database that the settings name."""
    from recontact.store import open_store

    config = settings(database=url)
    with (
        closing(open_store(config.database, now=SYSTEM.now)) as store,
        store.begin() as connection,
    ):
        yield connection


def print_rows(rows: list[dict[str, Any]], json: bool, empty: str) -> None:
    """Show rows to people, or as JSON to programs; `empty` says what to do where there are none."""
    if json:
        import msgspec

        print(msgspec.json.encode(rows).decode())
        return
    if not rows:
        print(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*(name.capitalize() for name in rows[0]), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    # A username may look like markup.
    width = None if sys.stdout.isatty() else 200
    Console(width=width, markup=False, highlight=False, emoji=False).print(table)


@contextmanager
def progress(doing: str) -> Iterator[Callable[[int, int], None]]:
    """On a terminal a bar for long work, which says how much it has done, and of how much."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def spinner(doing: str) -> Iterator[Callable[[str], None]]:
    """On a terminal what long work is at, which says that itself."""
    if not sys.stderr.isatty():
        yield lambda _step: None
        return
    from rich.console import Console

    with Console(stderr=True).status(doing) as status:
        yield lambda step: status.update(f"{doing} {step}")
