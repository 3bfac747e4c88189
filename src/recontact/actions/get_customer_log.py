"""GetCustomerLog: read logs back. Ours: the vendor reads them through GetCustomer only."""

from recontact.fields import GET_CUSTOMER_LOG as SHAPE
from recontact.messages import Call, Query, Reply
from recontact.store import View

_LOG_ID = SHAPE.selectors["LogID"]


def get_customer_log(call: Call, view: View) -> Reply:
    """The logs that match the Filter, by LogID, with the elements selected, and LogID always."""
    reply = Reply(SHAPE.action, SHAPE.answer)
    query = call.query or Query()
    reply.add(query.problems)
    if query.problems:
        return reply
    selected = (_LOG_ID, *(selector for selector in query.selectors if selector is not _LOG_ID))
    zone = view.site.zone
    reply.records = [
        {selector.name: selector.write(log, zone) for selector in selected}
        for log in view.logs(query)
    ]
    return reply
