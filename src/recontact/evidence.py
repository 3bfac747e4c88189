"""Where the rules that are no elements come from, and how contradicting sources were resolved."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from recontact.fields import Evidence

KINDS: Final[Mapping[Evidence, str]] = MappingProxyType(
    {
        "seed": "stands on the page that this project began with: the vendor's UpdateCustomerLog",
        "documented": "stands elsewhere in the vendor's documentation",
        "observed": "was seen in an answer of the real service that somebody published",
        "client": "is what a published client sends or requires",
        "inferred": "is our reading of the sources, which do not say it in words",
        "assumed": "is our choice, where the sources are silent, unsafe or contradict each other",
        "extension": "is ours: no page of the vendor has it",
    }
)
"""What each kind of evidence means: of a rule it may be said that it …"""

SOURCES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "seed": "the vendor's page UpdateCustomerLog, as it was when this project began",
        "docs": "a copy of the vendor's API documentation in Markdown: `docs/` of "
        "lumberjack-so/neto-export on GitHub, commit a1d1c7e",
        "O1": "answers of 2017, recorded by the tests of BoTreeConsultingTeam/neto_api on GitHub: "
        "`spec/fixtures/vcr_cassettes/products.yml`, commit ecac091",
        "O2": "answers of 2023 and 2024, written into comments of sfinktah/neto on GitHub, commit "
        "e0997c1",
        "O3": "the tests of bonol/neto_api_ruby on GitHub, run on a live shop, commit 70557ae",
        "O4": "remarks in programs that run against live shops, most of them in bl-neto-cli",
        "neto-api": "neto-api 2.1.3 on npm (neto-api-node, commit cda67f3); run by us",
        "netoapi": "netoapi 1.0.1 on PyPI (commit 7972211); run by us",
        "netotools": "netotools, a Python program, commit 542a0b0",
        "neto_api_ruby": "bonol/neto_api_ruby on GitHub, commit 70557ae",
        "neto_api": "BoTreeConsultingTeam/neto_api on GitHub, a Ruby client, commit ecac091",
        "NetoDotNET": "NetoDotNET, a .NET client, commit 995b524",
        "App-Tutorial": "App-Tutorial, the vendor's own sample of an add-on, commit d9a043f",
        "bl-neto-cli": "jharsem/bl-neto-cli on GitHub, in TypeScript, commit 6eee683",
        "sfinktah/neto": "sfinktah/neto on GitHub, a PHP client, commit e0997c1",
        "Workato": "the connector that Workato publishes",
        "why": "our own decision; `docs/why.md` in the source has the reasons of the larger ones",
    }
)
"""
What the sources are. None of the answers that were seen is about customer logs: they are of the
sister actions for items, orders and content, which share the envelope.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of how the server behaves; sources: keys of SOURCES."""

    rule: str
    evidence: Evidence
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What the sources disagree on, and what this server does."""

    code: str
    one: str
    other: str
    here: str


@dataclass(frozen=True, slots=True)
class Question:
    """What no source answers, and what this server does."""

    question: str
    here: str


RULES: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType(
    {
        "The call": (
            Rule("Every action is a POST to `/do/WS/NetoAPI`.", "seed", ("seed", "docs")),
            Rule("Any path may stand before it: a gateway puts one there.", "client", ("O4",)),
            Rule("A slash may end it.", "assumed", ("why",)),
            Rule("The header NETOAPI_ACTION names the action.", "seed", ("seed", "docs")),
            Rule("The action's name is taken in any case.", "assumed", ("why",)),
            Rule(
                "The case of header names does not count; browsers and HTTP/2 send small letters.",
                "client",
                ("O4",),
            ),
            Rule(
                "A doubled header that names the action or holds a credential is refused.",
                "assumed",
                ("why",),
            ),
            Rule(
                "Another method is answered 405; OPTIONS answers CORS for the origins on the "
                "site's list.",
                "assumed",
                ("O4", "why"),
            ),
        ),
        "Keys": (
            Rule(
                "NETOAPI_USERNAME and NETOAPI_KEY together let a user in.",
                "seed",
                ("seed", "docs"),
            ),
            Rule(
                "A key of the whole site stands in NETOAPI_KEY alone; a username beside it is not "
                "looked at.",
                "documented",
                ("docs", "O4"),
            ),
            Rule(
                "An add-on sends X_ACCESS_KEY and X_SECRET_KEY instead.",
                "documented",
                ("docs", "App-Tutorial"),
            ),
            Rule("Only X_SECRET_KEY is compared.", "assumed", ("why",)),
            Rule(
                "X_SECRET_KEY and Authorization may hold a user's key, and need no username.",
                "assumed",
                ("why",),
            ),
            Rule("A key may come as `Authorization: Bearer`.", "client", ("O4",)),
            Rule("Blanks around a key are dropped.", "client", ("O4",)),
            Rule(
                "A user's key without its username is refused in the words for an unknown key.",
                "observed",
                ("O4",),
            ),
            Rule(
                "`Invalid API key` is the text for a wrong key.",
                "observed",
                ("O4",),
            ),
            Rule("A refused key is HTTP 401, or 403 for a missing right.", "assumed", ("why",)),
            Rule(
                "Two forms that hold the same key pass, with different keys they are refused.",
                "assumed",
                ("neto-api", "why"),
            ),
        ),
        "Bodies": (
            Rule("A body is XML or JSON.", "seed", ("seed", "docs")),
            Rule(
                "Its first character tells which; Content-Type is not looked at, as clients send "
                "none, or text/plain, for JSON.",
                "client",
                ("App-Tutorial", "neto_api_ruby"),
            ),
            Rule("The answer is JSON if Accept names application/json.", "seed", ("seed", "docs")),
            Rule("Accept may name it anywhere, else the answer is XML.", "inferred", ("docs",)),
            Rule(
                "Wherever a list is documented, one object is taken too.",
                "client",
                ("NetoDotNET", "O2"),
            ),
            Rule(
                "Elements that the action does not know are passed over: clients send several.",
                "client",
                ("NetoDotNET", "O4"),
            ),
            Rule(
                "The header Recontact-Passed-Over names what was passed over.",
                "extension",
                ("why",),
            ),
            Rule(
                "Element names are matched letter by letter, but the wrappers and Filter in any "
                "case: one client sends `filter`.",
                "client",
                ("Workato",),
            ),
            Rule("Namespaces and attributes of XML are not looked at.", "assumed", ("why",)),
            Rule("A DOCTYPE, and any entity beyond the five, is refused.", "assumed", ("why",)),
            Rule(
                "An XML root that names another action is refused; any other root passes.",
                "assumed",
                ("why",),
            ),
            Rule("A body may be packed with gzip.", "extension", ("why",)),
            Rule(
                "Bodies, items, values of a filter, nesting and time have limits; past one, "
                "nothing is applied.",
                "assumed",
                ("why",),
            ),
        ),
        "Answers": (
            Rule(
                "An answer holds the action's list, CurrentTime, Ack and Messages, in this order.",
                "observed",
                ("O1", "O2", "docs"),
            ),
            Rule("CurrentTime is in UTC.", "observed", ("O1",)),
            Rule(
                "Ack is Success, Warning or Error.",
                "documented",
                ("docs", "O1", "O2", "O3"),
            ),
            Rule("Messages is left out where there is none.", "observed", ("O1", "O2")),
            Rule(
                "An Error has Message, SeverityCode and Description; a Warning has no Description.",
                "seed",
                ("seed", "docs"),
            ),
            Rule("A Description ends with a code in brackets.", "extension", ("why",)),
            Rule("HTTP status 200 means that the action ran: see Ack.", "observed", ("O3", "O4")),
            Rule("What cannot run has an HTTP status of 400 or above.", "assumed", ("why",)),
            Rule(
                'Numbers and booleans are text in JSON answers: `"100"`, `"True"`.',
                "observed",
                ("O1", "O2"),
            ),
            Rule("An element without a value is empty text.", "observed", ("O1", "O2")),
            Rule("An answer in XML has a declaration and no namespace.", "seed", ("seed", "docs")),
            Rule("An answer is never empty: one would end a client.", "client", ("neto-api",)),
            Rule("X-Request-Id finds the call in the server's log.", "extension", ("why",)),
        ),
        "Batches": (
            Rule("A call takes many items.", "seed", ("seed", "docs")),
            Rule(
                "An item with an error changes nothing, and the others are applied.",
                "observed",
                ("O2",),
            ),
            Rule(
                "Beside an error Ack is Error, also where other items were applied.",
                "assumed",
                ("why",),
            ),
            Rule("A warning means: applied, with a remark.", "assumed", ("why",)),
            Rule("A call without items is an error.", "assumed", ("why",)),
            Rule("An element given twice in one XML item is an error.", "assumed", ("why",)),
        ),
        "Values": (
            Rule("String(n) takes n characters.", "seed", ("seed", "docs")),
            Rule("Longer text is refused, never cut.", "assumed", ("why",)),
            Rule(
                "A String without a length takes 65,535 characters; the server may be set to "
                "another number.",
                "assumed",
                ("why",),
            ),
            Rule("Integer(10) takes up to 10 digits, as text or as a number.", "seed", ("seed",)),
            Rule(
                "A date is written `YYYY-MM-DD HH:MM:SS` and is in UTC.",
                "documented",
                ("docs", "O1", "O2"),
            ),
            Rule(
                "A date may also be `YYYY-MM-DD`, have `(UTC)` behind it, or be ISO 8601 with any "
                "offset and up to 7 decimals.",
                "client",
                ("App-Tutorial", "NetoDotNET", "sfinktah/neto", "O4"),
            ),
            Rule("`0000-00-00 00:00:00` is no date, as empty text is.", "client", ("NetoDotNET",)),
            Rule(
                "DateRequiredFollowUp is a day of the site unless a time other than 00:00:00, or "
                "a zone, is sent with it.",
                "assumed",
                ("docs", "why"),
            ),
            Rule("The Local form of a date is in the site's zone.", "inferred", ("docs",)),
            Rule("The words of an enumeration are taken in any case.", "assumed", ("why",)),
            Rule("A word outside an enumeration is refused.", "assumed", ("why",)),
            Rule(
                "A boolean may be True or False in any case, a JSON boolean, 1, 0, y or n.",
                "client",
                ("NetoDotNET", "O4"),
            ),
            Rule("A Decimal keeps the digits that were sent.", "assumed", ("O1",)),
            Rule(
                "What is not sent, and JSON null, leaves things as they are.",
                "inferred",
                ("docs", "NetoDotNET"),
            ),
            Rule("Empty text clears an element.", "inferred", ("docs",)),
            Rule(
                "An empty Status leaves it as it is: the vendor's sample has one.",
                "seed",
                ("seed",),
            ),
            Rule(
                "Text that XML cannot carry is refused in JSON too.",
                "assumed",
                ("why",),
            ),
        ),
        "Logs": (
            Rule(
                "An update needs the LogID, although its page calls each element optional.",
                "inferred",
                ("seed", "docs"),
            ),
            Rule("AddCustomerLog answers the LogID of each log.", "documented", ("docs",)),
            Rule("LogIDs count from 1 in each site, and none is given twice.", "assumed", ("why",)),
            Rule("A new log's Status is Require Recontact.", "inferred", ("docs",)),
            Rule(
                "AddCustomerLog takes no notice of LogID, nor of Status `None`: a client sends "
                "both with every log.",
                "client",
                ("NetoDotNET",),
            ),
            Rule("The Username of a new log must be a customer's.", "assumed", ("why",)),
            Rule("A log needs no customer.", "documented", ("docs",)),
            Rule(
                "UpdateCustomerLog passes over Username: a client sends it and wants Success.",
                "client",
                ("NetoDotNET",),
            ),
            Rule("GetCustomerLog, Revision and Search.", "extension", ("why",)),
        ),
        "Customers": (
            Rule("AddCustomer and UpdateCustomer need the Username.", "documented", ("docs",)),
            Rule("Usernames that differ in case only are the same.", "assumed", ("why",)),
            Rule(
                "Adding a customer who is there, and updating one who is not, are errors.",
                "assumed",
                ("why",),
            ),
            Rule("A sent address replaces the stored one whole.", "client", ("O4", "bl-neto-cli")),
            Rule("Passwords are taken and kept nowhere.", "assumed", ("why",)),
            Rule("A new customer is Active unless the call says otherwise.", "assumed", ("why",)),
            Rule(
                "GetCustomer with the OutputSelector CustomerLog is how the vendor's API reads "
                "logs back.",
                "documented",
                ("docs",),
            ),
            Rule(
                "What this server holds no data for is answered empty: AccountBalance, "
                "AvailableCredit, Password, a manager's name and email.",
                "assumed",
                ("why",),
            ),
        ),
        "Reading": (
            Rule(
                "A Get needs a filter beside Page and Limit, and an OutputSelector.",
                "documented",
                ("docs", "O4"),
            ),
            Rule(
                "What names a record is in the answer, selected or not.",
                "observed",
                ("O1",),
            ),
            Rule(
                "Several values of a filter: any of them. Several filters: all of them.",
                "inferred",
                ("docs",),
            ),
            Rule("An unknown filter is an error.", "assumed", ("why",)),
            Rule("An unknown OutputSelector is passed over.", "client", ("O4", "NetoDotNET")),
            Rule("Page counts from 0.", "documented", ("docs", "O1")),
            Rule("Limit is 1 to 10,000, and 100 if not sent.", "assumed", ("O4", "why")),
            Rule("A page past the end is an empty list with Success.", "observed", ("O1",)),
            Rule("Records come by LogID or ID, ascending.", "assumed", ("why",)),
            Rule("LogIDAfter and IDAfter page without gaps.", "extension", ("why",)),
            Rule("A filter without a value asks for what is empty.", "assumed", ("why",)),
            Rule("Text filters compare whole values, in any case.", "assumed", ("why",)),
        ),
        "The live dialect": (
            Rule("The root has Response behind the action's name.", "documented", ("docs",)),
            Rule(
                "In JSON the list of an Add or Update is a bare object for one record, and empty "
                "text for none.",
                "observed",
                ("O2", "O3", "NetoDotNET"),
            ),
            Rule("In JSON one Error or Warning is a bare object.", "observed", ("O2", "O4")),
            Rule("The list of a Get is always an array.", "observed", ("O1", "O2")),
            Rule(
                "In JSON a list within a record stands in an array of one object: "
                '`[{"CustomerLog": …}]`, or is empty text.',
                "inferred",
                ("O1", "O4"),
            ),
            Rule("A refused key is HTTP 200 with Ack Error.", "observed", ("O4",)),
            Rule("Broken JSON is HTTP 200 with `JSON Error`.", "observed", ("O2",)),
            Rule("What cannot be found is a warning.", "observed", ("O2", "O3")),
            Rule("A Status outside its words is a warning.", "documented", ("docs",)),
            Rule("A bad date is a warning.", "documented", ("docs",)),
        ),
    }
)
"""The rules by what they are about."""


CONTRADICTIONS: Final = (
    Contradiction(
        "C1",
        "The vendor's schema samples have the action's name as the XML root.",
        "The worked samples have it with Response behind.",
        "The action's name, as on the seed page; with Response in the live dialect.",
    ),
    Contradiction(
        "C2",
        "The schema samples have neither Ack nor CurrentTime.",
        "Every recorded answer has both, and three clients fail without Ack.",
        "Every answer has both, in XML and JSON.",
    ),
    Contradiction(
        "C3",
        "In the schema samples Error, Warning and CustomerLog are arrays.",
        "In recorded answers one is a bare object, and none is empty text.",
        "Always arrays; in the live dialect as recorded.",
    ),
    Contradiction(
        "C4",
        'The schema has `"CustomerLogs": {"CustomerLog": […]}` in a customer.',
        "Recorded answers have such a wrapper in an array; one client wants the logs themselves "
        "there.",
        'The documented shape; in the live dialect `[{"CustomerLog": …}]`. Never the logs alone.',
    ),
    Contradiction(
        "C5",
        "Messages is an object.",
        "One client saw an array of such objects, and others provide for it.",
        "Always an object.",
    ),
    Contradiction(
        "C6",
        "The pages of actions that write demand a filter and an OutputSelector too.",
        "Their samples have neither, and no client sends them.",
        "Both are optional in UpdateCustomerLog. Where a Filter comes, it is checked before "
        "anything is written, needs the right to read, and the answer lists the logs that match "
        "as they then are. Other actions that write pass it over.",
    ),
    Contradiction(
        "C7",
        "A Get needs a filter and an OutputSelector.",
        "The vendor's own curl line has only Page and Limit, and one connector tests itself "
        "without a body.",
        "Both are needed. Without, the answer is HTTP 200 with an empty list, Ack Error and the "
        "rule.",
    ),
    Contradiction(
        "C8",
        "AllocatedTo takes 255 characters in AddCustomerLog.",
        "It takes 100 in UpdateCustomerLog; older pages say 255.",
        "Each page for its own action. A value that equals the stored one is never too long, so "
        "what was added can be sent back.",
    ),
    Contradiction(
        "C9",
        "LogID is optional in UpdateCustomerLog.",
        "Without it there is nothing to update.",
        "An item without it is an error, in the words of the vendor's Category pages.",
    ),
    Contradiction(
        "C10",
        "DateRequiredFollowUp is a DateTime when sent.",
        "GetCustomer answers it as a Date.",
        "It is kept as what was sent, a day or an instant. GetCustomer answers the day, in the "
        "site's zone; GetCustomerLog answers both.",
    ),
    Contradiction(
        "C11",
        "The zone of a plain DateTime is not clear from the pages.",
        "The page of types, recorded orders and two clients point to UTC.",
        "UTC, in and out; the Local form of a date is in the site's zone.",
    ),
    Contradiction(
        "C12",
        "A String without a length is said to have a minimum of 1,000 characters.",
        "A minimum cannot be meant.",
        "65,535 at most, and a setting of the server.",
    ),
    Contradiction(
        "C13",
        "A log in GetCustomer's answer has an element Customer.",
        "Whether it is the username or the name is not said.",
        "The Username.",
    ),
    Contradiction(
        "C14",
        "GetCustomer is the only documented way to read logs.",
        "Its logs have neither FollowUpType nor CustomerName: both can be written and never read.",
        "GetCustomer answers as documented; GetCustomerLog, ours, reads every element.",
    ),
    Contradiction(
        "C15",
        "The vendor's curl line puts three headers into one -H.",
        "So Accept names JSON among other things, and there is no NETOAPI_ACTION.",
        "The answer is in JSON, HTTP 400, and says that no action arrived.",
    ),
)

QUESTIONS: Final = (
    Question(
        "Is an unknown LogID a warning or an error?",
        "An error. In the live dialect a warning, as the real service warns of an unknown SKU; the "
        "item is not applied either way.",
    ),
    Question(
        "What happens to a batch of which some items fail?",
        "The good items are applied, each bad one gets a message, and Ack is Error if one of the "
        "messages is an error.",
    ),
    Question(
        "What does a Status outside the list do?",
        "The item is refused. In the live dialect the rest of it is applied, with a warning.",
    ),
    Question(
        "What is the Status of a log that is added without one?",
        "Require Recontact, the first of the list.",
    ),
    Question("What happens to text that is too long?", "The item is refused. Nothing is cut."),
    Question(
        "What does a bad date do?",
        "The item is refused. In the live dialect the rest of it is applied, with a warning.",
    ),
    Question(
        "What does empty text mean in an update?",
        "It clears the element; only Status, which must have a value, stays as it is. JSON null is "
        "as if not sent.",
    ),
    Question(
        "What does AddCustomerLog do with an unknown Username?",
        "The item is refused; in the live dialect it is left out with a warning. A log without a "
        "Username is fine.",
    ),
    Question(
        "Does UpdateCustomerLog take a Username?",
        "It is passed over, and named in Recontact-Passed-Over. It never moves a log.",
    ),
    Question(
        "Which HTTP status has a wrong key?",
        "401 with the usual body; 200 in the live dialect.",
    ),
    Question(
        "What is the body of an answer that asks to wait?",
        "The usual one with Ack Error, beside Retry-After.",
    ),
    Question(
        "How is an empty list answered?",
        "`[]` with Success in JSON, no element in XML; empty text for an Add or Update in the live "
        "dialect.",
    ),
    Question(
        "Is a LogID a number or text in JSON?", "Text in answers; both are taken in a request."
    ),
    Question(
        "Does the case of element names count?",
        "Yes, but for the wrappers CustomerLogs, CustomerLog, Customer and Filter.",
    ),
    Question("In which order do logs come?", "By LogID."),
    Question("What is the Content-Type of an XML answer?", "`text/xml; charset=utf-8`."),
    Question(
        "Does a customer's DateUpdated move when one of their logs changes?",
        "No.",
    ),
    Question("May an answer be empty?", "Never, whatever happened."),
    Question("How is a log or a customer deleted?", "By no action of the API."),
)
