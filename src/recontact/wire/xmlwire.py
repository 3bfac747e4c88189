"""XML as calls and answers are written in it: no DTD, no entities, no namespaces, no attributes."""

import re
from typing import Any

from lxml import etree

from recontact.fields import Repeated, quote
from recontact.messages import RefusedError

# What the declaration may name, by the codec that reads it. The Neto samples say utf-8 (seed).
_CODECS = {
    b"utf-8": "utf-8",
    b"utf8": "utf-8",
    b"utf-16": "utf-16",
    b"us-ascii": "ascii",
    b"ascii": "ascii",
    b"iso-8859-1": "latin-1",
}
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")
_DECLARATION_TEXT = re.compile(r"\s*<\?xml\s[^>]*\?>")


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
        detail = f"{error.msg}: mend the body there."
        raise RefusedError("RC011", detail) from None
    return _local_name(root), _tree(root, 1, nesting)


def _tree(element: etree._Element, level: int, nesting: int) -> Any:
    """An element with children as a dict, one without as its text."""
    if not len(element):
        return element.text or ""
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
    """`body` in UTF-8 without BOM, whatever its declaration says; RefusedError when it lies."""
    declared = None
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        codec = "utf-16"
    elif body[:2] in (b"<\0", b"\0<"):
        codec = "utf-16-le" if body[:1] == b"<" else "utf-16-be"
    else:
        body = body.removeprefix(b"\xef\xbb\xbf")
        declared = _DECLARATION.match(body)
        codec = _CODECS.get(declared[1].lower(), "") if declared else "utf-8"
    if codec == "utf-8":
        return body.lstrip()  # lxml itself refuses what is no UTF-8
    try:
        text = body.decode(codec)
    except (LookupError, UnicodeDecodeError):
        name = declared[1].decode() if declared else "UTF-16"
        raise RefusedError(
            "RC011", f"The body is not in the encoding {quote(name)}: send it in UTF-8."
        ) from None
    return _DECLARATION_TEXT.sub("", text, count=1).strip().encode()


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
