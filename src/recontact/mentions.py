"""Whether the body of a call names a customer or a log, in whatever format and spelling."""

import html
import re
from collections.abc import Collection, Iterator
from typing import Any, Final
from urllib.parse import unquote_plus

from recontact.messages import Format, RefusedError
from recontact.model import fold
from recontact.wire import format_of, jsonwire, xmlwire

_UNLIMITED: Final = 1 << 62
"""What the journal has was taken once, whatever the limits were."""
_NAME_LENGTH: Final = 4
"""Characters from which a name that is not just digits means somebody wherever it stands."""
_TEXT_LENGTH: Final = 12
"""Characters from which a text is taken for the customer's own."""
_USERNAMES: Final = frozenset(
    {"Username", "Customer", "ParentUsername", "ApprovalUsername", "ReferralUsername"}
)
_ESCAPE: Final = re.compile(r"\\u([0-9a-fA-F]{4})")


class Mentions:
    """
    What names somebody: usernames and addresses of mail, LogIDs and customers' IDs, and texts.

    names: count as a whole word anywhere; short ones and numbers only as the value of an element
    that holds a username. texts: of over `_TEXT_LENGTH` characters, as the whole value of an
    element. Case does not matter.
    """

    def __init__(
        self,
        names: Collection[str],
        texts: Collection[str] = (),
        log_ids: Collection[int] = (),
        customer_ids: Collection[int] = (),
    ) -> None:
        self._names = {fold(name) for name in names}
        self._texts = {fold(text) for text in texts if len(text) >= _TEXT_LENGTH}
        self._ids = {"LogID": frozenset(log_ids), "ID": frozenset(customer_ids)}
        telling = [n for n in self._names if len(n) >= _NAME_LENGTH and not n.isdecimal()]
        self._telling = re.compile("|".join(map(_as_word, telling))) if telling else None

    def __call__(self, body: bytes) -> bool:
        """Whether `body` names them; what cannot be read is looked through as plain text."""
        try:
            leaves = list(_leaves("", _tree_of(body)))
        except (RefusedError, ValueError):
            leaves = []
        if any(self._is_named(name, value) for name, value in leaves):
            return True
        if self._telling is None:
            return False
        # Beside the values: comments, attributes, names that are given twice, misspelt elements.
        values = "\n".join(value for _, value in leaves if isinstance(value, str))
        text = f"{_text_of(body)}\n{values}"
        if "%" in text:  # addresses of pages
            text += f"\n{unquote_plus(text)}"
        return bool(self._telling.search(fold(text)))

    def _is_named(self, element: str, value: Any) -> bool:
        if element in self._ids:
            digits = str(value).strip()
            return (
                digits.isascii() and digits.isdecimal() and int(digits[-19:]) in self._ids[element]
            )
        if not isinstance(value, str):
            return False
        if element in _USERNAMES and fold(value.strip()) in self._names:
            return True
        return len(value) >= _TEXT_LENGTH and fold(value) in self._texts


def _as_word(name: str) -> str:
    """The pattern of a folded name that is not the middle of a longer one."""
    before = r"(?<!\w)" if name[0].isalnum() else ""
    behind = r"(?!\w)" if name[-1].isalnum() else ""
    return before + re.escape(name) + behind


def _tree_of(body: bytes) -> Any:
    match format_of(body):
        case Format.JSON:
            return jsonwire.decode(body, _UNLIMITED, _UNLIMITED)
        case Format.XML:
            return xmlwire.decode(body, _UNLIMITED, _UNLIMITED)[1]
        case None:
            return {}


def _leaves(name: str, tree: Any) -> Iterator[tuple[str, Any]]:
    """Each value with the name of its element."""
    if isinstance(tree, dict):
        for inner, value in tree.items():
            yield from _leaves(inner, value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _leaves(name, value)
    else:
        yield name, tree


def _text_of(body: bytes) -> str:
    """All of a body as text, without escapes of XML and JSON."""
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = body.decode("utf-16", "replace")
    elif b"\0" in body[:2]:
        text = body.decode("utf-16-be" if body[:1] == b"\0" else "utf-16-le", "replace")
    else:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            text = body.decode("latin-1")
    if "&" in text:
        text = html.unescape(text)
    if "\\u" in text:
        halves = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
        text = halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
