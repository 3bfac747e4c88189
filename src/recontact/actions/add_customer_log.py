"""AddCustomerLog: make new logs."""

from recontact.actions.action import no_item
from recontact.fields import ADD_CUSTOMER_LOG as SHAPE
from recontact.messages import Call, Reply
from recontact.model import LOG_DEFAULTS, By, new_log
from recontact.store import Transaction


def add_customer_log(call: Call, tx: Transaction, by: By) -> Reply:
    """Add a log for each item without an error; the answer lists their LogIDs in order."""
    reply = Reply.to(SHAPE)
    if not call.items:
        reply.add([no_item(SHAPE)])
    for item in call.items:
        errors, warnings = item.judge(LOG_DEFAULTS.get, tx.site)
        if item.is_unknown:  # nobody means an empty log
            detail = (
                f"none of its elements is one of {SHAPE.action}: check their spelling, letter by "
                "letter. The header Recontact-Passed-Over names them."
            )
            errors.append(item.error("CL008", detail, item=f"item {item.position}"))
        values = item.values
        if (username := values.get("username")) is not None:
            customer = tx.customer(username)
            if customer is None:
                detail = (
                    "no customer of this site has that Username. Add it with AddCustomer, or send "
                    "CustomerName alone."
                )
                reply.add([*errors, item.missing("CL003", username, detail, tx.site)])
                continue
            values = {**values, "username": customer.username}  # in the customer's own spelling
        if errors:
            reply.add(errors)
            continue
        log = new_log(tx.site.site, tx.next_log_id(), values, tx.now)
        tx.save(log, None, by)
        reply.changed += 1
        reply.became[log.log_id] = log
        reply.records.append({"LogID": str(log.log_id)})
        reply.add(warnings)
    return reply
