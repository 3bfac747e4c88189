"""The index of the search on real files: fed behind the writes, and never trusted blindly."""

import re
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Neto, TestClock, served, serving

from recontact import actions
from recontact.fields import Comparison
from recontact.store import committer, queries, search

# This process must open the file with the store's own SQLite (see test_store.py).
from recontact.store.sqlite import driver


def ask(path: Path, sql: str) -> list[Any]:
    with closing(driver.connect(path)) as file:
        return file.execute(sql).fetchall()


def write(path: Path, *statements: str) -> None:
    with closing(driver.connect(path, timeout=5)) as file:
        for sql in statements:
            file.execute(sql)
        file.commit()


def is_fed(neto: Neto) -> bool:
    return not ask(neto.path, "SELECT 1 FROM search_pending LIMIT 1")


def hits(neto: Neto, word: str) -> list[int]:
    """The LogIDs that the index alone gives for a word."""
    found = ask(neto.path, f"SELECT rowid FROM log_search WHERE log_search MATCH '\"{word}\"'")
    return sorted(number & (1 << 34) - 1 for (number,) in found)


def test_the_index_sees_what_changed_and_forgets_what_was(neto: Neto) -> None:
    neto.add({"Notes": "forty chairs"}, {"Notes": "a table"})
    neto.wait_for(lambda: is_fed(neto))
    assert (hits(neto, "chairs"), hits(neto, "table")) == ([1], [2])

    neto.update("json", {"LogID": 1, "Notes": "a lamp"}, {"LogID": 1, "Notes": "two lamps"})
    neto.update("json", {"LogID": 1, "CustomerName": "Lucía"})
    neto.update("json", {"LogID": 2, "Status": "Completed"})
    assert ask(neto.path, "SELECT log_id, was FROM search_pending") in ([], [(1, "forty chairs")])
    neto.wait_for(lambda: is_fed(neto))

    assert [hits(neto, word) for word in ("chairs", "lamp", "lamps", "lucia")] == [[], [], [1], [1]]
    assert hits(neto, "table") == [2]


def test_an_index_that_another_sqlite_made_is_made_anew(database: Path) -> None:
    with served(database) as server:
        server.neto.add({"Notes": "forty chairs"})
        server.neto.wait_for(lambda: is_fed(server.neto) and hits(server.neto, "chairs"))
        assert server.stop() == 0
    (made_by,) = ask(database, "SELECT made_by FROM search_index")[0]
    assert made_by == search.made_by(driver.sqlite_version)

    ghost = "INSERT INTO log_search (rowid, words) VALUES ((1 << 34) + 1, 'ghost')"
    write(database, ghost, "UPDATE search_index SET made_by = 'SQLite 3.40.1, Unicode 14.0.0'")
    with served(database) as server:
        server.neto.wait_for(lambda: not hits(server.neto, "ghost"))
        server.neto.wait_for(lambda: hits(server.neto, "chairs") == [1])
    assert ask(database, "SELECT made_by FROM search_index") == [(made_by,)]


def test_an_index_that_cannot_forget_what_it_is_told_to_is_made_anew(neto: Neto) -> None:
    neto.add({"Notes": "forty chairs"})
    neto.wait_for(lambda: is_fed(neto) and hits(neto, "chairs"))

    write(neto.path, "INSERT INTO log_search (log_search) VALUES ('delete-all')")
    neto.update("json", {"LogID": 1, "Notes": "a table"})
    neto.add({"Notes": "another table"})

    assert neto.get(Search="table").log_ids == ["1", "2"]
    neto.wait_for(lambda: is_fed(neto))
    assert (hits(neto, "table"), hits(neto, "chairs")) == ([1, 2], [])


def test_the_index_keeps_up_while_calls_come_without_a_pause(
    neto: Neto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FEED_AT", 500)
    for pause in ("FEED_SOON", "FEED_AFTER"):  # this process may make one by standing still
        monkeypatch.setattr(committer, pause, 3_600)
    items = [{"Notes": f"chair {n}"} for n in range(400)]
    most = 0
    for _ in range(10):
        neto.add(*items)
        ((noted,),) = ask(neto.path, "SELECT count(*) FROM search_pending")
        most = max(most, noted)

    assert 400 <= most <= committer.FEED_AT + 2 * len(items)
    assert len(neto.get(Search="chair 7", Limit=10_000).logs) == 10 * (1 + 10)  # 7 and 70 to 79


def test_a_command_leaves_the_index_to_the_server(database: Path) -> None:
    with served(database) as server:
        server.neto.add({"Notes": "one"})
        server.neto.wait_for(lambda: is_fed(server.neto))
        # What a command of another process would note.
        note = "INSERT INTO search_pending (site, log_id, was) VALUES (1, 1, 'one')"
        write(database, "UPDATE customer_log SET notes = 'changed'", note)

        assert server.neto.get(Search="changed").log_ids == ["1"]
        server.neto.wait_for(lambda: is_fed(server.neto))

        assert hits(server.neto, "changed") == [1]
        assert server.neto.get(Search="one").log_ids == []


def test_what_others_noted_is_seen_although_calls_come_all_the_time(
    database: Path, clock: TestClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "FEED_AT", 128)
    with served(database) as server:
        for _ in range(3):
            server.neto.add(*[{"Notes": "forty chairs"}] * 700)
        assert server.stop() == 0
    write(
        database,
        "UPDATE search_index SET made_by = 'SQLite 3.40.1, Unicode 14.0.0'",
        "INSERT INTO log_search (log_search) VALUES ('delete-all')",
        "INSERT OR IGNORE INTO search_pending (site, log_id) SELECT site, log_id FROM customer_log",
    )

    with serving(database, clock) as neto:

        def few_are_noted() -> bool:
            neto.update("json", {"LogID": 1, "AllocatedTo": str(time.monotonic_ns())})
            ((noted,),) = ask(database, "SELECT count(*) FROM search_pending")
            return bool(noted < committer.FEED_AT)

        neto.wait_for(few_are_noted)
        neto.wait_for(lambda: is_fed(neto))  # in the pause that is now
        assert len(hits(neto, "chairs")) == 2_100


def test_long_notes_are_searched_by_their_beginning(neto: Neto) -> None:
    long = "\ufdfa" * 20_000  # one character of it is eighteen for the search
    neto.add({"Notes": "chair " + "x " * 5_000 + "table"}, {"Notes": "lamp " + long})

    assert neto.get(Search="chair").log_ids == ["1"]
    assert neto.get(Search="table").log_ids == []
    assert neto.get(Search="lamp").log_ids == ["2"]
    neto.wait_for(lambda: is_fed(neto))
    assert (hits(neto, "chair"), hits(neto, "table"), hits(neto, "lamp")) == ([1], [], [2])


# -- plans ---------------------------------------------------------------------------------------


def plan_of(path: Path, condition: str) -> str:
    sql = f"SELECT * FROM customer_log WHERE site = 1 AND {condition} ORDER BY log_id LIMIT 100"
    return "\n".join(step for *_, step in ask(path, f"EXPLAIN QUERY PLAN {sql}"))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, known in actions.ACTIONS["GetCustomerLog"].shape.filters.items()
        if known.comparison is Comparison.IS and name not in ("LogID", "Status")
    ],
)
def test_a_filter_by_a_text_reads_its_index_in_the_order_of_log_ids(
    database: Path, name: str
) -> None:
    key = actions.ACTIONS["GetCustomerLog"].shape.filters[name].key

    plan = plan_of(database, f"{key}_folded IN ('x')")

    assert re.search(rf"USING INDEX customer_log_by_site_{key}_folded_log_id \(site=\? AND", plan)
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize("column", ["date_updated", "date_added"])
def test_a_range_of_dates_is_found_in_its_index_alone(database: Path, column: str) -> None:
    sql = f"SELECT log_id FROM customer_log WHERE site = 1 AND {column} >= '2026' LIMIT 5000"

    ((*_, step),) = ask(database, f"EXPLAIN QUERY PLAN {sql}")

    assert f"USING COVERING INDEX customer_log_by_site_{column} (site=? AND {column}>?)" in step


@pytest.mark.parametrize(
    ("bound", "sought"),
    [
        ("follow_up_day <= '2026'", "follow_up_day<?"),
        ("follow_up_day IS NULL AND follow_up_at <= 9", "follow_up_day=? AND follow_up_at<?"),
    ],
)
def test_follow_ups_are_found_in_an_index_by_status_and_date(
    database: Path, bound: str, sought: str
) -> None:
    where = f"site = 1 AND status IN ('Completed', 'Recontacting') AND {bound}"
    found = f"SELECT log_id FROM customer_log WHERE {where}"
    page = f"SELECT log_id FROM ({found} UNION ALL {found}) ORDER BY log_id + 0 LIMIT 9"

    plan = "\n".join(step for *_, step in ask(database, f"EXPLAIN QUERY PLAN {page}"))

    name = "customer_log_by_site_status_follow_up_day"
    assert plan.count(f"USING COVERING INDEX {name} (site=? AND status=? AND {sought})") == 2


@pytest.mark.parametrize("limit", [3, 100])
@pytest.mark.parametrize("status", [{}, {"Status": ["Recontacting", "Completed"]}])
def test_a_range_of_dates_finds_the_same_whether_many_or_few_are_left(
    neto: Neto, monkeypatch: pytest.MonkeyPatch, status: dict[str, Any], limit: int
) -> None:
    days = [f"2026-11-{n % 28 + 1:02}" + (" 08:00:00" if n % 3 == 0 else "") for n in range(90)]
    words = ["Recontacting", "Completed", "Require Recontact"]
    neto.add(
        *[
            {"DateRequiredFollowUp": day, "Status": words[n % 5 % 3], "AllocatedTo": "ana"}
            for n, day in enumerate(days)
        ]
    )
    asked = status | {"DateRequiredFollowUpTo": "2026-11-20", "AllocatedTo": "ana", "Limit": limit}
    asked |= {"DateRequiredFollowUpFrom": "2026-11-05 06:00:00", "LogIDAfter": 2}

    walked = [neto.get(**asked, Page=page).log_ids for page in range(4)]
    monkeypatch.setattr(queries, "WALKED", 0)
    sought = [neto.get(**asked, Page=page).log_ids for page in range(4)]

    assert walked == sought
    assert walked[0]
