"""What the field tables are made of: elements, filters, selectors, and the shape of an action."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo
from enum import Enum
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_type_hints

from recontact.values import (
    Boolean,
    DayOrTime,
    Integer,
    Repeated,
    Text,
    WireType,
    WrongValueError,
    describe,
    write_instant,
)

Changes: TypeAlias = Mapping[str, Any]
"""What a caller sent for one record, typed as the field table says: `CustomerLogFields` and kin."""
ValueOf: TypeAlias = Callable[[str], Any]
"""Gives a record's value by the key of a field; None: it has none."""


Typed: TypeAlias = type[Any]
"""A TypedDict whose annotations hold a Wire each."""

# -- what a field says of itself -------------------------------------------------------------


Evidence: TypeAlias = Literal[
    "seed", "documented", "observed", "client", "inferred", "assumed", "extension"
]
"""Where a fact comes from: shared words with docs/evidence.md. `extension` marks what is ours."""


@dataclass(frozen=True, slots=True)
class Wire:
    """
    What the wire calls an element, how it is written there, what it means, and who says so.

    name: "" stands for the field's key in the API's spelling: `user_custom_1`, `UserCustom1`.
    parts: of an element that holds others, the TypedDict of those.
    """

    name: str
    type: WireType
    doc: str
    evidence: Evidence
    required: bool = False
    parts: Typed | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """
    One element: its facts, and `key`, its name in Python and in the database.

    parts: the fields within it, which are values of the record as much as those beside it.
    """

    key: str
    wire: Wire
    parts: "Fields" = dataclasses.field(default_factory=dict)


Fields: TypeAlias = Mapping[str, Field]
"""A field table by wire name, in the documented order."""


@dataclass(frozen=True, slots=True)
class Nested:
    """An element that holds other elements; sent empty, it clears them all."""

    @property
    def documented(self) -> str:
        return "object"

    def read(self, raw: Any) -> None:
        """The value of what came in place of an object."""
        if isinstance(raw, str) and not raw.strip():
            return
        if isinstance(raw, Repeated):
            raise WrongValueError(
                "CL015", f"is given {len(raw)} times in the same item: send it once"
            )
        raise WrongValueError(
            "CL018", f"must be one object with elements inside, and {describe(raw)} came: send one"
        )

    def write(self, value: Any) -> str:
        raise TypeError("an object has no text")


def table_of(typed: Typed, **replaced: dict[str, Any]) -> Fields:
    """
    The field table that the annotations of a TypedDict spell out.

    replaced: by key, what differs from the annotation: `table_of(X, allocated_to={"type": …})`.
    """
    fields = {}
    for key, hint in get_type_hints(typed, include_extras=True).items():
        wire = next(fact for fact in hint.__metadata__ if isinstance(fact, Wire))
        name = wire.name or key.title().replace("_", "")
        wire = replace(wire, name=name, **replaced.get(key, {}))
        fields[name] = Field(key, wire, table_of(wire.parts) if wire.parts else {})
    return MappingProxyType(fields)


def leaves_of(fields: Fields) -> dict[str, Wire]:
    """The elements that hold a value, those within others too, by key."""
    leaves: dict[str, Wire] = {}
    for field in fields.values():
        leaves |= leaves_of(field.parts) if field.parts else {field.key: field.wire}
    return leaves


# -- what an answer holds --------------------------------------------------------------------


class Form(Enum):
    """In which form a date is answered: three are documented, by a suffix of the name."""

    PLAIN = ""
    LOCAL = "Local"
    UTC = "UTC"
    DAY = "its calendar day in the site"


@dataclass(frozen=True, slots=True)
class Element:
    """
    One element of an answer, made of the value `key` of a record.

    parts: what it holds, where it is an object. repeats: the name of what stands there once for
    each record that `key` gives, with `parts` inside: its own name; or another, and then it is a
    wrapper, and no more.
    """

    name: str
    key: str
    wire: Wire
    form: Form = Form.PLAIN
    parts: "tuple[Element, ...]" = ()
    repeats: str = ""

    @property
    def is_wrapper(self) -> bool:
        """Whether it holds a list of elements of another name."""
        return self.repeats not in ("", self.name)

    def write(self, value_of: ValueOf, zone: tzinfo) -> Any:
        """
        The element of a record in a site of that `zone`: its text, a dict of the elements in it, or
        a list of such dicts where it repeats.

        Text is empty where the record has no value, and a boolean then False.
        """
        if self.repeats:
            some = [record_of(self.parts, one, zone) for one in value_of(self.key)]
            return {self.repeats: some} if self.is_wrapper else some
        if self.parts:
            return record_of(self.parts, value_of, zone)
        value = value_of(self.key)
        if value is None:
            return "False" if isinstance(self.wire.type, Boolean) else ""
        if self.form is Form.PLAIN:
            return self.wire.type.write(value)
        if self.form is Form.UTC:
            return write_instant(value if is_instant(value) else start_of(value, zone))
        moment = local(value, zone) if is_instant(value) else value
        if self.form is Form.LOCAL and is_instant(value):
            return write_instant(moment)
        return moment.isoformat()[:10]


Selectors: TypeAlias = Mapping[str, Element]
"""What each OutputSelector answers."""


def record_of(elements: tuple[Element, ...], value_of: ValueOf, zone: tzinfo) -> dict[str, Any]:
    """These elements of one record."""
    return {element.name: element.write(value_of, zone) for element in elements}


def element_of(field: Field, form: Form = Form.PLAIN) -> Element:
    """What an answer has of a field: the field itself, with its parts."""
    name = field.wire.name + (form.value if form in (Form.LOCAL, Form.UTC) else "")
    return Element(name, field.key, field.wire, form, tuple(map(element_of, field.parts.values())))


def forms_of(field: Field) -> tuple[Element, ...]:
    """A date's plain, Local and UTC forms."""
    return tuple(element_of(field, form) for form in (Form.PLAIN, Form.LOCAL, Form.UTC))


def selectors_of(*elements: Element | tuple[str, Element]) -> Selectors:
    """A table of selectors: named as the element they answer, or as the pair says."""
    pairs = (one if isinstance(one, tuple) else (one.name, one) for one in elements)
    return MappingProxyType(dict(pairs))


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
    SEARCH = "has all of the words"
    BEFORE = "has revisions below this number, of which History answers"
    PAGE = "is the page, from 0"
    LIMIT = "is how many there are to a page"


@dataclass(frozen=True, slots=True)
class Filter:
    """One element of a Filter: `key` is the record's attribute that is compared."""

    key: str
    comparison: Comparison
    wire: Wire

    @property
    def many(self) -> bool:
        """Whether it takes several values."""
        return self.comparison is Comparison.IS


Filters: TypeAlias = Mapping[str, Filter]


def filters_of(
    number: Field,
    equal: Mapping[str, Field],
    ranges: tuple[Field, ...],
    *others: Filter,
    evidence: Evidence,
) -> Filters:
    """
    A filter table: `equal` by the filter's name, ranges of dates, others; then paging.

    number: by which records are numbered and ordered. evidence: of all but what is ours anyway.
    """
    filters = {}
    for name, field in equal.items():
        doc = field.wire.doc
        if name != field.wire.name:
            doc = f"{doc[:-1]} ({field.wire.name})."
        wire = replace(field.wire, name=name, doc=doc, required=False, evidence=evidence)
        filters[name] = Filter(field.key, Comparison.IS, wire)
    for field in ranges:
        for suffix, comparison in (("From", Comparison.FROM), ("To", Comparison.TO)):
            name = field.wire.name + suffix
            doc = (
                f"{field.wire.name} {comparison.value}; sent empty: there is none. A day without a "
                "time counts from its start in the site's zone."
            )
            midnight = isinstance(field.wire.type, DayOrTime)
            wire = replace(
                field.wire, name=name, doc=doc, evidence=evidence, type=DayOrTime(midnight)
            )
            filters[name] = Filter(field.key, comparison, wire)
    filters |= {one.wire.name: one for one in others}
    after = f"{number.wire.name}After"
    doc = (
        f"{number.wire.name} {Comparison.AFTER.value}. With Limit, it pages through everything and "
        "neither misses nor repeats a record while others write; 0 begins."
    )
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

    doc: one sentence. record: what it is about. path: the wrappers around an item, outermost first;
    empty for an action without items. item: the field table of an item. ignored: names it may carry
    that mean nothing there. filters, selectors: what its Filter may hold; empty where it takes
    none. answer: the name of the answer's list; "" where the answer has only Ack and messages,
    unless a Filter was sent. keys: what each record of the answer has, selected or not. becomes:
    what a call that is only tried answers of each record; one that would be added has no number.
    """

    action: str
    doc: str
    evidence: Evidence
    record: str
    path: tuple[str, ...] = ()
    item: Fields = dataclasses.field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    filters: Filters = dataclasses.field(default_factory=dict)
    selectors: Selectors = dataclasses.field(default_factory=dict)
    answer: str = ""
    keys: tuple[Element, ...] = ()
    becomes: tuple[Element, ...] = ()

    @property
    def is_get(self) -> bool:
        """Whether it only reads."""
        return not self.path


def with_notes_limit(shape: Shape, limit: int) -> Shape:
    """`shape` with another limit of its long texts: the sources give none, so it is a setting."""
    item = {
        name: replace(field, wire=replace(field.wire, type=Text(limit, unlimited=True)))
        if isinstance(field.wire.type, Text) and field.wire.type.unlimited
        else field
        for name, field in shape.item.items()
    }
    return replace(shape, item=MappingProxyType(item))
