"""The body of a call, laid out for reading, with what was passed over marked in it."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from recontact import wire
from recontact.messages import Format, RefusedError
from recontact.values import quote_name, visible

SHOWN: Final = 20_000
"""Characters of a body that a page shows."""

_JSON: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_XML: Final = re.compile(
    # What is cut off ends with the text, or each "<" in it would be read to the end again.
    r"""<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)"""
    r"""|<(?:[^<>"']|"[^"<]*"|'[^'<]*')*>|[^<]+|<""",
    re.DOTALL,
)
_TAG: Final = re.compile(r"(</?)([^\s/>]+)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text. kind: `mark`, it was passed over; `note`, it is said of that; or ""."""

    text: str
    kind: str = ""


def text_of(body: bytes) -> str:
    """A body as text, in which what cannot be printed stands as \\u001b."""
    return visible(body.decode("utf-8-sig", "backslashreplace"))


def format_of(body: bytes) -> Format | None:
    """How a body is written; None: neither way."""
    try:
        return wire.format_of(body)
    except RefusedError:
        return None


def laid_out(body: bytes, passed_over: Mapping[str, Sequence[str]]) -> list[Piece]:
    """
    A body with an element on each line, or as it is where it is neither XML nor JSON.

    It is laid out by its signs alone, and nothing of it is lost but blanks between them: repeated
    names and escapes stay as they came. passed_over: names, as the journal has them, with the
    names that they may have been meant to be. Of a long one the beginning.
    """
    text = text_of(body)[:SHOWN]
    page = _Page(passed_over)
    match format_of(body):
        case Format.JSON:
            _lay_out_json(text, page)
        case Format.XML:
            _lay_out_xml(text, page)
        case None:
            page.write(text)
    page.end()
    return page.pieces


class _Page:
    """What is laid out so far. path: the names that it is in."""

    def __init__(self, passed_over: Mapping[str, Sequence[str]]) -> None:
        self.pieces: list[Piece] = []
        self.path: list[str] = []
        self._passed_over = passed_over
        self._notes: list[str] = []
        self._indent = 0

    def write(self, text: str, kind: str = "") -> None:
        if self.pieces and self.pieces[-1].kind == kind:
            text = self.pieces.pop().text + text
        self.pieces.append(Piece(text, kind))

    def name(self, name: str, text: str, *, says: bool = True) -> None:
        """Write the name of an element, marked if it was passed over. says: and say so below."""
        known = quote_name(name)
        whole = next((one for one in (known, *self._within(known)) if one in self._passed_over), "")
        if whole and says:
            near = self._passed_over[whole]
            meant = f": did you mean {' or '.join(near)}?" if near else ""
            self._notes.append(f"passed over{meant}")
        self.write(text, "mark" if whole else "")

    def _within(self, name: str) -> Iterator[str]:
        if self.path:
            yield f"{quote_name(self.path[-1])}/{name}"

    def line(self, deeper: int = 0) -> None:
        """Begin a line."""
        before, self._indent = self._indent, max(0, self._indent + deeper)
        for note in self._notes:
            self.write("\n" + "  " * max(before, self._indent))
            self.write(note, "note")
        self._notes.clear()
        if self.pieces:
            self.write("\n" + "  " * self._indent)

    def end(self) -> None:
        if self._notes:
            self.line()


def _lay_out_json(text: str, page: _Page) -> None:
    tokens = _JSON.findall(text)
    name = ""
    within: list[str] = []
    for at, token in enumerate(tokens):
        after = tokens[at + 1] if at + 1 < len(tokens) else ""
        match token:
            case "{" | "[":
                within.append(token)
                page.path.append(name or (page.path[-1] if page.path else ""))
                name = ""
                page.write(token)
                if after not in ("}", "]"):
                    page.line(1)
            case "}" | "]":
                if within:
                    within.pop()
                    page.path.pop()
                if at and tokens[at - 1] not in ("{", "["):
                    page.line(-1)
                page.write(token)
                name = ""
            case ",":
                page.write(token)
                page.line()
                name = ""
            case ":":
                page.write(": ")
            case _ if token.startswith('"') and after == ":" and within[-1:] == ["{"]:
                name = _read(token)
                page.name(name, token)
            case _:
                page.write(token)


def _read(token: str) -> str:
    try:
        return str(json.loads(token, strict=False))
    except ValueError:  # where the body was cut
        return token


def _lay_out_xml(text: str, page: _Page) -> None:
    last = ""
    for token in _XML.findall(text):
        if not token.startswith("<") or token.startswith("<![CDATA["):
            if token.strip():
                page.write(token)
                last = "text"
            continue
        found = None if token.startswith(("<!", "<?")) else _TAG.fullmatch(token)
        if found is None:
            page.line()
            page.write(token)
            last = "end"
            continue
        begins, name, rest = found.groups()
        local = name.rpartition(":")[2]
        is_end = begins == "</"
        if is_end:
            if page.path:
                page.path.pop()
            if last == "end":
                page.line(-1)
        elif last == "begin":
            page.line(1)
        else:
            page.line()
        page.write(begins)
        page.name(local, name, says=not is_end)
        page.write(rest)
        if is_end or rest.endswith("/>"):
            last = "end"
        else:
            page.path.append(local)
            last = "begin"
