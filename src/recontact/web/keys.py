"""Keys, which let programs in: made and shown once, listed, revoked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from shlex import quote as shell
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from recontact.messages import RecontactError
from recontact.model import Key, Site
from recontact.store import Connection, journal, keys
from recontact.store.journal import Wanted
from recontact.store.keys import KeyUnknownError
from recontact.store.staff import digest_of
from recontact.web import words
from recontact.web.forms import Form
from recontact.web.panel import panel_of, person_of, token_of
from recontact.web.steps import isolated

SHOWN_FOR: Final = timedelta(minutes=10)
"""How long a new key can be looked at, by the session that made it."""
RIGHTS: Final = {"read,write": "Read and write", "read": "Only read", "write": "Only write"}
"""What a key may be for: in a form, and in words."""
LONGEST_USERNAME: Final = 100
_FARTHEST: Final = timedelta(days=36_500)


class WantedKeyError(RecontactError):
    """What was asked for cannot be a key."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made. origin: how the browser calls this server. until: it is forgotten then."""

    number: int
    key: str
    origin: str
    until: datetime


@dataclass(frozen=True, slots=True)
class When:
    """A moment, or a day: in words, and as ISO 8601 has it."""

    words: str
    exact: str


@dataclass(frozen=True, slots=True)
class Row:
    """One key of the list. state: "" of one that lets in."""

    number: int
    username: str | None
    hint: str
    may: str
    created: When
    last_used: When | None
    ends: When | None
    state: str


# -- the list, and a new one ---------------------------------------------------------------------


async def all_keys(request: Request) -> Response:
    """The keys of the shop, and the form that makes another."""
    if request.method != "POST":
        return await _list(request, request.state.kept or Form())
    panel, person = panel_of(request), person_of(request)
    form, now = await panel.form(request), panel.now
    try:
        wanted = _wanted(form, person.site, now)
    except WantedKeyError as error:
        return await _list(request, form, str(error), 422)
    key = keys.new_key()
    ends = wanted["expires_at"]
    asked = {
        "Starts": key[:7],
        "Username": wanted["username"],
        "May": wanted["may"],
        "Expires": ends and words.exact(ends),
    }
    number = await panel.administer(
        request, "CreateKey", asked, lambda c: keys.add_key(c, person.site, key, now=now, **wanted)
    )
    for digest in [one for one, made in panel.new_keys.items() if made.until <= now]:
        del panel.new_keys[digest]
    # As the browser names us: a proxy in front may not say that it is https.
    origin = request.headers.get("origin") or f"{request.url.scheme}://{request.url.netloc}"
    mine = digest_of(token_of(request))
    panel.new_keys[mine] = NewKey(number, key, origin, now + SHOWN_FOR)
    return panel.redirect(request, f"/keys/{number}/made")


def _wanted(form: Form, site: Site, now: datetime) -> dict[str, Any]:
    """What a form asks for, as `add_key` takes it."""
    username = form.get("username").strip()
    if len(username) > LONGEST_USERNAME or not username.isprintable():
        raise WantedKeyError(
            f"A username has at most {LONGEST_USERNAME} characters, all of which can be seen."
        )
    try:
        username.encode("latin-1")  # what Python's and browsers' headers can say
    except UnicodeEncodeError:
        raise WantedKeyError(
            "A program sends the username in a header, which has Latin letters only: choose "
            "another."
        ) from None
    may = form.get("may", "read,write")
    if may not in RIGHTS:
        raise WantedKeyError("Choose what the key may do.")
    last = _last_day(form.get("last_day").strip(), site, now)
    return {
        "username": username or None,
        "may": may.split(","),
        "expires_at": last and _end_of(last, site),
    }


def _last_day(text: str, site: Site, now: datetime) -> date | None:
    if not text:
        return None
    today = words.today_in(now, site.zone)
    try:
        last = date.fromisoformat(text)
    except ValueError:
        raise WantedKeyError("The last day is no date: write it as 2026-11-24.") from None
    if last < today:
        raise WantedKeyError("The last day is before today. Choose a later one, or none.")
    if last - today > _FARTHEST:
        raise WantedKeyError("The last day is more than 100 years off. Choose none instead.")
    return last


def _end_of(day: date, site: Site) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), site.zone).astimezone(UTC)


async def _list(
    request: Request, form: Form, problem: str = "", http_status: int = 200
) -> Response:
    panel, site = panel_of(request), person_of(request).site
    known = await panel.store.look(lambda c: _of(c, site))
    listed = _listed(known, site, panel.now, form)
    return panel.render(request, "keys.html", http_status, **listed, problem=problem)


def _listed(known: Mapping[str, Key], site: Site, now: datetime, form: Form) -> dict[str, Any]:
    """What the list shows: the keys that let in, newest last, and those that do no more."""
    rows = [_row(key, site, now) for key in known.values()]
    return {
        "valid": [row for row in rows if not row.state],
        "over": [row for row in rows if row.state],
        "form": form,
        "rights": RIGHTS,
        "today": words.today_in(now, site.zone).isoformat(),
    }


def _of(connection: Connection, site: Site) -> dict[str, Key]:
    """The keys of a site by their numbers, as addresses have them."""
    known = keys.keys(connection).values()
    return {str(key.key_id): key for key in known if key.site.site == site.site}


def _row(key: Key, site: Site, now: datetime) -> Row:
    made_on = words.day_of(key.created_at, site.zone)
    expired = "" if key.is_valid(now) else "expired"
    return Row(
        key.key_id,
        key.username,
        key.hint,
        RIGHTS[",".join(one for one in keys.RIGHTS if one in key.may)],
        When(words.day(made_on, words.today_in(now, site.zone)), words.exact(key.created_at)),
        ago(key.last_used_at, site, now),
        None if key.expires_at is None else _ends(key.expires_at, site, now),
        "revoked" if key.revoked_at else expired,
    )


def ago(at: datetime | None, site: Site, now: datetime) -> When | None:
    """How long ago that was; None: never."""
    return None if at is None else When(words.ago(at, now, site.zone), words.exact(at))


def _ends(at: datetime, site: Site, now: datetime) -> When:
    """When a key ends: a last day, where it ends with one."""
    there = at.astimezone(site.zone)
    if there.time() != time():
        return When(words.moment(at, now, site.zone), words.exact(at))
    last = there.date() - timedelta(days=1)
    return When(words.day(last, words.today_in(now, site.zone)), words.exact(at))


# -- shown once ----------------------------------------------------------------------------------


async def made(request: Request) -> Response:
    """A new key, to the session that made it and for some minutes, with calls to paste."""
    panel, site, now = panel_of(request), person_of(request).site, panel_of(request).now
    mine, number = digest_of(token_of(request)), request.path_params["number"]
    if request.method == "POST":
        panel.new_keys.pop(mine, None)
        return panel.redirect(request, "/keys")
    new = panel.new_keys.get(mine)
    known = await panel.store.look(lambda c: _of(c, site))
    if new is None or str(new.number) != number or new.until <= now or number not in known:
        problem = (
            "That key is not shown again: a key is shown once, to whoever made it, and nobody can "
            "look it up. If it is lost, make another here, and revoke the lost one below."
        )
        return await _list(request, Form(), problem, 410)
    key = known[number]
    # When it was last used is noted up to half a minute later, what it wrote is in the journal.
    wanted = Wanted(key_id=key.key_id, since=key.created_at)
    calls = await panel.store.look(lambda c: journal.entries(c, site, wanted, 1))
    return panel.render(
        request,
        "key_made.html",
        **_listed(known, site, now, Form()),
        problem="",
        made=_row(key, site, now),
        came=ago(calls[0].at if calls else key.last_used_at, site, now),
        secret=new.key,
        until=words.moment(new.until, now, site.zone).removeprefix("today "),
        samples=samples(new, key, words.today_in(now, site.zone)),
        adds="write" in key.may,
    )


def samples(new: NewKey, key: Key, today: date) -> dict[str, str]:
    """A call with that key in curl, Python and JavaScript, to be pasted and run as it is."""
    if "write" in key.may:
        action = "AddCustomerLog"
        log = {
            "CustomerName": "Bob Stone",
            "DateRequiredFollowUp": today.isoformat(),
            "Notes": "Asked for a quote on 40 chairs",
        }
        body: dict[str, Any] = {"CustomerLogs": {"CustomerLog": [log]}}
    else:
        action = "GetCustomerLog"
        selectors = ["CustomerName", "Status", "DateRequiredFollowUp", "Notes"]
        body = {"Filter": {"Status": "Require Recontact", "OutputSelector": selectors, "Limit": 5}}
    headers = {"NETOAPI_ACTION": action}
    if key.username:
        headers["NETOAPI_USERNAME"] = key.username
    headers |= {"NETOAPI_KEY": new.key, "Accept": "application/json"}
    url, sent = f"{new.origin}/do/WS/NetoAPI", json.dumps(body)
    said = [f"{json.dumps(name)}: {json.dumps(value)}," for name, value in headers.items()]

    def lines(indent: int) -> str:
        return "\n".join(" " * indent + line for line in said)

    return {
        "curl": " \\\n  ".join(
            [
                f"curl {shell(url)}",
                *(f"-H {shell(f'{name}: {value}')}" for name, value in headers.items()),
                f"-d {shell(sent)}",
            ]
        ),
        "Python": (
            "import json\nimport urllib.request\n\n"
            f"body = {sent}\n"
            "call = urllib.request.Request(\n"
            f"    {json.dumps(url)},\n"
            "    data=json.dumps(body).encode(),\n"
            f"    headers={{\n{lines(8)}\n    }},\n"
            ")\n"
            "print(urllib.request.urlopen(call, timeout=30).read().decode())"
        ),
        # No await, which not every place to paste it into allows.
        "JavaScript": (
            f"fetch({json.dumps(url)}, {{\n"
            '  method: "POST",\n'
            f"  headers: {{\n{lines(4)}\n  }},\n"
            f"  body: JSON.stringify({sent}),\n"
            "}).then((answer) => answer.text()).then(console.log);"
        ),
    }


# -- revoked -------------------------------------------------------------------------------------


async def revoke(request: Request) -> Response:
    """Ask whether a key is to be revoked, and do it: there is no way back."""
    panel, site, now = panel_of(request), person_of(request).site, panel_of(request).now
    number = request.path_params["number"]
    key = (await panel.store.look(lambda c: _of(c, site))).get(number)
    if key is None:
        sentence = "Your shop has no key of that number. Look under Keys."
        return panel.problem(request, 404, "There is no such key", sentence)
    if request.method != "POST":
        return panel.render(request, "key_revoke.html", key=_row(key, site, now))
    whose = f"for {isolated(key.username)}" if key.username else "for the whole shop"
    asked = {"Key": key.key_id, "Starts": key.hint, "Username": key.username}
    try:
        await panel.administer(
            request, "RevokeKey", asked, lambda c: keys.revoke_key(c, key.key_id, now)
        )
    except KeyUnknownError:
        return panel.redirect(request, "/keys", f"Key {number}, {whose}, was revoked already.")
    return panel.redirect(request, "/keys", f"Key {number}, {whose}, is revoked.")
