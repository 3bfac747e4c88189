"""The panel's queue: what is in each tab, in which order and page, however it is read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace as changed
from sqlalchemy import Executable

from recontact.model import By, CustomerLog, Site, fold, new_customer, new_log
from recontact.store import Transaction, View, Work, finding, followups, keys, open_store, search
from recontact.store.followups import Cursor, Order, Page, Place, Queue, Reading, Some, Tab
from recontact.store.sqlite import SqliteStore
from recontact.values import Absent, Status

SYDNEY = ZoneInfo("Australia/Sydney")
NOW = datetime(2026, 11, 22, 23, 5, tzinfo=UTC)  # Monday 23 November, 10:05 in Sydney
BY = By(None, bytes(16), "test")
OPEN_TABS = [tab for tab in Tab if tab is not Tab.COMPLETED]


class Shop:
    """A store with two sites in Sydney, at a time that stands still."""

    def __init__(self, path: Path) -> None:
        self.now = NOW
        self.store = open_store(f"sqlite:///{path}", now=lambda: self.now)
        with self.store.begin() as connection:
            keys.first_site(connection, NOW)
            keys.add_site(connection, "Other", SYDNEY.key, NOW)
            first = keys.sites(connection)[1]
            keys.set_site(connection, first, zone=SYDNEY.key)
            self.site, self.other = keys.sites(connection).values()

    def write(self, run: Callable[[Transaction], Any], site: Site | None = None) -> Any:
        return self.store.write(Work(site or self.site, run))

    def add(self, *logs: dict[str, Any], site: Site | None = None) -> list[CustomerLog]:
        def run(tx: Transaction) -> list[CustomerLog]:
            made = [new_log(tx.site.site, tx.next_log_id(), values, tx.now) for values in logs]
            for log in made:
                tx.save(log, None, BY)
            tx.keep()
            return made

        return self.write(run, site)

    def change(self, log: CustomerLog, **values: Any) -> CustomerLog:
        after = changed(log, revision=log.revision + 1, **values)

        def run(tx: Transaction) -> None:
            tx.save(after, tx.log(log.log_id), BY)
            tx.keep()

        self.write(run)
        return after

    def feed(self, most: int) -> None:
        """Let the index of the search see so many logs."""
        with self.store.begin() as connection:
            driver = connection.connection.driver_connection
            search.feed(driver, lambda one: connection.execute(one).fetchall(), most)

    def ask(self, read: Callable[[View], Any], site: Site | None = None) -> Any:
        return self.store.read(site or self.site, read)

    def page(self, queue: Queue, cursor: Cursor | None = None, *, back: bool = False) -> Page:
        return self.ask(lambda view: view.queue(queue).page(cursor, back=back))

    def ids(self, queue: Queue) -> list[int]:
        """All LogIDs of a queue, page after page."""
        found: list[int] = []
        cursor = None
        for _ in range(1_000):
            page = self.page(queue, cursor)
            found += [entry.log.log_id for entry in page.entries]
            cursor = page.after
            if cursor is None:
                return found
        raise AssertionError("it has no end")

    def place(self, queue: Queue, cursor: Cursor) -> Place:
        return self.ask(lambda view: view.queue(queue).place(cursor))

    def matching(self, queue: Queue, after: int) -> Some:
        return self.ask(lambda view: view.queue(queue).matching(after))

    def counts(self, queue: Queue) -> dict[Tab, int] | None:
        return self.ask(lambda view: view.queue(queue).counts())


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "shop.db")
    with closing(shop.store):
        yield shop


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Shop, list[CustomerLog]]]:
    """A shop with 200 logs of all kinds, of which half are open; no test writes in it."""
    shop = Shop(tmp_path_factory.mktemp("full") / "shop.db")
    random = Random(7)
    begin = datetime(2026, 11, 18, tzinfo=UTC)
    made = []
    for number in range(200):
        due: date | datetime | None = None
        if random.random() < 0.85:
            due = begin + timedelta(minutes=random.randrange(0, 12 * 24 * 60, 30))
            due = due if random.random() < 0.4 else due.date()
        log = {
            "allocated_to": random.choice(["Ana", "ANA", "Bea", "José", None]),
            "follow_up_type": random.choice(["Phone", "phone", "Email", None]),
            "customer_name": random.choice(["Bob Stone", "bob stone", "Ünal", "Zed", None]),
            "date_required_follow_up": due,
            "status": random.choice([Status.COMPLETED, *Status]),
            "notes": random.choice(["asked for chairs", "Chair, oak", "table", None]),
        }
        shop.now = NOW - timedelta(minutes=random.randrange(30) + 200 - number)
        made += shop.add(log)
    shop.add(*({"allocated_to": "Ana", "notes": "chair"} for _ in range(9)), site=shop.other)
    shop.feed(150)
    shop.now = NOW
    with closing(shop.store):
        yield shop, made


WAYS: dict[str, dict[str, int]] = {
    "as it is": {},
    "small pages": {"PAGE": 7, "STEP": 11},
    "short walks": {"PAGE": 7, "_WALKED": 5, "STEP": 3, "_FEW": 0},
    "texts, few": {"PAGE": 7, "_SOUGHT": 0, "_FEW": 40},
    "texts, many": {"PAGE": 7, "_SOUGHT": 0, "_FEW": 0},
    "texts, too many": {"PAGE": 7, "_HITS": 0, "_READ": 3, "_LOOKED_THROUGH": 9, "STEP": 20},
    "texts, too many begun": {"PAGE": 7, "BEGUN": 0},
    "texts, too many begun, many": {"PAGE": 7, "BEGUN": 0, "_FEW": 0},
    "texts, too many open": {"PAGE": 7, "_HITS_OPEN": 0, "_READ": 50, "_LOOKED_THROUGH": 50},
}
"""By what each way of reading is taken, so that all are tried with few logs."""


FILTERS = [
    {},
    {"allocated_to": "ana"},
    {"allocated_to": None},
    {"allocated_to": "jose\u0301", "follow_up_type": "PHONE"},
    {"follow_up_type": None, "status": Status.RECONTACTING},
    {"allocated_to": "nobody has it"},
    {"text": "chair"},
    {"text": "oak chair", "allocated_to": "Ana"},
    {"text": "bob", "status": Status.REQUIRE_RECONTACT},
    {"text": "nowhere"},
]


CASES = [
    pytest.param(way, filters, id=f"{way}, {filters}")
    for way, filters in product(WAYS, FILTERS)
    if "text" in filters or "texts" not in way
]
by_all_ways = pytest.mark.parametrize(("way", "filters"), CASES, indirect=["way"])


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in WAYS[request.param].items():
        monkeypatch.setattr(search if name == "BEGUN" else followups, name, value)
    return str(request.param)


def day_of(due: date | datetime) -> date:
    return due.astimezone(SYDNEY).date() if isinstance(due, datetime) else due


def tab_of(log: CustomerLog, today: date) -> Tab:
    if log.status is Status.COMPLETED:
        return Tab.COMPLETED
    if (due := log.date_required_follow_up) is None:
        return Tab.NO_DATE
    day = day_of(due)
    return Tab.OVERDUE if day < today else Tab.TODAY if day == today else Tab.UPCOMING


def meets(log: CustomerLog, queue: Queue) -> bool:
    for key in ("allocated_to", "follow_up_type"):
        name, value = getattr(queue, key), log.value(key)
        if not isinstance(name, Absent) and (name and fold(name)) != (value and fold(value)):
            return False
    if queue.status and log.status not in (queue.status, Status.COMPLETED):
        return False
    there = f"{log.notes or ''} {log.customer_name or ''}".casefold().replace(",", "").split()
    wanted = queue.text.split()
    return all(word in there for word in wanted[:-1]) and all(
        any(word.startswith(last) for word in there) for last in wanted[-1:]
    )


def rank(log: CustomerLog, queue: Queue) -> tuple[Any, ...]:
    if queue.tab is Tab.COMPLETED:
        return (-log.date_updated.timestamp(), -log.log_id)
    if queue.order is Order.CUSTOMER:
        return (log.customer_name is None, fold(log.customer_name or ""), log.log_id)
    due = log.date_required_follow_up
    if due is None:
        return (log.log_id,)
    seconds = due.timestamp() if isinstance(due, datetime) else 0
    return (day_of(due).toordinal(), isinstance(due, datetime), seconds, log.log_id)


def expected(logs: list[CustomerLog], queue: Queue) -> list[int]:
    today = date(2026, 11, 23)
    found = [log for log in logs if tab_of(log, today) is queue.tab and meets(log, queue)]
    falls = queue.order is Order.NEWEST and queue.tab is not Tab.COMPLETED
    found.sort(key=lambda log: rank(log, queue), reverse=falls)
    return [log.log_id for log in found]


@by_all_ways
def test_a_queue_has_what_it_should_in_its_order(
    full: tuple[Shop, list[CustomerLog]], way: str, filters: dict[str, Any]
) -> None:
    shop, logs = full
    for tab, order in product(Tab, Order):
        queue = Queue(tab, order, **filters)
        right = expected(logs, queue)

        assert shop.ids(queue) == right, queue
        if way == "as it is" and queue in (Queue(Tab.OVERDUE), Queue(Tab.COMPLETED)):
            assert len(right) > 15


@by_all_ways
def test_pages_go_back_as_they_went(
    full: tuple[Shop, list[CustomerLog]], way: str, filters: dict[str, Any]
) -> None:
    shop, logs = full
    for tab, order in product(Tab, Order):
        queue = Queue(tab, order, **filters)
        right = expected(logs, queue)
        cursor, seen = None, []
        while (page := shop.page(queue, cursor)).after:
            cursor = page.after
        if not page.entries:
            continue

        seen = [[entry.log.log_id for entry in page.entries]]
        while page.before:
            page = shop.page(queue, page.before, back=True)
            seen.append([entry.log.log_id for entry in page.entries])

        first = seen.pop()  # a whole page, so it may repeat some
        back = [log_id for some in reversed(seen) for log_id in some]
        assert first == right[: len(first)], queue
        assert [*right[: len(right) - len(back)], *back] == right, queue
        assert len(first) + len(back) >= len(right), queue


def test_a_log_is_in_the_tab_that_shows_it(full: tuple[Shop, list[CustomerLog]]) -> None:
    shop, logs = full
    found = shop.ask(lambda view: [view.queue(Queue()).tab_of(log) for log in logs])

    assert found == [tab_of(log, day_of(NOW)) for log in logs]


@by_all_ways
def test_counts_and_places_are_those_of_the_queue(
    full: tuple[Shop, list[CustomerLog]], way: str, filters: dict[str, Any]
) -> None:
    shop, logs = full
    right = {tab: expected(logs, Queue(tab, **filters)) for tab in OPEN_TABS}
    counts = shop.counts(Queue(**filters))

    if counts is None:
        assert "text" in filters
        assert "too many" in way
    else:
        assert counts == {tab: len(log_ids) for tab, log_ids in right.items()}
    for tab, order in product((Tab.OVERDUE, Tab.NO_DATE, Tab.COMPLETED), Order):
        queue = Queue(tab, order, **filters)
        log_ids = expected(logs, queue)
        entries = shop.page(queue).entries
        for at in {0, len(entries) // 2, len(entries) - 1} if entries else ():
            place = shop.place(queue, entries[at].cursor)
            assert [one and one.log.log_id for one in (place.before, place.after)] == [
                log_ids[at - 1] if at else None,
                log_ids[at + 1] if at + 1 < len(log_ids) else None,
            ] or way in ("short walks", "texts, too many")
            if place.position is not None or (counts is not None and "many" not in way):
                expected_place = (None, None) if tab is Tab.COMPLETED else (at + 1, len(log_ids))
                assert (place.position, place.total) == expected_place


@by_all_ways
def test_all_that_match_come_in_steps(
    full: tuple[Shop, list[CustomerLog]], way: str, filters: dict[str, Any]
) -> None:
    shop, logs = full
    for tab in Tab:
        queue = Queue(tab, **filters)
        found: list[int] = []
        after: int | None = 0
        while after is not None:
            some = shop.matching(queue, after)
            assert some.after is None or some.after > after
            assert all(log_id > after for log_id in some.log_ids)
            found, after = found + some.log_ids, some.after
        assert found == sorted(expected(logs, queue)), queue


# -- days ------------------------------------------------------------------------------------------


def test_a_day_of_the_site_parts_the_tabs(shop: Shop) -> None:
    def at(text: str) -> datetime:
        return datetime.fromisoformat(text).replace(tzinfo=SYDNEY).astimezone(UTC)

    dues = {
        "overdue": [date(2026, 11, 22), at("2026-11-22 23:59:59"), date(1000, 1, 1)],
        "today": [date(2026, 11, 23), at("2026-11-23 00:00"), at("2026-11-23 23:59:59")],
        "upcoming": [date(2026, 11, 24), at("2026-11-24 00:00"), date(9999, 12, 31)],
        "no-date": [None],
    }
    for some in dues.values():
        shop.add(*({"date_required_follow_up": due} for due in some))

    found = {tab.value: shop.ids(Queue(tab)) for tab in OPEN_TABS}

    assert found == {
        "overdue": [3, 1, 2],
        "today": [4, 5, 6],
        "upcoming": [7, 8, 9],
        "no-date": [10],
    }
    assert shop.counts(Queue()) == {tab: len(dues[tab.value]) for tab in OPEN_TABS}


@pytest.mark.parametrize(
    ("zone", "now", "overdue"),
    [
        ("America/New_York", "2026-11-23T04:30:00", []),  # it is still the 22nd there
        ("America/New_York", "2026-11-23T05:30:00", [1]),
        ("Pacific/Kiritimati", "2026-11-22T10:30:00", [1]),
        ("Australia/Sydney", "2026-11-22T12:59:59", []),
        ("Australia/Sydney", "2026-11-22T13:00:00", [1]),
    ],
)
def test_overdue_begins_at_midnight_in_the_site(
    shop: Shop, zone: str, now: str, overdue: list[int]
) -> None:
    shop.add({"date_required_follow_up": date(2026, 11, 22)})
    shop.now = datetime.fromisoformat(now).replace(tzinfo=UTC)
    shop.site = replace(shop.site, zone=ZoneInfo(zone))

    assert shop.ids(Queue(Tab.OVERDUE)) == overdue
    assert shop.ids(Queue(Tab.TODAY)) == ([] if overdue else [1])


def test_days_with_23_and_25_hours_have_all_their_instants(shop: Shop) -> None:
    begin = datetime(2026, 10, 2, tzinfo=UTC)  # clocks go ahead on 4 October, back on 4 April
    for start in (begin, datetime(2027, 4, 2, tzinfo=UTC)):
        shop.add(*({"date_required_follow_up": start + timedelta(hours=n)} for n in range(72)))
    seen: list[int] = []

    for day in [date(2026, 10, 2) + timedelta(days=n) for n in (*range(4), *range(182, 186))]:
        shop.now = datetime(day.year, day.month, day.day, 12, tzinfo=SYDNEY).astimezone(UTC)
        found = shop.ids(Queue(Tab.TODAY))
        seen += found
        if day in (date(2026, 10, 4), date(2027, 4, 4)):
            assert len(found) == (23 if day.month == 10 else 25)

    assert seen == list(range(1, 145))


def test_an_instant_is_after_its_day_and_before_the_next(shop: Shop) -> None:
    instant = datetime(2026, 11, 19, 13, 30, tzinfo=UTC)  # 00:30 on the 20th
    shop.add(
        {"date_required_follow_up": date(2026, 11, 21)},
        {"date_required_follow_up": instant},
        {"date_required_follow_up": date(2026, 11, 20)},
        {"date_required_follow_up": date(2026, 11, 19)},
    )

    assert shop.ids(Queue()) == [4, 3, 2, 1]
    assert shop.ids(Queue(order=Order.NEWEST)) == [1, 2, 3, 4]


# -- while others write ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", Order)
def test_no_log_is_missed_or_repeated_while_others_write(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, order: Order
) -> None:
    monkeypatch.setattr(followups, "PAGE", 4)
    names = ["Zed", "amy", "Bob", None]
    logs = shop.add(
        *(
            {"date_required_follow_up": date(2026, 11, 1 + n % 5), "customer_name": names[n % 4]}
            for n in range(12)
        )
    )
    queue = Queue(order=order)
    right = shop.ids(queue)
    by_id = {log.log_id: log for log in logs}

    page = shop.page(queue)
    first = [entry.log.log_id for entry in page.entries]
    # The log at the cursor leaves, one seen and one to come are done, one comes in at each end.
    for log_id in (right[3], right[0], right[5]):
        shop.change(by_id[log_id], status=Status.COMPLETED)
    ends = [date(2026, 10, 1), date(2026, 11, 22)]
    new = shop.add(
        {"date_required_follow_up": ends[0], "customer_name": "\u0001"},
        {"date_required_follow_up": ends[1], "customer_name": None},
    )
    then = shop.page(queue, page.after)
    last = shop.page(queue, then.after)

    late = new[1] if order is not Order.NEWEST else new[0]
    rest = [entry.log.log_id for one in (then, last) for entry in one.entries]
    assert first == right[:4]
    assert rest == [*(log_id for log_id in right[4:] if log_id != right[5]), late.log_id]
    place = shop.place(queue, then.entries[0].cursor)
    assert place.position == 4  # of four before it two are gone, and one came
    assert place.total == 11


def test_from_a_page_that_is_gone_one_can_go_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followups, "PAGE", 2)
    logs = shop.add(*({"date_required_follow_up": date(2026, 11, n)} for n in (1, 2, 3)))
    first = shop.page(Queue())
    shop.change(logs[2], status=Status.COMPLETED)

    gone = shop.page(Queue(), first.after)
    back = shop.page(Queue(), gone.before, back=True)

    assert (gone.entries, gone.after) == ([], None)
    assert [entry.log.log_id for entry in back.entries] == [1, 2]
    assert (back.before, back.after) == (None, None)


def test_a_cursor_of_another_queue_is_none(shop: Shop) -> None:
    shop.add({"date_required_follow_up": date(2026, 11, 1), "customer_name": "x"})
    edges = (date(1000, 1, 1), date.max, -30_610_224_000, 253_402_300_799)
    for value in (None, "n", 3, date(2026, 1, 1), *edges):
        for tab, order in product(Tab, Order):
            page = shop.page(Queue(tab, order), Cursor(9, value))
            assert len(page.entries) <= 1


@pytest.mark.parametrize("value", [None, 0, -30_610_224_000, date(1000, 1, 1), "", "a.b ü\n", "d"])
def test_a_cursor_can_be_read_back(value: Any) -> None:
    assert Cursor.read(Cursor(1042, value).write()) == Cursor(1042, value)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "x", "1.x", "1.d2026-13-01", "1.d", "1.tx", "1.t", "1.t1e3", "1.n\ud800"),
        *("1.t" + "9" * 12, "1.t" + "9" * 5_000, "1.t-99999999999", "1.d0001-01-01"),
        *("1" * 11, "-1.", "\u0661."),
    ],
)
def test_what_is_no_cursor_is_none(text: str) -> None:
    assert Cursor.read(text) is None


def test_counts_end_somewhere(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(followups, "COUNTED", 3)
    shop.add(*({"date_required_follow_up": date(2026, 11, 1)} for _ in range(7)))
    shop.add(*({"date_required_follow_up": NOW - timedelta(days=3)} for _ in range(7)))
    shop.add({})

    assert shop.counts(Queue()) == dict(zip(OPEN_TABS, (4, 0, 0, 1), strict=True))
    place = shop.place(Queue(), Cursor(14, int((NOW - timedelta(days=3)).timestamp())))
    assert (place.position, place.total) == (5, 4)


def test_what_left_a_queue_has_no_place_but_neighbours(shop: Shop) -> None:
    logs = shop.add(*({"date_required_follow_up": date(2026, 11, day)} for day in (1, 2, 3)))
    cursor = Cursor(2, date(2026, 11, 2))
    assert shop.place(Queue(), cursor).position == 2

    shop.change(logs[1], status=Status.COMPLETED)
    place = shop.place(Queue(), cursor)
    assert (place.position, place.total) == (None, None)
    assert [one and one.log.log_id for one in (place.before, place.after)] == [1, 3]


# -- texts that the index has yet to see, and others' logs -----------------------------------------


def test_a_search_sees_what_was_written_just_now(shop: Shop) -> None:
    (log,) = shop.add({"notes": "forty chairs"})

    assert shop.ids(Queue(Tab.NO_DATE, text="chairs forty")) == [1]
    shop.change(log, notes="tables")
    assert shop.ids(Queue(Tab.NO_DATE, text="chairs")) == []
    assert shop.ids(Queue(Tab.NO_DATE, text="tab")) == [1]


def test_the_index_is_not_asked_for_a_beginning_of_too_many_words(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add(*({"username": f"customer{n}", "notes": f"oak, {n % 2} chairs"} for n in range(20)))
    shop.feed(20)

    def sees(text: str) -> tuple[bool, list[int]]:
        """Whether the index was asked, so that all are counted; and what is found."""
        queue = Queue(Tab.NO_DATE, text=text)
        return shop.counts(queue) is not None, shop.ids(queue)

    every = list(range(1, 21))
    monkeypatch.setattr(search, "BEGUN", 10)
    assert sees("customer1") == (False, [2, *every[10:]])  # 11 words
    assert sees("chair") == (False, every)  # one, of 20 logs
    assert sees("customer11") == (True, [12])
    assert sees("oak customer") == (True, every)  # by what is before it
    assert sees("1 customer1") == (True, [2, 12, 14, 16, 18, 20])
    assert sees("oak customer1 customer1") == (True, [2])
    assert sees("oa") == (True, every)  # the index holds it
    monkeypatch.setattr(search, "BEGUN", 20)
    assert sees("customer1") == (True, [2, *every[10:]])


@pytest.mark.parametrize(
    ("notes", "text", "is_found"),
    [
        ("Oak CHAIRS", "chairs oa", True),
        ("oak,chairs", "chairs", True),
        ("armchair", "chair", False),
        ("Crème brûlée", "CREME brul", True),
        ("creme", "crème", True),
        ("\uff43hair", "chair", True),
        ("椅子 chair", "椅子", True),
        ("ÆON", "æon", True),
        ("a\x00chair", "chair", True),
        ("İstanbul", "istanbul", True),
        ("\u212a", "k", True),  # a Kelvin sign
        (None, "chair", False),
    ],
)
def test_texts_are_looked_through_as_the_search_reads_them(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, notes: str | None, text: str, *, is_found: bool
) -> None:
    monkeypatch.setattr(followups, "_HITS", -1)
    shop.add({"notes": notes})

    queue = Queue(Tab.NO_DATE, text=text)
    assert shop.counts(queue) is None
    assert shop.ids(queue) == [1] * is_found


@pytest.mark.parametrize("text", ["", " ", "?!", "\u0301"])
def test_a_search_without_words_asks_for_nothing(shop: Shop, text: str) -> None:
    shop.add({}, {})

    assert shop.ids(Queue(Tab.NO_DATE, text=text)) == [1, 2]


def test_a_queue_is_of_one_site(full: tuple[Shop, list[CustomerLog]]) -> None:
    shop, _ = full

    def read(view: View) -> Any:
        queue = Queue(Tab.NO_DATE, allocated_to="ana", text="chair")
        reading = view.queue(queue)
        return len(reading.page().entries), reading.counts(), view.names_in_use("allocated_to")

    assert shop.ask(read, shop.other) == (
        9,
        dict(zip(OPEN_TABS, (0, 0, 0, 9), strict=True)),
        ["Ana"],
    )


# -- names in use ----------------------------------------------------------------------------------


def test_names_are_those_in_use_each_once_as_last_written(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shop.ask(lambda view: view.names_in_use("allocated_to")) == []
    shop.add(
        {"allocated_to": "zoë"},
        {"allocated_to": "ANA", "follow_up_type": "Visit"},
        {"status": Status.COMPLETED, "allocated_to": "Ana"},
        {},
    )
    shop.add({"allocated_to": "Other's"}, site=shop.other)

    assert shop.ask(lambda view: view.names_in_use("allocated_to")) == ["Ana", "zoë"]
    assert shop.ask(lambda view: view.names_in_use("follow_up_type")) == ["Visit"]
    monkeypatch.setattr(finding, "NAMES", 1)
    assert shop.ask(lambda view: view.names_in_use("allocated_to")) == ["Ana"]


# -- customers without a next step -----------------------------------------------------------------


def test_customers_without_a_next_step(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(tx: Transaction) -> None:
        for number in range(1, 11):
            of = new_customer(
                tx.site.site, tx.next_customer_id(), {"username": f"C{number}"}, tx.now
            )
            tx.save_customer(of, None, BY)
        tx.keep()

    day, instant = date(2020, 1, 1), datetime(2030, 1, 1, tzinfo=UTC)
    shop.write(run)
    shop.write(run, shop.other)
    shop.add(
        {"username": "C1", "date_required_follow_up": day},
        {"username": "c2", "date_required_follow_up": instant},
        {"username": "C3", "date_required_follow_up": day, "status": Status.COMPLETED},
        {"username": "C4"},
        {"username": "C5", "date_required_follow_up": day, "status": Status.COMPLETED},
        {"username": "C5", "date_required_follow_up": day, "status": Status.RECONTACTING},
    )
    shop.add({"username": "C6", "date_required_follow_up": day}, site=shop.other)

    def every(limit: int) -> list[int]:
        found: list[int] = []
        after: int | None = 0
        while after is not None:
            some, after = shop.ask(lambda view, at=after: view.without_next_step(at, limit))
            assert len(some) <= limit
            found += [one.customer_id for one in some]
        return found

    assert [every(limit) for limit in (1, 2, 7, 50)] == [[3, 4, 6, 7, 8, 9, 10]] * 4
    monkeypatch.setattr(finding, "_WALKED", 2)
    assert every(5) == [3, 4, 6, 7, 8, 9, 10]


# -- plans -----------------------------------------------------------------------------------------


def plans(shop: Shop, ask: Callable[[Reading], Any], queue: Queue) -> list[str]:
    """The plan of each statement that reads logs."""
    assert isinstance(shop.store, SqliteStore)
    found = []
    with shop.store.begin() as connection:

        def rows(statement: Executable) -> Sequence[Sequence[Any]]:
            sql = statement.compile(connection, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}".replace("%", "%%"))
            found.append("\n".join(step for *_, step in steps))
            return connection.execute(statement).fetchall()

        ask(Reading(queue, shop.site, NOW, rows))
    return [plan for plan in found if "customer_log" in plan]


DUE = "USING COVERING INDEX customer_log_by_site_status_follow_up_day (site=? AND status=? AND "
FILTERED = {"allocated_to": "ana", "follow_up_type": None}


@pytest.mark.parametrize("filters", [{}, FILTERED])
@pytest.mark.parametrize("order", [Order.OLDEST, Order.NEWEST])
@pytest.mark.parametrize("tab", OPEN_TABS)
@pytest.mark.parametrize("back", [False, True])
def test_a_page_is_read_in_the_order_of_the_index(
    full: tuple[Shop, list[CustomerLog]],
    tab: Tab,
    order: Order,
    filters: dict[str, Any],
    *,
    back: bool,
) -> None:
    queue = Queue(tab, order, **filters)
    cursor = Cursor(7, None if tab is Tab.NO_DATE else date(2026, 11, 23))

    keys_, *rows = plans(full[0], lambda reading: reading.page(cursor, back=back), queue)

    assert keys_.count(DUE + "follow_up_day") == (2 if tab is Tab.NO_DATE else 4)
    assert "TEMP B-TREE" not in keys_
    for plan in rows:
        assert DUE in plan or "USING PRIMARY KEY (site=? AND log_id=?)" in plan


@pytest.mark.parametrize("order", [Order.OLDEST, Order.NEWEST])
@pytest.mark.parametrize("tab", [Tab.OVERDUE, Tab.TODAY, Tab.UPCOMING])
@pytest.mark.parametrize("back", [False, True])
def test_a_page_far_in_takes_no_more_work_than_the_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tab: Tab, order: Order, *, back: bool
) -> None:
    monkeypatch.setattr(followups, "PAGE", 5)
    day = {Tab.OVERDUE: "2026-11-20", Tab.TODAY: "2026-11-23", Tab.UPCOMING: "2026-11-26"}[tab]
    begin = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=SYDNEY)
    # All within the tab, on days and at instants, so that either end is far from the other.
    times = [begin + timedelta(minutes=n) for n in range(1_200)]
    shop.add(*({"date_required_follow_up": at} for at in times))
    queue = Queue(tab, order)
    ends = [Cursor(1, int(times[at].timestamp())) for at in (20, -20)]

    def steps(cursor: Cursor) -> int:
        """Steps of SQLite's machine: a measure that no other process disturbs."""
        taken = 0

        def count() -> None:
            nonlocal taken
            taken += 1

        with shop.store.begin() as connection:
            driver: Any = connection.connection.driver_connection
            reading = Reading(queue, shop.site, NOW, lambda one: connection.execute(one).fetchall())
            reading.page(cursor, back=back)
            driver.set_progress_handler(count, 10)
            reading.page(cursor, back=back)
            driver.set_progress_handler(None, 0)
        return taken

    few, many = sorted(map(steps, ends))
    assert many < few * 1.5


@pytest.mark.parametrize("filters", [{}, FILTERED])
def test_counts_read_the_index_alone(
    full: tuple[Shop, list[CustomerLog]], filters: dict[str, Any]
) -> None:
    (plan,) = plans(full[0], lambda reading: reading.counts(), Queue(**filters))

    assert plan.count(DUE + "follow_up_day") == 7
    assert plan.count("customer_log") == 14


@pytest.mark.parametrize("tab", [Tab.OVERDUE, Tab.COMPLETED])
def test_what_a_search_found_is_counted_in_one_go(
    full: tuple[Shop, list[CustomerLog]], tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followups, "_FEW", 0)
    monkeypatch.setattr(followups, "_SOUGHT", 0)

    found = plans(full[0], lambda reading: reading.counts(), Queue(tab, text="chair"))

    assert sum(plan.count("follow_up_day (site=? AND status=?") for plan in found) == 1


@pytest.mark.parametrize("filters", [{}, FILTERED])
def test_completed_is_read_by_its_date(
    full: tuple[Shop, list[CustomerLog]], filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(followups, "_WALKED", 100)
    monkeypatch.setattr(followups, "_FEW", 0)
    cursor = Cursor(150, int(NOW.timestamp()))

    found = plans(full[0], lambda reading: reading.page(cursor), Queue(Tab.COMPLETED, **filters))

    by_date = (
        "USING COVERING INDEX customer_log_by_site_date_updated (site=? AND (date_updated,log_id)"
    )
    assert sum(by_date in plan for plan in found) == 2  # the edge, and the page
    assert all("TEMP B-TREE" not in plan for plan in found if by_date in plan)


def test_names_and_customers_are_found_by_their_indexes(
    full: tuple[Shop, list[CustomerLog]],
) -> None:
    shop, _ = full

    def ask(reading: Reading) -> None:
        finding.names_in_use("allocated_to", shop.site, reading._rows)
        finding.without_next_step(0, 50, shop.site, reading._rows)

    names, customers = plans(shop, ask, Queue())

    assert names.count("customer_log_by_site_allocated_to_folded_log_id (site=?") == 3
    assert "SCAN customer_log" not in names
    by_name = "USING INDEX customer_log_open_by_site_username_folded (site=? AND username_folded=?)"
    assert by_name in customers
