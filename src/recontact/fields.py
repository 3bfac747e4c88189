"""The field table: every element of the API with its type, limit, meaning and evidence."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Protocol, TypeAlias, TypedDict, get_type_hints


class Status(StrEnum):
    """How far the contact with a customer has come (seed)."""

    REQUIRE_RECONTACT = "Require Recontact"
    RECONTACTING = "Recontacting"
    COMPLETED = "Completed"


class Absent(Enum):
    """The one value that stands for "not sent": the element leaves things as they are."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT

Changes: TypeAlias = Mapping[str, Any]
"""What a caller sent for one record, typed as the field table says: `CustomerLogFields` and kin."""


class NumberText(str):
    """A JSON number with a fraction or an exponent, or too long for an integer, as written."""

    __slots__ = ()


class Repeated(list[Any]):
    """The values of one XML element name that stands several times in the same parent."""

    __slots__ = ()


class WrongValueError(ValueError):
    """
    A value that its type refuses.

    code: of the catalogue entry in `messages`. problem: a clause that follows the element's name,
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


def _text_of(raw: Any) -> str:
    """The text of a leaf that is not meant to be a boolean; raises WrongValueError."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, int) and not isinstance(raw, bool):
        return str(raw)
    if isinstance(raw, Repeated):
        raise WrongValueError("CL015", f"is given {len(raw)} times in the same item: send it once")
    kind = {bool: "a boolean", dict: "an object", list: "a list"}.get(type(raw), "no plain value")
    raise WrongValueError("CL016", f"must be text, and {kind} came: send one plain value")


# Everything that XML 1.0 §2.2 does not list as a character.
_NOT_IN_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


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
        if not text.isprintable() and (bad := _NOT_IN_XML.search(text)):
            raise WrongValueError(
                "CL014",
                f"has the character U+{ord(bad[0]):04X} at position {bad.start() + 1}, which XML "
                "cannot carry, so no answer could give it back: leave it out",
            )
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


def _read_date(raw: Any) -> tuple[datetime, bool] | None:
    """
    The instant that a date or time names, in UTC, and whether a zone or a time of day was said.

    None for one sent empty. Raises WrongValueError.
    """
    text = _text_of(raw).strip()
    if not text or text in _NO_DATE:
        return None
    found = _DATE.fullmatch(text)
    if found is None:
        raise WrongValueError(
            "CL013",
            "must be written YYYY-MM-DD HH:MM:SS (UTC), YYYY-MM-DD, or as ISO 8601 "
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
    return moment, bool(utc or zone or moment.time() != _MIDNIGHT)


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
    """A calendar day of the site (a `date`), or an instant in UTC (an aware `datetime`)."""

    @property
    def documented(self) -> str:
        return "DateTime"

    def read(self, raw: Any) -> date | datetime | None:
        found = _read_date(raw)
        if found is None:
            return None
        moment, is_instant = found
        return moment if is_instant else moment.date()

    def write(self, value: date | datetime) -> str:
        if not isinstance(value, datetime):
            return value.isoformat()
        return write_instant(value) + ("(UTC)" if value.time() == _MIDNIGHT else "")


_WORDS: Final[dict[type[StrEnum], dict[str, StrEnum]]] = {
    words: {word.lower(): word for word in words} for words in (Status,)
}


@dataclass(frozen=True, slots=True)
class OneOf:
    """One word of a closed list, without regard to case; sent empty, it changes nothing."""

    words: type[StrEnum]
    as_absent: tuple[str, ...] = ()

    @property
    def documented(self) -> str:
        return f"Enumeration({', '.join(self.words)})"

    def read(self, raw: Any) -> StrEnum | Absent:
        text = _text_of(raw).strip()
        if not text or text in self.as_absent:
            return ABSENT
        if word := _WORDS[self.words].get(text.lower()):
            return word
        raise WrongValueError(
            "CL012", f"must be one of {', '.join(self.words)}; got {quote(text)}", quote(text)
        )

    def write(self, value: StrEnum) -> str:
        return value.value


# -- what a field says of itself -------------------------------------------------------------


Evidence: TypeAlias = Literal["seed", "documented", "observed", "client", "assumed", "extension"]
"""Where a fact comes from: shared words with docs/evidence.md. `extension` marks what is ours."""


@dataclass(frozen=True, slots=True)
class Wire:
    """What the wire calls an element, how it is written there, what it means, and who says so."""

    name: str
    type: WireType
    doc: str
    evidence: Evidence
    required: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One element: its facts, and `key`, its name in Python and in the database."""

    key: str
    wire: Wire


Fields: TypeAlias = Mapping[str, Field]
"""A field table by wire name, in the documented order."""


def table_of(typed: type, **replaced: dict[str, Any]) -> Fields:
    """
    The field table that the annotations of a TypedDict spell out.

    replaced: by key, what differs from the annotation: `table_of(X, allocated_to={"type": …})`.
    """
    hints = get_type_hints(typed, include_extras=True)
    wires = {
        key: next(fact for fact in hint.__metadata__ if isinstance(fact, Wire))
        for key, hint in hints.items()
    }
    wires |= {key: replace(wires[key], **facts) for key, facts in replaced.items()}
    return MappingProxyType({wire.name: Field(key, wire) for key, wire in wires.items()})


NOTES_LIMIT = 65_535
"""Characters of Notes: assumed (MySQL's TEXT); the vendor says only String."""


class CustomerLogFields(TypedDict, total=False):
    """What a CustomerLog may carry in a call. A key not there was not sent; None: sent empty."""

    allocated_to: Annotated[
        str | None, Wire("AllocatedTo", Text(100), "Who must follow up.", "seed")
    ]
    follow_up_type: Annotated[
        str | None, Wire("FollowUpType", Text(50), "How to follow up: Phone, Email, …", "seed")
    ]
    customer_name: Annotated[
        str | None, Wire("CustomerName", Text(100), "The customer, as people say it.", "seed")
    ]
    last_contacted: Annotated[
        datetime | None,
        Wire("LastContacted", DateTime(), "When the customer was last spoken to, UTC.", "seed"),
    ]
    date_required_follow_up: Annotated[
        date | datetime | None,
        Wire(
            "DateRequiredFollowUp",
            DayOrTime(),
            "When to follow up: a calendar day of the site, or an instant.",
            "seed",
        ),
    ]
    status: Annotated[Status, Wire("Status", OneOf(Status), "How far the contact is.", "seed")]
    notes: Annotated[
        str | None,
        Wire("Notes", Text(NOTES_LIMIT, unlimited=True), "What was said.", "seed"),
    ]


class CustomerLogKey(TypedDict, total=False):
    """What names a log."""

    log_id: Annotated[
        int, Wire("LogID", Integer(least=1), "The log's number in its site.", "seed", required=True)
    ]


class UpdateCustomerLogFields(CustomerLogKey, CustomerLogFields, total=False):
    """What an item of UpdateCustomerLog may carry."""

    revision: Annotated[
        int,
        Wire(
            "Revision",
            Integer(least=1),
            "The log's revision that this update was made from; any other refuses the item.",
            "extension",
        ),
    ]


class AddCustomerLogFields(CustomerLogFields, total=False):
    """What an item of AddCustomerLog may carry."""

    username: Annotated[
        str | None,
        Wire("Username", Text(25), "The customer's username; it must exist.", "documented"),
    ]


class CustomerLogOutput(CustomerLogKey, CustomerLogFields, total=False):
    """What an answer can say of a log, beside the Local and UTC forms of its dates."""

    username: Annotated[
        str | None, Wire("Username", Text(25), "The customer's username.", "extension")
    ]
    date_added: Annotated[
        datetime, Wire("DateAdded", DateTime(), "When the log was added, UTC.", "extension")
    ]
    date_updated: Annotated[
        datetime, Wire("DateUpdated", DateTime(), "When it last changed, UTC.", "extension")
    ]
    revision: Annotated[
        int, Wire("Revision", Integer(), "How many times it was written.", "extension")
    ]


# -- what an answer can select ---------------------------------------------------------------


class Form(Enum):
    """Which of its three forms a date is selected in (documented for customers' dates)."""

    PLAIN = ""
    LOCAL = "Local"
    UTC = "UTC"


@dataclass(frozen=True, slots=True)
class Selector:
    """One OutputSelector: the element `name`, made of the attribute `key` of a record."""

    name: str
    key: str
    wire: Wire
    form: Form = Form.PLAIN

    def write(self, record: object, zone: tzinfo) -> str:
        """The element's text for `record`, in a site of that `zone`; empty where it has none."""
        value = getattr(record, self.key)
        if value is None:
            return ""
        if self.form is Form.PLAIN:
            return self.wire.type.write(value)
        if self.form is Form.LOCAL:
            return write_instant(local(value, zone)) if is_instant(value) else value.isoformat()
        return write_instant(value if is_instant(value) else start_of(value, zone))


Selectors: TypeAlias = Mapping[str, Selector]


def selectors_of(fields: Fields) -> Selectors:
    """The OutputSelectors of a field table: each element, and a date's Local and UTC forms."""
    selectors = {}
    for name, field in fields.items():
        selectors[name] = Selector(name, field.key, field.wire)
        if isinstance(field.wire.type, DateTime | DayOrTime):
            for form in (Form.LOCAL, Form.UTC):
                selectors[name + form.value] = Selector(
                    name + form.value, field.key, field.wire, form
                )
    return MappingProxyType(selectors)


def is_instant(value: date | datetime) -> bool:
    """Whether a follow-up is at an instant (True) or on a calendar day of the site."""
    return isinstance(value, datetime)


def local(moment: datetime, zone: tzinfo) -> datetime:
    """`moment` in `zone`; at the edge of the calendar, where there is none, the last there is."""
    try:
        return moment.astimezone(zone)
    except OverflowError:
        return datetime.max.replace(tzinfo=zone)


def start_of(day: date, zone: tzinfo) -> datetime:
    """The instant, in UTC, at which `day` starts in `zone`, also where clocks skip midnight."""
    return datetime.combine(day, _MIDNIGHT, zone).astimezone(UTC)


# -- what a Get can ask for ------------------------------------------------------------------


class Comparison(Enum):
    """How a filter compares its values with the record's."""

    IS = "is any of the values"
    FROM = "is this or later"
    TO = "is this or earlier"
    AFTER = "is above this number"
    PAGE = "is the page, from 0"
    LIMIT = "is how many there are to a page"


@dataclass(frozen=True, slots=True)
class Filter:
    """One element of a Filter: `key` is the record's attribute that compared."""

    key: str
    comparison: Comparison
    wire: Wire

    @property
    def many(self) -> bool:
        """Whether it takes several values."""
        return self.comparison is Comparison.IS


Filters: TypeAlias = Mapping[str, Filter]


def filters_of(output: Fields, equal: tuple[str, ...], ranges: tuple[str, ...]) -> Filters:
    """A filter table: `equal` and `ranges` name elements of `output`; the key and paging follow."""
    filters = {}
    for name in equal:
        wire = replace(output[name].wire, required=False)
        filters[name] = Filter(output[name].key, Comparison.IS, wire)
    for name in ranges:
        field = output[name]
        for suffix, comparison in (("From", Comparison.FROM), ("To", Comparison.TO)):
            doc = f"{name} {comparison.value}; sent empty: there is none."
            wire = replace(field.wire, name=name + suffix, doc=doc)
            filters[name + suffix] = Filter(field.key, comparison, wire)
    number = next(iter(output.values()))
    after = f"{number.wire.name}After"
    doc = f"{number.wire.name} {Comparison.AFTER.value}."
    wire = Wire(after, Integer(), doc, "extension")
    filters[after] = Filter(number.key, Comparison.AFTER, wire)
    page = Wire("Page", Integer(), "Which page, from 0.", "documented")
    limit = Wire("Limit", Integer(1, 10_000), "How many to a page; 100 if not given.", "documented")
    filters["Page"] = Filter("page", Comparison.PAGE, page)
    filters["Limit"] = Filter("limit", Comparison.LIMIT, limit)
    return MappingProxyType(filters)


# -- the shape of each action ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shape:
    """
    What a call of one action looks like, and its answer.

    path: the wrappers around an item, outermost first; empty for an action without items.
    item: the field table of an item. ignored: names it may carry that mean nothing there.
    filters, selectors: what its Filter may hold; empty where it takes none.
    answer: the name of the answer's list, and its field table's key, which is always answered;
    "" where the answer has only Ack and messages.
    """

    action: str
    path: tuple[str, ...] = ()
    item: Fields = dataclasses.field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    filters: Filters = dataclasses.field(default_factory=dict)
    selectors: Selectors = dataclasses.field(default_factory=dict)
    answer: str = ""


CUSTOMER_LOG = table_of(CustomerLogOutput)
CUSTOMER_LOG_SELECTORS = selectors_of(CUSTOMER_LOG)

UPDATE_CUSTOMER_LOG = Shape(
    "UpdateCustomerLog", ("CustomerLogs", "CustomerLog"), table_of(UpdateCustomerLogFields)
)
ADD_CUSTOMER_LOG = Shape(
    "AddCustomerLog",
    ("CustomerLogs", "CustomerLog"),
    table_of(
        AddCustomerLogFields,
        allocated_to={"type": Text(255), "evidence": "documented"},
        # NetoDotNET sends LogID 0 and Status None with every log it adds.
        status={"type": OneOf(Status, as_absent=("None",)), "evidence": "documented"},
    ),
    ignored=frozenset({"LogID"}),
    answer="CustomerLog",
)
GET_CUSTOMER_LOG = Shape(
    "GetCustomerLog",
    filters=filters_of(
        CUSTOMER_LOG,
        equal=("LogID", "AllocatedTo", "FollowUpType", "Status"),
        ranges=("DateRequiredFollowUp", "LastContacted", "DateAdded", "DateUpdated"),
    ),
    selectors=CUSTOMER_LOG_SELECTORS,
    answer="CustomerLog",
)


def with_notes_limit(shape: Shape, limit: int) -> Shape:
    """`shape` with another limit of Notes: the sources give none, so it is a setting."""
    if "Notes" not in shape.item:
        return shape
    notes = shape.item["Notes"]
    notes = replace(notes, wire=replace(notes.wire, type=Text(limit, unlimited=True)))
    return replace(shape, item=MappingProxyType({**shape.item, "Notes": notes}))
