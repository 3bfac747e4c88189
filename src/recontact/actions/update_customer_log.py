"""UpdateCustomerLog: change logs that are there (seed)."""

from recontact.actions.action import Answering, no_item
from recontact.fields import UPDATE_CUSTOMER_LOG as SHAPE
from recontact.messages import Call, Item, Message, Reply
from recontact.model import CustomerLog, amend
from recontact.store import Transaction


def update_customer_log(call: Call, tx: Transaction, by: Answering) -> Reply:
    """Set the elements that each item sent; an item with an error changes nothing."""
    reply = Reply(SHAPE.action)
    if not call.items:
        reply.add([no_item(SHAPE)])
    for item in call.items:
        log = tx.log(item.values["log_id"]) if "log_id" in item.values else None
        if errors := _errors(item, log):
            reply.add(errors)
        elif log is not None:
            amended = amend(log, item.values, tx.now)
            if amended is not log:
                tx.save(amended, log, by.key_id, by.request)
                reply.changed += 1
            elif item.is_unknown:
                reply.add([item.warning("CL006")])
    return reply


def _errors(item: Item, log: CustomerLog | None) -> list[Message]:
    errors = item.errors(log)
    if log is None and "log_id" in item.values:
        log_id = item.values["log_id"]
        detail = "no log of this site has that LogID. Read it from AddCustomerLog's answer."
        errors.append(item.error("CL002", detail, key=log_id))
    elif log is not None and item.values.get("revision", log.revision) != log.revision:
        detail = (
            f"Revision {item.values['revision']} was sent and {log.revision} is current: somebody "
            "wrote the log in between. Read it again, decide, and send the Revision read."
        )
        errors.append(item.error("CL004", detail, key=log.log_id))
    return errors
