"""GetCustomer: read customers, and with the OutputSelector CustomerLog their logs."""

from typing import Final

from recontact.actions.action import chosen
from recontact.catalogue import CATALOGUE
from recontact.fields import GET_CUSTOMER as SHAPE
from recontact.fields import ValueOf, record_of
from recontact.messages import Call, Query, RefusedError, Reply
from recontact.model import Customer, CustomerLog
from recontact.store import MOST_TEXT, View

_LOGS = SHAPE.selectors["CustomerLog"]
MOST_LOGS: Final = 100_000
"""Logs in one answer: so many take 190 MiB and three seconds (measured, notes of 60 characters)."""


def get_customer(call: Call, view: View) -> Reply:
    """The customers that match the Filter, by ID, with the elements selected, ID and Username."""
    reply = Reply.to(SHAPE)
    query = call.query or Query()
    reply.add(query.problems)
    if query.problems:
        return reply
    elements = chosen(SHAPE, query)
    try:
        customers = view.customers(query)
    except RefusedError as refusal:
        reply.add([refusal.message])
        return reply
    logs: dict[str, list[CustomerLog]] = {}
    if any(one is _LOGS for one in elements):
        found = view.logs_of_customers(customers, MOST_LOGS, MOST_TEXT)
        if found is None:
            detail = (
                f"Filter: the {len(customers):,} customers of this page have over {MOST_LOGS:,} "
                f"logs together, or over {MOST_TEXT:,} characters of notes. Send a smaller Limit, "
                "or read the logs by GetCustomerLog."
            )
            reply.add([CATALOGUE["CL037"].message(detail)])
            return reply
        logs = found
    reply.records = [
        record_of(elements, _values(one, logs.get(one.username_folded, [])), view.site.zone)
        for one in customers
    ]
    return reply


def _values(customer: Customer, logs: list[CustomerLog]) -> ValueOf:
    """The customer's values, and the lists that an answer has beside them."""

    def address(key: str) -> object:
        return {"address_id": 1, "is_default": True}.get(key) or customer.value(key)

    has_address = any(key.startswith("ship_") for key in customer.details)
    lists = {
        "customer_logs": [log.value for log in logs],
        "shipping_addresses": [address] if has_address else [],
    }
    return lambda key: lists[key] if key in lists else customer.value(key)
