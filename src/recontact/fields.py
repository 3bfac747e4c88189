"""The field table: every element of the API with its type, limit, meaning and evidence."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo
from enum import Enum
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias, TypedDict, get_type_hints

from recontact.values import (
    DateTime,
    DayOrTime,
    Integer,
    OneOf,
    Status,
    Text,
    WireType,
    write_instant,
)

Changes: TypeAlias = Mapping[str, Any]
"""What a caller sent for one record, typed as the field table says: `CustomerLogFields` and kin."""


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
    return datetime.combine(day, time.min, zone).astimezone(UTC)


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
            if isinstance(field.wire.type, DayOrTime):
                doc += " A day, the log's or this one, counts from its start in the site's zone."
            else:
                doc += " A day without a time is midnight, UTC."
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


# AddCustomerLog takes more of AllocatedTo than UpdateCustomerLog; what is stored can be asked for.
CUSTOMER_LOG = table_of(CustomerLogOutput, allocated_to={"type": Text(255)})
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
