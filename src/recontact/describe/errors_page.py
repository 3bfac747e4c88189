"""The page of errors: each message of the catalogue, its cause, the way out, and how it looks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from recontact import wire
from recontact.actions import ACTIONS
from recontact.catalogue import CATALOGUE, Entry, Message
from recontact.describe import markdown
from recontact.describe.samples import lay_out_json
from recontact.fields import GET_CUSTOMER_LOG
from recontact.messages import Format, Reply

_AT: Final = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Example:
    """What a message says in one case: its description before the code, and its facts."""

    detail: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def _of(detail: str = "", **facts: str) -> Example:
    return Example(detail, facts)


def errors_md() -> str:
    """The page."""
    entries = [CATALOGUE[code] for code in sorted(CATALOGUE)]
    rows = [
        [f"[{one.code}](#{markdown.anchor(one.code)})", f"`{one.text}`", one.severity, _http(one)]
        for one in entries
    ]
    return markdown.page(
        "# Errors and warnings",
        _INTRODUCTION,
        markdown.table(["Code", "Message", "Severity", "HTTP status"], rows),
        *(_section(entry) for entry in entries),
    )


_INTRODUCTION: Final = """\
Every answer says in `Ack` how the call ended. Where something was wrong, or is to be remarked,
`Messages` holds an `Error` or a `Warning` for each thing: `Message` is a short sentence, and the
`Description` of an error says which item and element it is about and what to do, and ends with the
code in brackets. Texts may get better; codes stay. A warning has no description, because the
vendor's has none.

**An error means that the item was not applied**, and the other items of the call were, unless the
call was strict: then none was. A code that begins with RC is of a call that did not run at all:
then nothing was applied. **A warning means applied, with a remark**; only the live dialect also
warns of what it cannot find."""


def _http(entry: Entry) -> str:
    return f"{entry.http_status}, live 200" if entry.as_seen else str(entry.http_status)


def _section(entry: Entry) -> str:
    milder = f" In the live dialect it is the warning [{entry.live}](#{entry.live.lower()})."
    facts = f"{entry.severity}, HTTP status {entry.http_status}."
    if entry.as_seen:
        facts += " In the live dialect the HTTP status is 200, as was seen of the real service."
    return "\n\n".join(
        [
            f"## {entry.code}",
            f"**`{entry.text}`**",
            f"{facts}{milder if entry.live else ''}",
            f"Cause: {entry.cause}",
            f"Way out: {entry.way_out}",
            markdown.code("json", _shown(example(entry.code))),
        ]
    )


def example(code: str) -> Message:
    """The message in the page's example."""
    return CATALOGUE[code].message(EXAMPLES[code].detail, **EXAMPLES[code].facts)


def _shown(message: Message) -> str:
    reply = Reply("", messages=[message])
    return lay_out_json(json.loads(wire.encode(reply, Format.JSON, _AT))["Messages"])


EXAMPLES: Final[Mapping[str, Example]] = {
    "CL001": _of("Item 1: LogID is missing: send it, as Integer(10).", element="LogID"),
    "CL002": _of(
        "Item 1 (LogID 99): no log of this site has that LogID. Read it from AddCustomerLog's "
        "answer.",
        key="99",
    ),
    "CL003": _of(
        "Item 1: no customer of this site has that Username. Add it with AddCustomer, or send "
        "CustomerName alone.",
        key="zoe",
    ),
    "CL004": _of(
        "Item 1 (LogID 1): Revision 9 was sent and 1 is current: somebody wrote it in between. "
        "Read it again, decide, and send the Revision read.",
        record="CustomerLog",
        key="1",
    ),
    "CL005": _of(
        "Item 1: a number ('3') came where an object is expected, with elements inside.",
        record="CustomerLog",
    ),
    "CL006": _of(item="item 1 (LogID 1)"),
    "CL007": _of(
        "Item 1 (Username BOB): it is customer 1, Bob. Send UpdateCustomer to change it, or choose "
        "another Username.",
        key="BOB",
    ),
    "CL008": _of(
        "Item 1: none of its elements is one of AddCustomerLog: check their spelling, letter by "
        "letter. The header Recontact-Passed-Over names them.",
        item="item 1",
    ),
    "CL009": _of(
        "Did you mean Notes? Names count letter by letter.",
        element="Note",
        action="UpdateCustomerLog",
    ),
    "CL010": _of(
        "Item 1 (LogID 1): FollowUpType is 51 characters long, and at most 50 are allowed: "
        "shorten it.",
        element="FollowUpType",
    ),
    "CL011": _of(
        "Item 1 (LogID 1): Revision must be a whole number from 1 to 9999999999, in digits only; "
        "got '1_0'.",
        element="Revision",
        value="'1_0'",
    ),
    "CL012": _of(
        "Item 1 (LogID 1): Status must be one of Require Recontact, Recontacting, Completed; got "
        "'Done'.",
        element="Status",
        value="'Done'",
    ),
    "CL013": _of(
        "Item 1 (LogID 1): LastContacted must be written YYYY-MM-DD HH:MM:SS (UTC), YYYY-MM-DD, or "
        "as ISO 8601 with seconds (2026-11-23T07:30:00+11:00); got 'soon'.",
        element="LastContacted",
        value="'soon'",
    ),
    "CL014": _of(
        "Item 1 (LogID 1): Notes has the character U+0000 at position 1, which XML cannot carry, "
        "so no answer could give it back: leave it out.",
        element="Notes",
    ),
    "CL015": _of(
        "Item 1 (LogID 1): Notes is given 2 times in the same item: send it once.", element="Notes"
    ),
    "CL016": _of(
        "Item 1 (LogID 1): Notes must be a plain value, and a boolean (true) came: send one.",
        element="Notes",
    ),
    "CL017": _of(
        "Item 1 (Username ana): CreditLimit must be a number in plain digits, with at most 15 "
        "before the point and 6 behind it: 1250 or 12.50; got 'much'.",
        element="CreditLimit",
        value="'much'",
    ),
    "CL018": _of(
        "Item 1 (Username ana): BillingAddress must be one object with elements inside, and text "
        "('Main Street 1') came: send one.",
        element="BillingAddress",
    ),
    "CL020": _of(
        'Nothing to do. Send {"CustomerLogs": {"CustomerLog": [{"LogID": "…"}]}} or '
        "<UpdateCustomerLog><CustomerLogs><CustomerLog><LogID>…</LogID></CustomerLog>"
        "</CustomerLogs></UpdateCustomerLog>.",
        record="CustomerLog",
    ),
    "CL030": _of(
        f"Filter: Colour is none of them: use {', '.join(GET_CUSTOMER_LOG.filters)}.",
        element="Colour",
        action="GetCustomerLog",
    ),
    "CL031": _of(),
    "CL032": _of(
        "Filter: Colour is none. Names count letter by letter: send one or more of "
        f"{', '.join(GET_CUSTOMER_LOG.selectors)}."
    ),
    "CL033": _of(
        "Filter: LogIDAfter takes one value and 2 came. Send it once.", element="LogIDAfter"
    ),
    "CL034": _of(),
    "CL035": _of(
        "Filter: LogID came without a value. Give it a value, or leave the filter out.",
        element="LogID",
    ),
    "CL036": _of("Filter: Search '?!' has no letter and no digit: send a word.", element="Search"),
    "CL037": _of(
        "Filter: the 500 customers of this page have over 100,000 logs together, or over "
        "32,000,000 characters of notes. Send a smaller Limit, or read the logs by GetCustomerLog."
    ),
    "CL040": _of(key="99"),
    "CL041": _of(key="zoe"),
    "CL042": _of(
        element="Status", value="'Done'", kept="Require Recontact", item="item 1 (LogID 1)"
    ),
    "CL043": _of(element="LastContacted", value="'soon'", item="item 1 (LogID 1)"),
    "CL044": _of(),
    "RC001": _of(),
    "RC002": _of(),
    "RC003": _of("NETOAPI_KEY, X_SECRET_KEY and Authorization hold different keys: send one."),
    "RC004": _of(header="NETOAPI_KEY"),
    "RC005": _of(
        "UpdateCustomerLog needs the right to write, and the key may read. Use another key, or "
        "make one: recontact key create --may read,write.",
        action="UpdateCustomerLog",
    ),
    "RC006": _of(),
    "RC007": _of(
        f"Send NETOAPI_ACTION with one of {', '.join(ACTIONS)}.", action="DeleteCustomerLog"
    ),
    "RC008": _of(root="AddCustomerLog", action="UpdateCustomerLog"),
    "RC010": _of(
        "Expecting property name enclosed in double quotes at line 1, column 2: mend the body "
        "there."
    ),
    "RC011": _of("Couldn't find end of Start Tag oops, line 1, column 6: mend the body there."),
    "RC012": _of(),
    "RC013": _of(),
    "RC014": _of(),
    "RC015": _of("The limit is 32 levels, and the documented shape has four. Nothing was applied."),
    "RC016": _of("1001 items came, and the limit is 1000. Nothing was applied. Split the call."),
    "RC017": _of(method="PUT"),
    "RC018": _of("The request was not whole after 20 s. Nothing was applied. Send it again."),
    "RC019": _of("The limit is 8388608 bytes. Nothing was applied. Split the call."),
    "RC020": _of(encoding="br"),
    "RC021": _of(
        "The limit is 500 calls a minute for all keys of a site. Nothing was applied. Send the "
        "call again after 1 s, or more items in fewer calls."
    ),
    "RC022": _of(
        "This one has none either (Invalid API key), and the limit is 20 calls a minute from one "
        "address. A valid key is let in at once; try another key after 3 s."
    ),
    "RC023": _of("Invalid header token. Nothing was applied. Send it by an HTTP library."),
    "RC024": _of("The limit is 32768 bytes and 100 headers. Nothing was applied."),
    "RC025": _of(),
    "RC026": _of(key="order-1042"),
    "RC027": _of(value="'yes'"),
    "RC028": _of(key="order-1041"),
    "RC030": _of(),
    "RC031": _of(),
    "RC032": _of(
        "Nothing of the call was saved. Report it with the request id "
        "01a20f73-ba80-7d60-857c-cefd837ad56f; the server's log has the details."
    ),
}
"""One of each message; a test holds them against the server's."""
