"""The catalogue of all messages: each with its code, cause and way out."""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Severity(StrEnum):
    """The SeverityCode of a message (seed)."""

    ERROR = "Error"
    WARNING = "Warning"


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
    brings none of its own. http_status: of a refusal that this entry makes. as_seen: whether the
    real service was seen to answer it with HTTP 200, which the live dialect does. live: the code of
    the warning that stands for it in the live dialect.
    """

    code: str
    text: str
    cause: str
    way_out: str
    http_status: int = 200
    severity: Severity = Severity.ERROR
    as_seen: bool = False
    live: str = ""

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
        live="CL040",
    ),
    Entry(
        "CL003",
        "Cannot find Customer {key}",
        "No customer of this site has that Username.",
        "Add the customer first with AddCustomer; a log may also have a CustomerName alone.",
        live="CL041",
    ),
    Entry(
        "CL004",
        "{record} {key} has changed",
        "The item's Revision is not the record's current one: somebody wrote it since it was read.",
        "Read the record again, decide, and send the update with the Revision read.",
    ),
    Entry(
        "CL005",
        "{record} is not an object",
        "An item of the list is a plain value where an object with elements is expected.",
        "Send each record as an object: an element CustomerLog or Customer with elements inside.",
    ),
    Entry(
        "CL006",
        "Nothing to update in {item}",
        "The item has no element that the action knows, beside its LogID or Username.",
        "Check the spelling of the elements; names count letter by letter. The header "
        "Recontact-Passed-Over names those that were passed over.",
        severity=Severity.WARNING,
    ),
    Entry(
        "CL007",
        "Customer {key} already exists",
        "A customer of this site has that Username; usernames that differ in case only are one.",
        "Send UpdateCustomer to change the customer, or choose another Username.",
    ),
    Entry(
        "CL008",
        "Nothing to add in {item}",
        "The item has elements, and the action knows none of them, so the log would be empty.",
        "Check the spelling of the elements; names count letter by letter. The header "
        "Recontact-Passed-Over names those that were passed over.",
    ),
    Entry(
        "CL009",
        "{element} is not an element of {action}",
        "Strict handling: the call has an element that the action does not know.",
        "Check its spelling, or leave it out; names count letter by letter.",
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
        live="CL042",
    ),
    Entry(
        "CL013",
        "{element} {value} is not a date",
        "The value is in none of the forms of a date, or names a day, hour or second that does "
        "not exist.",
        "Send YYYY-MM-DD HH:MM:SS in UTC, YYYY-MM-DD, or ISO 8601.",
        live="CL043",
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
        "CL017",
        "{element} {value} is not a number",
        "The value is not written in digits, with or without a fraction behind a point.",
        "Send digits, with a point before the fraction: 12.50.",
    ),
    Entry(
        "CL018",
        "{element} is not an object",
        "A plain value or a list came in place of an element with others inside.",
        "Send one object with the elements of the address.",
    ),
    Entry(
        "CL020",
        "No {record} in the request",
        "The call has no item, so there is nothing to do.",
        "Wrap the items as the description shows.",
    ),
    Entry(
        "CL044",
        "Nothing was applied, as Prefer: handling=strict asks",
        "Strict handling: the call has an error, so no item of it was applied.",
        "Mend what the other errors say, and send the whole call again, with a new "
        "Idempotency-Key if it had one.",
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
        "The request has no Filter, or in it no filter beside Page and Limit.",
        'Add one: {"Filter": {"LogIDAfter": 0, "OutputSelector": ["Notes"]}} reads all logs, page '
        "by page; of customers it is IDAfter.",
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
    Entry(
        "CL036",
        "{element} has no word to look for",
        "The text has no letter and no digit, and nothing else is looked for.",
        "Send a word of the log, or the beginning of one.",
    ),
    Entry(
        "CL037",
        "Too much to answer",
        "The records of the page, the logs of its customers or the History of its logs are more "
        "than one answer holds.",
        "Send a smaller Limit, and read page by page.",
    ),
    # -- the live dialect: warnings where the documented one has errors ---------------------
    Entry(
        "CL040",
        "Cannot find CustomerLog {key}",
        "Live dialect: no log of this site has that LogID. The item was not applied.",
        "Read the LogID from the answer of AddCustomerLog or from GetCustomerLog.",
        severity=Severity.WARNING,
    ),
    Entry(
        "CL041",
        "Cannot find Customer {key}",
        "Live dialect: no customer of this site has that Username. The item was not applied.",
        "Add the customer first with AddCustomer; a log may also have a CustomerName alone.",
        severity=Severity.WARNING,
    ),
    Entry(
        "CL042",
        "{element} {value} does not exist, setting as {kept} in {item}",
        "Live dialect: Status is not one of the words that it may be. The rest of the "
        "item was applied; the element has what it had before, or what a new record has.",
        "Send one of the words that the element may be.",
        severity=Severity.WARNING,
    ),
    Entry(
        "CL043",
        "{element} {value} is not a date, field ignored in {item}",
        "Live dialect: the value is no date in any form that is read. The rest of the item was "
        "applied; the element has what it had before.",
        "Send YYYY-MM-DD HH:MM:SS in UTC, YYYY-MM-DD, or ISO 8601.",
        severity=Severity.WARNING,
    ),
    # -- a refusal: the call did not run ---------------------------------------------------
    Entry(
        "RC001",
        "Invalid API key",
        "The key is unknown, revoked or expired, or is a user's and came without its username.",
        "Send NETOAPI_KEY with a key of this server (recontact key create), and NETOAPI_USERNAME "
        "with it if the key was made for a user.",
        401,
        as_seen=True,
    ),
    Entry(
        "RC002",
        "No API key in the request",
        "None of the headers that can hold a key arrived.",
        "Send NETOAPI_KEY (with NETOAPI_USERNAME for a user's key), X_ACCESS_KEY with "
        "X_SECRET_KEY, or Authorization: Bearer. If they were sent, a proxy may have dropped "
        "headers with underscores: in nginx set underscores_in_headers on.",
        401,
        as_seen=True,
    ),
    Entry(
        "RC003",
        "Two different API keys in the request",
        "The headers that can hold a key hold different ones.",
        "Send one key.",
        401,
        as_seen=True,
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
        as_seen=True,
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
        as_seen=True,
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
        "The call has more items, a filter more values, or the body more elements, than the "
        "server's limit. Nothing was applied.",
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
        "It did not arrive whole within the server's limit. Nothing was applied.",
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
        "RC021",
        "Too many calls",
        "The calls of the site, with all its keys together, are over the server's limit. Nothing "
        "was applied.",
        "Send the call again after the seconds in Retry-After, or more items in fewer calls.",
        429,
    ),
    Entry(
        "RC022",
        "Too many calls without a valid key",
        "From the same address came more calls without a valid key than the server's limit, and "
        "this one has none either.",
        "Send a valid key, which is let in at once; try another key after the seconds in "
        "Retry-After.",
        429,
    ),
    Entry(
        "RC023",
        "The request is not valid HTTP",
        "Its bytes are not HTTP/1.1 as RFC 9112 has it, or could be read as one request or as two. "
        "Nothing was applied.",
        "Send it by an HTTP library, with Content-Length or Transfer-Encoding: chunked and not "
        "both. If one sent it, look at the proxy between.",
        400,
    ),
    Entry(
        "RC024",
        "The headers are too large",
        "The request line and headers, or what stands between the chunks of a body, are over the "
        "server's limit. Nothing was applied.",
        "Send fewer and shorter headers; cookies are not needed.",
        431,
    ),
    Entry(
        "RC025",
        "Idempotency-Key cannot be read",
        "It is empty, over 255 characters long, or has other characters than visible ASCII. "
        "Nothing was applied.",
        "Send what tells this call from all others, such as a UUID.",
        400,
    ),
    Entry(
        "RC026",
        "Idempotency-Key {key} was sent with another call",
        "A call with this Idempotency-Key, but with another action, body, answer format or Prefer, "
        "was answered in the last 7 days. Nothing was applied.",
        "Send a new Idempotency-Key with each new call, a mended one too, and repeat a call byte "
        "for byte.",
        422,
    ),
    Entry(
        "RC027",
        "Recontact-Dry-Run {value} is neither true nor false",
        "The header says something else, so it is not clear whether to write. Nothing was applied.",
        "Send true to try the call, or leave the header out.",
        400,
    ),
    Entry(
        "RC028",
        "The answer of Idempotency-Key {key} was erased",
        "The call ran; what it was about, or its answer, was erased since. It is not run again.",
        "Read whether what the call was to do is there; send a new call with a new key.",
        422,
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
        "Send the call again if it had an Idempotency-Key, with the same one; if not, read first "
        "what is there.",
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
