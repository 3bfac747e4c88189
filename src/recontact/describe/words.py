"""What is said of an element wherever it is described: its meaning, type and evidence."""

from recontact.fields import Element, Evidence, Field, Filter, Form, Shape, Wire


def elements_of(shape: Shape) -> list[Element]:
    """The elements that a record of the answer can have, each once: those that name it first."""
    every = (*shape.keys, *shape.selectors.values(), *shape.becomes)
    return list({element.name: element for element in every}.values())


def always_in(shape: Shape) -> list[Element]:
    """The elements that each record of the answer has; one that is only tried may lack a number."""
    return [one for one in shape.keys if not shape.becomes or one in shape.becomes]


def meaning(element: Element) -> str:
    """What an element of an answer means: of a date's other forms, which one it is."""
    name = element.name.removesuffix(element.form.value)
    match element.form:
        case Form.LOCAL:
            return f"{name} in the site's zone."
        case Form.UTC:
            return f"{name} in UTC."
        case Form.DAY:
            return f"The day of {name}, in the site's zone."
    return element.wire.doc


def evidence(element: Element, shape: Shape) -> Evidence:
    """Whence an element of an answer comes: all that an action of ours answers is ours."""
    return "extension" if shape.evidence == "extension" else element.wire.evidence


def of_field(field: Field) -> str:
    """All that there is to say of an element of a request, in one line."""
    return _line(field.wire.doc, field.wire, field.wire.evidence)


def of_filter(filter: Filter) -> str:
    """All that there is to say of a filter."""
    many = " Any of several values." if filter.many else ""
    return _line(filter.wire.doc + many, filter.wire, filter.wire.evidence)


def of_answer(element: Element, shape: Shape) -> str:
    """All that there is to say of an element of an answer."""
    return _line(meaning(element), element.wire, evidence(element, shape))


def _line(doc: str, wire: Wire, evidence: Evidence) -> str:
    return f"{doc} {wire.type.documented}. Evidence: {evidence}."
