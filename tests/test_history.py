"""What revisions tell, as properties: of any record, after any number of changes and undos."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recontact import history
from recontact.history import Kind, kind_of
from recontact.model import (
    ERASED,
    By,
    Customer,
    CustomerLog,
    CustomerRevision,
    Revision,
    amend,
    amend_customer,
    customer_revision_of,
    customer_withdrawal_of,
    new_customer,
    new_log,
    revision_of,
    withdrawal_of,
)
from recontact.values import Status

BEGIN = datetime(2026, 11, 24, 9, tzinfo=UTC)
FIRST, SECOND, THIRD = (bytes([n]) * 16 for n in (1, 2, 3))
REQUESTS = (FIRST, SECOND, THIRD)


class Life:
    """One log, or customer, and all that befell it; a minute passes with each change."""

    def __init__(self, kind: str = "log") -> None:
        self.kind = kind
        self.record: Any = None
        self.revisions: list[Any] = []
        self.states: list[Any] = []
        self.undos = 0

    @property
    def now(self) -> datetime:
        return BEGIN + timedelta(minutes=len(self.revisions))

    @property
    def values(self) -> dict[str, Any] | None:
        return None if self.record is None else history.values_of(self.record)

    def write(self, request: bytes, changes: dict[str, Any]) -> None:
        """Add it, or change it; of one that was withdrawn nothing."""
        if self.record is None and self.revisions:
            return
        if self.record is None:
            after = (
                new_log(1, 7, changes, self.now)
                if self.kind == "log"
                else new_customer(1, 7, {"username": "Ana"} | changes, self.now)
            )
        else:
            after = (amend if self.kind == "log" else amend_customer)(
                self.record, changes, self.now
            )
        if after is not self.record:
            self.become(after, request)

    def become(self, after: Any, request: bytes) -> None:
        of = revision_of if self.kind == "log" else customer_revision_of
        self.keep(of(self.record, after, By(1, request)), after)

    def withdraw(self, request: bytes) -> None:
        if self.record is not None:
            of = withdrawal_of if self.kind == "log" else customer_withdrawal_of
            self.keep(of(self.record, self.now, By(1, request)), None)

    def keep(self, revision: Any, after: Any) -> None:
        self.revisions.append(revision)
        self.record = after
        self.states.append(after)

    def undo(self, is_chosen: Callable[[Any], bool]) -> tuple[bytes, history.Plan[Any]]:
        """Undo the chosen revisions; by which request, and the plan."""
        self.undos += 1
        request = self.undos.to_bytes(16, "big")
        first = next((n for n, one in enumerate(self.revisions) if is_chosen(one)), None)
        tail = [] if first is None else self.revisions[first:]
        plan = history.plan(self.values, tail, is_chosen)
        if plan.values is None:
            self.withdraw(request)
        elif self.record is None:
            made = history.made(self.revisions[0], self.revisions[-1], plan.values, self.now)
            self.become(made, request)
        else:
            gone = dict.fromkeys(history.values_of(self.record))
            self.write(request, gone | plan.values)
        return request, plan


VALUES = {
    "log": st.fixed_dictionaries(
        {},
        optional={
            "status": st.sampled_from([Status.RECONTACTING, Status.COMPLETED]),
            "notes": st.sampled_from([None, "one", "two"]),
            "date_required_follow_up": st.sampled_from([None, date(2026, 12, 1), BEGIN]),
        },
    ),
    "customer": st.fixed_dictionaries(
        {},
        optional={
            "email_address": st.sampled_from([None, "a@shop.example", "b@shop.example"]),
            "active": st.sampled_from([True, False]),
        },
    ),
}
ENDS = {"log": withdrawal_of, "customer": customer_withdrawal_of}


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Any life: changes, withdrawals and undos, by three requests and those of the undos."""
    life = Life(draw(st.sampled_from(["log", "customer"])))
    life.write(draw(st.sampled_from(REQUESTS)), draw(VALUES[life.kind]))
    for _ in range(draw(st.integers(0, 8))):
        step, request = draw(st.integers(0, 5)), draw(st.sampled_from(REQUESTS))
        if step == 0:
            life.withdraw(request)
        elif step == 1:
            request = draw(st.sampled_from([one.request for one in life.revisions]))
            life.undo(lambda one, request=request: one.request == request)
        else:
            life.write(request, draw(VALUES[life.kind]))
    return life


def facts(record: CustomerLog | Customer | None) -> dict[str, Any] | None:
    return None if record is None else history.values_of(record)


@given(lives())
def test_the_revisions_give_each_state_there_ever_was(life: Life) -> None:
    assert [one.number for one in life.revisions] == list(range(1, len(life.revisions) + 1))
    assert history.record_at(life.revisions) == life.record
    for revision, state in zip(life.revisions, life.states, strict=True):
        assert history.record_at(life.revisions, revision.at) == state
    assert history.record_at(life.revisions, BEGIN - timedelta(seconds=1)) is None


@given(lives(), st.sets(st.sampled_from(REQUESTS), min_size=1))
def test_undo_of_undo_is_the_identity(life: Life, chosen: set[bytes]) -> None:
    before = life.values
    undo, _ = life.undo(lambda one: one.request in chosen)
    life.undo(lambda one: one.request == undo)
    assert life.values == before


@given(lives(), st.sets(st.sampled_from(REQUESTS), min_size=1))
def test_undo_keeps_what_others_wrote_later(life: Life, chosen: set[bytes]) -> None:
    """An element keeps its value where the last to change it is not chosen; a withdrawal stays."""
    revisions, before = list(life.revisions), life.values
    blamed = history.blame(revisions)
    life.undo(lambda one: one.request in chosen)
    if revisions[-1].request not in chosen and before is None:
        assert life.values is None
    for key, revision in blamed.items():
        if revision.request not in chosen and before is not None:
            assert life.values is not None
            assert life.values.get(key) == before.get(key)


@given(lives())
def test_undo_of_all_leaves_nothing(life: Life) -> None:
    _, plan = life.undo(lambda _: True)
    assert life.record is None
    assert plan.left == []


@given(lives(), st.sets(st.sampled_from(REQUESTS), min_size=1))
def test_undo_again_finds_nothing_to_do_and_tells_the_same(life: Life, chosen: set[bytes]) -> None:
    """Of an undo that was cut off and is run again."""
    _, first = life.undo(lambda one: one.request in chosen)
    count = len(life.revisions)
    _, again = life.undo(lambda one: one.request in chosen)
    assert len(life.revisions) == count
    told = {(left.revision.number, left.key) for left in first.left}
    assert {(left.revision.number, left.key) for left in again.left} <= told


@given(lives())
def test_undo_of_the_last_revision_is_the_state_before_it(life: Life) -> None:
    number = len(life.revisions)
    before = facts(life.states[-2]) if number > 1 else None
    _, plan = life.undo(lambda one: one.number == number)
    assert life.values == before
    assert plan.left == []


@given(lives())
def test_blame_names_who_gave_each_value(life: Life) -> None:
    blamed = history.blame(life.revisions)
    for key, value in (life.values or {}).items():
        _, new = blamed[key].changes[key]
        assert new == value


# -- one by one ----------------------------------------------------------------------------------


def test_what_was_changed_later_is_left_and_told() -> None:
    life = Life()
    life.write(FIRST, {"notes": "new"})
    life.write(SECOND, {"notes": "job", "status": Status.COMPLETED})
    life.write(THIRD, {"notes": "Ana"})
    _, plan = life.undo(lambda one: one.request == SECOND)
    assert life.record.status is Status.REQUIRE_RECONTACT
    assert life.record.notes == "Ana"
    (left,) = plan.left
    assert (left.element, left.revision.number) == ("Notes", 2)
    assert left.by is not None
    assert left.by.number == 3


def test_an_add_that_was_changed_later_stays_whole() -> None:
    life = Life()
    life.write(FIRST, {"notes": "job"})
    life.write(SECOND, {"status": Status.COMPLETED})
    _, plan = life.undo(lambda one: one.request == FIRST)
    assert life.record.notes == "job"
    (left,) = plan.left
    assert (left.element, left.by) == ("", life.revisions[1])


def test_a_withdrawal_and_its_restore_block_nothing_below() -> None:
    life = Life()
    life.write(FIRST, {"notes": "new"})
    life.write(SECOND, {"notes": "job"})
    life.withdraw(THIRD)
    life.undo(lambda one: one.request == THIRD)
    assert [kind_of(one) for one in life.revisions] == [
        Kind.ADDED,
        Kind.CHANGED,
        Kind.WITHDRAWN,
        Kind.RESTORED,
    ]
    _, plan = life.undo(lambda one: one.request == SECOND)
    assert life.record.notes == "new"
    assert plan.left == []


def test_what_another_withdrew_stays_withdrawn() -> None:
    life = Life()
    life.write(FIRST, {"notes": "new"})
    life.write(SECOND, {"notes": "job"})
    life.withdraw(THIRD)
    _, plan = life.undo(lambda one: one.request == SECOND)
    assert life.record is None
    (left,) = plan.left
    assert left.by is life.revisions[2]


def test_what_was_erased_stays_erased() -> None:
    life = Life()
    life.write(FIRST, {"notes": "new"})
    erased = Revision(1, 7, 2, BEGIN, 1, SECOND, {"notes": (ERASED, ERASED)})
    plan = history.plan(None, [life.revisions[0], erased], lambda _: True)
    assert plan.values is None
    assert [left.by for left in plan.left] == [None]
    assert history.record_at([erased]) is None
    assert kind_of(erased) is Kind.ERASED
    assert list(history.pairs(erased)) == [("Notes", "erased", "erased")]


@pytest.mark.parametrize("of", [Revision, CustomerRevision])
def test_the_words_of_what_many_did(of: Any) -> None:
    def one(number: int, request: bytes = FIRST, **changes: Any) -> Any:
        return of(1, number, 2, BEGIN, 1, request, changes)

    if of is Revision:
        moved = (Status.RECONTACTING, Status.COMPLETED)
        assert history.effect(
            [
                *(one(n, status=moved) for n in range(12)),
                one(1, status=moved),
                one(20, notes=("a", "b"), allocated_to=(None, "Ana")),
                one(21, notes=("a", "c"), allocated_to=(None, "Ana")),
                one(22, date_required_follow_up=(date(2026, 12, 1), None)),
                one(23, status=(Status.RECONTACTING, None), notes=("a", None)),
            ]
        ) == [
            "moved 12 logs from Recontacting to Completed",
            "changed Notes of 2 logs",
            "set AllocatedTo of 2 logs to Ana",
            "cleared DateRequiredFollowUp of 1 log",
            "withdrew 1 log",
        ]
    else:
        assert history.effect(
            [
                of(1, 3, 1, BEGIN, 1, FIRST, {"username": (None, "ana")}),
                one(4, active=(True, False)),
                one(5, username=("x", None)),
                one(6, username=(None, "y")),
            ]
        ) == [
            "added 1 customer",
            "changed Active of 1 customer to False",
            "withdrew 1 customer",
            "restored 1 customer",
        ]
