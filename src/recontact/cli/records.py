"""`recontact log` and `recontact customer`: a record as it is and was, and who changed what."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from recontact.cli.shared import (
    Database,
    Json,
    Keys,
    SiteName,
    by_whom,
    command_entry,
    console,
    fail,
    group,
    has_room,
    moment_of,
    opened,
    print_json,
    request_id,
    visible,
)
from recontact.clock import SYSTEM, new_request_id
from recontact.model import COMMAND_LINE, By, Customer, CustomerLog
from recontact.values import quote, write_instant

if TYPE_CHECKING:
    from rich.text import Text

    from recontact.history import AnyRevision
    from recontact.store import Transaction, View

logs = group("Customer logs: as they are and were, their history, and who set what.")
customers = group("Customers: as they are and were, their history, and all that is known of one.")

_LogID = Annotated[int, typer.Argument(metavar="LOG_ID", min=1, show_default=False)]
_Username = Annotated[str, typer.Argument(metavar="USERNAME", show_default=False)]
_At = Annotated[
    str | None,
    typer.Option("--at", help="As it was then: a time in UTC, or when that day of the site began."),
]
_Limit = Annotated[int, typer.Option(min=1, help="How many revisions at most.")]
_Before = Annotated[
    int | None, typer.Option(min=1, help="Only revisions numbered below: how to go on.")
]


@dataclass(frozen=True, slots=True)
class _Which:
    """One record that a command is about. name: as its command names it."""

    is_log: bool
    number: int
    name: str

    @property
    def noun(self) -> str:
        return "log" if self.is_log else "customer"

    def now(self, view: "View") -> CustomerLog | Customer | None:
        """As it is; None: it is not there."""
        of = view.log if self.is_log else view.customer_numbered
        return of(self.number)

    def revisions(
        self, view: "View", before: int | None = None, limit: int = 1 << 62
    ) -> Sequence["AnyRevision"]:
        """Its revisions, newest first. The command ends where there are none."""
        of = view.revisions if self.is_log else view.customer_revisions
        found: Sequence[AnyRevision] = of(self.number, before, limit)
        if not found and before is None:
            self.fail_unknown(view)
        return found

    def life(self, view: "View") -> Iterator["AnyRevision"]:
        """All its revisions, oldest first."""
        return view.life(self.number) if self.is_log else view.customer_life(self.number)

    def fail_unknown(self, view: "View") -> None:
        fail(f"Nothing is known of a {self.noun} {self.name} in site {view.site.name}.")


_Find = Callable[["View"], _Which]


def _log(view: "View", log_id: int) -> _Which:
    return _Which(True, log_id, str(log_id))


def _customer(view: "View", username: str) -> _Which:
    return _Which(False, view.customer_number(username) or 0, visible(username))


# -- as it is, or was ----------------------------------------------------------------------------


@logs.command("show")
def log_show(
    log_id: _LogID,
    at: _At = None,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Show a log as it is, or as it was at a time; also one that was withdrawn since.

    Example: recontact log show 7 --at "2026-11-23 18:00:00"
    """
    _show(lambda view: _log(view, log_id), at, as_json, site, database)


@customers.command("show")
def customer_show(
    username: _Username,
    at: _At = None,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Show a customer as it is, or as it was at a time; also one that was withdrawn since.

    Example: recontact customer show ana --at 2026-11-01
    """
    _show(lambda view: _customer(view, username), at, as_json, site, database)


def _show(which: _Find, at: str | None, as_json: bool, site: str | None, db: str | None) -> None:
    from recontact import fields
    from recontact.fields import record_of
    from recontact.history import Kind, kind_of, record_at

    with opened(db, site) as (store, found, _):
        moment = None if at is None else moment_of("--at", at, found)[0]

        def read(view: "View") -> tuple[_Which, Any, "AnyRevision"]:
            one = which(view)
            if moment is None:
                return one, one.now(view), one.revisions(view, limit=1)[0]
            return one, record_at(one.life(view), moment), one.revisions(view, limit=1)[0]

        one, record, last = store.read(found, read)
    if record is None:
        if kind_of(last) is Kind.ERASED:
            fail(f"The {one.noun} {one.name} was erased.")
        if moment is not None:
            fail(f"There was no {one.noun} {one.name} at {write_instant(moment)} UTC.")
        when = write_instant(last.at)
        fail(
            f"The {one.noun} {one.name} was withdrawn at {when} UTC by request "
            f"{request_id(last.request)}. --at shows it as it was before."
        )
    shape = fields.UPDATE_CUSTOMER_LOG if one.is_log else fields.UPDATE_CUSTOMER
    elements = shape.becomes
    answer = record_of(elements, record.value, found.zone)
    if as_json:
        print_json(answer)
        return
    from rich.text import Text

    _print_facts([(name, Text(visible(text))) for name, text in _flat(answer) if text])


def _print_facts(facts: Sequence[tuple[str, "Text"]], indent: str = "") -> None:
    """Names and values, a line each; on a terminal, what has no room goes on below itself."""
    from rich.text import Text

    screen = console()
    width = len(indent) + max((len(name) for name, _ in facts), default=0) + 2
    for name, value in facts:
        # What is not a terminal gets the lines that the value has.
        lines = (
            value.wrap(screen, max(screen.width - width, _NARROWEST))
            if sys.stdout.isatty()
            else value.split("\n", allow_blank=True)
        )
        label = Text(f"{indent}{name}".ljust(width), "" if indent else "bold")
        for line in lines:
            row = Text.assemble(label, line)
            row.rstrip()
            screen.print(row, soft_wrap=True)
            label = Text(" " * width)


_NARROWEST: Final = 20
"""Columns that a value has at least."""


def _flat(tree: dict[str, Any]) -> Iterable[tuple[str, str]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value


# -- its history ---------------------------------------------------------------------------------


@logs.command("history")
def log_history(
    log_id: _LogID,
    limit: _Limit = 50,
    before: _Before = None,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Show each change of a log, the newest first: when, by whom, through which request, from what
    to what.

    Example: recontact log history 7
    """
    _history(lambda view: _log(view, log_id), limit, before, as_json, site, database)


@customers.command("history")
def customer_history(
    username: _Username,
    limit: _Limit = 50,
    before: _Before = None,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Show each change of a customer, the newest first: when, by whom, through which request, from
    what to what.

    Example: recontact customer history ana --limit 5
    """
    _history(lambda view: _customer(view, username), limit, before, as_json, site, database)


def _history(
    which: _Find, limit: int, before: int | None, as_json: bool, site: str | None, db: str | None
) -> None:
    with opened(db, site) as (store, found, keys):

        def read(view: "View") -> tuple[_Which, Sequence["AnyRevision"]]:
            one = which(view)
            return one, one.revisions(view, before, limit + 1)

        one, revisions = store.read(found, read)
    shown, has_more = revisions[:limit], len(revisions) > limit
    if as_json:
        print_json([facts_of(revision, keys) for revision in shown])
        return
    if not shown:
        print(f"There is no revision of {one.noun} {one.name} below {before}.")
    for revision in shown:
        _print_revision(revision, keys)
    if has_more:
        print(f"\nThere are older ones: add --before {shown[-1].number}")


def facts_of(revision: "AnyRevision", keys: Keys) -> dict[str, Any]:
    """A revision, for programs."""
    from recontact.history import kind_of, pairs

    key = keys.get(revision.key_id or 0)
    return {
        "revision": revision.number,
        "did": kind_of(revision).value,
        "time": write_instant(revision.at),
        "key": revision.key_id,
        "username": key.username if key else None,
        "who": revision.who,
        "request": request_id(revision.request),
        "changes": {name: {"old": old, "new": new} for name, old, new in pairs(revision)},
    }


_INDENT: Final = "    "


def _print_revision(revision: "AnyRevision", keys: Keys) -> None:
    from rich.text import Text

    from recontact.history import Kind, kind_of, pairs

    kind = kind_of(revision)
    _print_head(revision, keys)
    if kind in (Kind.WITHDRAWN, Kind.ERASED):
        return
    facts = []
    for name, old, new in pairs(revision):
        is_new = kind in (Kind.ADDED, Kind.RESTORED)
        before = Text() if is_new else Text.assemble(_shown(old), " → ")
        facts.append((name, Text.assemble(before, _shown(new))))
    _print_facts(facts, _INDENT)


def _print_head(revision: "AnyRevision", keys: Keys) -> None:
    """Which revision it is, when, by whom, by which request: on one line where it has room."""
    from rich.text import Text

    from recontact.history import Kind, kind_of

    screen = console()
    kind = kind_of(revision)
    head = Text.assemble(
        (f"{revision.number}", "bold"),
        f"  {write_instant(revision.at)} UTC  ",
        ("written" if kind is Kind.ERASED else kind.value, "bold"),
        f" by {by_whom(revision.key_id or 0, revision.who, keys)}",
        "; its values were erased later" if kind is Kind.ERASED else "",
    )
    request = Text(f"request {request_id(revision.request)}", "dim")
    fits = head.cell_len + 2 + request.cell_len <= screen.width
    screen.print(Text.assemble(head, "  " if fits else f"\n{_INDENT}", request), soft_wrap=True)


def _shown(text: str | None) -> "Text":
    """A value on one line, and its style."""
    from rich.text import Text

    return Text("empty", "dim") if text is None else Text(quote(text.replace("\n", " ⏎ ")))


# -- who set what --------------------------------------------------------------------------------


@logs.command("blame")
def log_blame(
    log_id: _LogID, as_json: Json = False, site: SiteName = None, database: Database = None
) -> None:
    """
    Show for each element of a log what it is, and what set it last, or cleared it.

    Example: recontact log blame 7
    """
    _blame(lambda view: _log(view, log_id), as_json, site, database)


@customers.command("blame")
def customer_blame(
    username: _Username, as_json: Json = False, site: SiteName = None, database: Database = None
) -> None:
    """
    Show for each element of a customer what it is, and what set it last, or cleared it.

    Example: recontact customer blame ana
    """
    _blame(lambda view: _customer(view, username), as_json, site, database)


def _blame(which: _Find, as_json: bool, site: str | None, db: str | None) -> None:
    from recontact.history import Kind, blame, kind_of, pairs, wires_of

    with opened(db, site) as (store, found, keys):

        def read(view: "View") -> tuple[_Which, "AnyRevision", dict[str, "AnyRevision"]]:
            one = which(view)
            return one, one.revisions(view, limit=1)[0], blame(one.life(view))

        one, last, blamed = store.read(found, read)
    if kind_of(last) is Kind.ERASED:
        fail(f"The {one.noun} {one.name} was erased.")
    if kind_of(last) is Kind.WITHDRAWN:
        said = f"The {one.noun} {one.name} is withdrawn; this is how it was before."
        print(said, file=sys.stderr)
    rows = []
    for key, revision in blamed.items():
        name = wires_of(revision)[key].name
        # A restore can leave out what there was before: then it has no pair of that.
        value = next((new for element, _, new in pairs(revision) if element == name), None)
        rows.append((name, value, revision))
    if as_json:
        told = {}
        for name, value, revision in rows:
            facts = facts_of(revision, keys)
            del facts["changes"]
            told[name] = {"value": value} | facts
        print_json(told)
        return
    _print_blame(rows, keys)


def _print_blame(rows: list[tuple[str, str | None, "AnyRevision"]], keys: Keys) -> None:
    """A line for each element; on a terminal that is too narrow for that, by revision."""
    from rich.table import Table

    screen = console()
    table = Table(box=None, pad_edge=False)
    for title in ("Element", "Value", "Revision", "Time (UTC)", "By", "Request"):
        justify: Literal["left", "right"] = "right" if title == "Revision" else "left"
        table.add_column(title, no_wrap=True, justify=justify)
    for name, value, revision in rows:
        table.add_row(
            name,
            _shown(value),
            str(revision.number),
            write_instant(revision.at),
            by_whom(revision.key_id or 0, revision.who, keys),
            request_id(revision.request),
        )
    if has_room(screen, table):
        screen.print(table)
        return
    of: dict[int, list[tuple[str, Text]]] = {}
    for name, value, revision in rows:
        of.setdefault(revision.number, []).append((name, _shown(value)))
    revisions = {revision.number: revision for _, _, revision in rows}
    for number in sorted(of, reverse=True):
        _print_head(revisions[number], keys)
        _print_facts(of[number], _INDENT)


# -- withdraw ------------------------------------------------------------------------------------


@logs.command("withdraw")
def log_withdraw(log_id: _LogID, site: SiteName = None, database: Database = None) -> None:
    """
    Take a log away: no call finds it any more, and its LogID is not given again.

    Its history stays, and the undo of this brings it back.

    Example: recontact log withdraw 7
    """
    from recontact.store import Work

    request = new_request_id(now := SYSTEM.now())

    def run(tx: "Transaction") -> bool:
        log = tx.log(log_id)
        if log is None:
            return False
        tx.withdraw(log, By(None, request, COMMAND_LINE))
        tx.tally(command_entry(tx.site, request, now, "Withdraw", {"LogID": log_id}, 1), 1, 0)
        tx.keep()
        return True

    with opened(database, site) as (store, found, _):
        if not store.write(Work(found, run, [log_id])):
            store.read(found, lambda view: _log(view, log_id).revisions(view, limit=1))
            fail(f"The log {log_id} is not there any more: see recontact log history {log_id}.")
    print(f"The log {log_id} is withdrawn. To bring it back: ", end="")
    print(f"recontact undo request {request_id(request)}")
