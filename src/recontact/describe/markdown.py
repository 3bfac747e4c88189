"""The few forms of Markdown that the pages are written in."""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

NOTE = "<!-- Made by `make docs`: change the field table, the catalogue or describe/ instead. -->"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar within a cell is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def code(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text}\n```"


def page(*blocks: str) -> str:
    """A page of blocks, with an empty line between them; an empty block is left out."""
    return "\n\n".join([NOTE, *filter(None, blocks)]) + "\n"


def anchor(heading: str) -> str:
    """What GitHub makes of a heading, to link to it."""
    return re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")


_NUMBERED = re.compile(r"(.*?)([0-9]+)")


def follows(name: str, other: str) -> bool:
    """Whether `other` is the next of a numbered row: UserCustom2 after UserCustom1."""
    one, two = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(other)
    return bool(one and two and one[1] == two[1] and int(two[2]) == int(one[2]) + 1)


def merged(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    """Rows of which those that differ in a numbered name alone are one: `UserCustom1` to …"""
    found = list(map(list, rows))
    runs: list[list[list[str]]] = [[row] for row in found[:1]]
    for before, row in pairwise(found):
        if before[1:] == row[1:] and follows(before[0], row[0]):
            runs[-1].append(row)
        else:
            runs.append([row])
    return [
        row
        for run in runs
        for row in (run if len(run) < 3 else [[f"{run[0][0]} to {run[-1][0]}", *run[0][1:]]])
    ]


def names(all_names: Iterable[str]) -> str:
    """Names in a row, numbered ones as first and last."""
    return ", ".join(row[0] for row in merged([name] for name in all_names))
