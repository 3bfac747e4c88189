"""JSON as calls and answers are written in it: strict RFC 8259, of a doubled name the last."""

import json
import re
from typing import Any, Final, NoReturn

import msgspec

from recontact.messages import RefusedError
from recontact.values import NumberText

_decoder = msgspec.json.Decoder(float_hook=NumberText)
_LEVELS = (dict, list)
_BOM: Final = b"\xef\xbb\xbf"

# So many values outside of texts, each behind one of , [ {. Possessive: it goes through once.
_VALUES: Final = rb'(?:[^",\[{]*+(?:"(?:[^"\\]++|\\.)*+"[^",\[{]*+)*+[,\[{]){%d}+'


def decode(body: bytes, nesting: int, values: int) -> Any:
    """
    The object that `body` is, as dicts, lists, text, ints, bools, None and NumberText.

    values: members and elements, empty ones too. Raises RefusedError past either limit, and for
    what is no JSON.
    """
    if _has_more(body, values):
        detail = f"The limit is {values} values. Nothing was applied. Split the call."
        raise RefusedError("RC016", detail)
    try:
        tree = decode_quickly(body)
    except RecursionError:
        raise RefusedError.too_deep(nesting) from None
    except ValueError:
        # msgspec says little of what is wrong, and refuses whole bodies for one number of 5,000
        # digits or one lone surrogate, which are errors of an item. The standard library reads on.
        tree = _decode_slowly(body, nesting)
    if not isinstance(tree, dict):
        raise RefusedError("RC010", "The body is a list: send an object, {…}.")
    # The documented shape has four levels: a body with few brackets cannot be too deep.
    if body.count(b"{") + body.count(b"[") > nesting and _depth_exceeds(tree, nesting):
        raise RefusedError.too_deep(nesting)
    return tree


def decode_quickly(body: bytes) -> Any:
    """What `body` is; ValueError where msgspec cannot read it. No limit is looked at."""
    return _decoder.decode(body.removeprefix(_BOM))


def encode(root: str, answer: dict[str, Any]) -> bytes:
    """One object; JSON has no root, so the action's name is not in it."""
    return msgspec.json.encode(answer)


def _has_more(body: bytes, most: int) -> bool:
    """Whether there are more values than `most`, before any is made."""
    # `1,` is the shortest; so few bodies are looked at closely.
    if len(body) <= 2 * most:
        return False
    if body.count(b",") + body.count(b"[") + body.count(b"{") <= most:
        return False
    return bool(re.match(_VALUES % (most + 1), body, re.DOTALL))


def _decode_slowly(body: bytes, nesting: int) -> Any:
    try:
        return json.loads(
            body.removeprefix(_BOM).decode(),
            parse_constant=_refuse_constant,
            parse_float=NumberText,
            parse_int=lambda digits: int(digits) if len(digits) < 20 else NumberText(digits),
        )
    except UnicodeDecodeError as error:
        detail = f"The byte at {error.start + 1} is not UTF-8: send the body in UTF-8."
        raise RefusedError("RC010", detail) from None
    except json.JSONDecodeError as error:
        detail = f"{error.msg} at line {error.lineno}, column {error.colno}: mend the body there."
        raise RefusedError("RC010", detail) from None
    except RecursionError:
        raise RefusedError.too_deep(nesting) from None


def _refuse_constant(name: str) -> NoReturn:
    raise RefusedError("RC010", f"{name} is not JSON: send a number or null.")


def _depth_exceeds(tree: Any, nesting: int) -> bool:
    level = [tree]
    for _ in range(nesting):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, _LEVELS)
        ]
        if not level:
            return False
    return True
