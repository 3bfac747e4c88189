"""The reference page: how a call looks, then each action with its elements and samples."""

from collections.abc import Iterable

from recontact.actions import ACTIONS, Action
from recontact.catalogue import CATALOGUE
from recontact.describe import api_prose, markdown
from recontact.describe.openapi import HANDLING, STATUSES
from recontact.describe.samples import (
    LIVE_SAMPLES,
    SAFE_SAMPLES,
    SAMPLES,
    Sample,
    lay_out_json,
    of,
)
from recontact.describe.words import elements_of, evidence, meaning
from recontact.fields import Element, Evidence, Field, Filter, Nested, Shape
from recontact.messages import Format
from recontact.values import Integer, OneOf, Text, WireType


def api_md() -> str:
    """The page."""
    # In the order in which the samples build on each other; then what has none.
    actions = dict.fromkeys([*(sample.action for sample in SAMPLES), *ACTIONS])
    return markdown.page(
        api_prose.BEGINNING,
        markdown.table(["Action", "What it does", "Evidence"], _index(actions)),
        api_prose.CALL,
        api_prose.KEYS,
        api_prose.FORMATS,
        api_prose.VALUES,
        api_prose.ANSWERS,
        markdown.table(["HTTP status", "Meaning", "Messages"], _statuses()),
        api_prose.BATCHES,
        api_prose.READING,
        *(block for name in actions for block in _action(ACTIONS[name])),
        api_prose.SAFE,
        markdown.table(["Header", "Meaning"], _handling()),
        api_prose.SAFE_RULES,
        *(block for sample in SAFE_SAMPLES for block in _safe_sample(sample)),
        api_prose.LIVE,
        *(block for sample in LIVE_SAMPLES for block in _live_sample(sample)),
    )


# -- tables ------------------------------------------------------------------------------------


def _index(actions: Iterable[str]) -> Iterable[list[str]]:
    for name in actions:
        shape = ACTIONS[name].shape
        yield [f"[{name}](#{markdown.anchor(name)})", shape.doc, _evidence(shape.evidence)]


def _evidence(kind: Evidence) -> str:
    return f"*{kind}*" if kind == "extension" else kind


def _statuses() -> Iterable[list[str]]:
    for status, text in STATUSES.items():
        codes = [one.code for one in CATALOGUE.values() if one.http_status == status]
        links = [f"[{code}](errors.md#{markdown.anchor(code)})" for code in codes]
        yield [str(status), text, ", ".join(links) if status != 200 else "see `Messages`"]


def _handling() -> Iterable[list[str]]:
    for header in HANDLING.values():
        yield [f"`{header['name']}`", header["description"]]


def _type(type: WireType) -> str:
    """A type and its limit."""
    match type:
        case Nested():
            return "object"
        case Text(limit, True):
            return f"String, {limit:,} characters"
        case Integer(least, most) if most != 9_999_999_999:
            return f"Integer, {least:,} to {most:,}"
        case Integer(1, _):
            return "Integer(10), from 1"
        case OneOf():
            return "Enumeration"
    return type.documented


def _doc(doc: str, type: WireType) -> str:
    """A meaning, with the words of an enumeration."""
    return f"{doc} One of {', '.join(type.words)}." if isinstance(type, OneOf) else doc


def _field_rows(fields: Iterable[Field]) -> list[list[str]]:
    return [
        [
            one.wire.name,
            _type(one.wire.type),
            _doc(one.wire.doc, one.wire.type),
            "yes" if one.wire.required else "",
            _evidence(one.wire.evidence),
        ]
        for one in fields
    ]


def _fields(shape: Shape) -> list[str]:
    head = ["Element", "Type", "Meaning", "Required", "Evidence"]
    fields = shape.item.values()
    blocks = [
        f"### Elements of {shape.action}",
        f"Each item is a `{shape.record}`.",
        markdown.table(head, markdown.merged(_field_rows(fields))),
    ]
    for one in fields:
        if one.parts:
            rows = _field_rows(one.parts.values())
            blocks += [f"Within {one.wire.name}:", markdown.table(head, rows)]
    if shape.ignored:
        ignored = ", ".join(sorted(shape.ignored))
        blocks.append(f"A client sends {ignored} with each item; no notice is taken of it.")
    return blocks


def _filter_row(one: Filter) -> list[str]:
    return [
        one.wire.name,
        _type(one.wire.type),
        _doc(one.wire.doc, one.wire.type),
        "many" if one.many else "one",
        _evidence(one.wire.evidence),
    ]


def _element_rows(elements: Iterable[Element], shape: Shape) -> list[list[str]]:
    return [
        [one.name, _type(one.wire.type), meaning(one), _evidence(evidence(one, shape))]
        for one in elements
    ]


def _selectors(shape: Shape) -> list[str]:
    head = ["OutputSelector", "Type", "Meaning", "Evidence"]
    rows = _element_rows(shape.selectors.values(), shape)
    for row, (name, element) in zip(rows, shape.selectors.items(), strict=True):
        if name != element.name:
            row[2] += f" Answered as {element.name}."
        row[0] = name
    blocks = [f"### OutputSelectors of {shape.action}", markdown.table(head, markdown.merged(rows))]
    return [*blocks, *_within(elements_of(shape), shape, ["Element", *head[1:]])]


def _within(elements: Iterable[Element], shape: Shape, head: list[str]) -> Iterable[str]:
    for one in elements:
        if one.parts:
            yield f"Within {f'{one.name}, in each {one.repeats}' if one.is_wrapper else one.name}:"
            yield markdown.table(head, _element_rows(one.parts, shape))
            yield from _within(one.parts, shape, head)


def _filters(shape: Shape) -> list[str]:
    head = ["Filter", "Type", "Meaning", "Values", "Evidence"]
    rows = [_filter_row(one) for one in shape.filters.values()]
    return [f"### Filters of {shape.action}", markdown.table(head, rows)]


# -- each action -------------------------------------------------------------------------------


def _action(action: Action) -> list[str]:
    shape = action.shape
    ours = " It is ours: the vendor has no action of that name." * (shape.evidence == "extension")
    name = shape.action
    answers = f"It answers a list of `{shape.answer}`." if shape.answer else "It answers no list."
    blocks = [
        f"## {name}",
        f"{shape.doc}{ours} It needs a key with the right to {action.right}. {answers}",
        f"[XSD of the request](xsd/{name}.xsd), [XSD of the answer](xsd/{name}Response.xsd)",
    ]
    if shape.item:
        blocks += _fields(shape)
    if shape.is_get:
        blocks += [*_filters(shape), *_selectors(shape)]
    elif shape.filters:
        blocks += _filter_of_update(shape)
    return [*blocks, *(block for sample in of(name) for block in _sample(sample))]


def _filter_of_update(shape: Shape) -> list[str]:
    get = next(
        one.shape
        for one in ACTIONS.values()
        if one.shape.is_get and one.shape.record == shape.record
    )
    filters, selectors = f"Filters of {get.action}", f"OutputSelectors of {get.action}"
    others = [name for name in get.selectors if name not in shape.selectors]
    others += [name for name in get.filters if name not in shape.filters]
    return [
        f"### A Filter in {shape.action}",
        f"It may have a `Filter` beside the items. Then it answers a list of `{shape.record}`: the "
        "records that match, or, if there is no filter in it, those of this call, as they stand "
        "after the update, with the elements selected. The key needs the right to read too. What "
        "is wrong in the Filter is told before anything is written. It takes the "
        f"[filters](#{markdown.anchor(filters)}) and "
        f"[OutputSelectors](#{markdown.anchor(selectors)}) of {get.action}, but for "
        f"{' and '.join(others)}.",
    ]


def _sample(sample: Sample) -> list[str]:
    blocks = [f"### {sample.title}"]
    for format, name in ((Format.JSON, "json"), (Format.XML, "xml")):
        blocks += [
            f"In {name.upper()}, and what is answered:",
            markdown.code(name, sample.request(format)),
            markdown.code(name, sample.answer(format)),
        ]
    if sample.python:
        blocks += [
            "With curl:",
            markdown.code("bash", _curl(sample)),
            "In Python, and what it prints:",
            markdown.code("python", _python(sample)),
            markdown.code("text", sample.printed),
        ]
    return blocks


def _curl(sample: Sample) -> str:
    more = "".join(f"  -H '{name}: {text}' \\\n" for name, text in sample.headers.items())
    return (
        f"curl -s {api_prose.URL} \\\n"
        f"  -H 'NETOAPI_ACTION: {sample.action}' -H \"NETOAPI_KEY: $KEY\" "
        f"-H 'Accept: application/json' \\\n{more}"
        f"  -d '{sample.request(Format.JSON)}'"
    )


def _python(sample: Sample) -> str:
    # Bodies of samples hold texts only, and these JSON writes as Python does.
    return (
        f"body = {lay_out_json(sample.sent, step='    ')}\n"
        f'answer = call("{sample.action}", body)\n'
        f"{sample.python}"
    )


def _safe_sample(sample: Sample) -> list[str]:
    return [
        f"### {sample.title}",
        sample.doc,
        markdown.code("bash", _curl(sample)),
        markdown.code("json", sample.answer(Format.JSON)),
    ]


def _live_sample(sample: Sample) -> list[str]:
    return [
        f"### Live: {sample.title[0].lower()}{sample.title[1:]}",
        f"{sample.action}, and what is answered:",
        markdown.code("json", sample.request(Format.JSON)),
        markdown.code("json", sample.answer(Format.JSON)),
    ]
