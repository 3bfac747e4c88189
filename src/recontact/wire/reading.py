"""From a decoded body, the same for both formats, to the Call that it means."""

from collections.abc import Collection, Iterator
from typing import Any, Final

from recontact.catalogue import CATALOGUE, Message
from recontact.fields import Comparison, Field, Fields, Filter, Nested, Shape
from recontact.messages import (
    MOST_PROBLEMS,
    Call,
    Condition,
    Format,
    Item,
    Problem,
    Query,
    RefusedError,
)
from recontact.model import words
from recontact.values import ABSENT, Repeated, WrongValueError, describe, quote, quote_name


def read_call(
    tree: Any, shape: Shape, format: Format | None, most_items: int, most_values: int
) -> Call:
    """
    The call that `tree` means in an action of that `shape`.

    Raises RefusedError for more items, or more values of one filter, than these limits.
    """
    call = Call(shape, format)
    top = tree if isinstance(tree, dict) else {}
    outer = shape.path[:1] or ("",)
    taken = _take(top, (*outer, "Filter") if shape.filters else outer, call)
    if shape.path:
        found = list(_items_in(taken[shape.path[0]], shape.path[1:], call))
        if len(found) > most_items:
            raise _too_many(f"{len(found)} items", most_items)
        call.items = [
            _read_item(raw, position, shape, call) for position, raw in enumerate(found, 1)
        ]
    if shape.is_get or (shape.filters and any(one is not None for one in taken["Filter"])):
        call.query = _read_query(taken["Filter"], shape, call, most_values)
    return call


def _too_many(came: str, limit: int) -> RefusedError:
    detail = f"{came} came, and the limit is {limit}. Nothing was applied. Split the call."
    return RefusedError("RC016", detail)


def _take(top: dict[str, Any], wrappers: tuple[str, ...], call: Call) -> dict[str, list[Any]]:
    """The values of each wrapper, in whatever case it is written; the rest is passed over."""
    taken: dict[str, list[Any]] = {wrapper: [] for wrapper in wrappers}
    known = {wrapper.lower(): wrapper for wrapper in wrappers}
    for name, value in top.items():
        if wrapper := known.get(name.lower()):
            taken[wrapper].append(value)
        else:
            call.passed_over.append(name)
    return taken


def _items_in(containers: list[Any], inner: tuple[str, ...], call: Call) -> Iterator[Any]:
    """
    The items of each container: one or many; or where there is an `inner` wrapper, what that holds.

    `{"CustomerLog": one or many}`, or a list of either. Nothing is an item where a wrapper is
    empty; what is no object is given as it stands.
    """
    for container in containers:
        if not inner:
            yield from _one_or_many(container)
        elif isinstance(container, list):
            for one in container:
                if isinstance(one, dict):
                    wraps = any(name.lower() == inner[0].lower() for name in one)
                else:
                    wraps = isinstance(container, Repeated)  # <CustomerLogs> twice, not a list
                if wraps:
                    yield from _items_in([one], inner, call)
                else:
                    yield one
        elif isinstance(container, dict):
            for value in _take(container, inner, call)[inner[0]]:
                yield from _one_or_many(value)
        elif not _is_blank(container):
            yield container


def _one_or_many(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif value is not None:
        yield value


def _is_blank(raw: Any) -> bool:
    return raw is None or (isinstance(raw, str) and not raw.strip())


def _read_item(raw: Any, position: int, shape: Shape, call: Call) -> Item:
    item = Item(position, shape.record)
    if call.format is Format.XML and _is_blank(raw):
        raw = {}  # <CustomerLog/>
    if not isinstance(raw, dict):
        item.came_as = describe(raw)
        return item
    _read_fields(raw, shape.item, shape.ignored, item, call)
    for name, field in shape.item.items():
        if field.wire.required:
            _require(name, field, item)
    return item


def _read_fields(
    raw: dict[str, Any],
    fields: Fields,
    ignored: Collection[str],
    item: Item,
    call: Call,
    within: str = "",
) -> None:
    for name, value in raw.items():
        field = fields.get(name)
        if field is None:
            if name not in ignored:
                call.passed_over.append(within + name)
                item.passed_over = True
            continue
        # An address alone says nothing: it may hold only what nobody knows.
        item.understood = item.understood or not (field.wire.required or (field.parts and value))
        if value is None:
            continue
        if field.parts and isinstance(value, dict):
            if not value or any(part in field.parts for part in value):
                # It replaces the stored one whole. One that is all misspelled replaces nothing.
                item.values.update((part.key, None) for part in field.parts.values())
            _read_fields(value, field.parts, (), item, call, within=f"{name}/")
            continue
        try:
            typed = field.wire.type.read(value)
        except WrongValueError as error:
            item.problems.append(Problem.of(name, field.key, error))
            continue
        if isinstance(field.wire.type, Nested):
            item.values.update((part.key, None) for part in field.parts.values())
        elif typed is not ABSENT:
            item.values[field.key] = typed


def _require(name: str, field: Field, item: Item) -> None:
    """See that an element is there with a value; it is what names the item."""
    if (value := item.values.get(field.key)) is not None:
        item.name = f"{name} {quote_name(value)}"
    elif not any(problem.element == name for problem in item.problems):
        text = f"is missing: send it, as {field.wire.type.documented}"
        item.problems.append(Problem("CL001", name, field.key, text))


def _read_query(filters: list[Any], shape: Shape, call: Call, most_values: int) -> Query:
    query = Query()
    raw = filters[0] if filters else {}
    if _is_blank(raw) or raw == []:  # as PHP writes an object without elements
        raw = {}
    if len(filters) > 1 or not isinstance(raw, dict):
        query.problems.append(CATALOGUE["CL034"].message())
        return query
    wanted: list[str] = []
    for name, value in raw.items():
        values = value if isinstance(value, list) else [value]
        if len(values) > most_values:
            raise _too_many(f"{len(values)} values of {quote_name(name)}", most_values)
        if name == "OutputSelector":
            wanted = [_selector(one) for one in values if one is not None]
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
        elif value is not None:
            _read_filter(query, name, known, values)
    names = set(wanted)
    query.selectors = tuple(selector for name, selector in shape.selectors.items() if name in names)
    call.passed_over += [name for name in wanted if name not in shape.selectors]
    if query.problems:
        return query
    if shape.is_get and not query.conditions:
        query.problems.append(CATALOGUE["CL031"].message())
    elif not query.selectors and (shape.is_get or wanted):
        came = f"{', '.join(map(quote_name, wanted[:5]))} is none. Names count letter by letter: "
        query.problems.append(
            CATALOGUE["CL032"].message(
                f"Filter: {came if wanted else ''}send one or more of {', '.join(shape.selectors)}."
            )
        )
    return query


_MAY_BE_EMPTY: Final = (Comparison.IS, Comparison.FROM, Comparison.TO)


def _selector(raw: Any) -> str:
    """The name that an OutputSelector gives, or what came in its place."""
    is_plain = isinstance(raw, str | int) and not isinstance(raw, bool)
    return str(raw).strip() if is_plain else describe(raw)


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
        if one in (ABSENT, None) and known.comparison not in _MAY_BE_EMPTY:
            query.problems.append(_no_value(name))
            return
        typed.append(None if one is ABSENT else one)
    if known.comparison is Comparison.SEARCH:
        typed = [words(typed[0])]
        if not typed[0]:
            detail = f"Filter: {name} {quote(values[0])} has no letter and no digit: send a word."
            query.problems.append(CATALOGUE["CL036"].message(detail, element=name))
            return
    if known.comparison is Comparison.PAGE:
        query.page = typed[0]
    elif known.comparison is Comparison.LIMIT:
        query.limit = typed[0]
    elif known.comparison is Comparison.BEFORE:
        query.history_before = typed[0]
    else:
        query.conditions.append(Condition(known.key, known.comparison, tuple(typed)))
