"""AddCustomerLog: make new logs."""

from recontact.actions.action import Answering, no_item
from recontact.fields import ADD_CUSTOMER_LOG as SHAPE
from recontact.messages import Call, Reply
from recontact.model import new_log
from recontact.store import Transaction


def add_customer_log(call: Call, tx: Transaction, by: Answering) -> Reply:
    """Add a log for each item without an error; the answer lists their LogIDs in order."""
    reply = Reply(SHAPE.action, SHAPE.answer)
    if not call.items:
        reply.add([no_item(SHAPE)])
    for item in call.items:
        errors = item.errors()
        if username := item.values.get("username"):
            # No site has customers before the Customer actions are built.
            detail = "no customer has that Username. Send CustomerName alone."
            errors.append(item.error("CL003", detail, key=username))
        if errors:
            reply.add(errors)
            continue
        log = new_log(tx.site.site, tx.next_log_id(), item.values, tx.now)
        tx.save(log, None, by.key_id, by.request)
        reply.changed += 1
        reply.records.append({"LogID": str(log.log_id)})
    return reply
