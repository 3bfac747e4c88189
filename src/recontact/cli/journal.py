"""`recontact journal`: which calls came, what each of them did, and the very bytes of it."""

import shlex
import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from recontact.cli.shared import (
    Database,
    Json,
    Keys,
    SiteName,
    by_whom,
    console,
    digits_of,
    fail,
    group,
    has_room,
    moment_of,
    opened,
    print_json,
    request_id,
    request_of,
    visible,
)
from recontact.history import counted, effect
from recontact.model import JournalEntry, Site
from recontact.past_calls import OWN_ACTIONS, Body, PastCall, past_call
from recontact.values import quote, write_instant

if TYPE_CHECKING:
    from rich.console import Console

    from recontact.store import View

app = group("The journal: which calls came, what each did, and the very bytes of it.")

_ACKS: Final = ("Success", "Warning", "Error")
_MOST_MESSAGES: Final = 20
"""Messages of an answer, and elements that were passed over, that people are shown."""
_MOST_TEXT: Final = 4_000
"""Characters of a body that a terminal is shown."""
_INDENT: Final = 13


@app.command("list")
def journal_list(
    key: Annotated[
        int | None,
        typer.Option(min=0, help="Calls with that key, by its number; 0: commands, without one."),
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="Calls of that action: UpdateCustomerLog, Undo, …")
    ] = None,
    ack: Annotated[
        str | None, typer.Option(help="Calls answered so: Success, Warning or Error.")
    ] = None,
    log_id: Annotated[
        int | None, typer.Option(min=1, help="Calls that changed the log of that LogID.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", help="Calls from then on: a day of the site, or a time in UTC."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", help="Calls until then, that day or second included.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    before: Annotated[
        str | None,
        typer.Option(metavar="REQUEST_ID", help="Only older ones: how to go on after a page."),
    ] = None,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Show the calls that came, the newest first. All that is given must hold.

    Example: recontact journal list --ack Error --from 2026-11-24
    """
    from recontact.actions import ACTIONS
    from recontact.store.journal import Wanted

    action = _one_of("--action", action, (*ACTIONS, *OWN_ACTIONS))
    ack = _one_of("--ack", ack, _ACKS)
    with opened(database, site) as (store, found, keys):
        if key and key not in keys:
            fail(f"There is no key {key} of site {found.name}: recontact key list shows them.")
        start, end = _span(since, until, found)
        older = None
        if before is not None:
            older = bytes.fromhex(digits_of("--before", before).ljust(32, "0"))
        wanted = Wanted(key, action, ack, log_id, start, end, older)
        entries = store.read(found, lambda view: view.journal_entries(wanted, limit + 1))
    more, entries = len(entries) > limit, entries[:limit]
    if as_json:
        print_json([_row(entry, keys) for entry in entries])
        return
    if not entries:
        print("No call in the journal is so." if wanted != Wanted() else "No calls yet.")
        return
    _print_list(entries, keys)
    sys.stdout.flush()
    flags = {
        "--key": key,
        "--action": action,
        "--ack": ack,
        "--log-id": log_id,
        "--from": since,
        "--to": until,
        "--limit": None if limit == 50 else limit,
        "--before": request_id(entries[-1].request),
    }
    where = {"--site": site, "--database": database}
    print(file=sys.stderr)
    if more:
        print(f"Older ones: {_command('list', flags | where)}", file=sys.stderr)
    one = request_id(entries[0].request)
    print(f"All of one: {_command('show ' + one, where)}", file=sys.stderr)


@app.command("show")
def journal_show(
    request: Annotated[
        str,
        typer.Argument(
            metavar="REQUEST_ID",
            help="As X-Request-Id has it; its first 8 digits or more do, if no other has them.",
            show_default=False,
        ),
    ],
    as_json: Json = False,
    raw: Annotated[
        str | None,
        typer.Option(metavar="request|answer", help="Write these very bytes, and nothing else."),
    ] = None,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Show all of one call: what came, what was answered, what it did, what was refused.

    Of keys nothing is there, and passwords are blanked: they were never kept.

    Example: recontact journal show 019ab3f2-1c2d
    """
    raw = _one_of("--raw", raw, ("request", "answer"))
    with opened(database, site) as (store, found, keys):
        call = store.read(found, lambda view: _call(view, request))
    if raw:
        _write_raw(call.request if raw == "request" else call.answer, raw)
    elif as_json:
        print_json(_all_of(call, keys))
    else:
        _print_call(call, keys)


# -- what is asked for ---------------------------------------------------------------------------


def _one_of(flag: str, text: str | None, words: Sequence[str]) -> str | None:
    """That word of a closed list, in whatever case it is written."""
    known = {word.lower(): word for word in words}
    if text is not None and text.lower() not in known:
        fail(f"{flag} takes one of {', '.join(words)}; got {quote(text)}.", 2)
    return None if text is None else known[text.lower()]


def _span(
    since: str | None, until: str | None, site: Site
) -> tuple[datetime | None, datetime | None]:
    """The moments from which on, and before which, calls are asked for."""
    start = None if since is None else moment_of("--from", since, site)[0]
    end = None if until is None else moment_of("--to", until, site)[1]
    if start and end and start >= end:
        fail(f"--from {quote(since)} is after --to {quote(until)}: no call can be so.", 2)
    return start, end


# -- one call ------------------------------------------------------------------------------------


def _call(view: "View", text: str) -> PastCall:
    """The one call whose id begins so; the command ends where there is not one."""
    request = request_of(view, "REQUEST_ID", text)
    call = past_call(view, request)
    if call is None:
        did = "; ".join(effect(view.made_by(request)))
        fail(f"The journal keeps the call {request_id(request)} no longer. It {visible(did)}.")
    return call


# -- shown to programs ---------------------------------------------------------------------------


def _row(entry: JournalEntry, keys: Keys) -> dict[str, Any]:
    """An entry without bodies, for programs."""
    key = keys.get(entry.key_id)
    return {
        "time": write_instant(entry.at),
        "request": request_id(entry.request),
        "key": entry.key_id or None,
        "username": key.username if key else None,
        "who": entry.who,
        "address": entry.address,
        "action": entry.action,
        "format": entry.format,
        "mode": entry.mode,
        "http": entry.http_status,
        "ack": entry.ack,
        "items": entry.items,
        "changed": entry.changed,
        "errors": entry.errors,
        "warnings": entry.warnings,
        "ms": round(entry.duration * 1000, 1),
    }


def _all_of(call: PastCall, keys: Keys) -> dict[str, Any]:
    return _row(call.entry, keys) | {
        "effect": call.effect,
        "refused": call.errors,
        "warned": call.warnings,
        "passed over": call.passed_over,
        "request body": _body(call.request),
        "answer body": _body(call.answer),
    }


def _body(body: Body) -> dict[str, Any]:
    """A body: as text where it is UTF-8, else in base64."""
    facts: dict[str, Any] = {"length": body.length}
    if body.kept is None:
        return facts | {
            "sha256": body.digest.hex() if body.digest else None,
            "not kept": body.why or "none",
        }
    try:
        return facts | {"text": body.kept.decode()}
    except UnicodeDecodeError:
        return facts | {"base64": b64encode(body.kept).decode()}


def _write_raw(body: Body, which: str) -> None:
    if body.kept is None:
        fail(f"The {which} is {body.why or 'none'}.")
    if sys.stdout.isatty() and visible(text := _text(body.kept)) != text:
        fail(
            f"The {which} has characters that may drive the terminal: write it to a file (> FILE), "
            "or leave --raw out.",
            2,
        )
    sys.stdout.buffer.write(body.kept)


# -- shown to people -----------------------------------------------------------------------------


def _text(body: bytes) -> str:
    return body.decode(errors="backslashreplace")


_COLOURS: Final = {"Error": "red", "Warning": "yellow", "Success": "green"}


def _by(entry: JournalEntry, keys: Keys) -> str:
    return by_whom(entry.key_id, entry.who, keys)


def _http(entry: JournalEntry) -> str:
    """The status that was answered; a command has none."""
    return str(entry.http_status) if entry.key_id else ""


def _ms(entry: JournalEntry) -> str:
    """How long its answer took, which is known of calls alone."""
    return f"{entry.duration * 1000:,.1f} ms" if entry.key_id else ""


def _print_list(entries: list[JournalEntry], keys: Keys) -> None:
    """A line for each; on a terminal that is too narrow for that, two."""
    from rich.table import Table
    from rich.text import Text

    screen = console()
    table = Table(box=None, pad_edge=False)
    for name in ("Time (UTC)", "Request", "By", "Action", "Format", "HTTP", "Ack"):
        table.add_column(name, no_wrap=True)
    for name in ("Items", "Changed", "Errors", "ms"):
        table.add_column(name, no_wrap=True, justify="right")
    table.add_column("Mode", no_wrap=True)
    for one in entries:
        table.add_row(
            write_instant(one.at),
            request_id(one.request),
            _by(one, keys),
            one.action,
            one.format,
            _http(one),
            Text(one.ack, _COLOURS.get(one.ack, "")),
            *(f"{number:,}" for number in (one.items, one.changed, one.errors)),
            _ms(one).removesuffix(" ms"),
            one.mode,
        )
    if has_room(screen, table):
        screen.print(table)
        return
    widest = max(len(one.action) for one in entries)
    for one in entries:
        answer = f"{one.format} {_http(one)}".strip()
        first = Text.assemble(
            (write_instant(one.at), "bold"),
            f"  {one.action:<{widest}}  ",
            (f"{one.ack:<7}", _COLOURS.get(one.ack, "")),
            f"  {answer:<8}  {'  '.join(filter(None, (_by(one, keys), one.mode)))}",
        )
        counts = "  ".join(filter(None, (_counts(one), _ms(one))))
        second = Text(f"  {request_id(one.request)}  {counts}")
        screen.print(first, second, sep="\n", soft_wrap=True)


def _counts(entry: JournalEntry) -> str:
    """What of its counts is not zero: `3 items, 2 changed, 1 error`."""
    return ", ".join(
        counted(number, noun) if noun != "changed" else f"{number:,} changed"
        for number, noun in (
            (entry.items, "item"),
            (entry.changed, "changed"),
            (entry.errors, "error"),
            (entry.warnings, "warning"),
        )
        if number
    )


def _command(words: str, flags: dict[str, Any]) -> str:
    """A command of the journal as it is typed."""
    given = (
        f"{flag} {shlex.quote(str(value))}" for flag, value in flags.items() if value is not None
    )
    return " ".join([f"recontact journal {words}", *given])


def _print_call(call: PastCall, keys: Keys) -> None:
    from rich.text import Text

    screen = console()
    entry = call.entry

    def say(label: str, text: str, style: str = "") -> None:
        for line in Text(text, style).wrap(screen, screen.width - _INDENT):
            line.rstrip()
            screen.print(Text(label.ljust(_INDENT), "bold"), line, sep="", soft_wrap=True)
            label = ""

    def say_some(label: str, texts: list[str], style: str) -> None:
        for text in texts[:_MOST_MESSAGES]:
            say(label, visible(text), style)
            label = ""
        if len(texts) > _MOST_MESSAGES:
            say("", f"and {len(texts) - _MOST_MESSAGES:,} more: see --json")

    at = f"{write_instant(entry.at)}.{entry.at.microsecond // 1000:03d} UTC"
    say("Request", request_id(entry.request))
    say("Time", ", ".join(filter(None, (at, _ms(entry)))))
    say(
        "By",
        ", ".join(filter(None, (_by(entry, keys), visible(entry.address)))),
    )
    say("Action", ", ".join(filter(None, (entry.action, entry.format.upper(), entry.mode))))
    answer = f"{entry.ack}, HTTP {entry.http_status}" if entry.key_id else entry.ack
    say("Answer", answer, _COLOURS.get(entry.ack, ""))
    if counts := _counts(entry):
        say("Counts", counts)
    nothing = "erased what it names nowhere" if entry.action == "Erase" else "changed nothing"
    say("Did", "; ".join(map(visible, call.effect)) or nothing)
    say_some("Refused", call.errors, "red")
    say_some("Warned", call.warnings, "yellow")
    if entry.errors and not call.errors:
        say("Refused", f"{_counts(entry)}: the answer, which says what, is not kept")
    unknown = [
        f"{name}: did you mean {' or '.join(near)}?" if near else name
        for name, near in call.passed_over.items()
    ]
    say_some("Passed over", unknown, "yellow")
    for name, body in (("Request", call.request), ("Answer", call.answer)):
        if body.kept is not None:
            _print_body(screen, f"{name}, {body.length:,} bytes", _text(body.kept))
        elif body.why:
            length = f"{name}, {body.length:,} bytes" if body.length else name
            digest = f"; SHA-256 {body.digest.hex()}" if body.digest else ""
            screen.print(f"\n{length}: {body.why}{digest}.", soft_wrap=True)


def _print_body(screen: "Console", title: str, text: str) -> None:
    """A body as text; on a terminal the beginning of a long one, which else hides what is above."""
    screen.print(f"\n{title}", style="bold")
    shown = text[:_MOST_TEXT] if sys.stdout.isatty() else text
    print(visible(shown))
    if len(shown) < len(text):
        print(f"… and {len(text) - len(shown):,} characters more: --raw shows all of it.")
