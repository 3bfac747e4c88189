"""What an action is, and what all of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from recontact.catalogue import CATALOGUE, Message
from recontact.fields import Element, Shape
from recontact.messages import Call, Item, Query, Reply
from recontact.model import By
from recontact.store import Transaction, View
from recontact.values import quote_name

Right = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Writing:
    """An action that writes: it runs in a transaction."""

    shape: Shape
    run: Callable[[Call, Transaction, By], Reply]
    right: Right = "write"


@dataclass(frozen=True, slots=True)
class Reading:
    """An action that reads: it runs on one snapshot."""

    shape: Shape
    run: Callable[[Call, View], Reply]
    right: Right = "read"


Action = Writing | Reading


def no_item(shape: Shape) -> Message:
    """The error of a call without items; it shows the shape expected, in both formats."""
    first = next(iter(shape.item))
    json, xml = f'[{{"{first}": "…"}}]', f"<{first}>…</{first}>"
    for wrapper in reversed(shape.path):
        json, xml = f'{{"{wrapper}": {json}}}', f"<{wrapper}>{xml}</{wrapper}>"
    detail = f"Nothing to do. Send {json} or <{shape.action}>{xml}</{shape.action}>."
    return CATALOGUE["CL020"].message(detail, record=shape.record)


def nothing(key: str) -> None:
    """The values of a record that is not there."""


def changed_since(item: Item, current: int, key: object) -> list[Message]:
    """The error of an item that was made from another revision than the record's current one."""
    sent = item.values.get("revision", current)
    if sent == current:
        return []
    detail = (
        f"Revision {sent} was sent and {current} is current: somebody wrote it in between. Read it "
        "again, decide, and send the Revision read."
    )
    return [item.error("CL004", detail, record=item.record, key=quote_name(key))]


def chosen(shape: Shape, query: Query) -> tuple[Element, ...]:
    """The elements that an answer has: those that are always there, then those selected."""
    return tuple({element.name: element for element in (*shape.keys, *query.selectors)}.values())
