"""The JSON Schema of each action's requests and answers, in both dialects."""

from typing import Any, Final, TypeAlias

from recontact.catalogue import Severity
from recontact.describe.plain import INSTANT, Plain, answered, sent_element, sent_filter
from recontact.describe.words import (
    always_in,
    elements_of,
    evidence,
    of_answer,
    of_field,
    of_filter,
)
from recontact.fields import Element, Field, Filter, Shape
from recontact.model import Dialect

Schema: TypeAlias = dict[str, Any]


def request(shape: Shape) -> Schema:
    """What a careful client sends."""
    parts: dict[str, Schema] = {}
    if shape.path:
        outer, *inner = shape.path
        items: Schema = {"type": "array", "items": reference(f"{shape.action}Item"), "minItems": 1}
        for wrapper in reversed(inner):
            items = _object({wrapper: items}, [wrapper])
        parts[outer] = items
    if shape.filters:
        parts["Filter"] = reference(f"{shape.action}Filter")
    required = [*shape.path[:1], *(["Filter"] if shape.is_get else [])]
    return _object(parts, required, shape.doc) | {"xml": {"name": shape.action}}


def item(shape: Shape) -> Schema:
    """One record of a request."""
    fields = shape.item.items()
    required = [name for name, field in fields if field.wire.required]
    return _object({name: _field(field) for name, field in fields}, required, shape.doc)


def _field(field: Field) -> Schema:
    facts = {"description": of_field(field), "x-evidence": field.wire.evidence}
    if field.parts:
        parts = {name: _field(part) for name, part in field.parts.items()}
        return _object(parts, []) | facts
    return sent_element(field.wire.type, field.wire.required).schema() | facts


def filters(shape: Shape) -> Schema:
    """A Filter with its OutputSelectors."""
    names: Schema = {"type": "string", "enum": list(shape.selectors)}
    parts = {name: _filter(one) for name, one in shape.filters.items()}
    parts["OutputSelector"] = {
        "description": "What to answer of each record.",
        "type": "array",
        "items": names,
        "minItems": 1,
    }
    required = ["OutputSelector"] if shape.is_get else []
    doc = "Which records, and what of each. All filters hold; of several values of one, any."
    return _object(parts, required, doc)


def _filter(one: Filter) -> Schema:
    facts = {"description": of_filter(one), "x-evidence": one.wire.evidence}
    value = sent_filter(one).schema()
    if one.many:
        return facts | {"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]}
    return facts | value


# -- answers -----------------------------------------------------------------------------------


def answer(shape: Shape, dialect: Dialect) -> Schema:
    """What a call that ran is answered."""
    records: Schema = {"type": "array", "items": reference(record_name(shape, dialect))}
    if dialect is Dialect.LIVE and not shape.is_get:
        records = _collapsed(records)
    required = [shape.answer] if shape.answer else []
    doc = f"What {shape.action} answers, in the {dialect} dialect."
    acks = ["Success", "Warning", "Error"]
    root = f"{shape.action}Response" if dialect is Dialect.LIVE else shape.action
    schema = _answer({shape.record: records}, acks, required, doc, dialect)
    return schema | {"xml": {"name": root}}


def refusal(dialect: Dialect) -> Schema:
    """What a call that did not run is answered."""
    doc = f"The answer to a call that did not run, in the {dialect} dialect."
    return _answer({}, ["Error"], ["Messages"], doc, dialect)


def _answer(
    parts: dict[str, Schema], acks: list[str], required: list[str], doc: str, dialect: Dialect
) -> Schema:
    parts["CurrentTime"] = Plain("", INSTANT).schema() | {
        "description": "When the answer was made, UTC."
    }
    parts["Ack"] = {
        "type": "string",
        "enum": acks,
        "description": "Error if there is an Error, else Warning if there is a Warning.",
    }
    parts["Messages"] = reference(f"{prefix(dialect)}Messages")
    return _object(parts, ["CurrentTime", "Ack", *required], doc)


def record(shape: Shape, dialect: Dialect) -> Schema:
    """One record of an answer."""
    parts = {element.name: _element(element, shape, dialect) for element in elements_of(shape)}
    required = [element.name for element in always_in(shape)]
    return _object(parts, required, f"A {shape.record}, with the elements that were selected.")


def record_name(shape: Shape, dialect: Dialect) -> str:
    """The component that describes the records: the live dialect differs where lists are within."""
    wraps = any(element.repeats for element in elements_of(shape))
    return f"{shape.action}{prefix(dialect) if wraps else ''}Record"


def _element(element: Element, shape: Shape, dialect: Dialect) -> Schema:
    facts = {"description": of_answer(element, shape), "x-evidence": evidence(element, shape)}
    if not element.parts:
        return answered(element).schema() | facts
    parts = {part.name: _element(part, shape, dialect) for part in element.parts}
    one = _object(parts, list(parts))
    if not element.repeats:
        return one | facts
    many: Schema = {"type": "array", "items": one}
    if not element.is_wrapper:
        return facts | (_collapsed(many) if dialect is Dialect.LIVE else many)
    if dialect is Dialect.DOCUMENTED:
        return _object({element.repeats: many}, [element.repeats]) | facts
    some = _object({element.repeats: {"anyOf": [one, many | {"minItems": 2}]}}, [element.repeats])
    wrapped = {"type": "array", "items": some, "minItems": 1, "maxItems": 1}
    return facts | {"anyOf": [wrapped, _NONE]}


_NONE: Final[Schema] = {"type": "string", "const": ""}


def _collapsed(many: Schema) -> Schema:
    """A list as the live dialect has it: one bare, none as empty text."""
    return {"anyOf": [many["items"], many | {"minItems": 2}, _NONE]}


def prefix(dialect: Dialect) -> str:
    """What begins the names of the live dialect's components."""
    return "Live" if dialect is Dialect.LIVE else ""


def messages(dialect: Dialect) -> Schema:
    """The Messages of an answer."""
    parts: dict[str, Schema] = {}
    for severity in Severity:
        one = reference(f"{severity.value}Message")
        some: Schema = {"type": "array", "items": one, "minItems": 1}
        if dialect is Dialect.LIVE:
            some = {"anyOf": [one, some | {"minItems": 2}]}
        parts[severity.value] = some
    return _object(parts, [], "What was wrong, or is to be remarked.") | {"minProperties": 1}


def message(severity: Severity) -> Schema:
    """One Error or Warning."""
    parts: dict[str, Schema] = {
        "Message": {"type": "string", "description": "A short sentence."},
        "SeverityCode": {"type": "string", "const": severity.value},
    }
    if severity is Severity.ERROR:
        parts["Description"] = {
            "type": "string",
            "description": "What was wrong where, the way out, and the code in brackets.",
            "pattern": r"\[[A-Z]{2}[0-9]{3}\]$",
        }
    return _object(parts, list(parts))


def reference(name: str) -> Schema:
    """A reference to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def _object(parts: dict[str, Schema], required: list[str], doc: str = "") -> Schema:
    return {
        **({"description": doc} if doc else {}),
        "type": "object",
        "properties": parts,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }
