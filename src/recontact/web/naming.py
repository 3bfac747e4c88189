"""
What people call logs and customers, and how to reach them.

A log is called by its own CustomerName. Many have none, as their client gave a Username: they are
called by that customer's name as it is now.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

from recontact.model import Customer, CustomerLog
from recontact.store import Transaction, View
from recontact.web.steps import isolated
from recontact.web.timeline import cut

_NOT_IN_TEL: Final = re.compile("[^0-9+]")


def customer_address(username: str) -> str:
    """The address of a customer's page."""
    if username in (".", ".."):  # browsers go up a path by these, however they are written
        return f"/customers/?{urlencode({'username': username})}"
    return f"/customers/{quote(username, safe='')}"


def customer_name(customer: Customer) -> str:
    """A customer's name as people say it."""
    parts = (customer.details.get(f"bill_{part}_name") for part in ("first", "last"))
    name = " ".join(part for part in parts if part) or customer.details.get("bill_company")
    return (name or customer.username)[:100]


def name_of(log: CustomerLog, customer: Customer | None) -> str:
    """How people call a log. customer: the one whose log it is; None: it is nobody's we know."""
    if log.customer_name:
        return log.customer_name
    return customer_name(customer) if customer else log.username or f"#{log.log_id}"


def name_in(records: View | Transaction, log: CustomerLog) -> str:
    """The same, where the customer has yet to be read."""
    if log.username and not log.customer_name:
        return name_of(log, records.customer(log.username))
    return name_of(log, None)


def names_in(view: View, logs: Sequence[CustomerLog]) -> Mapping[int, str]:
    """The same of many, by LogID."""
    customers = view.customers_of([log for log in logs if not log.customer_name])
    return {log.log_id: name_of(log, customers.get(log.log_id)) for log in logs}


def called(name: str) -> str:
    """The name of a log or a customer, for the middle of a sentence."""
    return isolated(cut(" ".join(name.split()), 60))


def phone_of(customer: Customer) -> str:
    """The number to call a customer by; "" without one."""
    return customer.details.get("bill_phone") or customer.details.get("ship_phone") or ""


def ways(customer: Customer | None) -> list[tuple[str, str]]:
    """How to reach a customer: links, and what they say."""
    if customer is None:
        return []
    found = []
    if phone := phone_of(customer):
        found.append((f"tel:{_NOT_IN_TEL.sub('', phone)}", f"Call {phone}"))
    if mail := customer.details.get("email_address"):
        found.append((f"mailto:{quote(mail, safe='@')}", mail))
    return found
