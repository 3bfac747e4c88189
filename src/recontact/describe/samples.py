"""Sample calls with their answers: run in this order on a new site, they answer what is here."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from xml.etree import ElementTree

from recontact import wire
from recontact.actions import ACTIONS
from recontact.catalogue import CATALOGUE, Message
from recontact.messages import Format, Reply
from recontact.model import Dialect
from recontact.wire import xmlwire

_AT: Final = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)
_WIDTH: Final = 88


@dataclass(frozen=True, slots=True)
class Sample:
    """
    One call and its answer.

    sent: the body, as JSON has it. records: what the answer lists; None: it has no list.
    python: what a program does with the `answer`, and `printed`: what that prints. headers: what
    is sent beside the usual. doc: what stands above it.
    """

    action: str
    title: str
    sent: Mapping[str, Any]
    records: tuple[Mapping[str, Any], ...] | None = None
    messages: tuple[Message, ...] = ()
    dialect: Dialect = Dialect.DOCUMENTED
    python: str = ""
    printed: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    doc: str = ""

    def request(self, format: Format) -> str:
        """The body, laid out for reading."""
        if format is Format.JSON:
            return lay_out_json(self.sent)
        return lay_out_xml(xmlwire.encode(self.action, dict(self.sent)))

    def answer(self, format: Format) -> str:
        """The answer, laid out for reading."""
        reply = Reply.to(ACTIONS[self.action].shape)
        reply.list_name = "" if self.records is None else ACTIONS[self.action].shape.record
        reply.records = [dict(record) for record in self.records or ()]
        reply.add(self.messages)
        body = wire.encode(reply, format, _AT, self.dialect)
        return lay_out_json(json.loads(body)) if format is Format.JSON else lay_out_xml(body)


def of(action: str) -> list[Sample]:
    """The samples of an action."""
    return [sample for sample in SAMPLES if sample.action == action]


# -- laid out for reading ----------------------------------------------------------------------


def lay_out_json(tree: Any, step: str = "  ", indent: str = "", used: int = 0) -> str:
    """JSON of which each list and object is on one line where it fits; step: how far to indent."""
    line = json.dumps(tree, ensure_ascii=False)
    if len(indent) + used + len(line) <= _WIDTH or not isinstance(tree, dict | list):
        return line
    deeper = indent + step
    if isinstance(tree, dict):
        names = [f"{json.dumps(name)}: " for name in tree]
        parts = [
            name + lay_out_json(value, step, deeper, len(name) + 1)
            for name, value in zip(names, tree.values(), strict=True)
        ]
        start, end = "{", "}"
    else:
        parts = [lay_out_json(value, step, deeper, 1) for value in tree]
        start, end = "[", "]"
    return f"{start}\n{deeper}" + f",\n{deeper}".join(parts) + f"\n{indent}{end}"


def lay_out_xml(document: bytes) -> str:
    """XML of which each element is on one line where it fits, and the root never is."""
    root = ElementTree.fromstring(document)  # noqa: S314  our own
    inside = "\n".join(_lay_out_element(child, "  ") for child in root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n<{root.tag}>\n{inside}\n</{root.tag}>'


def _lay_out_element(element: ElementTree.Element, indent: str) -> str:
    line = indent + ElementTree.tostring(element, "unicode").replace(" />", "/>")
    if len(line) <= _WIDTH or not len(element):
        return line
    inside = "\n".join(_lay_out_element(child, indent + "  ") for child in element)
    return f"{indent}<{element.tag}>\n{inside}\n{indent}</{element.tag}>"


# -- the samples -------------------------------------------------------------------------------


def _logs(*items: Mapping[str, Any]) -> dict[str, Any]:
    return {"CustomerLogs": {"CustomerLog": list(items)}}


SAMPLES: Final = (
    Sample(
        "AddCustomer",
        "Add a customer",
        {
            "Customer": [
                {
                    "Username": "bob",
                    "EmailAddress": "bob@example.com",
                    "NewsletterSubscriber": "True",
                    "BillingAddress": {"BillFirstName": "Bob", "BillLastName": "Stone"},
                }
            ]
        },
        ({"Username": "bob"},),
        python='for customer in answer["Customer"]:\n    print("added", customer["Username"])',
        printed="added bob",
    ),
    Sample(
        "AddCustomerLog",
        "Add two logs",
        _logs(
            {
                "Username": "bob",
                "FollowUpType": "Phone",
                "DateRequiredFollowUp": "2026-11-24",
                "Notes": "Asked for a quote on 40 chairs",
            },
            {"CustomerName": "Café Lumière", "LastContacted": "2026-11-20 10:30:00"},
        ),
        ({"LogID": "1"}, {"LogID": "2"}),
        python='print([log["LogID"] for log in answer["CustomerLog"]])',
        printed="['1', '2']",
    ),
    Sample(
        "UpdateCustomerLog",
        "Change two logs",
        _logs(
            {"LogID": "1", "Status": "Recontacting", "AllocatedTo": "ana"},
            {"LogID": "2", "DateRequiredFollowUp": "2026-11-24T09:30:00+11:00"},
        ),
        python='print(answer["Ack"])',
        printed="Success",
    ),
    Sample(
        "UpdateCustomerLog",
        "One item is refused, the other applied",
        _logs({"LogID": "1", "Status": "Done"}, {"LogID": "2", "Status": "Completed"}),
        messages=(
            CATALOGUE["CL012"].message(
                "Item 1 (LogID 1): Status must be one of Require Recontact, Recontacting, "
                "Completed; got 'Done'.",
                element="Status",
                value="'Done'",
            ),
        ),
    ),
    Sample(
        "UpdateCustomerLog",
        "Change a log, and read it in the same call",
        {
            **_logs({"LogID": "1", "Notes": "Wants 44 chairs"}),
            "Filter": {"LogID": "1", "OutputSelector": ["Status", "Notes", "Revision"]},
        },
        ({"LogID": "1", "Status": "Recontacting", "Notes": "Wants 44 chairs", "Revision": "3"},),
    ),
    Sample(
        "GetCustomerLog",
        "Read what is still to be done",
        {
            "Filter": {
                "Status": ["Require Recontact", "Recontacting"],
                "DateRequiredFollowUpTo": "2026-11-24",
                "OutputSelector": ["Username", "Status", "DateRequiredFollowUp", "Revision"],
            }
        },
        (
            {
                "LogID": "1",
                "DateRequiredFollowUp": "2026-11-24",
                "Status": "Recontacting",
                "Username": "bob",
                "Revision": "3",
            },
        ),
        python='for log in answer["CustomerLog"]:\n'
        '    print(log["LogID"], log["Username"], log["DateRequiredFollowUp"])',
        printed="1 bob 2026-11-24",
    ),
    Sample(
        "UpdateCustomer",
        "Change a customer",
        {"Customer": [{"Username": "bob", "UserGroup": "Trade", "CreditLimit": "1250.00"}]},
        ({"Username": "bob"},),
        python='print(answer["Ack"])',
        printed="Success",
    ),
    Sample(
        "GetCustomer",
        "Read a customer with their logs",
        {
            "Filter": {
                "Username": "bob",
                "OutputSelector": ["UserGroup", "BillingAddress", "CustomerLog"],
            }
        },
        (
            {
                "ID": "1",
                "Username": "bob",
                "BillingAddress": {
                    "BillFirstName": "Bob",
                    "BillLastName": "Stone",
                    "BillCompany": "",
                    "BillStreetLine1": "",
                    "BillStreetLine2": "",
                    "BillCity": "",
                    "BillState": "",
                    "BillPostCode": "",
                    "BillCountry": "",
                    "BillPhone": "",
                    "BillFax": "",
                },
                "UserGroup": "Trade",
                "CustomerLogs": {
                    "CustomerLog": [
                        {
                            "LogID": "1",
                            "Customer": "bob",
                            "AllocatedTo": "ana",
                            "Status": "Recontacting",
                            "DateRequiredFollowUp": "2026-11-24",
                            "LastContacted": "",
                            "LastContactedLocal": "",
                            "LastContactedUTC": "",
                            "Notes": "Wants 44 chairs",
                        }
                    ]
                },
            },
        ),
        python='for customer in answer["Customer"]:\n'
        '    for log in customer["CustomerLogs"]["CustomerLog"]:\n'
        '        print(customer["Username"], log["Status"], log["Notes"])',
        printed="bob Recontacting Wants 44 chairs",
    ),
)

SAFE_SAMPLES: Final = (
    Sample(
        "AddCustomerLog",
        "Send it again",
        _logs({"Username": "bob", "Notes": "Ordered 44 chairs"}),
        ({"LogID": "3"},),
        headers={"Idempotency-Key": "order-1042"},
        doc="However often this is sent, there is one log, and the answer is the same to the byte, "
        "its `CurrentTime` too. From the second time on it has the header "
        "`Idempotency-Replayed: true`.",
    ),
    Sample(
        "UpdateCustomerLog",
        "All or nothing",
        _logs({"LogID": "1", "Note": "Paid"}, {"LogID": "3", "Status": "Completed"}),
        messages=(
            CATALOGUE["CL009"].message(
                "Did you mean Notes? Names count letter by letter.",
                element="Note",
                action="UpdateCustomerLog",
            ),
            CATALOGUE["CL044"].message(),
        ),
        headers={"Prefer": "handling=strict"},
        doc="Without the header `Note` would be passed over, and log 3 completed. With it neither "
        "is done:",
    ),
    Sample(
        "UpdateCustomerLog",
        "Try it first",
        {
            **_logs({"LogID": "1", "Status": "Completed"}),
            "Filter": {"OutputSelector": ["Status", "Notes", "Revision"]},
        },
        ({"LogID": "1", "Status": "Completed", "Notes": "Wants 44 chairs", "Revision": "4"},),
        headers={"Recontact-Dry-Run": "true"},
        doc="This answers how log 1 would stand, with the elements that an OutputSelector names; "
        "without a Filter, with all of them. Log 1 stays as it is:",
    ),
)
"""Run in this order after SAMPLES: how a call is handled."""

LIVE_SAMPLES: Final = (
    Sample(
        "AddCustomer",
        "One record is a bare object",
        {"Customer": [{"Username": "bob"}]},
        ({"Username": "bob"},),
        dialect=Dialect.LIVE,
    ),
    Sample(
        "AddCustomerLog",
        "None is empty text, and what cannot be found is a warning",
        _logs({"Username": "zoe", "Notes": "Called"}),
        (),
        (CATALOGUE["CL041"].message(key="zoe"),),
        Dialect.LIVE,
    ),
    Sample(
        "AddCustomerLog",
        "The rest of an item with a wrong Status is applied",
        _logs({"Username": "bob", "Status": "Done", "Notes": "Called"}),
        ({"LogID": "1"},),
        (
            CATALOGUE["CL042"].message(
                element="Status", value="'Done'", kept="Require Recontact", item="item 1"
            ),
        ),
        Dialect.LIVE,
    ),
    Sample(
        "GetCustomer",
        "A list within a record stands in an array of one object",
        {"Filter": {"Username": "bob", "OutputSelector": ["Active", "CustomerLog"]}},
        (
            {
                "ID": "1",
                "Username": "bob",
                "Active": "True",
                "CustomerLogs": {
                    "CustomerLog": [
                        {
                            "LogID": "1",
                            "Customer": "bob",
                            "AllocatedTo": "",
                            "Status": "Require Recontact",
                            "DateRequiredFollowUp": "",
                            "LastContacted": "",
                            "LastContactedLocal": "",
                            "LastContactedUTC": "",
                            "Notes": "Called",
                        }
                    ]
                },
            },
        ),
        dialect=Dialect.LIVE,
    ),
)
"""Run in this order on a new site that answers in the live dialect."""
