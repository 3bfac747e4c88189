"""What the journal keeps of a body: everything, but for passwords."""

import re
from typing import Any, Final

from recontact.messages import Format, RefusedError
from recontact.wire import jsonwire, xmlwire

_WORD: Final = b"password"

# Possessive groups and whole comments, or a hostile body would take hours and gigabytes.
_IN_JSON = re.compile(
    rb'("password"\s*+:\s*+)(?:"(?:[^"\\]++|\\.)*+"|[-+.\d][-+.\w]*+|true|false)', re.IGNORECASE
)
_LEFT_IN_JSON = re.compile(rb'"password"\s*+:\s*+(?!"\*\*\*"|null)', re.IGNORECASE)
# A letter of a name may be written as an escape.
_LETTER = re.compile(rb"\\u00([4-7][0-9a-f])", re.IGNORECASE)

# Its start tag may declare a namespace, and say that it is nil; another attribute may be a value.
_ATTRIBUTE = rb"""\s++(?:xmlns(?::[^<>\s=]++)?+|[^<>\s=:]++:nil)\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+')"""
_START = rb"<(?:[^<>\s/:]++:)?+password(?:" + _ATTRIBUTE + rb")*+\s*+"
_IN_XML = re.compile(
    rb"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[.*?\]\]>|(" + _START + rb">)"
    rb"(?:[^<]++|<!\[CDATA\[.*?\]\]>)++",
    re.IGNORECASE | re.DOTALL,
)
_LEFT_IN_XML = re.compile(
    rb"(?!" + _START + rb"(?:/>|>(?:\*\*\*)?+</))<(?:[^<>\s/:]++:)?+password"
    rb"|[\s:]password\s*+=\s*+[\"']",
    re.IGNORECASE,
)


def without_passwords(body: bytes, format: Format | None, nesting: int) -> bytes | None:
    """
    `body` with `***` for each password in it; None where it is not certain that none is left.

    Certain is: nothing else in it is a password by its name, and read again it is the same call.
    `body` itself where the word does not occur, which takes no time.
    """
    if format is Format.JSON:
        plain = body
        if b"\\u00" in body:
            plain = _LETTER.sub(lambda found: bytes([int(found[1], 16)]), body)
        if _WORD not in plain.lower():
            return body
        return _certain(
            body, _IN_JSON.sub(rb'\1"***"', body), plain != body, _LEFT_IN_JSON, nesting
        )
    if format is Format.XML:
        is_wide = b"\0" in body
        if _WORD not in body.lower().replace(b"\0", b""):
            return body
        blanked = _IN_XML.sub(lambda found: found[1] + b"***" if found[1] else found[0], body)
        return _certain(body, blanked, is_wide, _LEFT_IN_XML, nesting)
    return body


def _certain(
    body: bytes, blanked: bytes, is_odd: bool, left: re.Pattern[bytes], nesting: int
) -> bytes | None:
    """`blanked`, if it is the same call as `body` and no password is left in it."""
    if is_odd or left.search(blanked):
        return None
    decode = jsonwire.decode if left is _LEFT_IN_JSON else _decode_xml
    try:
        same = _blank(decode(body, nesting)) == _blank(decode(blanked, nesting))
    except RefusedError:
        return None
    return blanked if same else None


def _decode_xml(body: bytes, nesting: int) -> Any:
    return xmlwire.decode(body, nesting)[1]


def _blank(tree: Any) -> Any:
    """A decoded body with nothing for each password that has a value."""
    if isinstance(tree, dict):
        return {
            name: None if name.lower() == "password" else _blank(value)
            for name, value in tree.items()
        }
    return [_blank(one) for one in tree] if isinstance(tree, list) else tree
