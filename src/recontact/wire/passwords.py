"""What the journal keeps of a body: everything, but for passwords."""

import re
from collections.abc import Callable
from typing import Any, Final

from recontact.messages import Format, RefusedError
from recontact.wire import jsonwire, xmlwire

_WORD: Final = b"password"

# Possessive groups and whole comments, or a hostile body would take hours and gigabytes.
_IN_JSON = re.compile(
    rb'("password"\s*+:\s*+)(?:"(?:[^"\\]++|\\.)*+"|[-+.\d][-+.\w]*+|true|false)', re.IGNORECASE
)
# What has the word in its name, OldPassword for instance, is a password too.
_LEFT_IN_JSON = re.compile(
    rb'"(?=[^"]*password)(?!password"\s*+:\s*+(?:"\*\*\*"|null))[^"]*+(?<!\\)"\s*+:', re.IGNORECASE
)
# Any letter of the name may be written as an escape.
_ESCAPED = re.compile(
    b"".join(rb"(?:%c|\\u00(?:%x|%x))" % (c, c, c - 32) for c in _WORD), re.IGNORECASE
)

# Its start tag may declare a namespace, and say that it is nil; another attribute may be a value.
_ATTRIBUTE = rb"""\s++(?:xmlns(?::[^<>\s=]++)?+|[^<>\s=:]++:nil)\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+')"""
_START = rb"(?:[^<>\s/:]++:)?+password(?:" + _ATTRIBUTE + rb")*+\s*+"
# It begins with its one `<`, at which the search goes from one to the next.
_IN_XML = re.compile(
    rb"<(?:!--.*?-->|\?.*?\?>|!\[CDATA\[.*?\]\]>|(" + _START + rb">)"
    rb"(?:[^<]++|<!\[CDATA\[.*?\]\]>)++)",
    re.IGNORECASE | re.DOTALL,
)
_LEFT_IN_XML = re.compile(
    rb"<(?!" + _START + rb"(?:/>|>(?:\*\*\*)?+</))(?=[^<>\s/!?]*password)", re.IGNORECASE
)
_LEFT_IN_ATTRIBUTE = re.compile(
    rb"[\s:](?=[^<>\s:=\"']*password)[^<>\s:=\"']++\s*+=\s*+[\"']", re.IGNORECASE
)


def without_passwords(body: bytes, format: Format | None, nesting: int) -> bytes | None:
    """
    `body` with `***` for each password in it; None where it is not certain that none is left.

    body: of a call that was decoded, so within the limits. Certain is: nothing else in it is a
    password by its name, and read again it is the same call. `body` itself where the word does not
    occur, which takes no time.
    """
    if format is Format.JSON:
        if b"\\u00" in body and any(b"\\" in found[0] for found in _ESCAPED.finditer(body)):
            return None
        if _WORD not in body.lower():
            return body
        blanked = _IN_JSON.sub(rb'\1"***"', body)
        if _LEFT_IN_JSON.search(blanked):
            return None
        return blanked if _is_same(body, blanked, jsonwire.decode_quickly) else None
    if format is Format.XML:
        if _WORD not in body.lower().replace(b"\0", b""):
            return body
        if b"\0" in body:  # UTF-16
            return None
        blanked = _blanked_xml(body)
        if _LEFT_IN_XML.search(blanked) or _LEFT_IN_ATTRIBUTE.search(blanked):
            return None
        same = _is_same(body, blanked, lambda one: xmlwire.decode(one, nesting, len(one)))
        return blanked if same else None
    return body


def _blanked_xml(body: bytes) -> bytes:
    parts = []
    at = 0
    for found in _IN_XML.finditer(body):
        if found[1]:  # comments and the like are not kept apart: a body may have a million
            parts += [body[at : found.end(1)], b"***"]
            at = found.end()
    return b"".join([*parts, body[at:]])


def _is_same(body: bytes, blanked: bytes, decode: Callable[[bytes], Any]) -> bool:
    """Whether both are the same call but for its passwords. One tree at a time: each is large."""
    try:
        return _hash(decode(body)) == _hash(decode(blanked))
    except (RefusedError, ValueError):
        return False


def _hash(tree: Any) -> int:
    """The hash of a decoded body without its passwords."""
    if isinstance(tree, dict):
        parts = [
            (name, None if name.lower() == "password" else _hash(value))
            for name, value in tree.items()
        ]
        return hash((dict, *parts))
    if isinstance(tree, list | tuple):
        return hash((list, *map(_hash, tree)))
    return hash((type(tree), tree))
