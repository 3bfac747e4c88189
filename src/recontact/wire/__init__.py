"""Bytes on the wire: `decode(body) -> Call`, `encode(reply, format) -> bytes`, for both formats."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from recontact.fields import Shape
from recontact.messages import Call, Format, RefusedError, Reply, Severity
from recontact.values import write_instant
from recontact.wire import jsonwire, xmlwire
from recontact.wire.reading import read_call

_WIDE_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
MEDIA_TYPES: Final = MappingProxyType(
    {Format.JSON: "application/json", Format.XML: "text/xml; charset=utf-8"}
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one call may hold: items, values of one filter, and levels of its body."""

    items: int = 1_000
    nesting: int = 32
    values: int = 10_000


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
            tree: Any = jsonwire.decode(body, limits.nesting)
        case Format.XML:
            root, tree = xmlwire.decode(body, limits.nesting)
            named = root.lower()
            if named != shape.action.lower() and named in {name.lower() for name in actions}:
                raise RefusedError("RC008", root=root, action=shape.action)
        case None:
            tree = {}
    return read_call(tree, shape, format, limits.items, limits.values)


def encode(reply: Reply, format: Format, now: datetime) -> bytes:
    """
    The bytes of an answer. now: aware, UTC; it becomes CurrentTime.

    The order is the documented one: the action's list, CurrentTime, Ack, Messages.
    """
    answer: dict[str, Any] = {}
    if reply.list_name:
        answer[reply.list_name] = reply.records
    answer["CurrentTime"] = write_instant(now)
    answer["Ack"] = reply.ack
    if reply.messages:
        answer["Messages"] = messages = {}
        for severity in (Severity.ERROR, Severity.WARNING):
            if group := [m for m in reply.messages if m.severity is severity]:
                messages[severity.value] = [
                    {"Message": m.text, "SeverityCode": severity.value}
                    | ({"Description": m.description} if m.description else {})
                    for m in group
                ]
    return _ENCODERS[format](reply.action, answer)


_ENCODERS: Final[MappingProxyType[Format, Callable[[str, dict[str, Any]], bytes]]] = (
    MappingProxyType({Format.JSON: jsonwire.encode, Format.XML: xmlwire.encode})
)
