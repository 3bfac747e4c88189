"""Bytes on the wire: `decode(body) -> Call`, `encode(reply, format) -> bytes`, for both formats."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from recontact.catalogue import Severity
from recontact.fields import Shape
from recontact.messages import Call, Format, RefusedError, Reply
from recontact.model import Dialect
from recontact.values import write_instant
from recontact.wire import jsonwire, xmlwire
from recontact.wire.passwords import without_passwords
from recontact.wire.reading import read_call

__all__ = ["MEDIA_TYPES", "Limits", "decode", "encode", "format_of", "without_passwords"]

_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
MEDIA_TYPES: Final = MappingProxyType(
    {Format.JSON: "application/json", Format.XML: "text/xml; charset=utf-8"}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """
    How much one call may hold: items, values of one filter, levels of its body, and elements.

    elements: XML's elements and attributes, JSON's values, in the whole body. In memory each takes
    some 400 bytes, so 8 MiB of the shortest would take 300 to 400 MB. A thousand customers with
    every element that is documented are 104,000.
    """

    items: int = 1_000
    nesting: int = 32
    values: int = 10_000
    elements: int = 131_072


def format_of(body: bytes) -> Format | None:
    """The format of a body, by its first byte that is no blank or BOM; None for an empty one."""
    if body.startswith(_WIDE_BOMS):  # UTF-16
        start = body[2:].replace(b"\0", b"").lstrip()[:1]
    elif body.startswith((b"<\0", b"\0<")):  # UTF-16 without a BOM
        start = b"<"
    else:
        start = body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if start == b"<":
        return Format.XML
    if start in (b"{", b"["):
        return Format.JSON
    if start:
        raise RefusedError("RC012")
    return None


def decode(
    body: bytes, shape: Shape, limits: Limits = Limits(), actions: Collection[str] = ()
) -> Call:
    """
    The call that `body` is, in whichever format it is written.

    actions: the names of all actions; an XML root that is another one of them is refused.
    Raises RefusedError when the body cannot be read or is over a limit; what is wrong with a
    single item or filter is in the Call.
    """
    match format := format_of(body):
        case Format.JSON:
            tree: Any = jsonwire.decode(body, limits.nesting, limits.elements)
        case Format.XML:
            root, tree = xmlwire.decode(body, limits.nesting, limits.elements)
            named = root.lower()
            if named != shape.action.lower() and named in {name.lower() for name in actions}:
                raise RefusedError("RC008", root=root, action=shape.action)
        case None:
            tree = {}
    return read_call(tree, shape, format, limits.items, limits.values)


def encode(
    reply: Reply, format: Format, now: datetime, dialect: Dialect = Dialect.DOCUMENTED
) -> bytes:
    """
    The bytes of an answer. now: aware, UTC; it becomes CurrentTime.

    The order is the documented one: the action's list, CurrentTime, Ack, Messages. What the live
    dialect does otherwise was observed (neto/actions.md, "One, many and none in JSON").
    """
    live = dialect is Dialect.LIVE
    collapses = live and format is Format.JSON
    answer: dict[str, Any] = {}
    if reply.list_name:
        records: Any = reply.records
        if collapses:
            records = list(map(_as_seen, records))
        answer[reply.list_name] = records if reply.is_get or not collapses else _collapse(records)
    answer["CurrentTime"] = write_instant(now)
    answer["Ack"] = reply.ack
    if reply.messages:
        answer["Messages"] = messages = {}
        for severity in (Severity.ERROR, Severity.WARNING):
            if group := [m for m in reply.messages if m.severity is severity]:
                shown = [
                    {"Message": m.text, "SeverityCode": severity.value}
                    | ({"Description": m.description} if m.description else {})
                    for m in group
                ]
                messages[severity.value] = _collapse(shown) if collapses else shown
    root = f"{reply.action}Response" if live else reply.action
    return _ENCODERS[format](root, answer)


def _collapse(some: list[Any]) -> Any:
    """A list as the real service wrote it in JSON: one bare, none as empty text."""
    return some if len(some) > 1 else some[0] if some else ""


def _as_seen(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose wrappers, objects that hold one list, are lists of one object."""
    seen: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, list):
            value = _collapse(list(map(_as_seen, value)))
        elif isinstance(value, dict):
            inner = list(value.values())
            value = _as_seen(value)
            if len(inner) == 1 and isinstance(inner[0], list):
                value = [value] if inner[0] else ""
        seen[name] = value
    return seen


_ENCODERS: Final[MappingProxyType[Format, Callable[[str, dict[str, Any]], bytes]]] = (
    MappingProxyType({Format.JSON: jsonwire.encode, Format.XML: xmlwire.encode})
)
