"""
Databases to measure on: a shop's customers with fifty logs each, of three years, and one key.

The first 100,000 logs are made by recontact's own code. A larger database has each of them many
times over, made by SQL (some 25 s for a million), and is else as recontact would have left it.
"""

import hashlib
import os
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import multiplying
import wording
from multiplying import HOST, USERNAME, multiply
from sqlalchemy import Connection, event, update

from recontact.clock import SYSTEM
from recontact.fields import CUSTOMER_LOG
from recontact.model import (
    By,
    Customer,
    CustomerLog,
    customer_revision_of,
    new_customer,
    new_log,
    revision_of,
)
from recontact.store import keys, migrations, open_store, search, tables
from recontact.store.committer import FEED_STEP
from recontact.store.sqlite import driver, make_engine  # type: ignore[attr-defined]  # not exported
from recontact.store.transaction import Statements
from recontact.store.writer import Writer
from recontact.values import Status

KEY: Final = "rk_the_key_of_the_bench_0123456789"
NOW: Final = datetime(2026, 11, 2, 9, tzinfo=UTC)
"""When it is, for the data and for who asks what is due: so every run has the same data."""
LOGS: Final = 10_000
MANY_LOGS: Final = 1_000_000
MOST_LOGS: Final = 10_000_000
LOGS_AT_START: Final = 100_000
LOGS_EACH: Final = 50
"""Logs of a customer."""
BYTES_EACH: Final = 1_000
"""Bytes of a database for each log, roughly."""

_MADE: Final = LOGS_AT_START
"""Logs that are made one by one; larger databases are multiples of these."""
_DAYS: Final = 3 * 365
"""Days since the first log."""
_STRIDE: Final = 7_919  # prime, so that a customer's logs lie far apart
_CHUNK: Final = 10_000
"""Logs in a commit of the seed."""
_CHANGES: Final = 10_000
_STAFF: Final = ("Anna", "Ben", "Chiara", "Daw", "Emil", "Fatima", "Guo", "Hanna")
_WAYS: Final = ("Phone", "Email", "Visit", "Chat")


def username(customer_id: int) -> str:
    """Of the customer with that ID; they count from 1."""
    return USERNAME % customer_id


def seeded(folder: Path, logs: int) -> Path:
    """
    The database of so many logs in `folder`, made unless it is there.

    It has the LogIDs from 1 to `logs`, oldest first, each record one revision, and its index of the
    search has seen every log.
    """
    path = folder / f"{logs}-{_fingerprint()}.db"
    if not path.exists():
        for old in folder.glob(f"{logs}-*"):
            old.unlink()
        made = path.with_suffix(".part")
        if logs <= _MADE:
            _seed(made, logs)
        else:
            base = seeded(folder, _MADE)
            with closing(open_store(f"sqlite:///{made}", now=SYSTEM.now)):
                pass  # it makes the tables
            _feed_search(made)  # makes the empty index ours
            multiply(base, made, _MADE, logs)
        sync(made)
        made.rename(path)
    return path


def sync(path: Path) -> None:
    """Bring a file to the disk, so that what is measured does not wait for it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _fingerprint() -> str:
    """Of all that makes the data: one that was kept counts for as long as this is the same."""
    digest = hashlib.sha256(search.made_by(driver.sqlite_version).encode())
    revisions = sorted((Path(migrations.__file__).parent / "versions").glob("*.py"))
    ours = (Path(module) for module in (__file__, multiplying.__file__, wording.__file__))
    for source in (*ours, *revisions):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:8]


def _seed(path: Path, logs: int) -> None:
    """Make a database, each record by the code of recontact."""
    random, begin = Random(logs), NOW - timedelta(days=_DAYS)
    with closing(open_store(f"sqlite:///{path}", now=SYSTEM.now)) as store:
        with store.begin() as connection:
            site = keys.first_site(connection, NOW)
            keys.add_key(connection, site, KEY, now=NOW)
            ids = range(1, logs // LOGS_EACH + 1)
            customers = [_customer(site.site, number, random, begin) for number in ids]
            _Writing(connection).customers(customers)
            counters = {"next_log_id": logs + 1, "next_customer_id": len(customers) + 1}
            connection.execute(update(tables.site).values(counters))
        for start in range(1, logs + 1, _CHUNK):
            made = []
            for log_id in range(start, min(start + _CHUNK, logs + 1)):
                customer = customers[log_id * _STRIDE % len(customers)]
                added = (begin + (NOW - begin) * (log_id / logs)).replace(microsecond=0)
                made.append(_log(log_id, customer, random, added))
            with store.begin() as connection:
                _Writing(connection).logs(made)
    _feed_search(path)


def _feed_search(path: Path) -> None:
    """Let the index of the search see all logs, as the server does, but for the wait for disks."""
    engine = make_engine(path, writes=True)
    event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA synchronous = OFF"))
    writer = Writer(engine, Statements(engine.dialect), SYSTEM.now)
    while writer.feed(FEED_STEP):
        pass
    writer.drop()
    engine.dispose()


def write_changes(path: Path) -> None:
    """
    Make a file of changes for update.lua: in each line Status, DateRequiredFollowUp and Notes.

    They are spread as those of the seed, so that reads find as much after many updates as before.
    """
    random = Random(1)
    write = CUSTOMER_LOG["DateRequiredFollowUp"].wire.type.write
    with path.open("w", encoding="utf-8") as file:
        for _ in range(_CHANGES):
            contact = _contact(random, NOW - timedelta(days=random.uniform(0, _DAYS)))
            due = contact["date_required_follow_up"]
            parts = (contact["status"].value, write(due) if due else "", contact["notes"])
            print(*parts, sep="\t", file=file)


def _customer(site: int, customer_id: int, random: Random, added: datetime) -> Customer:
    first, last, company = (word.title() for word in random.sample(wording.VOCABULARY, 3))
    details = {
        "username": username(customer_id),
        "email_address": f"{username(customer_id)}@{HOST}",
        "bill_first_name": first,
        "bill_last_name": last,
        "bill_company": f"{company} Ltd",
    }
    return new_customer(site, customer_id, details, added)


def _log(log_id: int, customer: Customer, random: Random, added: datetime) -> CustomerLog:
    of = customer.details
    changes = _contact(random, added) | {
        "username": customer.username,
        "customer_name": f"{of['bill_first_name']} {of['bill_last_name']}",
        "allocated_to": random.choice(_STAFF),
        "follow_up_type": random.choice(_WAYS),
        "last_contacted": added,
    }
    return new_log(customer.site, log_id, changes, added)


def _contact(random: Random, added: datetime) -> dict[str, Any]:
    """What changes in a log: of the last two months one in two is open, of the others one in 30."""
    is_recent = NOW - added < timedelta(days=60)
    is_open = random.random() < (1 / 2 if is_recent else 1 / 30)
    due: date | datetime | None = None
    if random.random() < (0.95 if is_open else 0.8):
        due = (added + timedelta(days=random.uniform(1, 45))).replace(microsecond=0)
        due = due if random.random() < 0.2 else due.date()
    unfinished = random.choice((Status.REQUIRE_RECONTACT, Status.RECONTACTING))
    return {
        "status": unfinished if is_open else Status.COMPLETED,
        "date_required_follow_up": due,
        "notes": wording.some_notes(random),
    }


class _Writing:
    """Writes records by the statements of the store, with their first revisions."""

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection
        self._statements = Statements(connection.dialect)

    def customers(self, made: list[Customer]) -> None:
        self._write(tables.CUSTOMERS, made)
        first = [customer_revision_of(None, one, By(None, bytes(16))) for one in made]
        self._write(tables.CUSTOMER_REVISIONS, first)

    def logs(self, made: list[CustomerLog]) -> None:
        self._write(tables.LOGS, made)
        self._write(tables.REVISIONS, [revision_of(None, log, By(None, bytes(16))) for log in made])

    def _write(self, kept: tables.Kept[Any], records: list[Any]) -> None:
        rows = [kept.dump(record) for record in records]
        self._statements.insert(self._driver, kept.table, rows)
