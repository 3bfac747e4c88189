"""The kinds of values on the wire: how each is read, and written back."""

import functools
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, StrEnum
from typing import Any, Final, Protocol


class Status(StrEnum):
    """How far the contact with a customer has come (seed)."""

    REQUIRE_RECONTACT = "Require Recontact"
    RECONTACTING = "Recontacting"
    COMPLETED = "Completed"


class CustomerType(StrEnum):
    """What a customer is to the shop (documented)."""

    CUSTOMER = "Customer"
    PROSPECT = "Prospect"


class Gender(StrEnum):
    """A customer's gender, in the vendor's words (documented)."""

    MALE = "male"
    FEMALE = "female"
    UNISEX = "unisex"


class OrderType(StrEnum):
    """The kind of order that a customer places unless they say otherwise (documented)."""

    DROPSHIPPING = "dropshipping"
    SALES = "sales"


class Absent(Enum):
    """The one value that stands for "not sent": the element leaves things as they are."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class NumberText(str):
    """A JSON number with a fraction or an exponent, or too long for an integer, as written."""

    __slots__ = ()


class Repeated(list[Any]):
    """The values of one XML element name that stands several times in the same parent."""

    __slots__ = ()


class WrongValueError(ValueError):
    """
    A value that its type refuses.

    code: of the entry in `catalogue`. problem: a clause that follows the element's name,
    with the way out. shown: the value as it may be quoted in a message.
    """

    def __init__(self, code: str, problem: str, shown: str = "") -> None:
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.shown = shown


class TooLongError(WrongValueError):
    """Text over its limit. `value` is the text: equal to the stored one, it is no error."""

    def __init__(self, problem: str, value: str) -> None:
        super().__init__("CL010", problem, quote(value))
        self.value = value


def quote(text: object) -> str:
    """`text` in quotes as messages show it: cut to 80 characters, on one line, safe in XML."""
    shown = str(text)
    shown = shown if len(shown) <= 80 else shown[:79] + "…"
    return "'" + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown) + "'"


def quote_name(name: object) -> str:
    """An element's name as messages show it: like `quote`, without the quotes."""
    return quote(name)[1:-1]


def visible(text: str) -> str:
    """
    A text that cannot drive what shows it: its lines, tabs, and what can be printed.

    All else, escape sequences, C1 controls, marks of direction, stands as \\u001b.
    """
    return "\n".join(
        line if line.isprintable() else "".join(map(_visible, line))
        for line in text.replace("\r\n", "\n").split("\n")
    )


def _visible(c: str) -> str:
    if c.isprintable() or c == "\t":
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


class WireType(Protocol):
    """
    How one kind of value is read from and written to the wire.

    `read` takes a leaf of the decoded body (text, or a JSON int, bool or NumberText) and gives the
    typed value, None for a value sent empty, or ABSENT; it raises WrongValueError. `write` gives
    the text of the answer.
    """

    @property
    def documented(self) -> str:
        """The type in the vendor's words: `String(100)`."""
        ...

    def read(self, raw: Any) -> Any: ...

    def write(self, value: Any) -> str: ...


# Everything that XML 1.0 §2.2 does not list as a character.
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text_of(raw: Any) -> str:
    """The text of a leaf that is not meant to be a boolean; raises WrongValueError."""
    if isinstance(raw, str):
        if not raw.isprintable() and (bad := _NOT_IN_XML.search(raw)):
            raise WrongValueError(
                "CL014",
                f"has the character U+{ord(bad[0]):04X} at position {bad.start() + 1}, which XML "
                "cannot carry, so no answer could give it back: leave it out",
            )
        return str(raw)  # of a NumberText, plain text
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    if isinstance(raw, Repeated):
        raise WrongValueError("CL015", f"is given {len(raw)} times in the same item: send it once")
    raise WrongValueError("CL016", f"must be a plain value, and {describe(raw)} came: send one")


def describe(raw: Any) -> str:
    """What came where something else was expected, as messages say it."""
    if raw is None:
        return "null"
    if isinstance(raw, bool):
        return f"a boolean ({str(raw).lower()})"
    if isinstance(raw, dict | list):
        return "an object" if isinstance(raw, dict) else "a list"
    return f"{'a number' if isinstance(raw, int | NumberText) else 'text'} ({quote(raw)})"


@dataclass(frozen=True, slots=True)
class Text:
    """Text of up to `limit` Unicode code points, a CRLF counting as one; kept exactly as sent."""

    limit: int
    unlimited: bool = False  # the sources give no limit (String); ours is assumed

    @property
    def documented(self) -> str:
        return "String" if self.unlimited else f"String({self.limit})"

    def read(self, raw: Any) -> str | None:
        text = _text_of(raw)
        if not text or text.isspace():
            return None
        if len(text) > self.limit and (length := len(text) - text.count("\r\n")) > self.limit:
            raise TooLongError(
                f"is {length} characters long, and at most {self.limit} are allowed: shorten it",
                text,
            )
        return text

    def write(self, value: str) -> str:
        return value


_DIGITS = re.compile(r"[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number of at most 10 digits, in ASCII, as text or as a JSON integer."""

    least: int = 0
    most: int = 9_999_999_999

    @property
    def documented(self) -> str:
        return "Integer(10)"

    def read(self, raw: Any) -> int | Absent:
        text = _text_of(raw).strip()
        if not text:
            return ABSENT
        if not _DIGITS.fullmatch(text) or not self.least <= int(text) <= self.most:
            raise WrongValueError(
                "CL011",
                f"must be a whole number from {self.least} to {self.most}, in digits only; "
                f"got {quote(text)}",
                quote(text),
            )
        return int(text)

    def write(self, value: int) -> str:
        return str(value)


_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)"
    r"(?:(?: (\d\d):(\d\d):(\d\d)(?: ?(\(UTC\)))?)"
    r"|T(\d\d):(\d\d):(\d\d)(?:\.\d{1,7})?(Z|[+-]\d\d:?\d\d)?)?",
    re.ASCII,
)
_NO_DATE = (
    "0000-00-00",
    "0000-00-00 00:00:00",
)  # what MySQL shows for none; NetoDotNET sends it
_EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)


def _read_date(raw: Any) -> tuple[datetime, bool, bool] | None:
    """
    The instant that a date or time names, in UTC; whether a time was said, and whether a zone.

    None for one sent empty. Raises WrongValueError.
    """
    text = _text_of(raw).strip()
    if not text or text in _NO_DATE:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise WrongValueError(
            "CL013",
            "must be written YYYY-MM-DD HH:MM:SS (UTC), YYYY-MM-DD, or as ISO 8601 with seconds "
            f"(2026-11-23T07:30:00+11:00); got {quote(text)}",
            quote(text),
        )
    year, month, day, h1, m1, s1, utc, h2, m2, s2, zone = found.groups()
    try:
        moment = datetime(
            int(year),
            int(month),
            int(day),
            int(h1 or h2 or 0),
            int(m1 or m2 or 0),
            int(s1 or s2 or 0),
            tzinfo=UTC if zone is None or zone == "Z" else _offset(zone),
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    if moment is None or moment < _EARLIEST:
        raise WrongValueError(
            "CL013",
            "must be a day and time that exist, from 1000-01-01 to 9999-12-31 in UTC; "
            f"got {quote(text)}",
            quote(text),
        )
    return moment, bool(h1 or h2), bool(utc or zone)


_MIDNIGHT = datetime.min.time()


def _offset(zone: str) -> timezone:
    """The zone of `+HH:MM` or `-HHMM`; ValueError when there is no such offset."""
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError(zone)
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(ahead if zone[0] == "+" else -ahead)


def write_instant(value: datetime) -> str:
    """`YYYY-MM-DD HH:MM:SS` of an aware time, in its own zone."""
    return value.replace(tzinfo=None, microsecond=0).isoformat(" ")


@dataclass(frozen=True, slots=True)
class DateTime:
    """An instant, kept in UTC to the second."""

    @property
    def documented(self) -> str:
        return "DateTime"

    def read(self, raw: Any) -> datetime | None:
        found = _read_date(raw)
        return found[0] if found else None

    def write(self, value: datetime) -> str:
        return write_instant(value)


@dataclass(frozen=True, slots=True)
class DayOrTime:
    """
    A calendar day of the site (a `date`), or an instant in UTC (an aware `datetime`).

    midnight: whether 00:00:00 without a zone is a day too (SPEC §3, of DateRequiredFollowUp).
    """

    midnight: bool = True

    @property
    def documented(self) -> str:
        return "DateTime"

    def read(self, raw: Any) -> date | datetime | None:
        found = _read_date(raw)
        if found is None:
            return None
        moment, timed, zoned = found
        is_day = not timed or (self.midnight and not zoned and moment.time() == _MIDNIGHT)
        return moment.date() if is_day else moment

    def write(self, value: date | datetime) -> str:
        if not isinstance(value, datetime):
            return value.isoformat()
        return write_instant(value) + ("(UTC)" if value.time() == _MIDNIGHT else "")


@dataclass(frozen=True, slots=True)
class Day:
    """A calendar day, as written: a time or a zone behind it does not move it to another day."""

    @property
    def documented(self) -> str:
        return "DateTime"

    def read(self, raw: Any) -> date | None:
        found = _read_date(raw)
        if found is None:
            return None
        return date.fromisoformat(_text_of(raw).strip()[:10])

    def write(self, value: date) -> str:
        return value.isoformat()


_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Decimal:
    """A number with or without a fraction; kept in the digits that were sent, as text."""

    @property
    def documented(self) -> str:
        return "Decimal"

    def read(self, raw: Any) -> str | None:
        text = _text_of(raw).strip()
        if not text:
            return None
        if not _DECIMAL.fullmatch(text):
            raise WrongValueError(
                "CL017",
                "must be a number in plain digits, with at most 15 before the point and 6 behind "
                f"it: 1250 or 12.50; got {quote(text)}",
                quote(text),
            )
        return text

    def write(self, value: str) -> str:
        return value


_BOOLEANS: Final = {
    **dict.fromkeys(("true", "1", "y"), True),
    **dict.fromkeys(("false", "0", "n", ""), False),
}


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or False, as people and programs write it; sent empty, it is False."""

    @property
    def documented(self) -> str:
        return "Boolean"

    def read(self, raw: Any) -> bool:
        if isinstance(raw, bool):
            return raw
        text = _text_of(raw).strip()
        try:
            return _BOOLEANS[text.lower()]
        except KeyError:
            raise WrongValueError(
                "CL012", f"must be True or False; got {quote(text)}", quote(text)
            ) from None

    def write(self, value: bool) -> str:
        return str(value)


@functools.cache
def _by_lower(words: type[StrEnum]) -> dict[str, StrEnum]:
    return {word.lower(): word for word in words}


@dataclass(frozen=True, slots=True)
class OneOf:
    """
    One word of a closed list, without regard to case.

    as_absent: words that leave things as they are. clears: whether it can be without a value;
    where it cannot, sent empty it leaves things as they are.
    """

    words: type[StrEnum]
    as_absent: tuple[str, ...] = ()
    clears: bool = False

    @property
    def documented(self) -> str:
        return f"Enumeration({', '.join(self.words)})"

    def read(self, raw: Any) -> StrEnum | Absent | None:
        text = _text_of(raw).strip()
        if not text or text in self.as_absent:
            return None if self.clears and not text else ABSENT
        if word := _by_lower(self.words).get(text.lower()):
            return word
        raise WrongValueError(
            "CL012", f"must be one of {', '.join(self.words)}; got {quote(text)}", quote(text)
        )

    def write(self, value: StrEnum) -> str:
        return value.value
