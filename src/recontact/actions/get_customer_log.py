"""GetCustomerLog: read logs back. Ours: the vendor reads them through GetCustomer only."""

from recontact.actions.action import chosen
from recontact.fields import GET_CUSTOMER_LOG as SHAPE
from recontact.fields import record_of
from recontact.messages import Call, Query, RefusedError, Reply
from recontact.store import View


def get_customer_log(call: Call, view: View) -> Reply:
    """The logs that match the Filter, by LogID, with the elements selected, and LogID always."""
    reply = Reply.to(SHAPE)
    query = call.query or Query()
    reply.add(query.problems)
    if query.problems:
        return reply
    elements = chosen(SHAPE, query)
    try:
        logs = view.logs(query)
    except RefusedError as refusal:
        reply.add([refusal.message])
        return reply
    reply.records = [record_of(elements, log.value, view.site.zone) for log in logs]
    return reply
