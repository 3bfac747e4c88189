"""A call and its reply as both formats share them, and the errors that end a call."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from recontact.catalogue import CATALOGUE, Message, Severity
from recontact.fields import Comparison, Element, Shape, ValueOf
from recontact.model import Customer, CustomerLog, Site, same
from recontact.values import TooLongError, WrongValueError, quote_name

MOST_PROBLEMS: Final = 20
"""Problems of one item or Filter that are answered, or a small call would have a huge answer."""


class Format(Enum):
    """How a call is written or an answer is."""

    XML = "xml"
    JSON = "json"


class RecontactError(Exception):
    """Any error of ours that a caller may want to catch."""


class RefusedError(RecontactError):
    """
    The call cannot be answered as asked, and nothing of it was applied.

    message: the error to answer. http_status: of the answer; as_seen: of a live site's, it is 200.
    retry_after: seconds, where waiting helps.
    """

    def __init__(
        self, code: str, detail: str = "", *, retry_after: int | None = None, **facts: object
    ) -> None:
        entry = CATALOGUE[code]
        self.message = entry.message(detail, **facts)
        self.http_status = entry.http_status
        self.as_seen = entry.as_seen
        self.retry_after = retry_after
        super().__init__(f"{self.message.text}. {self.message.description}")

    @classmethod
    def too_deep(cls, nesting: int) -> "RefusedError":
        """The refusal of a body with more than `nesting` levels."""
        detail = f"The limit is {nesting} levels, and the documented shape has four."
        return cls("RC015", f"{detail} Nothing was applied.")


@dataclass(frozen=True, slots=True)
class Problem:
    """One element of an item or a Filter that its type refused, or that is missing."""

    code: str
    element: str
    key: str
    text: str
    shown: str = ""
    too_long: str | None = None

    @classmethod
    def of(cls, element: str, key: str, error: WrongValueError) -> "Problem":
        """The problem that `error` is, in the element of that name and attribute."""
        too_long = error.value if isinstance(error, TooLongError) else None
        return cls(error.code, element, key, error.problem, error.shown, too_long)

    def message(self, where: str) -> Message:
        """As an Error of what is at `where`: an item, or the Filter."""
        return CATALOGUE[self.code].message(
            f"{where}: {self.element} {self.text}.", element=self.element, value=self.shown
        )


@dataclass(slots=True)
class Item:
    """
    One record in a call: its typed values, and what was wrong with the others.

    record: what it is, `CustomerLog`. name: how it is told from others, `LogID 7`, where that was
    sent and can be read. came_as: what came in its place where that is no object: `a number (3)`.
    passed_over: whether it had elements that the action does not know; understood: any that it
    knows, beside the one that names it.
    """

    position: int
    record: str
    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    came_as: str = ""
    passed_over: bool = False
    understood: bool = False

    @property
    def where(self) -> str:
        """How a message names the item: its position from 1, and what it is about."""
        return f"Item {self.position} ({self.name})" if self.name else f"Item {self.position}"

    @property
    def is_unknown(self) -> bool:
        """Whether it sent elements, and the action knows none of them beside the one that names."""
        return self.passed_over and not self.understood

    def judge(self, value_of: ValueOf, site: Site) -> tuple[list[Message], list[Message]]:
        """
        Its problems as errors, with which it is not applied, and as warnings of a live site.

        value_of: of the record as it stands, or of a new one. Text too long is no problem where
        the record has that very text.
        """
        if self.came_as:
            detail = f"{self.came_as} came where an object is expected, with elements inside."
            return [self.error("CL005", detail, record=self.record)], []
        errors: list[Message] = []
        warnings: list[Message] = []
        for problem in self.problems:
            kept = value_of(problem.key)
            if problem.too_long is not None and same(kept, problem.too_long):
                continue
            milder = CATALOGUE[problem.code].live if site.is_live else ""
            if milder and (problem.code != "CL012" or problem.key == "status"):
                shown = "empty" if kept is None else kept
                warnings.append(
                    self.warning(milder, element=problem.element, value=problem.shown, kept=shown)
                )
            else:
                errors.append(problem.message(self.where))
                if len(errors) == MOST_PROBLEMS:
                    break
        return errors, warnings

    def missing(self, code: str, key: object, detail: str, site: Site) -> Message:
        """That what the item is about is not there: an error, or a warning of a live site."""
        if site.is_live:
            return CATALOGUE[CATALOGUE[code].live].message(key=quote_name(key))
        return self.error(code, detail, key=quote_name(key))

    def error(self, code: str, detail: str, **facts: object) -> Message:
        """An Error of the catalogue about this item."""
        return CATALOGUE[code].message(f"{self.where}: {detail}", **facts)

    def warning(self, code: str, **facts: object) -> Message:
        """A Warning of the catalogue about this item."""
        return CATALOGUE[code].message("", item="i" + self.where[1:], **facts)


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter of a Query: the attribute `key` compared with any of `values` (None: empty)."""

    key: str
    comparison: Comparison
    values: tuple[Any, ...]


@dataclass(slots=True)
class Query:
    """
    What a Get asks for: all conditions hold; elements selected; one page of `limit`.

    history_before: a log's History begins below the revision of that number; None: with its last.
    """

    conditions: list[Condition] = field(default_factory=list)
    selectors: tuple[Element, ...] = ()
    page: int = 0
    limit: int = 100
    history_before: int | None = None
    problems: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """
    A decoded request.

    query: of a Get, and of an action that writes where a Filter was sent. passed_over: names of the
    elements that the action does not know.
    """

    shape: Shape
    format: Format | None = None
    items: list[Item] = field(default_factory=list)
    query: Query | None = None
    passed_over: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Reply:
    """
    The answer to a call, before it is encoded.

    action: the root in XML. list_name: of `records`, "" for an answer without a list. is_get:
    whether it is a Get's, whose list stays a list in every dialect. became: by its number, each
    record that an item was applied to, as it is then.
    """

    action: str
    list_name: str = ""
    is_get: bool = False
    records: list[dict[str, Any]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    http_status: int = 200
    changed: int = 0
    became: dict[Any, CustomerLog | Customer] = field(default_factory=dict)

    @classmethod
    def to(cls, shape: Shape) -> "Reply":
        """An answer, still empty, to a call of that shape."""
        return cls(shape.action, shape.answer, shape.is_get)

    def forget(self) -> None:
        """Nothing of the call was applied: keep its errors alone, since a warning says it was."""
        self.records, self.became, self.changed = [], {}, 0
        self.messages = [one for one in self.messages if one.severity is Severity.ERROR]

    def add(self, messages: Iterable[Message]) -> None:
        """Answer these messages too."""
        self.messages.extend(messages)

    def count(self, severity: Severity) -> int:
        """How many messages there are of that severity."""
        return sum(m.severity is severity for m in self.messages) if self.messages else 0

    @property
    def ack(self) -> str:
        """`Error` where there is an error, else `Warning` where there is one, else `Success`."""
        if self.count(Severity.ERROR):
            return "Error"
        return "Warning" if self.messages else "Success"
