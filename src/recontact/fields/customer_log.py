"""The elements of a CustomerLog, and the actions on logs."""

from datetime import date, datetime
from typing import Annotated, Final, TypedDict

from recontact.fields.table import (
    Comparison,
    Filter,
    Shape,
    Wire,
    element_of,
    filters_of,
    forms_of,
    selectors_of,
    table_of,
)
from recontact.values import DateTime, DayOrTime, Integer, OneOf, Status, Text

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
)
GET_CUSTOMER_LOG: Final = Shape(
    "GetCustomerLog",
    "Read customer logs back, with every element.",
    "extension",
    "CustomerLog",
    filters=CUSTOMER_LOG_FILTERS,
    selectors=CUSTOMER_LOG_SELECTORS,
    answer="CustomerLog",
    keys=(_LOG_ID,),
)
