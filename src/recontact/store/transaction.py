"""One call's view over the rows of its group: what it writes is its own until it keeps it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    Executable,
    Select,
    and_,
    bindparam,
    insert,
    select,
    update,
)

from recontact.model import CustomerLog, JournalEntry, Site, revision_of
from recontact.store import tables
from recontact.store.tables import COUNTERS, LOGS, REVISIONS, Counter, Kept

R = TypeVar("R")
T = TypeVar("T")

RowKey = tuple[Any, ...]
Rows = dict[Kept[Any], dict[RowKey, Any]]


@dataclass(frozen=True, slots=True)
class Work(Generic[T]):
    """
    Something to do in a transaction of its own.

    run: it may be called twice, so it has no effect but on its transaction. log_ids: the logs
    that it will probably read; fetching them ahead is only speed. weight: items, which cap a group.
    """

    site: Site
    run: Callable[["Transaction"], T]
    log_ids: Collection[int] = ()
    weight: int = 1


class Group:
    """The rows that the calls of one commit have read and written."""

    def __init__(self, connection: Connection, statements: "Statements") -> None:
        self.connection = connection
        self._statements = statements
        self._found: Rows = defaultdict(dict)  # as the database has them; None: it has none
        self._written: Rows = defaultdict(dict)
        self.entries: list[JournalEntry] = []

    def get(self, kept: Kept[R], key: RowKey) -> R | None:
        """The record as the calls before left it, else as the database has it."""
        written = self._written[kept]
        if key in written:
            return written[key]  # type: ignore[no-any-return]  # a dict of many kinds of record
        found = self._found[kept]
        if key not in found:
            row = self.connection.execute(
                self._statements.by_key(kept),
                {f"is__{name}": value for name, value in zip(kept.key, key, strict=True)},
            ).first()
            found[key] = kept.load(row) if row is not None else None
        return found[key]  # type: ignore[no-any-return]

    def fetch_logs(self, works: Iterable[Work[Any]]) -> None:
        """Read ahead the logs that the works name, with one statement a site."""
        wanted: dict[int, set[int]] = defaultdict(set)
        for work in works:
            wanted[work.site.site].update(work.log_ids)
        found = self._found[LOGS]
        for site, log_ids in wanted.items():
            if len(log_ids) < 2:
                continue  # read through, by key
            found.update({(site, log_id): None for log_id in log_ids})
            for row in self._statements.logs(self.connection, site, sorted(log_ids)):
                found[site, row[1]] = LOGS.load(row)

    def keep(self, own: Rows, entries: list[JournalEntry]) -> None:
        """Take over what a call wrote."""
        for kept, rows in own.items():
            self._written[kept].update(rows)
        self.entries += entries

    def probe(self) -> None:
        """Write the sites' rows as they are; in two steps, or SQLite would write nothing."""
        for step in (1, -1):
            raised = tables.site.c.next_log_id + step
            self.connection.execute(update(tables.site).values(next_log_id=raised))

    def flush(self) -> None:
        """Write everything, one statement for all rows of a table that change alike."""
        for kept, rows in self._written.items():
            found = self._found[kept]
            new = []
            changed: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
            for key, record in rows.items():
                row = kept.dump(record)
                before = found.get(key)
                if before is None:
                    new.append(row)
                else:
                    old = kept.dump(before)
                    # Only the columns that differ: an index on the others need not be touched.
                    if columns := tuple(name for name, value in row.items() if old[name] != value):
                        changed[columns].append(row)
            self._statements.insert(self.connection, kept.table, new)
            for columns, group in changed.items():
                self._statements.update(self.connection, kept, columns, group)
        self._statements.insert(
            self.connection, tables.journal, [tables.dump_journal(e) for e in self.entries]
        )
        self._statements.insert(
            self.connection,
            tables.journal_body,
            [dump_bodies(e) for e in self.entries if e.request_body or e.answer_body],
        )


class Transaction:
    """
    One call's view: reads see its own writes, then the group's; nothing is written before `keep`.

    site: whose data it sees. now: aware, UTC; the time of all that it writes.
    """

    def __init__(self, group: Group, site: Site, now: datetime) -> None:
        self._group = group
        self._own: Rows = defaultdict(dict)
        self._entries: list[JournalEntry] = []
        self.site = site
        self.now = now

    def get(self, kept: Kept[R], *key: Any) -> R | None:
        """The record of that key, or None."""
        own = self._own[kept]
        return own[key] if key in own else self._group.get(kept, key)

    def put(self, kept: Kept[R], record: R) -> None:
        """Write a record, new or in place of the one with its key."""
        self._own[kept][tuple(getattr(record, name) for name in kept.key)] = record

    def log(self, log_id: int) -> CustomerLog | None:
        """The log of this site with that LogID."""
        return self.get(LOGS, self.site.site, log_id)

    def save(
        self, log: CustomerLog, before: CustomerLog | None, key_id: int | None, request: bytes
    ) -> None:
        """Write a log and the revision that made it of `before`."""
        self.put(LOGS, log)
        self.put(REVISIONS, revision_of(before, log, key_id, request))

    def next_log_id(self) -> int:
        """A LogID that the site never gave; given only if this transaction is kept."""
        counter = self.get(COUNTERS, self.site.site)
        if counter is None:
            raise LookupError(f"site {self.site.site} has no row")
        self.put(COUNTERS, Counter(counter.site, counter.next_log_id + 1))
        return counter.next_log_id

    def enter(self, entry: JournalEntry) -> None:
        """Write an entry of the journal with what the call did."""
        self._entries.append(entry)

    def probe(self) -> None:
        """Write something for real that changes nothing: whether the disk takes it."""
        self._group.probe()

    def keep(self) -> None:
        """Make what was written the group's. Not called: it was never written."""
        self._group.keep(self._own, self._entries)


def dump_bodies(entry: JournalEntry) -> dict[str, Any]:
    """The row of the bodies."""
    return {
        "site": entry.site,
        "request": entry.request,
        "packed": entry.packed,
        "request_body": entry.request_body,
        "answer_body": entry.answer_body,
    }


def driver_of(connection: Connection) -> Any:
    """The driver's own connection under SQLAlchemy's; its errors are the driver's own too."""
    return connection.connection.dbapi_connection


class Statements:
    """
    The statements of the write path: built by SQLAlchemy Core, compiled once for a dialect.

    The driver then runs them with many rows at once: Core itself costs twice the driver's time.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[Any, tuple[str, Callable[[dict[str, Any]], Any]]] = {}
        self._by_key: dict[Kept[Any], Executable] = {}

    def logs(
        self, connection: Connection, site: int, log_ids: list[int]
    ) -> Iterator[Sequence[Any]]:
        """The rows of the logs with these LogIDs, some hundred to a statement."""
        for chunk in (log_ids[at : at + 256] for at in range(0, len(log_ids), 256)):
            # A power of two of places, the last LogID repeated: few statements to compile.
            places = 1 << (len(chunk) - 1).bit_length()
            sql, _ = self._compile(
                ("logs", places),
                partial(_logs_of, places),
            )
            padded = (site, *chunk, *chunk[-1:] * (places - len(chunk)))
            yield from driver_of(connection).execute(sql, padded).fetchall()

    def by_key(self, kept: Kept[Any]) -> Executable:
        """One row of a table by its key."""
        if kept not in self._by_key:
            self._by_key[kept] = select(kept.table).where(*_key_is(kept))
        return self._by_key[kept]

    def insert(self, connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
        """Add rows."""
        if rows:
            self._run(connection, (table,), lambda: insert(table), rows)

    def update(
        self,
        connection: Connection,
        kept: Kept[Any],
        columns: tuple[str, ...],
        rows: list[dict[str, Any]],
    ) -> None:
        """Write these columns of rows that are there."""
        self._run(
            connection,
            (kept, columns),
            lambda: (
                update(kept.table)
                .where(and_(*_key_is(kept)))
                .values({name: bindparam(f"set__{name}") for name in columns})
            ),
            rows,
        )

    def _run(
        self,
        connection: Connection,
        name: Any,
        build: Callable[[], Any],
        rows: list[dict[str, Any]],
    ) -> None:
        sql, values = self._compile(name, build)
        driver_of(connection).executemany(sql, [values(row) for row in rows]).close()

    def _compile(
        self, name: Any, build: Callable[[], Any]
    ) -> tuple[str, Callable[[dict[str, Any]], Any]]:
        """The text of a statement, and what takes its values from a row in the right order."""
        if name not in self._compiled:
            compiled = build().compile(dialect=self._dialect)
            names = [n.removeprefix("set__").removeprefix("is__") for n in compiled.positiontup]
            self._compiled[name] = str(compiled), itemgetter(*names)
        return self._compiled[name]


def _logs_of(places: int) -> Select[Any]:
    log = tables.customer_log.c
    places_for_ids: list[Any] = [bindparam(f"log_id_{n}") for n in range(places)]
    return select(tables.customer_log).where(
        log.site == bindparam("site"), log.log_id.in_(places_for_ids)
    )


def _key_is(kept: Kept[Any]) -> list[Any]:
    return [kept.table.c[name] == bindparam(f"is__{name}") for name in kept.key]
