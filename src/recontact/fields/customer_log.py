"""The elements of a CustomerLog, and the actions on logs."""

from datetime import date, datetime
from types import MappingProxyType
from typing import Annotated, Final, TypedDict

from recontact.fields.table import (
    Comparison,
    Element,
    Filter,
    Filters,
    Nested,
    Selectors,
    Shape,
    Wire,
    element_of,
    filters_of,
    forms_of,
    selectors_of,
    table_of,
)
from recontact.values import DateTime, DayOrTime, Integer, OneOf, Status, Text, WireType

NOTES_LIMIT: Final = 65_535
"""Characters of Notes: assumed (MySQL's TEXT); the vendor says only String."""


class CustomerLogFields(TypedDict, total=False):
    """What a CustomerLog may carry in a call. A key not there was not sent; None: sent empty."""

    allocated_to: Annotated[
        str | None, Wire("AllocatedTo", Text(100), "Who must follow up.", "seed")
    ]
    follow_up_type: Annotated[
        str | None, Wire("FollowUpType", Text(50), "How to follow up: Phone, Email, …", "seed")
    ]
    customer_name: Annotated[
        str | None, Wire("CustomerName", Text(100), "The customer, as people say it.", "seed")
    ]
    last_contacted: Annotated[
        datetime | None,
        Wire("LastContacted", DateTime(), "When the customer was last spoken to, UTC.", "seed"),
    ]
    date_required_follow_up: Annotated[
        date | datetime | None,
        Wire(
            "DateRequiredFollowUp",
            DayOrTime(),
            "When to follow up: a calendar day of the site, or an instant.",
            "seed",
        ),
    ]
    status: Annotated[Status, Wire("Status", OneOf(Status), "How far the contact is.", "seed")]
    notes: Annotated[
        str | None,
        Wire("Notes", Text(NOTES_LIMIT, unlimited=True), "What was said.", "seed"),
    ]


class CustomerLogKey(TypedDict, total=False):
    """What names a log."""

    log_id: Annotated[
        int, Wire("LogID", Integer(least=1), "The log's number in its site.", "seed", required=True)
    ]


class UpdateCustomerLogFields(CustomerLogKey, CustomerLogFields, total=False):
    """What an item of UpdateCustomerLog may carry."""

    revision: Annotated[
        int,
        Wire(
            "Revision",
            Integer(least=1),
            "The log's revision that this update was made from; any other refuses the item.",
            "extension",
        ),
    ]


class AddCustomerLogFields(CustomerLogFields, total=False):
    """What an item of AddCustomerLog may carry."""

    username: Annotated[
        str | None,
        Wire("Username", Text(25), "The customer's username; it must exist.", "documented"),
    ]


class CustomerLogOutput(CustomerLogKey, CustomerLogFields, total=False):
    """What an answer can say of a log, beside the Local and UTC forms of its dates."""

    username: Annotated[
        str | None, Wire("Username", Text(25), "The customer's username.", "extension")
    ]
    date_added: Annotated[
        datetime, Wire("DateAdded", DateTime(), "When the log was added, UTC.", "extension")
    ]
    date_updated: Annotated[
        datetime, Wire("DateUpdated", DateTime(), "When it last changed, UTC.", "extension")
    ]
    revision: Annotated[
        int, Wire("Revision", Integer(), "How many times it was written.", "extension")
    ]


# AddCustomerLog takes more of AllocatedTo than UpdateCustomerLog; what is stored can be asked for.
CUSTOMER_LOG: Final = table_of(CustomerLogOutput, allocated_to={"type": Text(255)})
_LOG_ID = element_of(CUSTOMER_LOG["LogID"])

CUSTOMER_LOG_SELECTORS: Final = selectors_of(
    *(
        element
        for field in CUSTOMER_LOG.values()
        for element in (
            forms_of(field)
            if isinstance(field.wire.type, DateTime | DayOrTime)
            else (element_of(field),)
        )
    )
)

CUSTOMER_LOG_FILTERS: Final = filters_of(
    CUSTOMER_LOG["LogID"],
    {
        name: CUSTOMER_LOG[name]
        for name in (
            "LogID", "Username", "AllocatedTo", "CustomerName", "FollowUpType", "Status"
        )
    },
    tuple(
        CUSTOMER_LOG[name]
        for name in ("DateRequiredFollowUp", "LastContacted", "DateAdded", "DateUpdated")
    ),
    Filter(
        "search",
        Comparison.SEARCH,
        Wire(
            "Search",
            Text(200),
            "Words that CustomerName, Username or Notes have, all of them, in any order, without "
            "regard to case and accents; of the last one its beginning is enough. The first 10,000 "
            "characters count.",
            "extension",
        ),
    ),
    evidence="extension",
)  # fmt: skip

HISTORY_PAGE: Final = 100
"""Revisions of one log in an answer."""


def _ours(name: str, key: str, type: WireType, doc: str) -> Element:
    return Element(name, key, Wire(name, type, doc, "extension"))


_CHANGE: Final = Element(
    "Change",
    "changes",
    Wire(
        "Change",
        Nested(),
        "Each element that it changed; where it added, withdrew or restored the log, each that has "
        "a value.",
        "extension",
    ),
    parts=(
        _ours("Element", "element", Text(50), "The element's name."),
        _ours("Old", "old", Text(NOTES_LIMIT, unlimited=True), "Its value before; dates in UTC."),
        _ours("New", "new", Text(NOTES_LIMIT, unlimited=True), "Its value after."),
    ),
    repeats="Change",
)
_HISTORY: Final = Element(
    "History",
    "history",
    Wire(
        "History",
        Nested(),
        f"The log's last {HISTORY_PAGE} revisions, newest first, or of those below HistoryBefore.",
        "extension",
    ),
    parts=(
        _ours("Number", "number", Integer(least=1), "The revision's number, from 1 in each log."),
        _ours(
            "Did",
            "did",
            Text(10),
            "What it did to the log: added, changed, withdrawn, restored or erased.",
        ),
        _ours("Time", "time", DateTime(), "When, UTC."),
        _ours("Key", "key", Text(10), "The number of the key that did it, if it was one."),
        _ours("Who", "who", Text(100), "Who did it without a key: the command line."),
        _ours("RequestID", "request_id", Text(36), "The X-Request-Id of the call that did it."),
        _CHANGE,
    ),
    repeats="Revision",
)
# An update's Filter takes none of this: it answers out of a transaction that is not written yet.
_SELECTORS_OF_GET: Final[Selectors] = MappingProxyType(
    {**CUSTOMER_LOG_SELECTORS, _HISTORY.name: _HISTORY}
)
_HISTORY_BEFORE: Final = Filter(
    _HISTORY.key,
    Comparison.BEFORE,
    Wire(
        "HistoryBefore",
        Integer(least=1),
        "Of History, only revisions below this number: send the last Number that came for those "
        "before it, until 1 has come.",
        "extension",
    ),
)
_FILTERS_OF_GET: Final[Filters] = MappingProxyType(
    {**CUSTOMER_LOG_FILTERS, _HISTORY_BEFORE.wire.name: _HISTORY_BEFORE}
)

_BECOMES = tuple(map(element_of, CUSTOMER_LOG.values()))
_WRAPPERS = ("CustomerLogs", "CustomerLog")

UPDATE_CUSTOMER_LOG: Final = Shape(
    "UpdateCustomerLog",
    "Change customer logs that are there.",
    "seed",
    "CustomerLog",
    _WRAPPERS,
    table_of(UpdateCustomerLogFields),
    filters=CUSTOMER_LOG_FILTERS,
    selectors=CUSTOMER_LOG_SELECTORS,
    keys=(_LOG_ID,),
    becomes=_BECOMES,
)
ADD_CUSTOMER_LOG: Final = Shape(
    "AddCustomerLog",
    "Add customer logs.",
    "documented",
    "CustomerLog",
    _WRAPPERS,
    table_of(
        AddCustomerLogFields,
        allocated_to={"type": Text(255), "evidence": "documented"},
        # NetoDotNET sends LogID 0 and Status None with every log it adds.
        status={
            "type": OneOf(Status, as_absent=("None",)),
            "doc": "How far the contact is; Require Recontact unless sent.",
            "evidence": "documented",
        },
    ),
    ignored=frozenset({"LogID"}),
    answer="CustomerLog",
    keys=(_LOG_ID,),
    becomes=tuple(one for one in _BECOMES if one != _LOG_ID),
)
GET_CUSTOMER_LOG: Final = Shape(
    "GetCustomerLog",
    "Read customer logs back, with every element.",
    "extension",
    "CustomerLog",
    filters=_FILTERS_OF_GET,
    selectors=_SELECTORS_OF_GET,
    answer="CustomerLog",
    keys=(_LOG_ID,),
)
