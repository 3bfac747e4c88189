"""XML as calls and answers are written in it: no DTD, no entities, no namespaces, no attributes."""

import re
from typing import Any

from lxml import etree

from recontact.messages import RefusedError
from recontact.values import Repeated, quote

# What the declaration may name, by the codec that reads it. The Neto samples say utf-8 (seed).
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
}
_DECLARATION_LENGTH = 256  # no more is looked at: a search that may go to and fro must be short
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")
_DECLARATION_TEXT = re.compile(r"\s*<\?xml\s[^>]*\?>")


# How .NET and Java write null (XML Schema 1.0 §2.6.2): as in JSON, it leaves things as they are.
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def decode(body: bytes, nesting: int) -> tuple[str, Any]:
    """The root's name, and the document as dicts, `Repeated` lists and text."""
    body = _in_utf8(body)
    if _has_doctype(body):
        raise RefusedError("RC013")
    # A parser for each call (2 us of 16): it can be used from any thread without a lock.
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(body, parser)
    except etree.XMLSyntaxError as error:
        if "xcessive depth" in str(error):
            raise RefusedError.too_deep(nesting) from None
        # libxml2 says the line in the middle, lxml once more at the end.
        what, _, column = (error.msg or "").rpartition(", line ")
        detail = f"{re.sub(' line [0-9]+', '', what)}, line {column}: mend the body there."
        raise RefusedError("RC011", detail) from None
    return _local_name(root), _tree(root, 1, nesting)


def _tree(element: etree._Element, level: int, nesting: int) -> Any:
    """An element with children as a dict, one without as its text; None for one that is nil."""
    if not len(element):
        return element.text or (None if element.get(_NIL) in ("true", "1") else "")
    if level == nesting:
        raise RefusedError.too_deep(nesting)
    tree: dict[str, Any] = {}
    for child in element:
        name = _local_name(child)
        value = _tree(child, level + 1, nesting)
        if name not in tree:
            tree[name] = value
        elif isinstance(tree[name], Repeated):
            tree[name].append(value)
        else:
            tree[name] = Repeated((tree[name], value))
    return tree


def _local_name(element: etree._Element) -> str:
    tag = element.tag
    if not isinstance(tag, str):  # an entity that is none of the five
        raise RefusedError("RC011", "An entity beyond the five of XML 1.0: write the character.")
    return tag.rpartition("}")[2].rpartition(":")[2]


def _in_utf8(body: bytes) -> bytes:
    """
    `body` in UTF-8 without BOM. What its first bytes show counts before its declaration.

    A declared UTF-16 in front of ASCII is a mistake of writers that build text first (.NET's
    StringWriter), and is read as UTF-8. RefusedError for another encoding, or for bytes that are
    not in the declared one.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        return body[3:].lstrip()
    declared = "UTF-16"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
    elif body[:2] in (b"<\0", b"\0<"):
        codec = "utf-16-le" if body[:1] == b"<" else "utf-16-be"
    else:
        found = _DECLARATION.match(body[:_DECLARATION_LENGTH])
        declared = found[1].decode() if found else "utf-8"
        if declared.lower() not in _CODECS:
            raise RefusedError(
                "RC011",
                f"The encoding {quote(declared)} is not read: send the body in UTF-8 (UTF-16, "
                "ISO-8859-1 and US-ASCII are read too).",
            )
        codec = _CODECS[declared.lower()]
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        raise RefusedError(
            "RC011",
            f"The byte at {error.start + 1} is not in the body's encoding {quote(declared)}: send "
            "the body in UTF-8, or name its encoding in the XML declaration.",
        ) from None
    if codec == "utf-8":
        return body.lstrip()
    head, rest = text[:_DECLARATION_LENGTH], text[_DECLARATION_LENGTH:]
    return (_DECLARATION_TEXT.sub("", head, count=1) + rest).strip().encode()


def _has_doctype(body: bytes) -> bool:
    """Whether a DOCTYPE stands before the root; read by hand, so that no parser meets it."""
    at = 0
    while True:
        while body[at : at + 1].isspace():
            at += 1
        if body.startswith(b"<?", at):
            end = body.find(b"?>", at)
        elif body.startswith(b"<!--", at):
            end = body.find(b"-->", at + 4)
        else:
            return body.startswith(b"<!", at)
        if end < 0:
            return False  # never closed: the parser will say so
        at = body.index(b">", end) + 1


# A carriage return is written as a reference, or the reader would take it for a line feed
# (XML 1.0 §2.11).
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def encode(root: str, answer: dict[str, Any]) -> bytes:
    """The document; a list is its element repeated. Texts hold only what XML can carry."""
    parts = ['<?xml version="1.0" encoding="utf-8"?>\n<', root, ">"]
    _write(parts, answer)
    parts += ["</", root, ">"]
    return "".join(parts).encode()


def _write(parts: list[str], record: dict[str, Any]) -> None:
    for name, value in record.items():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, dict):
                parts += ["<", name, ">"]
                _write(parts, one)
                parts += ["</", name, ">"]
            elif one:
                parts += ["<", name, ">", one.translate(_ESCAPES), "</", name, ">"]
            else:
                parts += ["<", name, "/>"]
