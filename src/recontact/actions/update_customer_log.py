"""UpdateCustomerLog: change logs that are there (seed)."""

from recontact.actions.action import changed_since, chosen, no_item, nothing
from recontact.fields import UPDATE_CUSTOMER_LOG as SHAPE
from recontact.fields import record_of
from recontact.messages import Call, Item, Query, Reply
from recontact.model import By, CustomerLog, amend
from recontact.store import Transaction


def update_customer_log(call: Call, tx: Transaction, by: By) -> Reply:
    """
    Set the elements that each item sent; an item with an error changes nothing.

    With a Filter the answer lists the logs that match it as they stand afterwards; what is wrong
    with the Filter is told before anything is written.
    """
    reply = Reply.to(SHAPE)
    if call.query is not None:
        reply.list_name = SHAPE.record
        reply.add(call.query.problems)
        if call.query.problems:
            return reply
    if not call.items:
        reply.add([no_item(SHAPE)])
    for item in call.items:
        _update(item, tx, by, reply)
    if call.query is not None:
        elements = chosen(SHAPE, call.query)
        logs = _found(call, call.query, tx)
        reply.records = [record_of(elements, log.value, tx.site.zone) for log in logs]
    return reply


def _update(item: Item, tx: Transaction, by: By, reply: Reply) -> None:
    log_id = item.values.get("log_id")
    log = tx.log(log_id) if log_id is not None else None
    if log is None:
        errors, _ = item.judge(nothing, tx.site)
        if log_id is not None:
            detail = "no log of this site has that LogID. Read it from AddCustomerLog's answer."
            errors.append(item.missing("CL002", log_id, detail, tx.site))
        reply.add(errors)
        return
    errors, warnings = item.judge(log.value, tx.site)
    errors += changed_since(item, log.revision, log_id)
    if errors:
        reply.add(errors)
        return
    amended = amend(log, item.values, tx.now)
    if amended is not log:
        tx.save(amended, log, by)
        reply.changed += 1
    elif item.is_unknown:
        warnings.append(item.warning("CL006"))
    reply.became[log.log_id] = amended
    reply.add(warnings)


def _found(call: Call, query: Query, tx: Transaction) -> list[CustomerLog]:
    """The logs that match the Filter; where it has no filter, the page of this request's own."""
    if query.conditions:
        return tx.find(query)
    log_ids = sorted({item.values["log_id"] for item in call.items if "log_id" in item.values})
    logs = [log for log_id in log_ids if (log := tx.log(log_id)) is not None]
    first = query.page * query.limit
    return logs[first : first + query.limit]
