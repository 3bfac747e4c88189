"""The page of evidence: where each rule and element comes from, and what was decided against."""

from collections.abc import Iterable
from typing import Final

from recontact.actions import ACTIONS
from recontact.describe import markdown
from recontact.describe.words import elements_of, evidence
from recontact.evidence import CONTRADICTIONS, KINDS, QUESTIONS, RULES, SOURCES
from recontact.fields import Evidence, Fields, Shape


def evidence_md() -> str:
    """The page."""
    return markdown.page(
        "# Evidence",
        _INTRODUCTION,
        markdown.table(["Evidence", "It"], [[f"**{kind}**", doc] for kind, doc in KINDS.items()]),
        "## Sources",
        _SOURCES,
        markdown.table(["Source", "What it is"], SOURCES.items()),
        "## Rules",
        *(block for subject in RULES for block in _rules(subject)),
        "## Elements",
        "The [page of the API](api.md) has them with their meaning. Here they are by where they "
        "come from.",
        markdown.table(
            ["Action", "Where", "Evidence", "Elements"],
            [row for action in ACTIONS.values() for row in _elements(action.shape)],
        ),
        "## Contradictions",
        "What the sources disagree on, and what this server does.",
        markdown.table(
            ["Code", "On the one hand", "On the other hand", "Here"],
            [[f"**{one.code}**", one.one, one.other, one.here] for one in CONTRADICTIONS],
        ),
        "## Open questions",
        "What no source answers, and what this server does until somebody shows better.",
        markdown.table(["Question", "Here"], [[one.question, one.here] for one in QUESTIONS]),
    )


_INTRODUCTION: Final = """\
recontact speaks an API that others made, as it is described and as it was seen to behave. This page
says of each rule where it comes from. The words for that:"""
_SOURCES: Final = """\
No answer about customer logs was ever published. What was observed is of the sister actions for
items, orders and content, which share the envelope."""


def _rules(subject: str) -> list[str]:
    rows = [[one.rule, one.evidence, ", ".join(one.sources)] for one in RULES[subject]]
    return [f"### {subject}", markdown.table(["Rule", "Evidence", "Sources"], rows)]


def _elements(shape: Shape) -> list[list[str]]:
    rows = []
    for where, found in (
        ("request", _in_request(shape.item)),
        ("Filter", [(one.wire.evidence, name) for name, one in shape.filters.items()]),
        ("answer", [(evidence(one, shape), one.name) for one in elements_of(shape)]),
    ):
        by_kind: dict[Evidence, list[str]] = {}
        for kind, name in found:
            by_kind.setdefault(kind, []).append(name)
        rows += [
            [shape.action, where, kind, markdown.names(by_kind[kind])]
            for kind in KINDS
            if kind in by_kind
        ]
    return rows


def _in_request(fields: Fields) -> Iterable[tuple[Evidence, str]]:
    for name, field in fields.items():
        yield field.wire.evidence, name
        yield from _in_request(field.parts)
