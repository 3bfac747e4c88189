"""The journal for admins: which requests came, and all of one: what it did, and the bytes of it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recontact.actions import ACTIONS
from recontact.fields import start_of
from recontact.history import AnyRevision, Kind, counted, effect, kind_of, noun_of, wires_of
from recontact.messages import Format
from recontact.model import COMMAND_LINE, ERASED, JournalEntry, Key, Revision, Site
from recontact.past_calls import OWN_ACTIONS, Body, PastCall, past_call
from recontact.store import Span, Touched, View
from recontact.store.journal import Wanted
from recontact.web import undoing
from recontact.web.bodies import SHOWN, Piece, format_of, laid_out, text_of
from recontact.web.forms import number_in
from recontact.web.naming import customer_address, customer_name, names_in
from recontact.web.panel import FORMAT, HEADERS, Panel, Person, panel_of, person_of
from recontact.web.steps import isolated
from recontact.web.timeline import Shown, Teller, cut, difference, label
from recontact.web.undoing import Foreseen, foreseen, records_of, request_in, told_why
from recontact.web.words import exact, first, moment, short, to_the_second

PAGE: Final = 50
"""Requests of a page, and records of one that are shown."""
CHANGES: Final = 200
"""Changed elements of one request that are shown."""
NAMED: Final = 3
"""Records of a request that its row in the list names."""
MESSAGES: Final = 20
"""Messages of an answer that are shown."""
ACKS: Final = ("Success", "Warning", "Error")
_SHORTEST_ID: Final = 8
_LONGEST_NAME: Final = 40
_LONGEST_ACTION: Final = 40
_LONGEST_WISH: Final = 60
"""Characters of a value that is told once more, as what an undo sets."""


# -- the list --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address of the list asks for; what is no such thing in it counts as not asked."""

    key: int | None
    action: str
    ack: str
    day: date | None
    before: bytes | None

    @classmethod
    def read(cls, query: Mapping[str, str], keys: Mapping[int, Key]) -> "Asked":
        """What the part of an address behind its ? asks for."""
        number = number_in(query.get("key", ""))
        ack = query.get("ack", "")
        try:
            day = date.fromisoformat(query.get("day", ""))
        except ValueError:
            day = None
        return cls(
            number if number == 0 or number in keys else None,
            query.get("action", "").strip()[:_LONGEST_ACTION],
            ack if ack in ACKS else "",
            day,
            request_in(query.get("before", "")),
        )

    def wanted(self, site: Site) -> Wanted:
        """The same for the journal."""
        since = until = None
        if self.day is not None:
            # Where a day of the shop begins before the calendar, or ends after it, nothing is.
            with suppress(OverflowError):
                until = start_of(self.day + timedelta(days=1), site.zone)
            with suppress(OverflowError):
                since = start_of(self.day, site.zone)
        return Wanted(
            self.key,
            self.action or None,
            self.ack or None,
            since=since,
            until=until,
            before=self.before,
        )

    def address(self, before: bytes | None) -> str:
        """The address of the same list, from another request on."""
        pairs = {
            "key": "" if self.key is None else str(self.key),
            "action": self.action,
            "ack": self.ack,
            "day": self.day.isoformat() if self.day else "",
            "before": before.hex() if before else "",
        }
        query = urlencode({name: value for name, value in pairs.items() if value})
        return f"/requests?{query}" if query else "/requests"

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves some requests out."""
        return self.address(None) != "/requests"


@dataclass(frozen=True, slots=True)
class Row:
    """A request in the list. of: whom it changed something of, the first few."""

    id: str
    when: str
    exact: str
    by: str
    action: str
    mode: str
    of: str
    items: int
    ack: str
    is_refused: bool
    duration: str


def row_of(
    entry: JournalEntry, names: Sequence[str], keys: Mapping[int, Key], now: datetime, site: Site
) -> Row:
    """A request as it stands in the list. names: of the first records that it changed."""
    ack = entry.ack
    if entry.errors and entry.items:
        ack = f"{ack}, {entry.changed:,} of {entry.items:,} changed"
    return Row(
        str(UUID(bytes=entry.request)),
        first(to_the_second(entry.at, now, site.zone)),
        exact(entry.at),
        by(entry, keys),
        entry.action,
        entry.mode,
        ", ".join([*names, "…"] if names and entry.changed > NAMED else names),
        entry.items,
        ack,
        entry.ack == "Error",
        took(entry),
    )


def by(entry: JournalEntry, keys: Mapping[int, Key]) -> str:
    """Who it came from: `erp-sync, key 3`, `ana, the panel`, `the command line`."""
    if entry.key_id:
        key = keys.get(entry.key_id)
        name = f"key {entry.key_id}"
        return f"{key.username}, {name}" if key and key.username else first(name)
    if entry.format == FORMAT:
        return f"{entry.who or 'Nobody'}, the panel"
    return "The command line" if entry.who == COMMAND_LINE else entry.who or "Nobody"


def took(entry: JournalEntry) -> str:
    """How long it took, where that was measured: `31 ms`."""
    if not entry.duration:
        return ""
    ms = entry.duration * 1_000
    return f"{ms:,.0f} ms" if ms >= 10 else f"{ms:.1f} ms"


async def everything(request: Request) -> Response:
    """The requests that came, the newest first."""
    panel, person = panel_of(request), person_of(request)
    keys = await panel.keys(person)
    asked = Asked.read(request.query_params, keys)
    wanted = asked.wanted(person.site)
    entries, names = await panel.view(person, lambda view: _listed(view, wanted))
    now = panel.now
    more, entries = len(entries) > PAGE, entries[:PAGE]
    actions = [*ACTIONS, *OWN_ACTIONS]
    if asked.action and asked.action not in actions:
        actions.append(asked.action)
    return panel.render(
        request,
        "requests.html",
        rows=[row_of(one, names.get(one.request, ()), keys, now, person.site) for one in entries],
        asked=asked,
        keys=[(one.key_id, key_name(one)) for one in keys.values()],
        actions=actions,
        acks=ACKS,
        day=asked.day.isoformat() if asked.day else "",
        newest=asked.address(None) if asked.before else "",
        older=asked.address(entries[-1].request) if more else "",
    )


def _listed(view: View, wanted: Wanted) -> tuple[Sequence[JournalEntry], dict[bytes, list[str]]]:
    """The entries of a page, and one more if there are more; the names of what they changed."""
    entries = view.journal_entries(wanted, PAGE + 1)
    made = {one.request: view.made_by(one.request, NAMED) for one in entries if one.changed}
    log_ids = [one.log_id for some in made.values() for one in some if isinstance(one, Revision)]
    names = names_in(view, view.logs_without_notes(log_ids))

    def name(one: AnyRevision) -> str:
        if isinstance(one, Revision):
            found = names.get(one.log_id, f"log {one.log_id}")
        else:
            customer = view.customer_numbered(one.customer_id)
            found = customer_name(customer) if customer else f"customer {one.customer_id}"
        return isolated(cut(found, _LONGEST_NAME))

    return entries, {
        request: list(dict.fromkeys(map(name, some))) for request, some in made.items()
    }


def key_name(key: Key) -> str:
    """How a menu names a key."""
    name = f"{key.username}, key {key.key_id}" if key.username else f"Key {key.key_id}"
    return f"{name} (revoked)" if key.revoked_at else name


# -- one -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Change:
    """An element that a request changed, or a record as a whole, and what an undo would do."""

    name: str
    number: int
    address: str
    element: str
    old: Shown | None
    new: Shown | None
    undo: str
    is_left: bool


@dataclass(frozen=True, slots=True)
class ShownBody:
    """One direction. facts: format and length; why: it is not there; more: that is not shown."""

    title: str
    which: str
    facts: str
    why: str
    pieces: list[Piece]
    more: int


@dataclass(frozen=True, slots=True)
class _Found:
    call: PastCall | None
    revisions: Sequence[AnyRevision]
    touched: Sequence[Touched]
    names: dict[tuple[bool, int], tuple[str, str]]


async def one(request: Request) -> Response:
    """One request: what it did, what an undo would do, and both bodies."""
    panel, person = panel_of(request), person_of(request)
    text = request.path_params["id"]
    whole = await _whole(panel, person, text)
    if isinstance(whole, Response):
        return whole
    if whole is None:
        return _unknown(request, text)

    found = await panel.view(person, lambda view: _find(view, whole))
    if found.call is None and not found.revisions:
        return _unknown(request, text)
    keys = await panel.keys(person)
    teller = Teller(person, keys, panel.now)
    span = Span(whole, whole)
    would = await foreseen(panel, person, span, found.touched, undoing.FORESEEN)
    shown = [f"{'log' if of.is_log else 'customer'} {of.number}" for of in found.touched[:PAGE]]
    remains = [one for one in would.outcome.remains if one.record in shown]
    whys = await panel.view(person, lambda view: [told_why(view, one, teller) for one in remains])
    left = {
        (one.record, one.revision, one.element): why for one, why in zip(remains, whys, strict=True)
    }
    changes = _changes(found, would, left, teller)
    is_raw = request.query_params.get("as") == "raw"
    full = str(UUID(bytes=whole))
    values: dict[str, Any] = {
        "id": full,
        "short": short(full),
        "digits": whole.hex(),
        "changes": changes[:CHANGES],
        "hidden": len(changes) - CHANGES,
        "touched": len(found.touched),
        "records": records_of(found.touched),
        "shown": len(shown),
        "can_undo": bool(would.made) or would.number < would.total,
        "at_once": len(found.touched) <= undoing.AT_ONCE,
        "is_raw": is_raw,
        "lead": _lead(found),
        "refused": found.call.errors[:MESSAGES] if found.call else [],
        "warned": found.call.warnings[:MESSAGES] if found.call else [],
        "passed_over": _passed_over(found.call) if found.call else [],
        "bodies": _bodies(found.call, is_raw=is_raw) if found.call else [],
        "facts": _facts(found, keys, panel.now, person.site),
    }
    return panel.render(request, "request.html", **values)


async def body(request: Request) -> Response:
    """The very bytes of one direction, as a file."""
    panel, person = panel_of(request), person_of(request)
    text, which = request.path_params["id"], request.path_params["which"]
    whole = request_in(text)
    entry = None
    if whole is not None and which in ("came", "answered"):
        entry = await panel.view(person, lambda view: view.journal_entry(whole))
    kept = None
    if entry is not None:
        kept = entry.request_body if which == "came" else entry.answer_body
    if kept is None:
        return _unknown(request, text)
    form = format_of(kept)
    kind = {Format.JSON: "json", Format.XML: "xml", None: "txt"}[form]
    # Never a page: a browser saves it, and takes it for nothing else.
    name = f"{text[:8]}-{which}.{kind}"
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}"'}
    return Response(kept, headers=headers, media_type="application/octet-stream")


async def _whole(panel: Panel, person: Person, text: str) -> bytes | Response | None:
    """The request whose id is, or begins, so; of a beginning, the way to its page."""
    if whole := request_in(text):
        return whole
    digits = text.replace("-", "").lower()
    if not _SHORTEST_ID <= len(digits) < 32 or not set(digits) <= set("0123456789abcdef"):
        return None
    found = await panel.view(person, lambda view: view.requests(digits, 2))
    if len(found) != 1:
        return None
    return RedirectResponse(f"/requests/{UUID(bytes=found[0])}", 303)


def _unknown(request: Request, text: str) -> Response:
    sentence = (
        f"The journal of your shop has no request {cut(text, 60)}. Bodies and entries go when "
        "they are older than the settings keep them."
    )
    return panel_of(request).problem(request, 404, "There is no such request", sentence)


def _find(view: View, request: bytes) -> _Found:
    span = Span(request, request)
    touched = view.touched(span)
    shown = {(of.is_log, of.number) for of in touched[:PAGE]}
    revisions = [
        one for one in view.made_by(request, 10 * PAGE) if (_is_log(one), _number(one)) in shown
    ]
    called = names_in(view, view.logs_without_notes([number for is_log, number in shown if is_log]))
    names = {}
    for is_log, number in shown:
        if is_log:
            name = called.get(number, f"log {number}"), f"/logs/{number}"
        elif customer := view.customer_numbered(number):
            name = customer_name(customer), customer_address(customer.username)
        else:
            name = f"customer {number}", ""
        names[is_log, number] = name
    return _Found(past_call(view, request), revisions, touched, names)


def _is_log(one: AnyRevision) -> bool:
    return isinstance(one, Revision)


def _number(one: AnyRevision) -> int:
    return one.log_id if isinstance(one, Revision) else one.customer_id


def _lead(found: _Found) -> str:
    """A sentence of what it did."""
    call = found.call
    did = call.effect if call else effect(found.revisions)
    if did:
        return first("; ".join(did)) + "."
    if call and call.entry.errors:
        return f"Changed nothing: {counted(call.entry.errors, 'error')}."
    return "Changed nothing."


def _passed_over(call: PastCall) -> list[tuple[str, str]]:
    return [(name, " or ".join(near)) for name, near in call.passed_over.items()]


def _facts(found: _Found, keys: Mapping[int, Key], now: datetime, site: Site) -> dict[str, str]:
    """What is known of it: who, when, from where, and how it was answered."""
    if found.call is None:
        at = found.revisions[0].at
        return {"by": "", "when": moment(at, now, site.zone), "exact": exact(at), "from": "",
                "action": "", "answer": "The journal keeps its entry no longer."}  # fmt: skip
    entry = found.call.entry
    answer = [entry.mode, f"HTTP {entry.http_status}" if entry.http_status else "", took(entry)]
    return {
        "by": by(entry, keys),
        "when": moment(entry.at, now, site.zone),
        "exact": exact(entry.at),
        "from": entry.address,
        "action": entry.action,
        "ack": entry.ack,
        "answer": ", ".join(filter(None, answer)),
    }


# -- what it changed, and what an undo would do ----------------------------------------------------


def _changes(
    found: _Found, would: Foreseen, left: Mapping[tuple[str, int, str], str], teller: Teller
) -> list[Change]:
    made = {(_is_log(one), _number(one)): one for one in would.made}
    changes = []
    for one in found.revisions:
        name, address = found.names[_is_log(one), _number(one)]
        after = made.get((_is_log(one), _number(one)))
        kind = kind_of(one)
        rows: list[tuple[str, str, Shown | None, Shown, str, bool]] = []
        if kind is not Kind.CHANGED:
            did, wish = _AS_A_WHOLE[kind]
            is_done = after is not None and kind_of(after) is not Kind.CHANGED
            rows.append(("", "", None, Shown(did), wish, is_done))
        else:
            for key in one.changes:
                element = wires_of(one)[key].name
                old, new = _values(one, key, teller)
                is_done = after is not None and key in after.changes
                rows.append((element, label(element), old, new, _back(one, key, old), is_done))
        for element, shown, was, became, wish, is_done in rows:
            why = left.get((_record(one), one.number, element)) or left.get(
                (_record(one), one.number, "")
            )
            if why:
                wish = f"leave it: {why}"
            elif not is_done:
                wish = "nothing: it is so already"
            is_left = bool(why) or not is_done
            changes.append(Change(name, _number(one), address, shown, was, became, wish, is_left))
    return changes


def _record(one: AnyRevision) -> str:
    """What it is a revision of, as `undo.Remains` calls it."""
    return f"{noun_of(one)} {_number(one)}"


def _back(one: AnyRevision, key: str, old: Shown) -> str:
    """What an undo does to an element that can go back."""
    if one.changes[key][0] is None:
        return "clear it"
    return "set it back" if len(old.text) > _LONGEST_WISH else f"set it back to {old.text}"


_AS_A_WHOLE: Final = {
    Kind.ADDED: ("added", "withdraw it"),
    Kind.WITHDRAWN: ("withdrawn", "bring it back"),
    Kind.RESTORED: ("brought back", "withdraw it again"),
    Kind.ERASED: ("erased since", "leave it"),
}
"""What is said of a record as a whole: what was done, and what an undo would do."""


def _values(one: AnyRevision, key: str, teller: Teller) -> tuple[Shown, Shown]:
    """An element before and after; of long texts the part that differs."""
    old, new = one.changes[key]
    if not (isinstance(old, str) and isinstance(new, str)) or ERASED in (old, new):
        return teller.value(one, key, old), teller.value(one, key, new)
    if len(old) + len(new) < 120:
        return teller.value(one, key, old), teller.value(one, key, new)
    apart = difference(old, new)
    before = "…" if apart.before.strip() else ""
    return tuple(  # type: ignore[return-value]
        Shown(before + cut(text.strip(), 160)) for text in (apart.old, apart.new)
    )


# -- bodies ----------------------------------------------------------------------------------------


def _bodies(call: PastCall, *, is_raw: bool) -> list[ShownBody]:
    came = call.passed_over
    return [
        _shown("Came", "came", call.request, {} if is_raw else came, is_raw),
        _shown("Answered", "answered", call.answer, {}, is_raw),
    ]


def _shown(
    title: str, which: str, one: Body, passed_over: Mapping[str, Sequence[str]], is_raw: bool
) -> ShownBody:
    if one.kept is None:
        facts = f"{one.length:,} bytes" if one.length else ""
        digest = f"; SHA-256 {one.digest.hex()}" if one.digest else ""
        return ShownBody(title, which, facts, first(f"{one.why or 'none'}{digest}."), [], 0)
    form = format_of(one.kept)
    facts = ", ".join(filter(None, (form.value.upper() if form else "", f"{one.length:,} bytes")))
    whole = text_of(one.kept)
    pieces = [Piece(whole[:SHOWN])] if is_raw else laid_out(one.kept, passed_over)
    return ShownBody(title, which, facts, "", pieces, max(0, len(whole) - SHOWN))
