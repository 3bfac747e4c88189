"""`recontact undo`: take back what a revision, a request, or a key did."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recontact.cli.shared import (
    Database,
    Json,
    SiteName,
    command_entry,
    fail,
    group,
    moment_of,
    opened,
    print_json,
    progress,
    request_id,
    request_of,
    visible,
)
from recontact.clock import SYSTEM, new_request_id
from recontact.model import Site

if TYPE_CHECKING:
    from recontact.store import Store, Work
    from recontact.undo import Chosen, Outcome, Step

app = group(
    "Take back what was done: each element goes back, unless something else changed it later. "
    "What is left is listed. An undo can be undone."
)

_Preview = Annotated[bool, typer.Option("--preview", help="Tell what it would do, and do nothing.")]
_SHOWN = 20
"""Of what is left, so much is shown to people."""


@app.command("revision")
def undo_revision(
    number: Annotated[int, typer.Argument(metavar="REVISION", min=1, show_default=False)],
    log_id: Annotated[int | None, typer.Option(min=1, help="Of the log of that LogID.")] = None,
    username: Annotated[str | None, typer.Option(help="Of that customer.")] = None,
    preview: _Preview = False,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Undo one revision of one log or customer: `recontact log history` shows them.

    Example: recontact undo revision 5 --log-id 7 --preview
    """
    from recontact.undo import OneRevision

    if (log_id is None) == (username is None):
        fail("Say of what it is a revision: --log-id or --username, one of them.", 2)
    with opened(database, site) as (store, found, _):
        if username is not None:
            record = store.read(found, lambda view: view.customer_number(username))
            if record is None:
                fail(f"There is no customer {visible(username)} in site {found.name}.")
            chosen = OneRevision(False, record, number)
            asked: dict[str, Any] = {"Customer": record, "Revision": number}
        else:
            assert log_id is not None
            chosen = OneRevision(True, log_id, number)
            asked = {"LogID": log_id, "Revision": number}
        _undo(store, found, chosen, asked, preview, as_json)


@app.command("request")
def undo_request(
    request: Annotated[str, typer.Argument(metavar="REQUEST_ID", show_default=False)],
    preview: _Preview = False,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Undo all that one request did; also of an undo: `recontact journal list` shows them.

    Example: recontact undo request 019ab3f2-1c2d --preview
    """
    from recontact.store import Span

    with opened(database, site) as (store, found, _):
        whole = store.read(found, lambda view: request_of(view, "REQUEST_ID", request))
        asked = {"Request": request_id(whole)}
        _undo(store, found, Span(whole, whole), asked, preview, as_json)


@app.command("key")
def undo_key(
    key: Annotated[
        int, typer.Argument(metavar="KEY", help="Its number, as recontact key list shows.", min=1)
    ],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help="Calls from then on: a day of the site, or a time in UTC.",
            show_default=False,
        ),
    ],
    until: Annotated[
        str | None,
        typer.Option("--to", help="Calls until then, that day or second included; else until now."),
    ] = None,
    preview: _Preview = False,
    as_json: Json = False,
    site: SiteName = None,
    database: Database = None,
) -> None:
    """
    Undo everything that came with one key in a span of time.

    Example: recontact undo key 3 --from "2026-11-24 01:00:00" --to "2026-11-24 03:00:00" --preview
    """
    from recontact.store import Span, request_at

    with opened(database, site) as (store, found, keys):
        if key not in keys:
            fail(f"There is no key {key} of site {found.name}: recontact key list shows them.")
        start = moment_of("--from", since, found)[0]
        end = SYSTEM.now() if until is None else moment_of("--to", until, found)[1]
        if start >= end:
            fail("--from is not before --to: nothing can be between them.", 2)
        # An id is never all zeros behind its time, so the end itself is out.
        chosen = Span(request_at(start), request_at(end), key)
        asked = {"Key": key, "From": since, "To": until}
        _undo(store, found, chosen, asked, preview, as_json)


def _undo(
    store: "Store", site: Site, chosen: "Chosen", asked: Any, is_preview: bool, as_json: bool
) -> None:
    from recontact import undo
    from recontact.history import counted

    outcome = undo.Outcome()
    records = store.read(site, lambda view: undo.touched(view, chosen))
    request = new_request_id(now := SYSTEM.now())
    stopped: tuple[str, int] | None = None
    with progress("Looking" if is_preview else "Undoing") as show:
        if is_preview:
            course = undo.Course()
            for part in undo.parts(records):
                outcome.add(
                    store.read(site, partial(undo.preview, part=part, chosen=chosen, course=course))
                )
                show(outcome.records, len(records))
        elif records:
            entry = command_entry(site, request, now, "Undo", asked, len(records))
            works = undo.steps(site, records, chosen, entry)
            stopped = _run(store, works, outcome, lambda: show(outcome.records, len(records)))
    made = request_id(request) if outcome.changed and not is_preview else None
    if as_json:
        print_json(
            {
                "preview": is_preview,
                "request": made,
                "records": len(records),
                "done": outcome.records,
                "changed": outcome.changed,
                "effect": outcome.effect.words,
                "left": outcome.remains,
            }
        )
    else:
        _print(outcome, len(records), made, is_preview)
    if stopped:
        why, code = stopped
        fail(
            f"{why} {outcome.records:,} of {counted(len(records), 'record')} are done. "
            "The same command goes on with the others.",
            code,
        )


def _run(
    store: "Store", works: Iterable["Work[Step]"], outcome: "Outcome", show: Callable[[], None]
) -> tuple[str, int] | None:
    """Run the steps of an undo; why it ended before the last, and the exit code for that."""
    from recontact.store import DatabaseError

    took = 0.0
    with _interrupts() as is_interrupted:
        for work in works:
            # Half of the time is for a server that writes: it looks for the lock at intervals that
            # grow to half of what it has waited. Without, its slowest calls took five seconds.
            sleep(took)
            if is_interrupted():
                return "Interrupted.", 130
            began = SYSTEM.elapsed()
            try:
                outcome.add(store.write(work))
            except DatabaseError as error:
                if not outcome.records:
                    raise
                return str(error), 1
            took = SYSTEM.elapsed() - began
            show()
    return None


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C was pressed, so that no step is cut off; pressed again, it ends at once."""
    was_pressed = False
    before = signal.getsignal(signal.SIGINT)

    def note(_signal: int, _frame: object) -> None:
        nonlocal was_pressed
        was_pressed = True
        signal.signal(signal.SIGINT, before)

    if before is not signal.SIG_IGN:  # as of what nohup, or a script, runs in the background
        signal.signal(signal.SIGINT, note)
    try:
        yield lambda: was_pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _print(outcome: "Outcome", records: int, made: str | None, is_preview: bool) -> None:
    if not records:
        print("Nothing to undo: no log and no customer was changed by that.")
        return
    if outcome.changed:
        print("Nothing is written yet. The undo would have" if is_preview else "Undone:")
        for words in outcome.effect.words:
            print(f"  {visible(words)}")
    elif outcome.remains:
        print("Nothing is undone: what came later stands in the way, an undo perhaps.")
    elif outcome.records == records:
        print("Nothing to do: all is as it was before.")
    if remains := outcome.remains:
        print(f"Left as {'it is' if len(remains) == 1 else 'they are'}:")
        for one in remains[:_SHOWN]:
            what = (
                f"{one.element} of revision {one.revision}"
                if one.element
                else (f"revision {one.revision}, whole")
            )
            print(f"  {one.record}, {what}: {one.why}")
        if len(remains) > _SHOWN:
            print(f"  and {len(remains) - _SHOWN:,} more: --json tells all")
    if is_preview and outcome.changed:
        print("To do it, leave --preview out. It can be undone.")
    if made:
        from recontact.history import counted

        print(f"To take this back ({counted(outcome.changed, 'revision')}): ", end="")
        print(f"recontact undo request {made}")
