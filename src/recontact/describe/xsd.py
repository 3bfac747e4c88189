"""The XSD of each action: what a careful client sends, and all that the server answers."""

from typing import Final
from xml.etree.ElementTree import Element as Node
from xml.etree.ElementTree import SubElement, indent, tostring

from recontact.actions import ACTIONS
from recontact.catalogue import Severity
from recontact.describe.plain import INSTANT, Plain, answered, sent_element, sent_filter
from recontact.describe.words import always_in, elements_of, of_answer, of_field, of_filter
from recontact.fields import Element, Field, Shape

UNKNOWN_ACTION: Final = "NetoAPI"
"""The root of an answer to a call whose action is not known."""


def xsd_files() -> dict[str, str]:
    """The text of each XSD by its file's name: a pair for each action, and one for no action."""
    files = {}
    for shape in (action.shape for action in ACTIONS.values()):
        files[f"{shape.action}.xsd"] = _request(shape)
        files[f"{shape.action}Response.xsd"] = _answer(shape.action, shape)
    files[f"{UNKNOWN_ACTION}Response.xsd"] = _answer(UNKNOWN_ACTION)
    return files


class _Schema:
    """One XSD that is being written; plain types are added as they are met."""

    def __init__(self, doc: str) -> None:
        self.node = Node("xs:schema", {"xmlns:xs": "http://www.w3.org/2001/XMLSchema"})
        self._plain: dict[str, Plain] = {}
        _document(self.node, doc)

    def type_of(self, plain: Plain) -> str:
        """The name of the type that a plain value has."""
        assert self._plain.setdefault(plain.name, plain) == plain, plain.name
        return plain.name

    def text(self) -> str:
        for plain in self._plain.values():
            _write_plain(self.node, plain)
        indent(self.node)
        return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(self.node, "unicode")}\n'


# -- requests ----------------------------------------------------------------------------------


def _request(shape: Shape) -> str:
    schema = _Schema(
        f"{shape.action}: {shape.doc} This is what a careful client sends. The server reads more "
        "forms of a value, and passes over elements that it does not know."
    )
    # A root whose items stand in no wrapper holds them in a row; any other, in any order.
    kind = "sequence" if len(shape.path) == 1 else "all"
    root = group = _group(schema.node, shape.action, kind)
    if shape.path:
        *wrappers, record = shape.path
        for wrapper in wrappers:
            group = _group(group, wrapper, "sequence")
        items = _group(group, record, "all", repeats=True)
        for field in shape.item.values():
            _add_field(schema, items, field)
    if shape.filters:
        filters = _group(root, "Filter", "choice", optional=not shape.is_get, any_order=True)
        for one in shape.filters.values():
            plain = schema.type_of(sent_filter(one))
            _add(filters, one.wire.name, of_filter(one), plain)
        selectors = schema.type_of(Plain("OutputSelector", words=tuple(shape.selectors)))
        _add(filters, "OutputSelector", "What to answer of each record.", selectors)
    return schema.text()


def _add_field(schema: _Schema, group: Node, field: Field) -> None:
    wire = field.wire
    if field.parts:
        parts = _group(group, wire.name, "all", of_field(field), optional=not wire.required)
        for part in field.parts.values():
            _add_field(schema, parts, part)
    else:
        plain = schema.type_of(sent_element(wire.type, wire.required))
        _add(group, wire.name, of_field(field), plain, optional=not wire.required)


# -- answers -----------------------------------------------------------------------------------


def _answer(name: str, shape: Shape | None = None) -> str:
    schema = _Schema(
        f"The answers to {shape.action}." if shape else "The answers to a call of no known action."
    )
    for root, dialect in ((name, "documented"), (f"{name}Response", "live")):
        _add(schema.node, root, f"The root in the {dialect} dialect.", "Answer")
    answer = SubElement(SubElement(schema.node, "xs:complexType", name="Answer"), "xs:sequence")
    if shape:
        records = _group(answer, shape.record, "all", optional=True, repeats=True)
        for element in elements_of(shape):
            always = element in always_in(shape)
            _add_element(schema, records, element, shape, selected=not always)
    now = schema.type_of(Plain("Time", INSTANT))
    _add(answer, "CurrentTime", "When the answer was made, UTC.", now)
    acks = schema.type_of(Plain("Ack", words=("Success", "Warning", "Error")))
    doc = "Error if there is an Error, else Warning if there is a Warning, else Success."
    _add(answer, "Ack", doc, acks)
    doc = "What was wrong, or is to be remarked; left out if nothing is."
    messages = _group(answer, "Messages", "sequence", doc, optional=True)
    for severity in Severity:
        message = _group(messages, severity.value, "sequence", optional=True, repeats=True)
        _add(message, "Message", "A short sentence.", "xs:string")
        code = schema.type_of(Plain(severity.value, words=(severity.value,)))
        _add(message, "SeverityCode", "", code)
        if severity is Severity.ERROR:
            doc = "What was wrong where, the way out, and the code in brackets."
            _add(message, "Description", doc, "xs:string")
    return schema.text()


def _add_element(
    schema: _Schema, group: Node, element: Element, shape: Shape, selected: bool
) -> None:
    doc = of_answer(element, shape)
    if not element.parts:
        _add(group, element.name, doc, schema.type_of(answered(element)), optional=selected)
        return
    # In "all" nothing may stand twice.
    kind = "sequence" if any(part.repeats == part.name for part in element.parts) else "all"
    if element.is_wrapper:
        wrapper = _group(group, element.name, "sequence", doc, optional=selected)
        parts = _group(wrapper, element.repeats, kind, optional=True, repeats=True)
    else:
        repeats = bool(element.repeats)
        optional = selected or repeats
        parts = _group(group, element.name, kind, doc, optional=optional, repeats=repeats)
    for part in element.parts:
        _add_element(schema, parts, part, shape, selected=False)


# -- the language of XSD -----------------------------------------------------------------------


def _document(node: Node, doc: str) -> None:
    if doc:
        SubElement(SubElement(node, "xs:annotation"), "xs:documentation").text = doc


def _occurs(optional: bool, repeats: bool) -> dict[str, str]:
    return {
        **({"minOccurs": "0"} if optional else {}),
        **({"maxOccurs": "unbounded"} if repeats else {}),
    }


def _add(group: Node, name: str, doc: str, type: str, *, optional: bool = False) -> None:
    """Add an element that holds a plain value."""
    facts = {"name": name, "type": type, **_occurs(optional, False)}
    _document(SubElement(group, "xs:element", facts), doc)


def _group(
    parent: Node,
    name: str,
    kind: str,
    doc: str = "",
    *,
    optional: bool = False,
    repeats: bool = False,
    any_order: bool = False,
) -> Node:
    """Add an element that holds others, and give what these go into; any_order: of a choice."""
    node = SubElement(parent, "xs:element", {"name": name, **_occurs(optional, repeats)})
    _document(node, doc)
    inside = SubElement(node, "xs:complexType")
    return SubElement(inside, f"xs:{kind}", _occurs(any_order, any_order))


def _write_plain(schema: Node, plain: Plain) -> None:
    node = SubElement(schema, "xs:simpleType", name=plain.name)
    number = plain.span and not plain.empty
    facets = SubElement(node, "xs:restriction", base="xs:long" if number else "xs:string")
    if plain.longest is not None:
        SubElement(facets, "xs:maxLength", value=str(plain.longest))
    for word in (*plain.words, *([""] if plain.empty and plain.words else [])):
        SubElement(facets, "xs:enumeration", value=word)
    if (pattern := plain.looks()) and not number:
        SubElement(facets, "xs:pattern", value=f"({pattern})?" if plain.empty else pattern)
    if number and plain.span:
        SubElement(facets, "xs:minInclusive", value=str(plain.span[0]))
        SubElement(facets, "xs:maxInclusive", value=str(plain.span[1]))
