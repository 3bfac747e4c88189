"""One box over customers' names, usernames and e-mail, over notes, and over LogIDs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from recontact.fields import Comparison
from recontact.messages import Condition, Query
from recontact.model import Customer, CustomerLog, words
from recontact.store import View
from recontact.web.naming import customer_address, customer_name, names_in
from recontact.web.panel import panel_of, person_of
from recontact.web.words import Due, due, exact

PAGE: Final = 20
"""Customers, and logs, of a page."""
_LONGEST: Final = 200
"""Characters of what is looked for."""
_MOST_PAGES: Final = 500
"""Pages of logs that can be gone through; beyond that, more words help."""
_AROUND: Final = 160
"""Characters of a note that are shown, about where a word is."""
_NUMBER: Final = re.compile(r"#?([0-9]{1,10})")
_TOKEN: Final = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f])*")


@dataclass(frozen=True, slots=True)
class Bit:
    """A part of a text. is_hit: it is one of the words that were looked for."""

    text: str
    is_hit: bool = False


def marked(text: str, wanted: Sequence[str]) -> list[Bit]:
    """
    A text with the words in it apart. wanted: as `model.words` gives them, the last a beginning.

    In scripts that are written without blanks, pairs of characters are words.
    """
    hits = [span for token in _TOKEN.finditer(text) for span in _hits(token, wanted)]
    bits: list[Bit] = []
    at = 0
    for start, end in hits:
        if start > at:
            bits.append(Bit(text[at:start]))
        start = max(start, at)
        if end > start:
            if bits and bits[-1].is_hit and start == at:
                bits[-1] = Bit(bits[-1].text + text[start:end], is_hit=True)
            else:
                bits.append(Bit(text[start:end], is_hit=True))
            at = end
    if at < len(text):
        bits.append(Bit(text[at:]))
    return bits


def _hits(token: re.Match[str], wanted: Sequence[str]) -> list[tuple[int, int]]:
    """Where words stand in a run of letters and digits."""
    found = words(token[0])
    if not any(_is_wanted(word, wanted) for word in found):
        return []
    if len(found) == 1:
        return [token.span()]
    pairs = range(token.start(), token.end() - 1)
    return [
        (at, at + 2)
        for at in pairs
        if any(_is_wanted(word, wanted) for word in words(token.string[at : at + 2]))
    ]


def _is_wanted(word: str, wanted: Sequence[str]) -> bool:
    return word in wanted or bool(wanted and word.startswith(wanted[-1]))


def around(text: str, wanted: Sequence[str]) -> list[Bit]:
    """The part of a long text where the first of the words is, with the words apart."""
    text = " ".join(text.split())
    if len(text) <= _AROUND:
        return marked(text, wanted)
    hits = (start for token in _TOKEN.finditer(text) for start, _ in _hits(token, wanted))
    at = next(hits, 0)
    start = max(0, min(at - _AROUND // 3, len(text) - _AROUND))
    if start:  # at the beginning of a word
        start = text.find(" ", start, at) + 1 or start
    part = text[start : start + _AROUND]
    before, after = "…" if start else "", "…" if start + _AROUND < len(text) else ""
    return marked(f"{before}{part}{after}", wanted)


# -- the page --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CustomerHit:
    """A customer that was found."""

    address: str
    name: list[Bit]
    facts: list[list[Bit]]


@dataclass(frozen=True, slots=True)
class LogHit:
    """A log that was found. exact: its date, "" without one."""

    log_id: int
    name: list[Bit]
    username: list[Bit]
    notes: list[Bit]
    status: str
    due: Due
    exact: str


@dataclass(frozen=True, slots=True)
class _Found:
    log: CustomerLog | None
    customers: list[Customer]
    more_customers: str | None
    logs: list[CustomerLog]
    names: Mapping[int, str]


async def find(request: Request) -> Response:
    """What the words in the box find; #42 leads to its log at once, 42 if nothing else is found."""
    panel, person = panel_of(request), person_of(request)
    query = request.query_params
    asked = query.get("q", "").strip()[:_LONGEST]
    number = _NUMBER.fullmatch(asked)
    page = query.get("page", "")
    at = int(page) if page.isascii() and page.isdecimal() and len(page) <= 3 else 0
    at = min(at, _MOST_PAGES - 1)
    wanted = words(asked)

    def read(view: View) -> _Found:
        log = view.log(int(number[1])) if number else None
        first = [log] if log else []
        if not wanted or (log and asked.startswith("#")):
            return _Found(log, [], None, [], names_in(view, first))
        customers, more = _customers(view, asked, wanted) if at == 0 else ([], None)
        search = Condition("", Comparison.SEARCH, (wanted,))
        logs = view.logs(Query([search], page=at, limit=PAGE))
        if len(logs) == PAGE:  # is there one more?
            logs += view.logs(Query([search], page=(at + 1) * PAGE, limit=1))
        return _Found(log, customers, more, logs, names_in(view, [*first, *logs]))

    found = await panel.view(person, read)
    is_alone = not (found.customers or found.more_customers or found.logs or at)
    if found.log is not None and is_alone:
        return RedirectResponse(f"/logs/{found.log.log_id}", 303)
    now, zone = panel.now, person.site.zone
    return panel.render(
        request,
        "find.html",
        asked=asked,
        number=number[1] if number else "",
        numbered=found.names[found.log.log_id] if found.log else "",
        has_words=bool(wanted),
        customers=[_customer_hit(one, wanted) for one in found.customers],
        more_customers=f"/customers?{urlencode({'q': asked})}" if found.more_customers else "",
        logs=[
            LogHit(
                log.log_id,
                marked(found.names[log.log_id], wanted),
                marked(log.username or "", wanted),
                around(log.notes or "", wanted),
                log.status,
                due(log.date_required_follow_up, now, zone),
                exact(log.date_required_follow_up) if log.date_required_follow_up else "",
            )
            for log in found.logs[:PAGE]
        ],
        at=at,
        before=f"/find?{urlencode({'q': asked, 'page': at - 1})}#logs" if at else "",
        after=f"/find?{urlencode({'q': asked, 'page': at + 1})}#logs"
        if len(found.logs) > PAGE and at + 1 < _MOST_PAGES
        else "",
    )


def _customers(view: View, asked: str, wanted: list[str]) -> tuple[list[Customer], str | None]:
    """The customers with the words; the one of that very username is first."""
    found = view.customers_with(wanted, None, PAGE)
    named = view.customer(asked)
    if named is None:
        return found.customers, found.after
    others = [one for one in found.customers if one.customer_id != named.customer_id]
    return [named, *others][:PAGE], found.after


_FACTS: Final = ("bill_company", "email_address", "secondary_email_address", "bill_phone")


def _customer_hit(one: Customer, wanted: Sequence[str]) -> CustomerHit:
    """A customer, with what tells it apart, and all that has one of the words."""
    name = customer_name(one)
    texts = [] if name == one.username else [one.username]
    texts += [text for key in _FACTS if (text := one.details.get(key)) and text != name]
    ship = (one.details.get(f"ship_{part}_name") for part in ("first", "last"))
    for text in (" ".join(filter(None, ship)), one.details.get("ship_company") or ""):
        bits = marked(text, wanted)
        if text and text != name and text not in texts and any(bit.is_hit for bit in bits):
            texts.append(text)
    return CustomerHit(
        customer_address(one.username),
        marked(name, wanted),
        [marked(text, wanted) for text in texts],
    )
