"""
What the panel says of days and times: "3 days late", "today 09:12". All of it in the site's zone.

now, and every moment: aware. A value of a follow-up is a `date`, a calendar day of the site, or a
`datetime`, an instant. No month or year that exists makes any of this fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

# Not strftime: it would speak the language of the process, and of years below 1000 as it likes.
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip

SNOOZES: Final = {
    "today": "Today",
    "tomorrow": "Tomorrow",
    "3-days": "+3 days",
    "next-week": "Next week",
}
"""The days that a follow-up is put off to by one press: the name in a form, and the button."""


@dataclass(frozen=True, slots=True)
class Due:
    """
    When a follow-up is due: `words`, "12 days late", and `when`, "Wed 11 Nov".

    when: "" where `words` are as exact. is_late: its day, or its instant, is over.
    """

    words: str
    when: str
    is_late: bool


def due(value: date | datetime | None, now: datetime, zone: tzinfo) -> Due:
    """What is said of a follow-up's date."""
    if value is None:
        return Due("no date", "", is_late=False)
    today, on = today_in(now, zone), day_of(value, zone)
    days = (on - today).days
    if not isinstance(value, datetime):
        return Due(_due_in(days), day(on, today) if days else "", is_late=days < 0)
    when = _at(value, now, zone)
    if days:
        return Due(_due_in(days), when, is_late=days < 0)
    if value >= now:
        return Due(when, "", is_late=False)
    late = _short_span((now - value).total_seconds())
    return Due(f"{late} late" if late else "now", when, is_late=True)


def moment(value: datetime, now: datetime, zone: tzinfo) -> str:
    """When something was: "today 09:12", "Wed 18 Nov 16:20", of another year "12 Nov 2025"."""
    on = day_of(value, zone)
    if on.year == today_in(now, zone).year or _near(on, today_in(now, zone)):
        return _at(value, now, zone)
    return f"{on.day} {_MONTHS[on.month - 1]} {on.year:04}"


def to_the_second(value: datetime, now: datetime, zone: tzinfo) -> str:
    """When something was, as a list of what came fast has it: "today 09:12:07"."""
    return f"{_at(value, now, zone)}:{_in(zone, value).second:02}"


def ago(value: datetime | None, now: datetime, zone: tzinfo) -> str:
    """How long ago something was: "3 weeks ago", "yesterday", "never"; to come, "in 3 days"."""
    if value is None:
        return "never"
    days = (day_of(value, zone) - today_in(now, zone)).days
    if days > 0:
        return _due_in(days)
    if days < -1:
        return f"{_span(-days, weeks_from=21)} ago"
    if days == -1:
        return "yesterday"
    if value > now:
        return _at(value, now, zone)
    passed = _short_span((now - value).total_seconds())
    return f"{passed} ago" if passed else "just now"


def day(value: date, today: date) -> str:
    """A calendar day: "Wed 11 Nov", and the year where it is not this one."""
    words = f"{_WEEKDAYS[value.weekday()]} {value.day} {_MONTHS[value.month - 1]}"
    return words if value.year == today.year else f"{words} {value.year:04}"


def exact(value: date | datetime) -> str:
    """The value itself, an instant in UTC, for `<time datetime>` and titles: ISO 8601."""
    if not isinstance(value, datetime):
        return value.isoformat()
    return _in(UTC, value).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def today_in(now: datetime, zone: tzinfo) -> date:
    """The calendar day that it is in the zone."""
    return _in(zone, now).date()


def day_of(value: date | datetime, zone: tzinfo) -> date:
    """The calendar day that a follow-up is on."""
    return _in(zone, value).date() if isinstance(value, datetime) else value


def snoozed(to: str, now: datetime, zone: tzinfo) -> date:
    """The calendar day that one of `SNOOZES` puts a follow-up off to. Next week is its Monday."""
    today = today_in(now, zone)
    days = {"today": 0, "tomorrow": 1, "3-days": 3, "next-week": 7 - today.weekday()}[to]
    return today + timedelta(days=min(days, (date.max - today).days))


# -- parts of sentences ------------------------------------------------------------------------


def _due_in(days: int) -> str:
    """How far off a day is: of one before today, how late."""
    if days < 0:
        return f"{_span(-days, weeks_from=21)} late"
    if days < 2:
        return ("today", "tomorrow")[days]
    return f"in {_span(days, weeks_from=14)}"


def _span(days: int, weeks_from: int) -> str:
    """So many days, in the unit that people would use; in weeks from `weeks_from` days on."""
    if days < weeks_from:
        return _many(days, "day")
    if days < 63:
        return _many(days // 7, "week")
    if days < 730:
        return _many(round(days / 30.44), "month")
    return _many(int(days / 365.2425 + 0.01), "year")


def _short_span(seconds: float) -> str:
    """A part of a day, in minutes or hours; "" for less than a minute."""
    minutes = int(seconds) // 60
    if minutes < 60:
        return _many(minutes, "minute") if minutes else ""
    return _many(minutes // 60, "hour")


def _many(number: int, unit: str) -> str:
    return f"{number:,} {unit}{'' if number == 1 else 's'}"


def _at(value: datetime, now: datetime, zone: tzinfo) -> str:
    """A day and a time of it: "today 09:12", "Wed 18 Nov 16:20", "Wed 18 Nov 2025 16:20"."""
    there, today = _in(zone, value), today_in(now, zone)
    on = _near(there.date(), today) or day(there.date(), today)
    return f"{on} {there.hour:02}:{there.minute:02}"


def _near(on: date, today: date) -> str:
    """A day's name, where it has one."""
    return {-1: "yesterday", 0: "today", 1: "tomorrow"}.get((on - today).days, "")


def _in(zone: tzinfo, value: datetime) -> datetime:
    """The instant in a zone; beyond the calendar's edge, the edge."""
    try:
        return value.astimezone(zone)
    except OverflowError:
        edge = datetime.max if value.year > 5_000 else datetime.min
        return edge.replace(tzinfo=zone)


def listed(names: Sequence[str]) -> str:
    """`Status, Notes and Last contacted`."""
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def short(request: str) -> str:
    """A request's id as people tell it from others: eight digits last a minute (RFC 9562 §5.7)."""
    return request.replace("-", "")[:10]


def first(text: str) -> str:
    """A text as the beginning of a sentence."""
    return text[:1].upper() + text[1:]
