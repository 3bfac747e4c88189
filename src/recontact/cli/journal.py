"""`recontact journal`: which calls came, what each of them did, and the very bytes of it."""

import shlex
import sys
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from json import loads
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
from recontact.history import AnyRevision, Kind, counted, effect, kind_of
from recontact.model import JournalEntry, Site
from recontact.values import quote, write_instant

if TYPE_CHECKING:
    from rich.console import Console

    from recontact.store import View

app = group("The journal: which calls came, what each did, and the very bytes of it.")

_ACKS: Final = ("Success", "Warning", "Error")
_OTHER_ACTIONS: Final = ("NetoAPI", "Undo", "Withdraw", "Erase")
"""In the journal beside the API's: calls that name no action of the API, and our own commands."""
_MOST_MESSAGES: Final = 20
"""Messages of an answer, and elements that were passed over, that people are shown."""
_MOST_REVISIONS: Final = 10_000
"""Revisions that are put in words."""
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

    action = _one_of("--action", action, (*ACTIONS, *_OTHER_ACTIONS))
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


@dataclass(frozen=True, slots=True)
class Body:
    """
    The bytes of one direction, or None, and why they are not kept: "": there never were any.

    length: of what came; digest: its SHA-256, where that is all that is kept.
    """

    kept: bytes | None
    why: str
    length: int
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """
    A journal entry, and what it tells.

    effect: what it did, in words. errors, warnings: of its answer. passed_over: each element that
    the action does not know, with the names that look most like it.
    """

    entry: JournalEntry
    effect: list[str]
    errors: list[str]
    warnings: list[str]
    passed_over: dict[str, list[str]]
    request: Body
    answer: Body


def _call(view: "View", text: str) -> Call:
    """The one call whose id begins so; the command ends where there is not one."""
    request = request_of(view, "REQUEST_ID", text)
    entry = view.journal_entry(request)
    if entry is None:
        did = "; ".join(effect(view.made_by(request)))
        fail(f"The journal keeps the call {request_id(request)} no longer. It {visible(did)}.")
    revisions = view.made_by(request, _MOST_REVISIONS) if entry.changed else []
    messages = _messages(entry.answer_body)
    return Call(
        entry,
        _effect(entry, revisions),
        messages.get("Error", []),
        messages.get("Warning", []),
        _passed_over(entry),
        *_bodies(entry, revisions),
    )


def _effect(entry: JournalEntry, revisions: Sequence[AnyRevision]) -> list[str]:
    if len(revisions) < entry.changed:
        first = f"of the first {len(revisions):,} of its {entry.changed:,} changes:"
        return [first, *effect(revisions)] if revisions else []
    return effect(revisions)


def _passed_over(entry: JournalEntry) -> dict[str, list[str]]:
    from recontact.actions import ACTIONS
    from recontact.actions.handling import nearest

    action = ACTIONS.get(entry.action)
    return {
        name: nearest(name.rpartition("/")[2], action.shape) if action else []
        for name in dict.fromkeys(entry.passed_over)
    }


def _bodies(entry: JournalEntry, revisions: Iterable[AnyRevision]) -> tuple[Body, Body]:
    """Both directions; of what is not kept, why."""
    came, answered = entry.request_body, entry.answer_body
    gone = "not kept any more: it went for the limits of the journal, or was erased"
    if any(kind_of(one) is Kind.ERASED for one in revisions):
        gone = "erased"
    if not entry.request_length:
        no_request = "none came, or none was read" if entry.key_id else ""
    elif entry.request_hash is not None:
        no_request = "not kept: it could not be read, or might hold a password"
    else:
        no_request = gone
    if not entry.key_id:
        no_answer = ""
    elif entry.changed and came is None:
        no_answer = gone
    else:
        no_answer = "not kept, as this call changed nothing"
    return (
        Body(
            came,
            no_request,
            entry.request_length,
            entry.request_hash if entry.request_length else None,
        ),
        Body(answered, no_answer, len(answered or b"")),
    )


def _messages(answer: bytes | None) -> dict[str, list[str]]:
    """What an answer said, by severity, in either format and dialect."""
    if answer is None:
        return {}
    from recontact import wire
    from recontact.messages import Format
    from recontact.wire import xmlwire

    tree: Any
    if wire.format_of(answer) is Format.JSON:
        tree = loads(answer)
    else:
        _, tree = xmlwire.decode(answer, wire.Limits().nesting, len(answer))
    said = tree.get("Messages") or {}
    found: dict[str, list[str]] = {}
    for severity, some in said.items():
        # The live dialect writes one as it is, as XML does.
        for one in some if isinstance(some, list) else [some]:
            found.setdefault(severity, []).append(one.get("Description") or one["Message"])
    return found


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


def _all_of(call: Call, keys: Keys) -> dict[str, Any]:
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


def _print_call(call: Call, keys: Keys) -> None:
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
