"""Whether a database is sound: what SQLite can say of its file, and what we promise of its rows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from recontact.model import ERASED, EXISTS
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


def _rules_of(what: str, table: str, revisions: str, number: str) -> Iterator[_Rule]:
    """
    What must hold of records and their revisions.

    what: `log` or `customer`. number: the column that numbers the records in both tables.
    """
    name = what.capitalize()
    same = f"r.site = l.site AND r.{number} = l.{number}"
    numbers = "count(r.number), min(r.number), max(r.number)"
    is_lost = f"NOT EXISTS (SELECT 1 FROM {table} l WHERE {same})"  # noqa: S608  # all are ours
    # A revision took its record away: a withdrawal leaves no value, an erasure only the word, and
    # that twice, as no change does. No text that was ever noted can hold such quotes in JSON.
    took_away = f"""
        (ifnull(json_type(r.changes, '$.{EXISTS[what]}[1]') = 'null', 0)
         OR instr(r.changes, '["{ERASED}","{ERASED}"]') > 0)
    """
    yield _Rule(
        f"{what}s and their revisions",
        f"""
        SELECT l.site, l.{number}, l.revision, {numbers}
        FROM {table} l LEFT JOIN {revisions} r ON {same}
        GROUP BY l.site, l.{number}
        HAVING count(r.number) <> l.revision OR min(r.number) <> 1 OR max(r.number) <> l.revision
        """,  # noqa: S608
        f"{name} {{1}} of site {{0}} is at revision {{2}}, but there are {{3}} revisions of it, "
        "numbered {4} to {5}.",
    )
    yield _Rule(
        f"{what}s that are there",
        f"""
        SELECT l.site, l.{number}, r.number FROM {table} l
        JOIN {revisions} r ON {same} AND r.number = l.revision WHERE {took_away}
        ORDER BY l.site, l.{number}
        """,  # noqa: S608
        f"{name} {{1}} of site {{0}} is there, but its revision {{2}} took it away.",
    )
    # Only of a record that is lost is it looked for which revision is the last.
    yield _Rule(
        f"revisions of {what}s that are lost",
        f"""
        SELECT r.site, r.{number} FROM {revisions} r WHERE {is_lost} AND NOT {took_away}
        AND NOT EXISTS (SELECT 1 FROM {revisions} l WHERE {same} AND l.number > r.number)
        """,  # noqa: S608
        f"{name} {{1}} of site {{0}} is not there, but there are revisions of it.",
    )
    yield _Rule(
        f"revisions of {what}s that were taken away",
        f"""
        SELECT r.site, r.{number}, {numbers} FROM {revisions} r WHERE {is_lost}
        GROUP BY r.site, r.{number} HAVING min(r.number) <> 1 OR max(r.number) <> count(r.number)
        """,  # noqa: S608
        f"{name} {{1}} of site {{0}} was taken away, but there are {{2}} revisions of it, numbered "
        "{3} to {4}.",
    )
    # The oldest entries are swept away; a revision younger than the oldest that is there has one.
    yield _Rule(
        f"journal of {what}s",
        f"""
        SELECT r.site, r.{number}, r.number FROM {revisions} r
        WHERE r.request >= (SELECT min(request) FROM journal j WHERE j.site = r.site)
        AND NOT EXISTS
        (SELECT 1 FROM journal j WHERE j.site = r.site AND j.request = r.request)
        """,  # noqa: S608
        f"The call that made revision {{2}} of {what} {{1}} of site {{0}} is not in the journal.",
    )


# Each rule is one statement, so one snapshot, and walks its tables in the order of their keys.
_RULES: Final = (
    *_rules_of("log", "customer_log", "revision", "log_id"),
    *_rules_of("customer", "customer", "customer_revision", "customer_id"),
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
    _Rule(
        "bodies of the journal",
        """
        SELECT site, lower(hex(request)) FROM journal_body b WHERE NOT EXISTS
        (SELECT 1 FROM journal j WHERE j.site = b.site AND j.request = b.request)
        """,
        "The bodies of call {1} of site {0} are there, but the journal has no entry of it.",
    ),
    _Rule(
        "idempotency keys",
        """
        SELECT site, lower(hex(request)) FROM idempotency i
        WHERE length(fingerprint) > 0 AND NOT EXISTS
        (SELECT 1 FROM journal_body b WHERE b.site = i.site AND b.request = i.request
         AND b.answer_body IS NOT NULL)
        """,
        "The answer of call {1} of site {0} is not in the journal, but an Idempotency-Key names "
        "it.",
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
