"""What several commands need."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn
from uuid import UUID

import typer

from recontact.clock import SYSTEM, new_request_id
from recontact.config import Config, SettingError, load
from recontact.model import COMMAND_LINE, JournalEntry, Key, Site
from recontact.values import DayOrTime, WrongValueError, quote
from recontact.values import visible as visible  # commands take it from here

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from recontact.store import Connection, Store, View

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


Keys = dict[int, Key]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]


def there_already(url: str | None) -> Path:
    """The file of the database that the settings name; the command ends where it is not there."""
    from recontact.store import file_of

    if not (path := file_of(settings(database=url).database)).is_file():
        fail(
            f"There is no database {path}: name the one that the server keeps, with --database or "
            "RECONTACT_DATABASE."
        )
    return path


@contextmanager
def opened(url: str | None, name: str | None) -> Iterator[tuple["Store", Site, Keys]]:
    """
    The store that the settings name, the site of that name, and its keys by their numbers.

    It is there already: in a new one there is nothing to look at or to take back.
    """
    from recontact.store import keys, open_store

    there_already(url)
    with closing(open_store(settings(database=url).database, now=SYSTEM.now)) as store:
        with store.begin() as connection:
            site = keys.find_site(connection, name)
            known = [one for one in keys.keys(connection).values() if one.site.site == site.site]
        yield store, site, {one.key_id: one for one in known}


def command_entry(
    site: Site, request: bytes, at: datetime, action: str, asked: Any, items: int = 0
) -> JournalEntry:
    """The journal's entry of a command. asked: what was to be done, kept as JSON; None: nothing."""
    import msgspec

    body = None if asked is None else msgspec.json.encode(asked)
    return JournalEntry(
        site=site.site,
        request=request,
        at=at,
        key_id=0,
        action=action,
        format="",
        address="",
        http_status=0,
        ack="Success",
        items=items,
        request_length=len(body or b""),
        request_body=body,
        who=COMMAND_LINE,
    )


def note(connection: "Connection", site: Site, action: str, asked: Any) -> None:
    """Enter in the journal what a command changes, in its transaction. asked: without secrets."""
    from recontact.store.journal import enter

    request = new_request_id(now := SYSTEM.now())
    enter(connection, command_entry(site, request, now, action, asked))


def request_id(request: bytes) -> str:
    """The id of a request as people read it, and X-Request-Id has it."""
    return str(UUID(bytes=request))


SHORTEST_ID: Final = 8
"""Digits of a request's id that stand for the whole, if no other begins with them."""


def digits_of(what: str, text: str) -> str:
    """The hexadecimal digits that a request's id begins with, of that text."""
    digits = text.strip().replace("-", "").lower()
    if not digits or len(digits) > 32 or not set(digits) <= set("0123456789abcdef"):
        fail(
            f"{what} is written as X-Request-Id has it, 019ab3f2-1c2d-7abc-8def-0123456789ab, or "
            f"the beginning of that; got {quote(text)}.",
            2,
        )
    return digits


def request_of(view: "View", what: str, text: str) -> bytes:
    """The request whose id begins so; the command ends where the journal has not just one."""
    digits = digits_of(what, text)
    if len(digits) < SHORTEST_ID:
        fail(f"{what} has at least {SHORTEST_ID} digits; got {quote(text)}.", 2)
    found = view.requests(digits, 4)
    if len(found) == 1:
        return found[0]
    if len(digits) == 32 and view.made_by(whole := bytes.fromhex(digits), 1):
        return whole  # the journal let it go, the revisions did not
    if not found:
        fail(f"No call in the journal of site {view.site.name} has the request id {text}.")
    some = ", ".join(map(request_id, found[:3])) + (" and others" if len(found) > 3 else "")
    fail(f"Several calls have a request id that begins with {text}: {some}. Give more of it.")


def by_whom(key_id: int, who: str | None, keys: Keys) -> str:
    """`key 3, ana`, or who it was without a key."""
    if not key_id:
        return visible(who or "nobody")
    key = keys.get(key_id)
    return f"key {key_id}, {visible(key.username)}" if key and key.username else f"key {key_id}"


def moment_of(flag: str, text: str, site: Site) -> tuple[datetime, datetime]:
    """When the day of the site, or the second, that a text names begins and is over."""
    from recontact.fields import start_of

    try:
        value = DayOrTime(midnight=False).read(text)
    except WrongValueError as error:
        fail(f"{flag} {error}.", 2)
    if value is None:
        fail(f"{flag} is empty: give a day, 2026-11-24, or a time, 2026-11-24 07:30:00.", 2)
    if isinstance(value, datetime):
        return value, _later(value, seconds=1)
    if value == date.max:
        return start_of(value, site.zone), datetime.max.replace(tzinfo=UTC)
    return start_of(value, site.zone), start_of(value + timedelta(days=1), site.zone)


def _later(moment: datetime, **by: float) -> datetime:
    try:
        return moment + timedelta(**by)
    except OverflowError:  # the last second of the calendar
        return datetime.max.replace(tzinfo=UTC)


_ROOMY: Final = 10_000
"""Columns in which every line has room."""


def console() -> "Console":
    """One that shows texts as they are; what is not a terminal has room for whole lines."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _ROOMY
    return Console(width=width, markup=False, highlight=False, emoji=False)


def has_room(screen: "Console", table: "Table") -> bool:
    """Whether each row of a table has room on one line."""
    roomy = screen.options.update(width=_ROOMY)
    return screen.measure(table, options=roomy).maximum <= screen.width


def print_json(value: Any) -> None:
    """Show it to programs, in ASCII: what is escaped cannot drive a terminal."""
    import msgspec

    print(dumps(msgspec.to_builtins(value)))


def print_rows(rows: list[dict[str, Any]], json: bool, empty: str) -> None:
    """Show rows to people, or as JSON to programs; `empty` says what to do where there are none."""
    if json:
        print_json(rows)
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
