"""XML as calls and answers are written in it: no DTD, no entities, no namespaces, no attributes."""

import re
from typing import Any, Final

from lxml import etree

from recontact.messages import RefusedError
from recontact.values import Repeated, quote, quote_name

# What the declaration may name, by the codec that reads it. The Neto samples say utf-8 (seed).
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "latin-1",
}
_BLANKS: Final = b" \t\r\n"  # XML 1.0 §2.3
_DECLARATION_LENGTH = 256  # no more is looked at: a search that may go to and fro must be short
_DECLARATION = re.compile(rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"'][^>]*\?>")

# What may stand before the root, up to a DOCTYPE.
_DOCTYPE = re.compile(rb"(?:\s++|<\?.*?\?>|<!--.*?-->)*+<!DOCTYPE", re.DOTALL)

# A start tag, or what is none and may have many of its characters. Each alternative takes what it
# looked at, closed or not, or a hostile body would be looked through again and again.
_START_TAG = re.compile(
    rb"<!--(?:.*?-->|.*)|<!\[CDATA\[(?:.*?\]\]>|.*)|<\?(?:.*?\?>|.*)"
    rb"""|(<[^!?/](?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)""",
    re.DOTALL,
)

LONGEST_NAMESPACE: Final = 1_000
"""Characters of a namespace: lxml makes each element's name with it, so millions would be copied
for each of thousands of elements."""

# How .NET and Java write null (XML Schema 1.0 §2.6.2): as in JSON, it leaves things as they are.
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def decode(body: bytes, nesting: int, elements: int) -> tuple[str, Any]:
    """
    The root's name, and the document as dicts, `Repeated` lists and text.

    elements: attributes count too. Raises RefusedError past either limit, and for what is no XML.
    """
    body = _in_utf8(body)
    if _DOCTYPE.match(body):
        raise RefusedError("RC013")
    if _has_more(body, elements):
        detail = f"The limit is {elements} elements and attributes. Nothing was applied."
        raise RefusedError("RC016", f"{detail} Split the call.")
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
        what = " ".join(re.sub(" line [0-9]+", "", what).split())
        detail = f"{quote_name(what)}, line {column}: mend the body there."
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
    if tag[0] != "{":
        return tag
    if len(tag) > LONGEST_NAMESPACE:
        detail = f"A namespace is longer than {LONGEST_NAMESPACE} characters: leave it out."
        raise RefusedError("RC011", detail)
    return tag.rpartition("}")[2]


def _has_more(body: bytes, most: int) -> bool:
    """Whether there are more elements and attributes than `most`, before any is made."""
    # `<a/>` is the shortest, and each has a `<` or a `=`; so few bodies are looked at closely.
    if len(body) <= 4 * most:
        return False
    if body.count(b"<") - body.count(b"</") + body.count(b"=") <= most:
        return False
    for tag in _START_TAG.finditer(body):
        if tag[1]:
            most -= 1 + tag[1].count(b"=")
            if most < 0:
                return True
    return False


def _in_utf8(body: bytes) -> bytes:
    """
    `body` in UTF-8 without BOM. What its first bytes show counts before its declaration.

    A declared UTF-16 in front of ASCII is a mistake of writers that build text first (.NET's
    StringWriter), and is read as UTF-8. RefusedError for another encoding, or for bytes that are
    not in the declared one.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        return body[3:].lstrip(_BLANKS)
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
    return body.lstrip(_BLANKS) if codec == "utf-8" else text.strip(_BLANKS.decode()).encode()


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
