"""What a plain value looks like on the wire, for XSD and JSON Schema alike."""

from dataclasses import dataclass, replace
from typing import Any, Final

from recontact.fields import Comparison, Element, Filter, Form
from recontact.values import (
    Boolean,
    DateTime,
    Day,
    DayOrTime,
    Decimal,
    Integer,
    OneOf,
    Text,
    WireType,
)

# In the part of the language that XML Schema and ECMA-262 share: no (?: and no \d.
_DAY: Final = r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_CLOCK: Final = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET: Final = r"(Z|(\+|-)([01][0-9]|2[0-3]):?[0-5][0-9])"
_SENT_DATE: Final = rf"{_DAY}( {_CLOCK}( ?\(UTC\))?|T{_CLOCK}(\.[0-9]{{1,7}})?{_OFFSET}?)?"
_DECIMAL: Final = r"-?[0-9]{1,15}(\.[0-9]{1,6})?"
INSTANT: Final = f"{_DAY} {_CLOCK}"


@dataclass(frozen=True, slots=True)
class Plain:
    """
    Text of a certain look.

    name: of the look, for XSD. pattern: of the whole text. words: all that it may be. span: it is
    a whole number within. longest: in characters. empty: whether it may be empty too. also: the
    JSON type that is taken beside text.
    """

    name: str
    pattern: str = ""
    words: tuple[str, ...] = ()
    span: tuple[int, int] | None = None
    longest: int | None = None
    empty: bool = False
    also: str = ""

    def or_empty(self) -> "Plain":
        """The same, or empty text; text without a look may be empty anyway."""
        looks = self.words or self.looks()
        return replace(self, name=f"{self.name}OrEmpty", empty=True) if looks else self

    def looks(self) -> str:
        """The pattern; of a whole number, of the digits that it has."""
        if self.span is None:
            return self.pattern
        least, most = self.span
        digits = f"[1-9][0-9]{{0,{len(str(most)) - 1}}}"
        return digits if least else f"0|{digits}"

    def schema(self) -> dict[str, Any]:
        """The JSON Schema."""
        text: dict[str, Any] = {"type": "string"}
        if self.words:
            text["enum"] = [*self.words, *([""] if self.empty else [])]
        if self.longest is not None:
            text["maxLength"] = self.longest
        if pattern := self.looks():
            text["pattern"] = f"^({pattern})?$" if self.empty else f"^({pattern})$"
        if not self.also:
            return text
        other: dict[str, Any] = {"type": self.also}
        if self.span:
            other |= {"minimum": self.span[0], "maximum": self.span[1]}
        return {"anyOf": [text, other]}


def sent(type: WireType) -> Plain:
    """What a careful client sends of a type. The server reads more: see the page of the API."""
    match type:
        case Text(limit, unlimited):
            # Without a limit in the sources it is a setting of the server.
            return Plain("String") if unlimited else Plain(f"String{limit}", longest=limit)
        case Integer(least, most):
            return Plain(f"Integer{least}To{most}", span=(least, most), also="integer")
        case Boolean():
            return Plain("Boolean", words=("True", "False"), also="boolean")
        case OneOf(words):
            return Plain(words.__name__, words=tuple(words))
        case Decimal():
            return Plain("Decimal", _DECIMAL, also="number")
        case DateTime() | DayOrTime() | Day():
            return Plain("DateTime", _SENT_DATE)
    raise TypeError(type)


def sent_element(type: WireType, required: bool) -> Plain:
    """What is sent of an element: empty text too, which clears it or leaves it, unless required."""
    plain = sent(type)
    return plain if required or isinstance(type, Integer | Boolean) else plain.or_empty()


def sent_filter(filter: Filter) -> Plain:
    """What is sent of a filter: empty text asks for what is empty, where that makes sense."""
    plain = sent(filter.wire.type)
    comparable = (Comparison.IS, Comparison.FROM, Comparison.TO)
    return plain.or_empty() if filter.comparison in comparable else plain


def answered(element: Element) -> Plain:
    """What is answered of an element; texts have no limit there: what is stored is answered."""
    match element.wire.type, element.form:
        case Text(), _:
            return Plain("String")
        case Integer(), _:
            return Plain("Integer", "[0-9]{1,10}")
        case Boolean(), _:
            return Plain("Boolean", words=("True", "False"))
        case OneOf(words, _, clears), _:
            plain = Plain(words.__name__, words=tuple(words))
            return plain.or_empty() if clears else plain
        case Decimal(), _:
            return Plain("Decimal", _DECIMAL).or_empty()
        case DayOrTime(), Form.PLAIN:
            return Plain("DayOrTime", rf"{_DAY}( {_CLOCK}(\(UTC\))?)?").or_empty()
        case DayOrTime(), Form.LOCAL:
            return Plain("LocalDayOrTime", f"{_DAY}( {_CLOCK})?").or_empty()
        case (Day(), _) | (_, Form.DAY):
            return Plain("Date", _DAY).or_empty()
        case ((DateTime() | DayOrTime()), _):
            return Plain("DateTime", INSTANT).or_empty()
    raise TypeError(element)
