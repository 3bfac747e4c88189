"""A call and its reply as both formats share them, and the catalogue of all messages."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Any, Final

from recontact.fields import Comparison, Selector, Shape
from recontact.model import same
from recontact.values import TooLongError, WrongValueError


class Severity(StrEnum):
    """The SeverityCode of a message (seed)."""

    ERROR = "Error"
    WARNING = "Warning"


class Format(Enum):
    """How a call is written or an answer is."""

    XML = "xml"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Message:
    """One Error or Warning of an answer. A Warning has no description (seed)."""

    code: str
    severity: Severity
    text: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One kind of message.

    text: the short sentence, in the vendor's wording where one is known, with places for its
    facts. cause, way_out: for the page of errors; the way out also ends each description that
    brings none of its own. http_status: of a refusal that this entry makes.
    """

    code: str
    text: str
    cause: str
    way_out: str
    http_status: int = 200
    severity: Severity = Severity.ERROR

    def message(self, detail: str = "", **facts: object) -> Message:
        """The message with its facts filled in; `detail` is the description before the code."""
        description = ""
        if self.severity is Severity.ERROR:
            description = f"{detail or self.cause + ' ' + self.way_out} [{self.code}]"
        return Message(self.code, self.severity, self.text.format(**facts), description)


def _catalogue(*entries: Entry) -> MappingProxyType[str, Entry]:
    return MappingProxyType({entry.code: entry for entry in entries})


CATALOGUE: Final = _catalogue(
    # -- an item ---------------------------------------------------------------------------
    Entry(
        "CL001",
        "{element} is a required field and is missing",
        "The item lacks an element that the action cannot do without.",
        "Send the element with a value.",
    ),
    Entry(
        "CL002",
        "Cannot find CustomerLog {key}",
        "No log of this site has that LogID.",
        "Read the LogID from the answer of AddCustomerLog or from GetCustomerLog.",
    ),
    Entry(
        "CL003",
        "Cannot find Customer {key}",
        "No customer of this site has that Username.",
        "Add the customer first, or send CustomerName alone.",
    ),
    Entry(
        "CL004",
        "CustomerLog {key} has changed",
        "The item's Revision is not the log's current one: somebody wrote the log since it was "
        "read.",
        "Read the log again, decide, and send the update with the Revision read.",
    ),
    Entry(
        "CL005",
        "CustomerLog is not an object",
        "An item of the list is a plain value where an object with elements is expected.",
        "Send each log as an object: an element CustomerLog with elements inside.",
    ),
    Entry(
        "CL006",
        "Nothing to update in {item}",
        "The item has no element that the action knows, beside its LogID.",
        "Check the spelling of the elements; names count letter by letter. The header "
        "Recontact-Passed-Over names those that were passed over.",
        severity=Severity.WARNING,
    ),
    Entry(
        "CL010",
        "{element} is too long",
        "The text has more characters than the element may have. Nothing is ever cut.",
        "Shorten the text.",
    ),
    Entry(
        "CL011",
        "{element} {value} is not an integer in its range",
        "The value is not written in ASCII digits only, or is outside the element's range.",
        "Send the number as digits, as text or as a JSON integer.",
    ),
    Entry(
        "CL012",
        "{element} {value} does not exist",
        "The value is not one of the words that the element may be.",
        "Send one of the words listed.",
    ),
    Entry(
        "CL013",
        "{element} {value} is not a date",
        "The value is in none of the forms of a date, or names a day, hour or second that does "
        "not exist.",
        "Send YYYY-MM-DD HH:MM:SS in UTC, YYYY-MM-DD, or ISO 8601.",
    ),
    Entry(
        "CL014",
        "{element} has a character that XML cannot carry",
        "A control character, a lone surrogate, U+FFFE or U+FFFF. Text that is stored can be read "
        "back in both formats, so such a character is refused in JSON too.",
        "Leave the character out.",
    ),
    Entry(
        "CL015",
        "{element} is given more than once",
        "The same element stands twice in one item of an XML call.",
        "Send it once.",
    ),
    Entry(
        "CL016",
        "{element} is not a plain value",
        "The value is an object, a list or a boolean where text or a number is expected.",
        "Send one plain value.",
    ),
    Entry(
        "CL020",
        "No {record} in the request",
        "The call has no item, so there is nothing to do.",
        "Wrap the items as the description shows.",
    ),
    # -- a Filter --------------------------------------------------------------------------
    Entry(
        "CL030",
        "{element} is not a filter of {action}",
        "The Filter has an element that the action does not know. It is not passed over, since "
        "the answer would then hold everything.",
        "Use the filters listed, spelled letter by letter.",
    ),
    Entry(
        "CL031",
        "At least one filter is required",
        "The request has no filter beside Page and Limit.",
        "Add a filter; LogIDAfter 0 reads everything, page by page.",
    ),
    Entry(
        "CL032",
        "At least one OutputSelector is required",
        "The request has no OutputSelector that the action knows.",
        "Add an OutputSelector for each element wanted.",
    ),
    Entry(
        "CL033",
        "{element} takes one value",
        "A filter that compares with one value came with several.",
        "Send it once, with one value.",
    ),
    Entry(
        "CL035",
        "{element} has no value",
        "A filter came as an empty list, or one that must be a number came empty.",
        "Give it a value, or leave the filter out.",
    ),
    Entry(
        "CL034",
        "Filter is not an object",
        "The Filter is a list or a plain value, or stands twice.",
        "Send one Filter with elements inside.",
    ),
    # -- a refusal: the call did not run ---------------------------------------------------
    Entry(
        "RC001",
        "Invalid API key",
        "The key is unknown, revoked or expired, or is a user's and came without its username.",
        "Send NETOAPI_KEY with a key of this server (recontact key create), and NETOAPI_USERNAME "
        "with it if the key was made for a user.",
        401,
    ),
    Entry(
        "RC002",
        "No API key in the request",
        "None of the headers that can hold a key arrived.",
        "Send NETOAPI_KEY (with NETOAPI_USERNAME for a user's key), X_ACCESS_KEY with "
        "X_SECRET_KEY, or Authorization: Bearer. If they were sent, a proxy may have dropped "
        "headers with underscores: in nginx set underscores_in_headers on.",
        401,
    ),
    Entry(
        "RC003",
        "Two different API keys in the request",
        "The headers that can hold a key hold different ones.",
        "Send one key.",
        401,
    ),
    Entry(
        "RC004",
        "Header {header} is given more than once",
        "A proxy and a server may each pick another one of the two, so neither is taken.",
        "Send the header once.",
        400,
    ),
    Entry(
        "RC005",
        "The key may not call {action}",
        "The key lacks the right that the action needs.",
        "Use a key with the right, or make one: recontact key create --may read,write.",
        403,
    ),
    Entry(
        "RC006",
        "No action in the request",
        "The header NETOAPI_ACTION did not arrive, or was empty.",
        "Send NETOAPI_ACTION with the action's name. If it was sent, a proxy may have dropped "
        "headers with underscores: in nginx set underscores_in_headers on.",
        400,
    ),
    Entry(
        "RC007",
        "Action {action} does not exist",
        "The header NETOAPI_ACTION names an action that this server does not have.",
        "Send one of the actions listed.",
        400,
    ),
    Entry(
        "RC008",
        "The body is for {root}, not for {action}",
        "The root element of the XML body is another action's than the header NETOAPI_ACTION.",
        "Make both the same.",
        400,
    ),
    Entry(
        "RC010",
        "JSON Error",
        "The body is not well-formed JSON (RFC 8259) in UTF-8, or is no object.",
        "Mend the body at the place named.",
        400,
    ),
    Entry(
        "RC011",
        "XML Error",
        "The body is not well-formed XML 1.0, or is in an encoding that is not read.",
        "Mend the body at the place named.",
        400,
    ),
    Entry(
        "RC012",
        "The body is neither XML nor JSON",
        "The first character of the body is none of < { [.",
        "Send an XML document or a JSON object.",
        400,
    ),
    Entry(
        "RC013",
        "The body has a DOCTYPE",
        "A document type can hold entities that grow without bound or read files, so none is read.",
        "Leave the DOCTYPE out.",
        400,
    ),
    Entry(
        "RC014",
        "The body is not valid gzip",
        "Content-Encoding says gzip, and the body cannot be unpacked.",
        "Send the whole gzip stream, or leave Content-Encoding out.",
        400,
    ),
    Entry(
        "RC015",
        "The body is nested too deeply",
        "The body has more levels than the server's limit. Nothing was applied.",
        "Send the documented shape, which has four.",
        400,
    ),
    Entry(
        "RC016",
        "Too many items or values in the request",
        "The call has more items, or a filter more values, than the server's limit. Nothing was "
        "applied.",
        "Split the call.",
        400,
    ),
    Entry(
        "RC017",
        "Method {method} is not allowed",
        "This address takes POST only.",
        "Send the call by POST.",
        405,
    ),
    Entry(
        "RC018",
        "The request took too long",
        "The body did not arrive whole within the server's limit. Nothing was applied.",
        "Send the request again.",
        408,
    ),
    Entry(
        "RC019",
        "The body is too large",
        "The body, as sent or unpacked, is over the server's limit. Nothing was applied.",
        "Split the call.",
        413,
    ),
    Entry(
        "RC020",
        "Content-Encoding {encoding} is not known",
        "The body is packed in a way that the server does not unpack.",
        "Send the body plain or as gzip.",
        415,
    ),
    Entry(
        "RC030",
        "Not saved",
        "The server is overloaded, or its database cannot write. Nothing was saved.",
        "Send the call again after the seconds in Retry-After.",
        503,
    ),
    Entry(
        "RC031",
        "Outcome unknown",
        "The commit was sent and its answer lost: all of the call is saved, or nothing.",
        "Read the logs before sending the call again.",
        503,
    ),
    Entry(
        "RC032",
        "Internal server error",
        "A defect of the server. Nothing of the call was saved.",
        "Report it with its X-Request-Id; the server's log has the details.",
        500,
    ),
)


class RecontactError(Exception):
    """Any error of ours that a caller may want to catch."""


class RefusedError(RecontactError):
    """
    The call cannot be answered as asked, and nothing of it was applied.

    message: the error to answer. http_status: of the answer. retry_after: seconds, where waiting
    helps.
    """

    def __init__(
        self, code: str, detail: str = "", *, retry_after: int | None = None, **facts: object
    ) -> None:
        entry = CATALOGUE[code]
        self.message = entry.message(detail, **facts)
        self.http_status = entry.http_status
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

    came_as: what came in its place where that is no object: `a number (3)`. passed_over: whether it
    had elements that the action does not know; understood: any that it knows, beside the LogID.
    """

    position: int
    values: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    came_as: str = ""
    passed_over: bool = False
    understood: bool = False

    @property
    def where(self) -> str:
        """How a message names the item: its position from 1, and its LogID."""
        log_id = self.values.get("log_id")
        return f"Item {self.position}" + (f" (LogID {log_id})" if log_id is not None else "")

    @property
    def is_unknown(self) -> bool:
        """Whether it sent elements, and the action knows none of them beside the LogID."""
        return self.passed_over and not self.understood

    def errors(self, record: object | None = None) -> list[Message]:
        """Its problems as messages; text too long is none where `record` has that very text."""
        if self.came_as:
            detail = f"{self.came_as} came where an object is expected, with elements inside."
            return [self.error("CL005", detail)]
        return [
            problem.message(self.where)
            for problem in self.problems
            if problem.too_long is None
            or record is None
            or not same(getattr(record, problem.key), problem.too_long)
        ]

    def error(self, code: str, detail: str, **facts: object) -> Message:
        """An Error of the catalogue about this item."""
        return CATALOGUE[code].message(f"{self.where}: {detail}", **facts)

    def warning(self, code: str) -> Message:
        """A Warning of the catalogue about this item."""
        return CATALOGUE[code].message(item="i" + self.where[1:])


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter of a Query: the attribute `key` compared with any of `values` (None: empty)."""

    key: str
    comparison: Comparison
    values: tuple[Any, ...]


@dataclass(slots=True)
class Query:
    """What a Get asks for: all conditions hold; elements selected; one page of `limit`."""

    conditions: list[Condition] = field(default_factory=list)
    selectors: tuple[Selector, ...] = ()
    page: int = 0
    limit: int = 100
    problems: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Call:
    """A decoded request. `passed_over`: names of the elements that the action does not know."""

    shape: Shape
    format: Format | None = None
    items: list[Item] = field(default_factory=list)
    query: Query | None = None
    passed_over: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Reply:
    """
    The answer to a call, before it is encoded.

    action: the root in XML. list_name: of `records`, "" for an answer without a list.
    """

    action: str
    list_name: str = ""
    records: list[dict[str, Any]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    http_status: int = 200
    changed: int = 0

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
