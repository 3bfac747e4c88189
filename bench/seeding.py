"""Databases to measure on: so many logs, and one key."""

from contextlib import closing
from datetime import date
from pathlib import Path

from sqlalchemy import insert, update

from recontact.clock import SYSTEM
from recontact.model import new_log, revision_of
from recontact.store import keys, open_store, tables

KEY = "rk_the_key_of_the_bench_0123456789"
LOGS = 10_000
LOGS_AT_START = 100_000


def seed(path: Path, logs: int) -> None:
    """Make the database at `path`, with the LogIDs from 1 to `logs` and a revision of each."""
    now = SYSTEM.now()
    with (
        closing(open_store(f"sqlite:///{path}", now=SYSTEM.now)) as store,
        store.begin() as connection,
    ):
        site = keys.first_site(connection, now)
        keys.add_key(connection, site, KEY, now=now)
        made = [
            new_log(
                site.site,
                log_id,
                {
                    "allocated_to": "Anna",
                    "customer_name": f"Customer {log_id}",
                    "date_required_follow_up": date(2031, 1, 31),
                    "notes": "Came in and looked at chairs",
                },
                now,
            )
            for log_id in range(1, logs + 1)
        ]
        first = [revision_of(None, log, None, bytes(16)) for log in made]
        connection.execute(insert(tables.customer_log), [tables.LOGS.dump(log) for log in made])
        connection.execute(
            insert(tables.revision), [tables.REVISIONS.dump(revision) for revision in first]
        )
        connection.execute(update(tables.site).values(next_log_id=logs + 1))
