"""The next step of follow-ups, as a form asks for it: what it changes, and how it is told."""

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Final

from starlette.requests import Request

from recontact.fields import local
from recontact.values import DayOrTime, Status
from recontact.web import words
from recontact.web.days import WrongTimeError, day_or_time
from recontact.web.forms import Form
from recontact.web.panel import panel_of, person_of

LONGEST_NAME: Final = 100
"""Characters of AllocatedTo, as UpdateCustomerLog takes it."""
_UNSAFE: Final = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])
"""Characters that turn the direction of the text around them (Unicode UAX 9 §2)."""


class StepError(Exception):
    """A form asks for no step that can be done. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """
    What is to be done to follow-ups.

    fields: as a form asks for it. changes: elements by their names in the API. done: in words, what
    becomes of them; is_state: whether those words tell how they are, and not what was done. verb:
    what a button says that does it, and what stands there behind whom it is done to.
    """

    fields: tuple[tuple[str, str], ...]
    changes: dict[str, str]
    done: str
    verb: tuple[str, str]
    is_state: bool = False

    def asks(self, whose: str) -> str:
        """What the button says that does it to them: `Move 5 follow-ups to tomorrow`."""
        return " ".join(part for part in (self.verb[0], whose, self.verb[1]) if part)

    def told(self, whose: str, number: int) -> str:
        """What was done, in a sentence."""
        verb = ("is " if number == 1 else "are ") if self.is_state else ""
        return f"{whose} {verb}{self.done}."


def step_of(form: Form, username: str, now: datetime, zone: tzinfo) -> Step | None:
    """
    The step that a form asks for, None: it asks for none. Raises StepError.

    username: who it is that assigns to themselves.
    """
    if one_of_menu := form.get("to"):
        return _to_name(one_of_menu)
    asked = form.get("do")
    if not asked:  # Enter was pressed in one of the fields
        asked = "date" if form.get("date") else "assign" if form.get("name") else ""
    match asked:
        case "done":
            return _status(asked, Status.COMPLETED, "done", ("Mark", "as done"))
        case "reopen":
            return _status(asked, Status.REQUIRE_RECONTACT, "open again", ("Reopen", ""))
        case "date":
            return _to_date(form, now, zone)
        case "no-date":
            changes = {"DateRequiredFollowUp": ""}
            verb = ("Leave", "without a date")
            return Step((("do", asked),), changes, "without a date now", verb, is_state=True)
        case "assign":
            return _to_name(form.get("name").strip())
        case "me":
            return _to_name(username)
        case "nobody":
            return _to_name("")
        case _ if asked in words.SNOOZES:
            return _to_day(words.snoozed(asked, now, zone), now, zone)
    return None


def step_in(request: Request) -> Step | None:
    """The step that an address asks for, if it is one that can be done."""
    form = Form.of(request.query_params.multi_items())
    person = person_of(request)
    try:
        return step_of(form, person.username, panel_of(request).now, person.site.zone)
    except StepError:
        return None


def _status(asked: str, status: Status, done: str, verb: tuple[str, str]) -> Step:
    return Step((("do", asked),), {"Status": status}, done, verb, is_state=True)


def _to_name(name: str) -> Step:
    if len(name) > LONGEST_NAME:
        raise StepError(f"A name has at most {LONGEST_NAME} characters: this one has {len(name)}.")
    if not name:
        changes, verb = {"AllocatedTo": ""}, ("Assign", "to nobody")
        return Step((("do", "nobody"),), changes, "nobody's now", verb, is_state=True)
    fields = (("do", "assign"), ("name", name))
    to = f"to {isolated(name)}"
    return Step(fields, {"AllocatedTo": name}, f"assigned {to}", ("Assign", to))


def _to_date(form: Form, now: datetime, zone: tzinfo) -> Step:
    try:
        value = day_or_time(form.get("date"), form.get("time"), zone)
    except WrongTimeError as error:
        raise StepError(str(error)) from None
    if words.day_of(value, zone) < words.today_in(now, zone):
        raise StepError("The date is before today. Choose a later day, or none.")
    return _to_day(value, now, zone)


def _to_day(value: date | datetime, now: datetime, zone: tzinfo) -> Step:
    today, day = words.today_in(now, zone), words.day_of(value, zone)
    when = {0: "today", 1: "tomorrow"}.get((day - today).days) or words.day(day, today)
    fields = [("do", "date"), ("date", day.isoformat())]
    if isinstance(value, datetime):
        at = f"{local(value, zone):%H:%M}"
        fields.append(("time", at))
        when += f" {at}"
    changes = {"DateRequiredFollowUp": DayOrTime().write(value)}
    return Step(tuple(fields), changes, f"moved to {when}", ("Move", f"to {when}"))


def isolated(name: str) -> str:
    """A name for the middle of a sentence, whatever directions of writing it has."""
    return f"\u2068{name.translate(_UNSAFE)}\u2069"
