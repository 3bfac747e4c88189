"""Days and times as the fields of a form have them."""

import re
from datetime import UTC, date, datetime, tzinfo
from typing import Final

_DAY: Final = re.compile(r"[1-9]\d{3}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"\d\d:\d\d(:\d\d)?", re.ASCII)


class WrongTimeError(ValueError):
    """A form has no such day or time. The text says what to do."""


def day_or_time(day: str, at: str, zone: tzinfo) -> date | datetime:
    """
    The day, or with a time the instant, in UTC, that two fields name in a zone.

    Raises WrongTimeError, also of a time that clocks skip there (SPEC §3).
    """
    day, at = day.strip(), at.strip()
    try:
        found = date.fromisoformat(day if _DAY.fullmatch(day) else "")
    except ValueError:
        raise WrongTimeError("Choose a day, or write it as 2026-11-30.") from None
    if not at:
        return found
    try:
        there = datetime.fromisoformat(f"{day}T{at if _TIME.fullmatch(at) else ''}")
    except ValueError:
        raise WrongTimeError("Choose a time, or write it as 14:30.") from None
    try:
        moment = there.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) != there:
            raise WrongTimeError(f"Clocks skip {at} on that day: choose another time.")
    except OverflowError:
        raise WrongTimeError("That day is too far off. Choose an earlier one.") from None
    return moment


def moment_of(text: str, zone: tzinfo) -> datetime:
    """The instant, in UTC, that one field names in a zone. Raises WrongTimeError."""
    day, _, at = text.strip().replace(" ", "T").partition("T")
    if not at:
        raise WrongTimeError("Write the day and the time, as 2026-11-25 14:30.")
    found = day_or_time(day, at, zone)
    assert isinstance(found, datetime)
    return found
