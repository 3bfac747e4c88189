"""Calls run ahead of the commit before them: nobody's write is built on what is not there."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from conftest import PATIENCE, Neto

from recontact.store import committer

# Not the interpreter's sqlite3: two copies of SQLite in one process do not see each other's locks.
from recontact.store.sqlite import driver

ROUNDS = 150


def take_log_ids(neto: Neto) -> list[int]:
    """What another process does: it takes LogIDs from the site's counter, under the lock."""
    taken = []
    connection = driver.connect(neto.path, timeout=PATIENCE, isolation_level=None)
    for _ in range(ROUNDS):
        connection.execute("BEGIN IMMEDIATE")
        (log_id,) = connection.execute("SELECT next_log_id FROM site").fetchone()
        connection.execute("UPDATE site SET next_log_id = next_log_id + 1")
        connection.execute("COMMIT")
        taken.append(log_id)
        threading.Event().wait(0.002)
    connection.close()
    return taken


def test_another_process_and_many_clients_never_get_the_same_log_id(
    neto: Neto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "PATIENCE", PATIENCE)
    ended = threading.Event()

    def ask_whether_it_is_ready() -> None:
        while not ended.is_set():
            # It waits a second for the lock, whose holder may stand still for longer.
            assert neto.http.get("/readyz").status_code in (200, 503)

    with ThreadPoolExecutor(12) as threads:
        asking = threads.submit(ask_whether_it_is_ready)
        outside = threads.submit(take_log_ids, neto)
        adding = [
            threads.submit(lambda: [neto.add({"Notes": "x"})[0] for _ in range(ROUNDS)])
            for _ in range(8)
        ]
        given = [log_id for one in adding for log_id in one.result()] + outside.result()
        ended.set()
        asking.result()

    assert len(given) == 9 * ROUNDS
    assert sorted(given) == list(range(1, 9 * ROUNDS + 1))


def test_updates_of_one_log_by_many_clients_all_count(neto: Neto) -> None:
    (log_id,) = neto.add({"Notes": "0"})

    def update(client: int) -> None:
        for n in range(ROUNDS // 5):
            answer = neto.update("json", {"LogID": log_id, "Notes": f"{client} {n}"})
            assert answer.ack == "Success"

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(update, range(12)))

    assert neto.log(log_id)["Revision"] == str(1 + 12 * (ROUNDS // 5))
    with closing(driver.connect(neto.path)) as connection:
        rows = connection.execute("SELECT number, changes FROM revision ORDER BY number").fetchall()
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
