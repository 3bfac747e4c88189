"""AddCustomer: make new customers."""

from recontact.actions.action import no_item
from recontact.fields import ADD_CUSTOMER as SHAPE
from recontact.messages import Call, Reply
from recontact.model import CUSTOMER_DEFAULTS, By, new_customer
from recontact.store import Transaction
from recontact.values import quote_name


def add_customer(call: Call, tx: Transaction, by: By) -> Reply:
    """Add a customer for each item without an error; the answer lists their usernames in order."""
    reply = Reply.to(SHAPE)
    if not call.items:
        reply.add([no_item(SHAPE)])
    for item in call.items:
        errors, warnings = item.judge(CUSTOMER_DEFAULTS.get, tx.site)
        username = item.values.get("username")
        if username is not None and (known := tx.customer(username)) is not None:
            detail = (
                f"it is customer {known.customer_id}, {quote_name(known.username)}. Send "
                "UpdateCustomer to change it, or choose another Username."
            )
            errors.append(item.error("CL007", detail, key=quote_name(username)))
        if errors:
            reply.add(errors)
            continue
        customer = new_customer(tx.site.site, tx.next_customer_id(), item.values, tx.now)
        tx.save_customer(customer, None, by)
        reply.changed += 1
        reply.became[customer.customer_id] = customer
        reply.records.append({"Username": customer.username})
        reply.add(warnings)
    return reply
