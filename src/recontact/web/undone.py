"""What an undo did: in a sentence that names what came back, and on the page where that is."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qs

from recontact.history import AnyRevision, Kind, counted, kind_of, wires_of
from recontact.model import CustomerRevision, Revision, amend
from recontact.store import View
from recontact.store.followups import Queue
from recontact.values import Status
from recontact.web import words
from recontact.web.asked import TITLES, Asked
from recontact.web.logs import address_of
from recontact.web.naming import called, customer_name, name_in
from recontact.web.panel import Person
from recontact.web.steps import isolated
from recontact.web.timeline import cut, label

NAMED: Final = 3
"""Elements that are named in the sentence."""
_TAB: Final = {"status", "date_required_follow_up"}
"""What decides in which tab of the queue a log is."""


@dataclass(slots=True)
class Undone:
    """
    What an undo did, revision by revision. log_ids: of the logs that it changed.

    is_redo: whether it took an undo back.
    """

    is_redo: bool
    log_ids: set[int] = field(default_factory=set)
    _kinds: Counter[Kind] = field(default_factory=Counter)
    _first: AnyRevision | None = None

    def add(self, made: Iterable[AnyRevision]) -> None:
        """What one more step did."""
        for one in made:
            self._first = self._first or one
            self._kinds[kind_of(one)] += 1
            if isinstance(one, Revision):
                self.log_ids.add(one.log_id)

    @property
    def _before(self) -> str:
        return "before the undo" if self.is_redo else "before"

    def told(self, view: View) -> str:
        """What came back, and whose it is."""
        assert self._first
        if self._kinds.total() == 1:
            return self._told_of_one(view, self._first)
        logs, customers = len(self.log_ids), self._kinds.total() - len(self.log_ids)
        whose = ((logs, "follow-up"), (customers, "customer"))
        did = f"as they were {self._before}"
        if len(self._kinds) == 1:
            did = _BECAME.get(kind_of(self._first), did)
        return f"{' and '.join(counted(*some) for some in whose if some[0])} are {did}."

    def _told_of_one(self, view: View, one: AnyRevision) -> str:
        if isinstance(one, CustomerRevision):
            customer = view.customer_numbered(one.customer_id)
            name = called(customer_name(customer)) if customer else "The customer"
            became = _BECAME.get(kind_of(one))
            return (
                f"{name} is {became}." if became else self._elements(one, f"{name}:", one.changes)
            )
        log = view.log(one.log_id)
        if log is None:
            return f"{isolated(f'Log {one.log_id}')} is withdrawn."
        tab_of = view.queue(Queue()).tab_of
        name, tab = called(name_in(view, log)), tab_of(log)
        if kind_of(one) is Kind.RESTORED:
            return f"{name} is back under {TITLES[tab]}."
        was = amend(log, {key: old for key, (old, _) in one.changes.items()}, view.now)
        if tab_of(was) is not tab:
            others = [key for key in one.changes if key not in _TAB or _is_other(one, key)]
            back = f"{name} is back under {TITLES[tab]}"
            return self._elements(one, f"{back}, with", others) if others else f"{back}."
        if list(one.changes) == ["allocated_to"]:
            who = log.allocated_to
            whose = f"assigned to {isolated(cut(who, 60))}" if who else "nobody\u2019s"
            return f"{name} is {whose} again."
        return self._elements(one, f"{name}:", one.changes)

    def _elements(self, one: AnyRevision, begin: str, keys: Iterable[str]) -> str:
        names = [label(wires_of(one)[key].name) for key in keys]
        if len(names) > NAMED:
            names[NAMED:] = [f"{len(names) - NAMED} more"]
        return f"{begin} {words.listed(names)} as {self._before}."

    def place(self, view: View, person: Person, then: str) -> str:
        """Where to go on: to the first row that came back, or from another's log to that log."""
        address = then.partition("#")[0]
        path, _, query = address.partition("?")
        if path == "/":
            here = Asked.of_address(address).entries(view, person)
            rows = (entry.log.log_id for entry in here)
            row = next((one for one in rows if one in self.log_ids), None)
            return then if row is None else f"{address}#log-{row}"
        if path.startswith("/logs/") and self._kinds.total() == len(self.log_ids) == 1:
            (log_id,) = self.log_ids
            if path != f"/logs/{log_id}":
                return address_of(log_id, parse_qs(query).get("from", [""])[0])
        return then


_BECAME: Final = {Kind.WITHDRAWN: "withdrawn", Kind.RESTORED: "back"}


def _is_other(one: AnyRevision, key: str) -> bool:
    """Whether a change of the status is none into Completed, or out of it: no tab tells of it."""
    return key == "status" and Status.COMPLETED not in one.changes[key]
