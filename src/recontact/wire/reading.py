"""From a decoded body, the same for both formats, to the Call that it means."""

from collections.abc import Iterator
from typing import Any, Final

from recontact.fields import Comparison, Fields, Filter, Shape
from recontact.messages import (
    CATALOGUE,
    Call,
    Condition,
    Format,
    Item,
    Message,
    Problem,
    Query,
    RefusedError,
)
from recontact.values import ABSENT, Repeated, WrongValueError, describe, quote_name


def read_call(
    tree: Any, shape: Shape, format: Format | None, most_items: int, most_values: int
) -> Call:
    """
    The call that `tree` means in an action of that `shape`.

    Raises RefusedError for more items, or more values of one filter, than these limits.
    """
    call = Call(shape, format)
    top = tree if isinstance(tree, dict) else {}
    if shape.path:
        outer, inner = shape.path
        found = list(_items_in(_take(top, outer, call), inner, call))
        if len(found) > most_items:
            raise _too_many(f"{len(found)} items", most_items)
        call.items = [
            _read_item(raw, position, shape, call) for position, raw in enumerate(found, 1)
        ]
    if shape.filters:
        call.query = _read_query(_take(top, "Filter", call), shape, call, most_values)
    return call


def _too_many(came: str, limit: int) -> RefusedError:
    detail = f"{came} came, and the limit is {limit}. Nothing was applied. Split the call."
    return RefusedError("RC016", detail)


def _take(top: dict[str, Any], wrapper: str, call: Call) -> list[Any]:
    """The values of `wrapper`, in whatever case it is written; the rest is passed over."""
    taken = []
    for name, value in top.items():
        if name == wrapper or name.lower() == wrapper.lower():
            taken.append(value)
        else:
            call.passed_over.append(name)
    return taken


def _items_in(containers: list[Any], inner: str, call: Call) -> Iterator[Any]:
    """
    The items of each container: `{"CustomerLog": one or many}`, or a list of either.

    Nothing is an item where a wrapper is empty; what is no object is given as it stands.
    """
    for container in containers:
        if isinstance(container, list):
            for one in container:
                if isinstance(one, dict):
                    wraps = any(name.lower() == inner.lower() for name in one)
                else:
                    wraps = isinstance(container, Repeated)  # <CustomerLogs> twice, not a list
                if wraps:
                    yield from _items_in([one], inner, call)
                else:
                    yield one
        elif isinstance(container, dict):
            for value in _take(container, inner, call):
                if isinstance(value, list):
                    yield from value
                elif value is not None:
                    yield value
        elif not _is_blank(container):
            yield container


def _is_blank(raw: Any) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _read_item(raw: Any, position: int, shape: Shape, call: Call) -> Item:
    item = Item(position)
    if call.format is Format.XML and _is_blank(raw):
        raw = {}  # <CustomerLog/>
    if not isinstance(raw, dict):
        item.came_as = describe(raw)
        return item
    fields = shape.item
    for name, value in raw.items():
        field = fields.get(name)
        if field is None:
            if name not in shape.ignored:
                call.passed_over.append(name)
                item.passed_over = True
            continue
        item.understood = item.understood or not field.wire.required
        if value is not None:
            try:
                typed = field.wire.type.read(value)
            except WrongValueError as error:
                item.problems.append(Problem.of(name, field.key, error))
            else:
                if typed is not ABSENT:
                    item.values[field.key] = typed
    _require(fields, item)
    return item


def _require(fields: Fields, item: Item) -> None:
    for name, field in fields.items():
        if not field.wire.required or field.key in item.values:
            continue
        if not any(problem.element == name for problem in item.problems):
            text = f"is missing: send it, as {field.wire.type.documented}"
            item.problems.append(Problem("CL001", name, field.key, text))


MOST_PROBLEMS: Final = 20
"""Problems of one Filter that are answered: each names all filters, and a body holds thousands."""


def _read_query(filters: list[Any], shape: Shape, call: Call, most_values: int) -> Query:
    query = Query()
    raw = {} if not filters or _is_blank(filters[0]) else filters[0]
    if len(filters) > 1 or not isinstance(raw, dict):
        query.problems.append(CATALOGUE["CL034"].message())
        return query
    wanted: list[str] = []
    for name, value in raw.items():
        values = value if isinstance(value, list) else [value]
        if name == "OutputSelector":
            wanted = [
                str(one).strip()
                for one in values
                if isinstance(one, str | int | float) and one is not True and one is not False
            ]
        elif len(query.problems) == MOST_PROBLEMS:
            continue
        elif (known := shape.filters.get(name)) is None:
            query.problems.append(
                CATALOGUE["CL030"].message(
                    f"Filter: {quote_name(name)} is none of them: use {', '.join(shape.filters)}.",
                    element=quote_name(name),
                    action=shape.action,
                )
            )
        elif len(values) > most_values:
            raise _too_many(f"{len(values)} values of {quote_name(name)}", most_values)
        elif value is not None:
            _read_filter(query, name, known, values)
    query.selectors = tuple(
        selector for name, selector in shape.selectors.items() if name in set(wanted)
    )
    call.passed_over += [name for name in wanted if name not in shape.selectors]
    if query.problems:
        return query
    if not query.conditions:
        query.problems.append(CATALOGUE["CL031"].message())
    elif not query.selectors:
        query.problems.append(
            CATALOGUE["CL032"].message(f"Filter: send one or more of {', '.join(shape.selectors)}.")
        )
    return query


def _no_value(name: str) -> Message:
    detail = f"Filter: {name} came without a value. Give it a value, or leave the filter out."
    return CATALOGUE["CL035"].message(detail, element=name)


def _read_filter(query: Query, name: str, known: Filter, values: list[Any]) -> None:
    if len(values) > 1 and not known.many:
        detail = f"Filter: {name} takes one value and {len(values)} came. Send it once."
        query.problems.append(CATALOGUE["CL033"].message(detail, element=name))
        return
    if not values:
        query.problems.append(_no_value(name))
        return
    typed: list[Any] = []
    for value in values:
        try:
            one = known.wire.type.read(value)
        except WrongValueError as error:
            query.problems.append(Problem.of(name, known.key, error).message("Filter"))
            return
        if one is ABSENT and known.comparison is not Comparison.IS:
            query.problems.append(_no_value(name))
            return
        typed.append(None if one is ABSENT else one)
    if known.comparison is Comparison.PAGE:
        query.page = typed[0]
    elif known.comparison is Comparison.LIMIT:
        query.limit = typed[0]
    else:
        query.conditions.append(Condition(known.key, known.comparison, tuple(typed)))
