"""What an action is, and what all of them share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from recontact.fields import Shape
from recontact.messages import CATALOGUE, Call, Message, Reply
from recontact.store import Transaction, View

Right = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Answering:
    """On whose behalf a call is answered: the key, and the request's id in the journal."""

    key_id: int | None
    request: bytes


@dataclass(frozen=True, slots=True)
class Writing:
    """An action that writes: it runs in a transaction."""

    shape: Shape
    run: Callable[[Call, Transaction, Answering], Reply]
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
    outer, inner = shape.path
    first = next(iter(shape.item))
    json = f'{{"{outer}": {{"{inner}": [{{"{first}": "…"}}]}}}}'
    xml = (
        f"<{shape.action}><{outer}><{inner}><{first}>…</{first}></{inner}></{outer}>"
        f"</{shape.action}>"
    )
    detail = f"Nothing to do. Send {json} or {xml}."
    return CATALOGUE["CL020"].message(detail, record=inner)
