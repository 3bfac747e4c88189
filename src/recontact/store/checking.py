"""Whether a database is sound: what SQLite can say of its file, and what we promise of its rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from recontact.store.search import made_by
from recontact.store.sqlite import driver
from recontact.store.transaction import Driver

_SHOWN: Final = 100
"""Faults of one kind that are told; SQLite's own check has the same bound."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """What must hold: `sql` gives a row for each fault, and `fault` tells it with the values."""

    what: str
    sql: str
    fault: str


# Each is one statement, so one snapshot, and walks its tables in the order of their keys.
_RULES: Final = (
    _Rule(
        "logs and their revisions",
        """
        SELECT l.site, l.log_id, l.revision, count(r.number), min(r.number), max(r.number)
        FROM customer_log l LEFT JOIN revision r ON r.site = l.site AND r.log_id = l.log_id
        GROUP BY l.site, l.log_id
        HAVING count(r.number) <> l.revision OR min(r.number) <> 1 OR max(r.number) <> l.revision
        """,
        "Log {1} of site {0} is at revision {2}, but there are {3} revisions of it, numbered {4} "
        "to {5}.",
    ),
    _Rule(
        "customers and their revisions",
        """
        SELECT c.site, c.customer_id, c.revision, count(r.number), min(r.number), max(r.number)
        FROM customer c
        LEFT JOIN customer_revision r ON r.site = c.site AND r.customer_id = c.customer_id
        GROUP BY c.site, c.customer_id
        HAVING count(r.number) <> c.revision OR min(r.number) <> 1 OR max(r.number) <> c.revision
        """,
        "Customer {1} of site {0} is at revision {2}, but there are {3} revisions of it, numbered "
        "{4} to {5}.",
    ),
    _Rule(
        "revisions of logs that are lost",
        """
        SELECT DISTINCT site, log_id FROM revision r WHERE NOT EXISTS
        (SELECT 1 FROM customer_log l WHERE l.site = r.site AND l.log_id = r.log_id)
        """,
        "Log {1} of site {0} is not there, but there are revisions of it.",
    ),
    _Rule(
        "revisions of customers that are lost",
        """
        SELECT DISTINCT site, customer_id FROM customer_revision r WHERE NOT EXISTS
        (SELECT 1 FROM customer c WHERE c.site = r.site AND c.customer_id = r.customer_id)
        """,
        "Customer {1} of site {0} is not there, but there are revisions of it.",
    ),
    _Rule(
        "counters",
        """
        SELECT * FROM (
            SELECT site, 'LogID', next_log_id AS next,
            max(ifnull((SELECT max(log_id) FROM customer_log l WHERE l.site = s.site), 0),
                ifnull((SELECT max(log_id) FROM revision r WHERE r.site = s.site), 0)) AS given
            FROM site s
            UNION ALL
            SELECT site, 'customer ID', next_customer_id,
            max(ifnull((SELECT max(customer_id) FROM customer c WHERE c.site = s.site), 0),
                ifnull((SELECT max(customer_id) FROM customer_revision r WHERE r.site = s.site), 0))
            FROM site s
        ) WHERE next <= given
        """,
        "Site {0} would give the {1} {2} next, but {3} was given already.",
    ),
    # The oldest entries are swept away; a revision younger than the oldest that is there has one.
    *(
        _Rule(
            f"journal of {what}s",
            f"""
            SELECT r.site, r.{number}, r.number FROM {table} r
            WHERE r.request >= (SELECT min(request) FROM journal j WHERE j.site = r.site)
            AND NOT EXISTS
            (SELECT 1 FROM journal j WHERE j.site = r.site AND j.request = r.request)
            """,  # noqa: S608  # ours
            f"The call that made revision {{2}} of {what} {{1}} of site {{0}} is not in the "
            "journal.",
        )
        for what, table, number in (
            ("log", "revision", "log_id"),
            ("customer", "customer_revision", "customer_id"),
        )
    ),
    _Rule(
        "bodies of the journal",
        """
        SELECT site, lower(hex(request)) FROM journal_body b WHERE NOT EXISTS
        (SELECT 1 FROM journal j WHERE j.site = b.site AND j.request = b.request)
        """,
        "The bodies of call {1} of site {0} are there, but the journal has no entry of it.",
    ),
)


def faults(database: Driver, step: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """
    A sentence for each fault of the database, which has our schema of today; none: it is sound.

    Beside a server that writes, without holding it up. step: told what is looked at next.
    """
    step("pages and indexes")
    yield from faults_of_file(database)
    for rule in _RULES:
        step(rule.what)
        yield from _broken(database, rule)
    step("the index of the search")
    yield from _of_search(database)


def faults_of_file(database: Driver) -> Iterator[str]:
    """What SQLite finds: pages, rows, indexes, the inside of the search's, references."""
    try:
        for (said,) in database.execute("PRAGMA integrity_check"):
            for line in said.splitlines():
                if line != "ok" and not line.startswith("***"):  # the heading of those that follow
                    yield f"SQLite says: {line}."
        for table, _, parent, _ in database.execute("PRAGMA foreign_key_check"):
            yield f"A row of {table} refers to one that is not in {parent}."
    except driver.Error as error:
        yield f"SQLite says: {error}."


def _broken(database: Driver, rule: _Rule) -> Iterator[str]:
    try:
        found = iter(database.execute(rule.sql))
        for row in islice(found, _SHOWN):
            yield rule.fault.format(*row)
        if next(found, None):
            yield f"There are more such faults: {_SHOWN} were shown."
    except driver.Error as error:
        yield f"SQLite cannot read the {rule.what}: {error}."


_SEARCH: Final = """
    SELECT (SELECT made_by FROM search_index),
    (SELECT block FROM log_search_data WHERE id = 1),
    (SELECT count(*) FROM search_pending WHERE was IS NOT NULL)
    + (SELECT count(*) FROM customer_log l WHERE NOT EXISTS
       (SELECT 1 FROM search_pending p WHERE p.site = l.site AND p.log_id = l.log_id))
"""


def _of_search(database: Driver) -> Iterator[str]:
    """The index has each log that is not noted, and each noted one that it is to forget."""
    try:
        maker, totals, due = database.execute(_SEARCH).fetchone()
    except driver.Error as error:
        yield f"SQLite cannot read the index of the search: {error}."
        return
    if maker != made_by(driver.sqlite_version):
        return  # the server makes it anew
    if (indexed := _first_number(totals)) != due:
        yield f"The index of the search has {indexed} logs, but should have {due}."


def _first_number(totals: bytes) -> int:
    """
    How many rows an index of FTS5 has: the first number of what its source calls the averages.

    Nothing else can tell, of one without content and sizes. Seven bits a byte, the highest first;
    the last byte is below 128.
    """
    number = 0
    for byte in totals:
        number = number << 7 | byte & 127
        if byte < 128:
            break
    return number
