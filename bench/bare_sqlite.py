"""
The ceiling of SQLite: what recontact told its driver, told again without recontact.

The statements and rows were recorded from recontact (recording.py), and its own engine makes the
connection: so SQL, schema, driver and pragmas are the same by construction.
"""

import pickle
import shutil
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

from recontact.store.sqlite import make_engine

Change = list[tuple[str, Any]]
"""The statements of one change, each with its row."""


def load(recorded: Path) -> list[Change]:
    """
    The changes of calls that came one by one, each committed alone.

    What was written between them, as for the index of the search, counts to the one before.
    """
    changes: list[Change] = []
    for written in pickle.loads(recorded.read_bytes()):
        if any(sql.startswith("UPDATE customer_log ") for sql, _ in written):
            changes.append(written)
        elif changes:
            changes[-1] = changes[-1] + written
    return changes


def write(
    database: Path, copy: Path, changes: list[Change], size: int, seconds: float
) -> list[float]:
    """
    Write the changes to `copy` in commits of `size`, again to a new one when all are written.

    Gives the seconds of each commit with its statements; together they are some `seconds`.
    """
    starts = range(0, len(changes) - size + 1, size)
    assert starts, f"only {len(changes)} changes were recorded: measure for longer"
    groups = [_by_statement(changes[at : at + size]) for at in starts]
    took: list[float] = []
    while sum(took) < seconds:
        engine = make_engine(shutil.copy(database, copy), writes=True)
        with closing(engine.raw_connection()) as connection:
            took += _commit(connection.driver_connection, groups, seconds - sum(took))
        engine.dispose()
    return took


def _by_statement(changes: Iterable[Change]) -> dict[str, list[Any]]:
    rows = defaultdict(list)
    for change in changes:
        for sql, row in change:
            rows[sql].append(row)
    return rows


def _commit(driver: Any, groups: list[dict[str, list[Any]]], seconds: float) -> list[float]:
    took: list[float] = []
    started = perf_counter()
    for group in groups:
        before = perf_counter()
        if before - started > seconds:
            break
        driver.execute("BEGIN IMMEDIATE")
        for sql, rows in group.items():
            driver.executemany(sql, rows)
        driver.execute("COMMIT")
        took.append(perf_counter() - before)
    return took
