"""UpdateCustomer: change customers that are there."""

from recontact.actions.action import changed_since, no_item, nothing
from recontact.fields import UPDATE_CUSTOMER as SHAPE
from recontact.messages import Call, Reply
from recontact.model import By, amend_customer
from recontact.store import Transaction


def update_customer(call: Call, tx: Transaction, by: By) -> Reply:
    """Set the elements that each item sent; the answer lists the usernames of those applied."""
    reply = Reply.to(SHAPE)
    if not call.items:
        reply.add([no_item(SHAPE)])
    for item in call.items:
        username = item.values.get("username")
        customer = tx.customer(username) if username is not None else None
        if customer is None:
            errors, _ = item.judge(nothing, tx.site)
            if username is not None:
                detail = "no customer of this site has that Username. Add it with AddCustomer."
                errors.append(item.missing("CL003", username, detail, tx.site))
            reply.add(errors)
            continue
        errors, warnings = item.judge(customer.value, tx.site)
        errors += changed_since(item, customer.revision, customer.username)
        if errors:
            reply.add(errors)
            continue
        amended = amend_customer(customer, item.values, tx.now)
        if amended is not customer:
            tx.save_customer(amended, customer, by)
            reply.changed += 1
        elif item.is_unknown:
            warnings.append(item.warning("CL006"))
        reply.became[customer.customer_id] = amended
        reply.records.append({"Username": customer.username})
        reply.add(warnings)
    return reply
